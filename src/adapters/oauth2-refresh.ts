import * as z from 'zod/mini';
import { SignInRequiredError, TransientError } from '../lib/errors.ts';
import { fit, object, someText, textOrNumber } from '../lib/schemas.ts';
import type { RefreshTokens } from '../ports.ts';
import { parseRetryAfter } from '../services/api/retry-after.ts';
import { fieldOf } from './answers.ts';
import { parseJson } from '../lib/parse-json.ts';

/** Options of {@link oauth2Refresh}. */
export interface Oauth2RefreshOptions {
  /** The address of the token endpoint. */
  tokenEndpoint: string;
  /** The id of a public client. A page has no client secret. */
  clientId: string;
  /** A narrower scope than that of the sign-in. @default the scope of the sign-in */
  scope?: string;
  /** @default the platform's own */
  fetch?: typeof fetch;
}

// Only the token itself must be valid: the server has rotated it, so a malformed field beside it must not discard it.
const tokenSchema = object({
  access_token: someText,
  expires_in: z.catch(z.optional(textOrNumber), undefined),
  refresh_token: z.catch(z.optional(someText), undefined),
});

/**
 * The refresh of RFC 6749, section 6: form-encoded, with or without rotation of the refresh token. Give `refreshToken` to
 * `client.signedIn(...)` once; the client keeps it, stores each rotated one and shares it with the other tabs.
 *
 * `invalid_grant` ends the session. Another refusal in the words of OAuth, a 429 and a 503 leave the refresh token as it is. After every other
 * failure the token may have been rotated, and the client waits before it tries again.
 *
 * @example
 * const client = createAssessmentClient({
 *   baseUrl: 'https://api.example.test',
 *   auth: { refresh: oauth2Refresh({ tokenEndpoint: 'https://login.example.test/oauth2/token', clientId: 'web' }) },
 * });
 * client.signedIn({ accessToken, expiresIn, refreshToken });
 */
export function oauth2Refresh({ tokenEndpoint, clientId, scope, fetch }: Oauth2RefreshOptions): RefreshTokens {
  return async ({ refreshToken, signal }) => {
    if (refreshToken === null) throw new SignInRequiredError();
    const form = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refreshToken, client_id: clientId });
    if (scope !== undefined) form.set('scope', scope);
    const send = fetch ?? globalThis.fetch;
    const response = await send(tokenEndpoint, {
      method: 'POST',
      headers: { Accept: 'application/json', 'Content-Type': 'application/x-www-form-urlencoded' },
      body: form.toString(),
      // A redirect would carry the refresh token to another address.
      redirect: 'error',
      cache: 'no-store',
      signal,
    });
    const body = parseJson(await response.text());
    if (!response.ok) throw errorOf(response, body);
    const issued = fit(body, tokenSchema);
    if (!issued) throw new Error('The token endpoint answered without an access_token.');
    return { accessToken: issued.access_token, expiresIn: issued.expires_in, refreshToken: issued.refresh_token };
  };
}

function errorOf({ status, headers }: Response, body: unknown): Error {
  const code = fieldOf(body, 'error');
  if (code === 'invalid_grant') return new SignInRequiredError();
  const retryAfterMs = parseRetryAfter(headers.get('retry-after'), Date.now());
  const message = `the token endpoint answered with status ${status}`;
  if (status === 429) return new TransientError('rate-limited', message, { retryAfterMs, maybeDone: false, status });
  const isRefusal = status < 500 && typeof code === 'string';
  if (isRefusal || status === 503)
    return new TransientError('unavailable', message, { retryAfterMs, maybeDone: false, status });
  return new TransientError('unavailable', message, { retryAfterMs, status });
}
