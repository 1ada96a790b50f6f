import { defer, finalize, share, Subject } from 'rxjs';
import * as z from 'zod/mini';
import { SignInRequiredError, TokenUnavailableError } from '../../lib/errors.ts';
import {
  type AccessToken,
  describeToken,
  type IssuedToken,
  isExpiringSoon,
  isSendable,
  isUsable,
  refreshWindowMs,
} from './access-token.ts';
import { backoff, type Random } from '../../lib/backoff.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { RefreshCoordinator, RefreshOutcome } from './refresh-coordinator.ts';
import { REFRESH_TOKEN_KEY } from './refresh-request.ts';
import { number, object, readJson, someText } from '../../lib/schemas.ts';
import type { KeyValueStore } from '../../lib/storage.ts';
import type { SharedNews, SharedSession } from './shared-session.ts';
import type { RenewalOutcome, TokenEvent, TokenService } from './token-service.ts';

export interface TokenServiceV2Options {
  coordinator: RefreshCoordinator;
  /** The session that all tabs share. `dispose` closes it. */
  shared: SharedSession;
  clock: Clock;
  random: Random;
  log: Log;
  /** Keeps the access token over a reload. No other storage ever holds one. */
  store: KeyValueStore;
  /** Called at each use, so that refreshing can be switched off in production without a new build. */
  isRefreshEnabled: () => boolean;
  /** How long the rejection of a fresh token counts as an outage, ms. After that the service refreshes once more. */
  outagePatienceMs: number;
}

const TOKEN_KEY = 'assessment-monitor:token';
const storedSchema = object({
  value: someText,
  generation: number,
  expiresAt: z.nullable(number),
  ttlMs: z.nullable(number),
  userId: z.nullable(z.string()),
});
/** Smaller differences come from the resolution of the Date header and from the network. */
const SKEW_MS = 2_000;
/** The part of the refresh window over which refreshes are spread. The rest leaves time for one retry, even with a lifetime of 5 minutes. */
const SPREAD = 0.55;
const OUTAGE_BACKOFF = { minMs: 500, baseMs: 2_000, capMs: 15_000 };

/**
 * Auth V2: short-lived access tokens, renewed through the {@link RefreshCoordinator}.
 *
 * The service does not poll the clock: one timer announces the next refresh, and all else is computed on demand.
 *
 * @example
 * const tokens = createTokenServiceV2({ coordinator, shared, clock, random, log, store, isRefreshEnabled, outagePatienceMs });
 */
export function createTokenServiceV2(options: TokenServiceV2Options): TokenService {
  const { coordinator, shared, clock, random, log, store, isRefreshEnabled, outagePatienceMs } = options;
  const events = new Subject<TokenEvent>();
  /** The timer runs only while `events$` has subscribers, so that none is left when the last assessment has ended. */
  let isObserved = false;
  const events$ = defer(() => {
    isObserved = true;
    schedule();
    return events;
  }).pipe(
    finalize(() => {
      isObserved = false;
      clock.clearTimeout(timer);
    }),
    share(),
  );
  let token: AccessToken | null = readJson(store.get(TOKEN_KEY), storedSchema);
  if (token && !isSendable(token.value)) {
    log({ type: 'token.unsendable' });
    token = null;
  }
  // Another user may have signed in since this page was open: the stored token is of an earlier session then.
  if (token && !shared.restored(token.generation)) token = null;
  let ended = false;
  /** Counts sessions. The outcome of a refresh that began in an earlier session is discarded. */
  let session = 0;
  /** The latest refresh, in flight or finished, and the session that requested it. */
  let latest: { session: number; outcome: Promise<RefreshOutcome> } | null = null;
  /** The number of callers that wait for a refresh. */
  let waiting = 0;
  let skewMs = 0;
  /** The clock skew with which the token was described, and a way to describe it with the current one. */
  let described: { skewMs: number; again: () => AccessToken } | null = null;
  let timer: unknown;
  /** A refreshed token that the server has not accepted yet, and how often it was rejected since when. */
  let unproven: { generation: number; refusals: number; since: number } | null = null;

  const usable = (): AccessToken | null => (token && isUsable(token, clock.now()) ? token : null);

  /** Announces the next refresh when it is due, at a random moment in the first part of the refresh window. */
  const schedule = (share = random() * SPREAD): void => {
    clock.clearTimeout(timer);
    if (!isObserved || ended || !token || token.expiresAt === null || !isRefreshEnabled()) return;
    const due = Math.max(token.expiresAt - refreshWindowMs(token) * (1 - share), coordinator.availableAt());
    const generation = token.generation;
    timer = clock.setTimeout(
      () => {
        // A clamped timer fires early, so the clock decides.
        if (clock.now() < due) return schedule(share);
        log({ type: 'token.expiring', generation });
        events.next({ type: 'token.expiring' });
      },
      Math.max(0, due - clock.now()),
    );
  };

  const adopt = (
    issued: IssuedToken,
    { sentAt, generation, isRefreshed }: { sentAt: number; generation: number; isRefreshed: boolean },
  ): AccessToken => {
    const before = token;
    // After a clock that was set back during the request, `sentAt` is in the future and would extend the lifetime.
    const since = Math.min(sentAt, clock.now());
    const again = () => describeToken(issued, { generation, sentAt: since, skewMs, isFresh: isRefreshed });
    described = { skewMs, again };
    token = again();
    // A refreshed token without a user id belongs to the same user. The token of a sign-in may belong to another one.
    if (isRefreshed) token.userId ??= before?.userId ?? null;
    store.set(TOKEN_KEY, JSON.stringify(token));
    if (issued.refreshToken) store.set(REFRESH_TOKEN_KEY, issued.refreshToken);
    const { ttlMs, expiresAt } = token;
    log({ type: 'token.renewed', generation, ttlMs, remainingMs: expiresAt === null ? null : expiresAt - clock.now() });
    schedule();
    return token;
  };

  /** Adopts the token of a refresh in this tab or another. */
  const renew = (issued: IssuedToken, sentAt: number, generation: number): void => {
    const { userId } = adopt(issued, { sentAt, generation, isRefreshed: true });
    unproven = { generation, refusals: 0, since: clock.now() };
    events.next({ type: 'token.renewed', generation, userId });
  };

  const begin = (issued: IssuedToken, sentAt: number, generation: number): void => {
    const before = token?.userId ?? null;
    session += 1;
    ended = false;
    unproven = null;
    const { userId } = adopt(issued, { sentAt, generation, isRefreshed: false });
    // A refresh token of the previous user would bring tokens of that user.
    if (!issued.refreshToken && (userId === null || userId !== before)) store.remove(REFRESH_TOKEN_KEY);
    log({ type: 'session.restored' });
    events.next({ type: 'session.restored', userId });
  };

  const end = (reason: 'signed-out' | 'rejected'): void => {
    if (ended) return;
    session += 1;
    ended = true;
    // The generation is kept, because it must never decrease.
    if (token) token = { ...token, value: '', expiresAt: 0 };
    unproven = null;
    store.remove(TOKEN_KEY);
    store.remove(REFRESH_TOKEN_KEY);
    clock.clearTimeout(timer);
    log({ type: 'session.ended', reason });
    events.next({ type: 'session.ended', reason });
  };

  const refuse = (held: AccessToken): RenewalOutcome | null => {
    // After a clock that was set back the age of the token is unknown: it may have expired.
    if (unproven && unproven.since > clock.now()) unproven = null;
    const outage = unproven?.generation === held.generation && clock.now() - unproven.since < outagePatienceMs;
    log({ type: 'token.refused', generation: held.generation, outage });
    if (!unproven || !outage) return null;
    unproven.refusals += 1;
    return { type: 'outage', retryAfterMs: backoff(unproven.refusals - 1, OUTAGE_BACKOFF, random) };
  };

  /**
   * Requests a refresh from the coordinator; null when the session changed first. It waits for a refresh of an earlier session to
   * finish and does not join it, because that may bring the token of another user.
   */
  const ask = async (): Promise<RefreshOutcome | null> => {
    const begun = session;
    if (latest && latest.session !== begun) await latest.outcome;
    if (session !== begun) return null;
    const outcome = coordinator.refresh();
    latest = { session, outcome };
    waiting += 1;
    return outcome.finally(() => (waiting -= 1));
  };

  const refresh = async (mayKeep: boolean): Promise<RenewalOutcome> => {
    if (!isRefreshEnabled()) return usable() && mayKeep ? { type: 'holds' } : { type: 'rejected' };
    const begun = session;
    const outcome = await ask();
    if (outcome && session === begun) {
      if (outcome.type === 'rejected') {
        // Other tabs first, because a listener in this tab may sign in again synchronously.
        shared.ended('rejected');
        end('rejected');
      } else if ('until' in outcome) {
        schedule(0);
        if (usable() && mayKeep) return { type: 'holds' };
        return { type: 'wait', retryAfterMs: Math.max(0, outcome.until - clock.now()), reason: outcome.type };
      }
    }
    return { type: ended ? 'rejected' : 'renewed' };
  };

  shared.answerWith(() => {
    const now = usable();
    if (!now) return null;
    const { value, userId, expiresAt, ttlMs } = now;
    const sentAt = expiresAt === null || ttlMs === null ? clock.now() : expiresAt - ttlMs;
    const refreshToken = store.get(REFRESH_TOKEN_KEY) ?? undefined;
    const expiresIn = ttlMs === null ? undefined : ttlMs / 1_000;
    return { token: { accessToken: value, expiresIn, userId: userId ?? undefined, refreshToken }, sentAt };
  });
  const follow = (news: SharedNews): void => {
    if (news.type === 'ended') end(news.reason);
    else if (news.type === 'signed-in') begin(news.token, news.sentAt, news.generation);
    else if (!ended) renew(news.token, news.sentAt, news.generation);
  };
  const subscription = shared.news$.subscribe(follow);

  const service: TokenService = {
    events$,
    current: usable,
    async forCall(signal) {
      const held = usable();
      if (held) await coordinator.settled(held.generation, signal);
      const token = usable();
      return token && { ...token, inDoubt: coordinator.isInDoubt(token.generation) };
    },
    userId: () => token?.userId ?? null,
    isRefreshDue() {
      const held = usable();
      if (!held) return true;
      return isRefreshEnabled() && isExpiringSoon(held, clock.now()) && coordinator.availableAt() <= clock.now();
    },
    async ensureValidToken(forceRefresh = false) {
      const held = usable();
      if (held && !forceRefresh && !isExpiringSoon(held, clock.now())) return held.value;
      if (ended) throw new SignInRequiredError();
      const outcome = await refresh(true);
      const now = usable();
      if (now) return now.value;
      if (outcome.type === 'rejected') throw new SignInRequiredError();
      throw new TokenUnavailableError(Math.max(0, coordinator.availableAt() - clock.now()));
    },
    async renew(refused) {
      if (ended) return { type: 'rejected' };
      const held = usable();
      if (held && refused === null && !isExpiringSoon(held, clock.now())) return { type: 'renewed' };
      if (held && refused !== null && held.generation > refused) return { type: 'renewed' };
      if (held && refused !== null) return refuse(held) ?? refresh(false);
      return refresh(true);
    },
    accepted(generation) {
      if (unproven?.generation === generation) unproven = null;
    },
    observeServerTime(serverNow) {
      // Date headers have whole seconds, so the mean error is half a second.
      skewMs = serverNow + 500 - clock.now();
      // With the corrected clock a token of unknown age may expire much earlier or later than assumed.
      if (!token || !described || ended || Math.abs(skewMs - described.skewMs) < SKEW_MS) return;
      described.skewMs = skewMs;
      token = { ...token, expiresAt: described.again().expiresAt };
      store.set(TOKEN_KEY, JSON.stringify(token));
      schedule();
    },
    signIn(issued) {
      const now = clock.now();
      begin(issued, now, shared.signedIn(issued, now));
    },
    signOut() {
      if (!ended) shared.ended('signed-out');
      end('signed-out');
    },
    recheck() {
      shared.look();
      schedule(0);
    },
    dispose() {
      clock.clearTimeout(timer);
      events.complete();
      // A refresh in flight is not aborted, and other tabs wait for its token.
      const close = (): void => {
        subscription.unsubscribe();
        shared.close();
      };
      if (waiting > 0) void latest?.outcome.then(close);
      else close();
    },
  };
  return service;
}
