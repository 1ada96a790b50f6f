import * as z from 'zod/mini';
import { SignInRequiredError, TokenUnavailableError } from '../../lib/errors.ts';
import {
  type AccessToken,
  describeToken,
  type IssuedToken,
  isExpiringSoon,
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
import { createSubject } from '../../lib/subject.ts';
import type { RenewalOutcome, TokenEvent, TokenService } from './token-service.ts';

export interface TokenServiceV2Options {
  coordinator: RefreshCoordinator;
  /** What other tabs do. Closed by `dispose`. */
  shared: SharedSession;
  clock: Clock;
  random: Random;
  log: Log;
  /** Where the access token survives a reload. It is the only storage that ever holds one. */
  store: KeyValueStore;
  /** Read at each use, so that refreshing can be switched off in production without a new build. */
  isRefreshEnabled: () => boolean;
  /** How long a fresh token may be refused before the outage is doubted and one more refresh is tried, ms. */
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
/** Less than this is the coarseness of a Date header, and of the way that it took. */
const SKEW_MS = 2_000;
/** The part of the refresh window over which refreshes are spread: of what is left even a token of 5 minutes has time for one retry. */
const SPREAD = 0.55;
const OUTAGE_BACKOFF = { minMs: 500, baseMs: 2_000, capMs: 15_000 };

/**
 * Auth V2: short-lived access tokens, renewed through the {@link RefreshCoordinator}.
 *
 * Nothing here polls the clock. One timer announces the next refresh; everything else is asked when it is needed.
 */
export function createTokenServiceV2(options: TokenServiceV2Options): TokenService {
  const { coordinator, shared, clock, random, log, store, isRefreshEnabled, outagePatienceMs } = options;
  /** The timer runs only while somebody listens: nothing is left behind when the last assessment has ended. */
  let isHeard = false;
  const events$ = createSubject<TokenEvent>(() => {
    isHeard = true;
    schedule();
    return () => {
      isHeard = false;
      clock.clearTimeout(timer);
    };
  });
  let token: AccessToken | null = readJson(store.get(TOKEN_KEY), storedSchema);
  // While this page was away somebody else may have signed in: this token is nobody's any more.
  if (token && !shared.restored(token.generation)) token = null;
  let ended = false;
  /** Counts sessions: what was begun in an earlier one is discarded when it arrives. */
  let session = 0;
  /** The latest refresh, in the air or landed, and the session that asked for it. */
  let latest: { session: number; landed: Promise<RefreshOutcome> } | null = null;
  /** How many of us wait for one. */
  let asking = 0;
  let skewMs = 0;
  /** What was known of the server's clock when the token was described, and how to do it again. */
  let described: { skewMs: number; again: () => AccessToken } | null = null;
  let timer: unknown;
  /** The generation that a refresh brought and no answer has accepted yet, and how often it was refused since when. */
  let unproven: { generation: number; refusals: number; since: number } | null = null;

  const usable = (): AccessToken | null => (token && isUsable(token, clock.now()) ? token : null);

  /** Announces the next refresh when it is due: at once, or by timer. Spread over the window, with a minute to spare. */
  const schedule = (share = random() * SPREAD): void => {
    clock.clearTimeout(timer);
    if (!isHeard || ended || !token || token.expiresAt === null || !isRefreshEnabled()) return;
    const due = Math.max(token.expiresAt - refreshWindowMs(token) * (1 - share), coordinator.availableAt());
    const generation = token.generation;
    timer = clock.setTimeout(
      () => {
        // A clamped or throttled timer may fire early: the clock decides.
        if (clock.now() < due) return schedule(share);
        log({ type: 'token.expiring', generation });
        events$.next({ type: 'token.expiring' });
      },
      Math.max(0, due - clock.now()),
    );
  };

  const adopt = (
    issued: IssuedToken,
    { receivedAt, generation, isRefreshed }: { receivedAt: number; generation: number; isRefreshed: boolean },
  ): AccessToken => {
    const before = token;
    // Where the clock was set back while the answer was under way, the request left in the future: no token lives that long.
    const since = Math.min(receivedAt, clock.now());
    const again = () => describeToken(issued, { generation, receivedAt: since, skewMs, isFresh: isRefreshed });
    described = { skewMs, again };
    token = again();
    // A refreshed token speaks for the same user, also when it does not say so. One that somebody signed in with may not.
    if (isRefreshed) token.userId ??= before?.userId ?? null;
    store.set(TOKEN_KEY, JSON.stringify(token));
    if (issued.refreshToken) store.set(REFRESH_TOKEN_KEY, issued.refreshToken);
    const { ttlMs, expiresAt } = token;
    log({ type: 'token.renewed', generation, ttlMs, remainingMs: expiresAt === null ? null : expiresAt - clock.now() });
    schedule();
    return token;
  };

  /** A refresh brought it, here or in another tab. */
  const renew = (issued: IssuedToken, receivedAt: number, generation: number): void => {
    const { userId } = adopt(issued, { receivedAt, generation, isRefreshed: true });
    unproven = { generation, refusals: 0, since: clock.now() };
    events$.next({ type: 'token.renewed', generation, userId });
  };

  const begin = (issued: IssuedToken, receivedAt: number, generation: number): void => {
    const before = token?.userId ?? null;
    session += 1;
    ended = false;
    unproven = null;
    const { userId } = adopt(issued, { receivedAt, generation, isRefreshed: false });
    // One that is left over would bring the tokens of whoever was here before.
    if (!issued.refreshToken && (userId === null || userId !== before)) store.remove(REFRESH_TOKEN_KEY);
    log({ type: 'session.restored' });
    events$.next({ type: 'session.restored', userId });
  };

  const end = (reason: 'signed-out' | 'rejected'): void => {
    if (ended) return;
    session += 1;
    ended = true;
    // The generation is kept: it must never go backwards.
    if (token) token = { ...token, value: '', expiresAt: 0 };
    unproven = null;
    store.remove(TOKEN_KEY);
    store.remove(REFRESH_TOKEN_KEY);
    clock.clearTimeout(timer);
    log({ type: 'session.ended', reason });
    events$.next({ type: 'session.ended', reason });
  };

  const refuse = (held: AccessToken): RenewalOutcome | null => {
    // The clock was set back: what we believe of the token's age is worth nothing, and it may simply have died.
    if (unproven && unproven.since > clock.now()) unproven = null;
    const outage = unproven?.generation === held.generation && clock.now() - unproven.since < outagePatienceMs;
    log({ type: 'token.refused', generation: held.generation, outage });
    if (!unproven || !outage) return null;
    unproven.refusals += 1;
    return { type: 'outage', retryAfterMs: backoff(unproven.refusals - 1, OUTAGE_BACKOFF, random) };
  };

  /**
   * Asks the coordinator; null when the session changed first. What an earlier session asked for is waited out and not
   * joined: it may bring the token of another user.
   */
  const ask = async (): Promise<RefreshOutcome | null> => {
    const begun = session;
    if (latest && latest.session !== begun) await latest.landed;
    if (session !== begun) return null;
    const landed = coordinator.refresh();
    latest = { session, landed };
    asking += 1;
    return landed.finally(() => (asking -= 1));
  };

  const refresh = async (mayKeep: boolean): Promise<RenewalOutcome> => {
    if (!isRefreshEnabled()) return usable() && mayKeep ? { type: 'holds' } : { type: 'rejected' };
    const begun = session;
    const outcome = await ask();
    if (outcome && session === begun) {
      if (outcome.type === 'rejected') {
        // The others first: who hears of it here may sign in again at once.
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
  const following = shared.news$.subscribe(follow);

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
      // Date headers are cut to whole seconds: half a second is the fair correction.
      skewMs = serverNow + 500 - clock.now();
      // A token of unknown age may turn out to die much earlier, or later, than a wrong clock let us believe.
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
      events$.complete();
      // A refresh that has begun is not broken off, and other tabs wait for what it brings.
      const close = (): void => {
        following.unsubscribe();
        shared.close();
      };
      if (asking > 0) void latest?.landed.then(close);
      else close();
    },
  };
  return service;
}
