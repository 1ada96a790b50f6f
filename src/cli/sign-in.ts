/// <reference types="node" />
import type { IssuedToken } from '../services/auth/access-token.ts';
import type { Credentials } from './credentials.ts';
import { parseJson } from '../lib/parse-json.ts';

/** The sign-in was refused or not understood; the message holds no secret. */
export class SignInError extends Error {}

/** A cookie as a `Set-Cookie` header gives it. */
export interface ReceivedCookie {
  name: string;
  isHttpOnly: boolean;
}

interface Where {
  baseUrl: string;
  auth: 'v1' | 'v2';
}

/** A session as a browser has one: its cookies come and go without the client. @param mayAsk whether one more request may leave */
export function openSession(mayAsk: () => boolean) {
  const jar = new Map<string, string>();
  const received = new Map<string, ReceivedCookie>();

  const send: typeof fetch = async (url, init) => {
    if (!mayAsk()) throw new TypeError('the probe has sent as many requests as it may');
    const headers = new Headers(init?.headers);
    if (jar.size > 0 && init?.credentials === 'include')
      headers.set('Cookie', [...jar].map(([name, value]) => `${name}=${value}`).join('; '));
    const response = await fetch(url, { ...init, headers });
    for (const line of response.headers.getSetCookie()) {
      const [pair = ''] = line.split(';');
      const name = pair.slice(0, pair.indexOf('='));
      jar.set(name, pair.slice(pair.indexOf('=') + 1));
      received.set(name, { name, isHttpOnly: /;\s*httponly/i.test(line) });
    }
    return response;
  };

  return {
    fetch: send,
    cookies: (): ReceivedCookie[] => [...received.values()],
    /** @throws SignInError where the answer holds no token */
    async signIn({ baseUrl, auth }: Where, path: string | undefined, credentials: Credentials, signal: AbortSignal) {
      const route = path ?? (auth === 'v1' ? '/api/auth/login' : '/api/auth/v2/login');
      const response = await send(`${baseUrl}${route}`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(credentials),
        credentials: 'include',
        redirect: 'error',
        signal,
      });
      const body = parseJson(await response.text()) as { data?: Record<string, string | undefined> } | null | undefined;
      const { idToken, token, expiresIn, refreshToken } = body?.data ?? {};
      const accessToken = idToken ?? token;
      if (!response.ok || !accessToken)
        throw new SignInError(`the sign-in was answered with status ${response.status}, and without a token`);
      return { accessToken, expiresIn, refreshToken } satisfies IssuedToken;
    },
  };
}
