import * as z from 'zod/mini';
import { RejectedError } from '../../lib/errors.ts';
import { errorOf, type HttpAnswer, isLoginPage, isSessionOver, readServerError } from '../api/answer.ts';
import { exchange, type HttpDeps } from '../api/http.ts';
import { type Log, logCall } from '../../lib/log.ts';
import { isSendable } from './access-token.ts';
import type { RefreshAnswer } from './refresh-coordinator.ts';
import { fit, object, someText, textOrNumber } from '../../lib/schemas.ts';
import type { KeyValueStore } from '../../lib/storage.ts';

export interface RefreshRequestOptions extends HttpDeps {
  log: Log;
  path: string;
  timeoutMs: number;
  /**
   * `cookie`: the refresh token is in an httpOnly cookie that scripts never see. `body`: it travels in the JSON body and
   * is kept in `store`, for servers without the cookie.
   */
  transport: 'cookie' | 'body';
  store: KeyValueStore;
  /** Receives the `Date` of each answer that brought a token, ms: after a jump of the clock no other call may get through. */
  onServerTime?: (serverNow: number) => void;
}

export const REFRESH_TOKEN_KEY = 'refresh-token';

// Only the token itself must be valid: the server has rotated it, so a malformed field beside it must not discard it.
const issuedSchema = object({
  data: object({
    idToken: someText,
    refreshToken: z.catch(z.optional(z.string()), undefined),
    expiresIn: z.catch(z.optional(textOrNumber), undefined),
  }),
});

/**
 * Creates the call of the refresh endpoint. It has a timeout and never throws: every outcome is a {@link RefreshAnswer}. It
 * bypasses the API's 401 handling, so that a rejected refresh never causes a refresh.
 *
 * @example
 * const request = createRefreshRequest({ ...http, path: '/auth/refresh', timeoutMs: 15_000, transport: 'cookie', store });
 */
export function createRefreshRequest(options: RefreshRequestOptions): () => Promise<RefreshAnswer> {
  const { clock, log, path, timeoutMs, transport, store } = options;

  const ask = async (onStatus: (status: number) => void): Promise<RefreshAnswer> => {
    const refreshToken = transport === 'body' ? store.get(REFRESH_TOKEN_KEY) : null;
    if (transport === 'body' && refreshToken === null) return { type: 'rejected' };
    const response = await exchange(options, {
      method: 'POST',
      path,
      body: refreshToken === null ? {} : { refreshToken },
      timeoutMs,
      credentials: 'include',
      // The browser must store the new cookie even when the tab closes during the request.
      keepalive: true,
    });
    const { status, body, sentAt } = response;
    onStatus(status);
    const failure = failureOf(response);
    if (failure) return failure;
    const issued = fit(body, issuedSchema)?.data;
    // A success that cannot be read: the token was probably rotated.
    if (!issued) return { type: 'ambiguous' };
    if (response.serverNow !== null) options.onServerTime?.(response.serverNow);
    // After a sign-out or another sign-in during the request, the new refresh token belongs to no current session.
    if (refreshToken !== null && issued.refreshToken && store.get(REFRESH_TOKEN_KEY) === refreshToken) {
      store.set(REFRESH_TOKEN_KEY, issued.refreshToken);
    }
    if (!isSendable(issued.idToken)) {
      log({ type: 'token.unsendable' });
      return { type: 'ambiguous' };
    }
    const token = { accessToken: issued.idToken, expiresIn: issued.expiresIn };
    // With the cookie transport a refresh token in the body is ignored.
    if (refreshToken === null) return { type: 'issued', token, sentAt };
    // Other tabs hold a copy of the refresh token that this request has used up.
    return { type: 'issued', token: { ...token, refreshToken: issued.refreshToken }, sentAt };
  };

  return async () => {
    const finish = logCall(log, clock, 'refresh', null);
    let status: number | null = null;
    const answer = await ask((received) => (status = received)).catch(() => ({ type: 'ambiguous' }) as const);
    finish(answer.type === 'issued' ? 'ok' : answer.type === 'rejected' ? 'rejected' : 'transient', status);
    return answer;
  };
}

/** Statuses that refuse a refresh token without a word. */
const REFUSED = new Set([401, 419, 440, 498]);

/**
 * What a failed refresh means, or null for a success. Only the API's own word ends a session: a page of a firewall or a login page
 * says nothing about the refresh token.
 */
function failureOf(answer: HttpAnswer): RefreshAnswer | null {
  const { status, body, headers, retryAfterMs, isPage } = answer;
  if (isLoginPage(answer)) return { type: 'transient', retryAfterMs, isLoginPage: true };
  const error = errorOf(answer, null);
  const { code } = readServerError(body);
  if (error === null) return null;
  if (error.code === 'rate-limited') return { type: 'limited', retryAfterMs };
  if (status < 500 && isSessionOver(code)) return { type: 'rejected' };
  // The password prompt of a proxy or of a test site is about its own password.
  const isPrompt = /^(basic|digest|ntlm|negotiate)\b/i.test(headers?.get('www-authenticate') ?? '');
  const isRefusal =
    (REFUSED.has(status) && isPage !== true && !isPrompt) ||
    ((status === 400 || status === 403) && error instanceof RejectedError);
  return isRefusal ? { type: 'rejected' } : { type: 'transient', retryAfterMs };
}
