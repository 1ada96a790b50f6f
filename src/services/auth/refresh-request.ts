import * as z from 'zod/mini';
import { RejectedError, TransientError } from '../../lib/errors.ts';
import { errorOf, exchange, type HttpDeps } from '../api/http.ts';
import { type Log, logCall } from '../../lib/log.ts';
import type { RefreshAnswer } from './refresh-coordinator.ts';
import { fit, object, someText, textOrNumber } from '../../lib/schemas.ts';
import type { KeyValueStore } from '../../lib/storage.ts';

export interface RefreshRequestOptions extends HttpDeps {
  log: Log;
  path: string;
  timeoutMs: number;
  /**
   * `cookie`: the refresh token is in an httpOnly cookie that no script ever sees. `body`: it travels in the JSON body and
   * is kept in `store`, for servers that know nothing better.
   */
  transport: 'cookie' | 'body';
  store: KeyValueStore;
}

export const REFRESH_TOKEN_KEY = 'assessment-monitor:refresh-token';

// Only the token itself must be sound: it was rotated, and nothing beside it is worth losing it.
const issuedSchema = object({
  data: object({
    idToken: someText,
    refreshToken: z.catch(z.optional(z.string()), undefined),
    expiresIn: z.catch(z.optional(textOrNumber), undefined),
  }),
});

/**
 * One call of the refresh endpoint. Bounded in time and never throws: every way in which it can end is an answer. It never
 * goes through the API's 401 handling, so that a refused refresh cannot ask for a refresh.
 */
export function createRefreshRequest(options: RefreshRequestOptions): () => Promise<RefreshAnswer> {
  const { clock, log, path, timeoutMs, transport, store } = options;

  const ask = async (hear: (status: number) => void): Promise<RefreshAnswer> => {
    const refreshToken = transport === 'body' ? store.get(REFRESH_TOKEN_KEY) : null;
    if (transport === 'body' && refreshToken === null) return { type: 'rejected' };
    const response = await exchange(options, {
      method: 'POST',
      path,
      body: refreshToken === null ? {} : { refreshToken },
      timeoutMs,
      credentials: 'include',
      // A tab that is closed now must not take the new cookie with it.
      keepalive: true,
    });
    const { status, body, sentAt, retryAfterMs } = response;
    hear(status);
    const error = errorOf(response, null);
    if (error?.code === 'rate-limited') return { type: 'limited', retryAfterMs };
    if (error instanceof TransientError || (error instanceof RejectedError && status === 404)) {
      return { type: 'transient', retryAfterMs };
    }
    if (error) return { type: 'rejected' };
    const issued = fit(body, issuedSchema)?.data;
    // It said yes in words that we cannot read: the token was probably rotated.
    if (!issued) return { type: 'ambiguous' };
    const token = { accessToken: issued.idToken, expiresIn: issued.expiresIn };
    // One that came with a cookie is nobody's business.
    if (refreshToken === null) return { type: 'issued', token, sentAt };
    // Meanwhile the user may have signed out, or somebody else in: what this answer brings belongs to neither.
    if (issued.refreshToken && store.get(REFRESH_TOKEN_KEY) === refreshToken) {
      store.set(REFRESH_TOKEN_KEY, issued.refreshToken);
    }
    // Other tabs hold a copy of the token that was used up.
    return { type: 'issued', token: { ...token, refreshToken: issued.refreshToken }, sentAt };
  };

  return async () => {
    const finish = logCall(log, clock, 'refresh', null);
    let status: number | null = null;
    const answer = await ask((heard) => (status = heard)).catch(() => ({ type: 'ambiguous' }) as const);
    finish(answer.type === 'issued' ? 'ok' : answer.type === 'rejected' ? 'rejected' : 'transient', status);
    return answer;
  };
}
