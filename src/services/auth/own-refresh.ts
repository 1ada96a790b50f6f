import * as z from 'zod/mini';
import type { Clock } from '../../lib/clock.ts';
import { SignInRequiredError, TransientError } from '../../lib/errors.ts';
import { type Log, logCall } from '../../lib/log.ts';
import { object, textOrNumber } from '../../lib/schemas.ts';
import type { KeyValueStore } from '../../lib/storage.ts';
import type { RefreshTokens } from '../../ports.ts';
import { type IssuedToken, isSendable } from './access-token.ts';
import type { RefreshAnswer } from './refresh-coordinator.ts';
import { REFRESH_TOKEN_KEY } from './refresh-request.ts';

export interface OwnRefreshOptions {
  clock: Clock;
  log: Log;
  /** Holds the refresh token, where scripts have one. */
  store: KeyValueStore;
  timeoutMs: number;
}

/** A token from an application's code. Only its text must be right; empty for a session by cookie. */
export const issuedSchema = object({
  accessToken: z.string(),
  expiresIn: z.catch(z.optional(textOrNumber), undefined),
  userId: z.catch(z.optional(textOrNumber), undefined),
  refreshToken: z.catch(z.optional(z.string()), undefined),
});

/**
 * Sends one refresh request of the application's own. It has a bound and never throws: whatever is not an answer means that the server may
 * have rotated the token.
 *
 * @example
 * const answer = await askOwnRefresh(refresh, { clock, log, store, timeoutMs: 15_000 });
 */
export async function askOwnRefresh(refresh: RefreshTokens, options: OwnRefreshOptions): Promise<RefreshAnswer> {
  const { clock, log, store, timeoutMs } = options;
  const finish = logCall(log, clock, 'refresh', null);
  const sentAt = clock.now();
  const refreshToken = store.get(REFRESH_TOKEN_KEY);
  const controller = new AbortController();
  let timer: unknown;
  const late = new Promise<never>((_, reject) => {
    timer = clock.setTimeout(
      () => reject(new TransientError('network', `no answer within ${timeoutMs} ms`)),
      timeoutMs,
    );
  });
  const answer = await Promise.race([late, (async () => refresh({ refreshToken, signal: controller.signal }))()])
    .then((given) => issuedIn(given, log))
    .catch(answerTo);
  clock.clearTimeout(timer);
  controller.abort();
  if (answer.type === 'issued') {
    const { refreshToken: next } = answer.token;
    // After a sign-out or another sign-in during the request, the new refresh token belongs to no current session. Where there was none
    // before, nothing tells: it is stored when the session takes the access token.
    if (next && refreshToken !== null && store.get(REFRESH_TOKEN_KEY) === refreshToken)
      store.set(REFRESH_TOKEN_KEY, next);
  }
  finish(answer.type === 'issued' ? 'ok' : answer.type === 'rejected' ? 'rejected' : 'transient', null);
  return answer.type === 'issued' ? { ...answer, sentAt } : answer;
}

type Answer = Exclude<RefreshAnswer, { type: 'issued' }> | { type: 'issued'; token: IssuedToken };

/** What an application's code has returned for a token. */
function issuedIn(given: unknown, log: Log): Answer {
  const read = issuedSchema.safeParse(given);
  if (!read.success) {
    log({ type: 'answer.unreadable', route: 'refresh', field: read.error.issues[0]?.path.map(String).join('.') ?? '' });
    return { type: 'ambiguous' };
  }
  if (isSendable(read.data.accessToken)) return { type: 'issued', token: read.data };
  log({ type: 'token.unsendable' });
  return { type: 'ambiguous' };
}

function answerTo(error: unknown): Answer {
  if (error instanceof SignInRequiredError) return { type: 'rejected' };
  // `JSON.parse` meets a page.
  const isPage = error instanceof SyntaxError || (error instanceof TransientError && error.code === 'invalid-response');
  if (!(error instanceof TransientError) || error.maybeDone) return { type: 'ambiguous', isLoginPage: isPage };
  return { type: error.code === 'rate-limited' ? 'limited' : 'transient', retryAfterMs: error.retryAfterMs };
}
