import { defer, finalize, type Observable, share, Subject } from 'rxjs';
import * as z from 'zod/mini';
import { SignInRequiredError, TokenUnavailableError } from '../../lib/errors.ts';
import {
  type AccessToken,
  claimedExpiry,
  claimedUser,
  describeToken,
  expiryMarginMs,
  type IssuedToken,
  isExpiringSoon,
  isSendable,
  isUsable,
  refreshWindowMs,
} from './access-token.ts';
import { backoff, jitter, type Random } from '../../lib/backoff.ts';
import type { Clock } from '../../lib/clock.ts';
import { appIn, contradicts, identityOf, isSameUser, mergeIdentities, nameIn } from '../../lib/identity.ts';
import type { Log } from '../../lib/log.ts';
import type { Health } from './health-request.ts';
import { createLoginPages, MAX_LOGIN_PAGES, MAX_LOGIN_PAGES_AT_REFRESH } from './login-pages.ts';
import { createOutageWatch } from './outage-watch.ts';
import type { RefreshCoordinator, RefreshOutcome } from './refresh-coordinator.ts';
import { REFRESH_TOKEN_KEY } from './refresh-request.ts';
import { number, object, readJson, someText } from '../../lib/schemas.ts';
import { createServerClock } from './server-clock.ts';
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
  /** Shared by all tabs, for what the server refused. @default null: each tab finds out by itself */
  refusals?: KeyValueStore | null;
  /** Called at each use, so that refreshing can be switched off in production without a new build. */
  isRefreshEnabled: () => boolean;
  /** Called at each use: whether a token is refreshed ahead of its expiry. */
  isPreventive: () => boolean;
  /** Emits when one of these two may have changed. */
  settingChanges$: Observable<unknown>;
  /**
   * How long the rejection of a fresh token counts as an outage, ms. When every token is rejected for this long although refreshes work,
   * the session ends.
   */
  outagePatienceMs: number;
  /** Asks the health route of the auth service. @default it is not asked */
  askHealth?: ((signal: AbortSignal) => Promise<Health>) | null | undefined;
}

const TOKEN_KEY = 'token';
type Renewed = Extract<SharedNews, { type: 'renewed' }>;

const storedSchema = object({
  value: someText,
  generation: number,
  expiresAt: z.nullable(number),
  ttlMs: z.nullable(number),
  userId: z.nullable(z.string()),
  identity: z.optional(z.string()),
  session: z.optional(number),
});
/** Smaller differences come from the resolution of the Date header and from the network. */
const SKEW_MS = 2_000;
/** The part of the refresh window over which refreshes are spread. The rest leaves time for one retry, even with a lifetime of 5 minutes. */
const SPREAD = 0.55;
/** Each try of the token is one more refusal. Where nothing tells of the end of the outage, sockets that come back mostly do. */
const OUTAGE_BACKOFF = { minMs: 15_000, baseMs: 40_000, capMs: 60_000 };
/** Between two decisions while the health route says that the auth service is down, ms. */
const DOWN_MS = 60_000;
/** The patience has to see so many rejections: time alone also passes while a page sleeps. */
const MIN_REFUSALS = 3;
/** A token of unknown lifetime may have expired after this time, ms. */
const YOUNG_MS = 60_000;
/** So many network failures in a row are taken for a 401 that the page may not read. */
const MAX_UNANSWERED = 3;

/** What is known against the token that a refresh is to replace. */
type Charge = 'none' | 'suspected' | 'refused';

/**
 * Auth V2: short-lived access tokens, renewed through the {@link RefreshCoordinator}.
 *
 * The service does not poll the clock: one timer announces the next refresh, and all else is computed on demand.
 *
 * @example
 * const tokens = createTokenServiceV2({ coordinator, shared, clock, random, log, store, outagePatienceMs, ...settings });
 */
export function createTokenServiceV2(options: TokenServiceV2Options): TokenService {
  const { coordinator, shared, clock, random, log, store, outagePatienceMs } = options;
  const { isRefreshEnabled, isPreventive, settingChanges$ } = options;
  const { askHealth = null } = options;
  const events = new Subject<TokenEvent>();
  /** The timer runs only while `events$` has subscribers, so that none is left when the last assessment has ended. */
  let isObserved = false;
  const events$ = defer(() => {
    isObserved = true;
    watch.observe(true);
    schedule();
    const applying = settingChanges$.subscribe(applySettings);
    return events.pipe(finalize(() => applying.unsubscribe()));
  }).pipe(
    finalize(() => {
      isObserved = false;
      watch.observe(false);
      clock.clearTimeout(timer);
    }),
    share(),
  );
  const watch = createOutageWatch({
    clock,
    random,
    log,
    askHealth,
    store: options.refusals,
    refreshAt: () => (usable() ? null : coordinator.recovered()),
    onRecovered() {
      heldBackUntil = 0;
      coordinator.recovered();
      schedule();
      events.next({ type: 'token.recovered' });
    },
  });
  const stored = readJson(store.get(TOKEN_KEY), storedSchema);
  // Another user may have signed in since this page was open: the stored token is of an earlier session then.
  const isOver = shared.isSignedOut() || (stored !== null && !shared.restored(stored.generation, stored.session));
  if (isOver) {
    // The refresh token of that session would bring tokens of its user into this one.
    store.remove(TOKEN_KEY);
    store.remove(REFRESH_TOKEN_KEY);
  }
  let token: AccessToken | null = stored && !isOver ? tokenIn(stored) : null;
  if (token && !isSendable(token.value)) {
    log({ type: 'token.unsendable' });
    token = null;
  }
  let identity = token && (stored?.identity ?? token.userId ?? identityOf(null, null, shared.position().session));
  let ended: 'signed-out' | 'rejected' | null = shared.isSignedOut() ? 'signed-out' : null;
  /** Counts sessions. The outcome of a refresh that began in an earlier session is discarded. */
  let session = 0;
  /** The latest refresh, in flight or finished, and the session that requested it. */
  let latest: { session: number; outcome: Promise<RefreshOutcome> } | null = null;
  /** The number of callers that wait for a refresh. */
  let waiting = 0;
  const server = createServerClock(clock);
  const loginPages = createLoginPages(clock);
  /** What was known of the server's clock when the token was described, and a way to describe it with what is known now. */
  let described: { skewMs: number; isKnown: boolean; again: () => AccessToken } | null = null;
  let timer: unknown;
  /** A refreshed token that the server has not accepted yet, and how often it was rejected since when. */
  let unproven: { generation: number; refusals: number; since: number } | null = null;
  /** The rejections since the server last accepted a token, over all renewals. `generation`: the latest rejected token. */
  let refused: { generation: number; count: number; since: number; isRenewed: boolean; isYoung: boolean } | null = null;
  /** The API has refused a refresh ahead of time: the token is used to its end, and no further refresh is tried. */
  let isRefreshOver = false;
  /** A refresh was needed while refreshing was switched off. */
  let isDenied = false;
  let acceptedGeneration: number | null = null;
  /** Protected calls in a row that the network did not answer, the token that was suspected for it, and how often one was. */
  let unanswered = 0;
  let suspect: { generation: number; isOpen: boolean } | null = null;
  let suspicions = 0;
  /** The refreshes in a row that a refused token could not be replaced by, and the outcome that was counted last. */
  let failed: { count: number; outcome: RefreshOutcome | null } = { count: 0, outcome: null };
  /** No refresh ahead of time before this moment, ms since the epoch: the auth service is down. */
  let heldBackUntil = 0;

  const usable = (): AccessToken | null => (token && isUsable(token, clock.now()) ? token : null);

  const isDueAhead = (held: AccessToken): boolean => isPreventive() && isExpiringSoon(held, clock.now());

  /** Announces the next refresh when it is due, at a random moment in the first part of the refresh window. */
  const schedule = (share = random() * SPREAD): void => {
    clock.clearTimeout(timer);
    if (!isObserved || ended || !token || token.expiresAt === null || !isRefreshEnabled()) return;
    const ahead = Math.max(
      token.expiresAt - refreshWindowMs(token) * (1 - share),
      coordinator.availableAt(),
      heldBackUntil,
    );
    const due = isRefreshOver || !isPreventive() ? token.expiresAt - expiryMarginMs(token) : ahead;
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

  /** Without the user's id, which may be an e-mail address: the identity holds digests. */
  const keep = (): void => {
    const { session: ofSession } = shared.position();
    store.set(TOKEN_KEY, JSON.stringify({ ...token, userId: null, identity, session: ofSession }));
  };

  const adopt = (
    issued: IssuedToken,
    {
      sentAt,
      generation,
      isRefreshed,
      isFresh = isRefreshed,
    }: { sentAt: number; generation: number; isRefreshed: boolean; isFresh?: boolean },
  ): AccessToken => {
    const before = token;
    // After a clock that was set back during the request, `sentAt` is in the future and would extend the lifetime.
    const since = Math.min(sentAt, clock.now());
    const again = (): AccessToken => {
      const { skewMs, isKnown: isSkewKnown } = server;
      return describeToken(issued, { generation, sentAt: since, skewMs, isSkewKnown, isFresh });
    };
    described = { skewMs: server.skewMs, isKnown: server.isKnown, again };
    token = again();
    isRefreshOver = false;
    unanswered = 0;
    heldBackUntil = 0;
    failed = { count: 0, outcome: null };
    // A refreshed token without a user id belongs to the same user. The token of a sign-in may belong to another one.
    if (isRefreshed) token.userId ??= before?.userId ?? null;
    const { session: shareds } = shared.position();
    const claim = claimedUser(issued.accessToken);
    const named = identityOf(issued.userId, claim, shareds);
    // A tab that did not see the sign-in has its name from the record.
    const its =
      isRefreshed && identity === null ? identityOf(issued.userId ?? shared.appUser(), claim, shareds) : named;
    identity = isRefreshed || isSameUser(identity, its) ? mergeIdentities(identity, its) : its;
    keep();
    if (issued.refreshToken) store.set(REFRESH_TOKEN_KEY, issued.refreshToken);
    const { ttlMs, expiresAt } = token;
    log({ type: 'token.renewed', generation, ttlMs, remainingMs: expiresAt === null ? null : expiresAt - clock.now() });
    schedule();
    return token;
  };

  /** Forgets what was observed of the tokens of an earlier session. */
  const forget = (): void => {
    isDenied = false;
    unproven = null;
    refused = null;
    suspect = null;
    suspicions = 0;
    isRefreshOver = false;
    unanswered = 0;
    loginPages.reset();
    watch.reset();
  };

  /** Adopts the token of a refresh in this tab or another. */
  const renew = ({ token: issued, sentAt, generation, isCached, isOffered }: Renewed): void => {
    const { userId } = adopt(issued, { sentAt, generation, isRefreshed: true, isFresh: !isCached });
    // The refusal of a token that was in use before says nothing about the verifier.
    const isFresh = !isCached && !isOffered;
    unproven = isFresh ? { generation, refusals: 0, since: clock.now() } : null;
    // Issued dead, by a clock that is known: never sent, and as useless as one that is rejected.
    if (!usable()) noteRefusal(generation, true);
    if (refused && !isOffered) refused.isRenewed = true;
    events.next({ type: 'token.renewed', generation, userId });
  };

  /** Whether this very token is in use already: its sign-in is no event. */
  const isHeld = (issued: IssuedToken): boolean =>
    ended === null &&
    token?.value === issued.accessToken &&
    (identity === null || !contradicts(identity, identityOf(issued.userId, claimedUser(issued.accessToken), '')));
  const keepAs = (issued: IssuedToken, generation: number): void => {
    if (token) token = { ...token, generation, userId: nameIn(issued.userId) ?? token.userId };
    const named = identityOf(issued.userId, claimedUser(issued.accessToken), shared.position().session);
    identity = mergeIdentities(identity, named);
    keep();
    if (issued.refreshToken) store.set(REFRESH_TOKEN_KEY, issued.refreshToken);
  };

  const begin = (issued: IssuedToken, sentAt: number, generation: number): void => {
    const before = identity;
    session += 1;
    ended = null;
    forget();
    // A storage that is full keeps the token of the user before when it refuses a new one.
    store.remove(TOKEN_KEY);
    const { userId } = adopt(issued, { sentAt, generation, isRefreshed: false });
    // A refresh token of the previous user would bring tokens of that user.
    if (!issued.refreshToken && (before === null || !isSameUser(identity, before))) store.remove(REFRESH_TOKEN_KEY);
    log({ type: 'session.restored' });
    events.next({ type: 'session.restored', userId });
  };

  const end = (reason: 'signed-out' | 'rejected'): void => {
    // A sign-out after a rejection is news: what is left of the user goes.
    if (ended === reason || ended === 'signed-out') return;
    session += 1;
    ended = reason;
    // The generation is kept, because it must never decrease.
    if (token) token = { ...token, value: '', expiresAt: 0 };
    // Describes the token again from its text.
    described = null;
    if (reason === 'signed-out') {
      identity = null;
      if (token) token.userId = null;
    }
    forget();
    store.remove(TOKEN_KEY);
    store.remove(REFRESH_TOKEN_KEY);
    clock.clearTimeout(timer);
    log({ type: 'session.ended', reason });
    events.next({ type: 'session.ended', reason });
  };

  const giveUp = (): RenewalOutcome => {
    // Other tabs first, because a listener in this tab may sign in again synchronously.
    shared.ended('rejected');
    end('rejected');
    return { type: ended ? 'rejected' : 'renewed' };
  };

  /** @param isYoung the token cannot have expired yet */
  const noteRefusal = (generation: number, isYoung: boolean): void => {
    const now = clock.now();
    if (!refused || refused.since > now) refused = { generation, count: 0, since: now, isRenewed: false, isYoung };
    refused = { ...refused, generation, isYoung, count: refused.count + 1 };
  };
  /** Whether all tokens have been rejected for too long although refreshes work, the newest one when it was fresh. */
  const isHopeless = (): boolean =>
    refused !== null &&
    refused.isRenewed &&
    refused.isYoung &&
    refused.generation === token?.generation &&
    refused.count >= MIN_REFUSALS &&
    clock.now() - refused.since >= outagePatienceMs;

  /** The server has rejected this token. Null: a refresh is to replace it. */
  const refuse = (held: AccessToken): RenewalOutcome | null => {
    const now = clock.now();
    const { generation, value } = held;
    // After a clock that was set back the age of the token is unknown: it may have expired.
    if (unproven && unproven.since > now) unproven = null;
    // Issued dead: waiting for the verifier does not help.
    const claimed = claimedExpiry(value);
    const isExpired = (claimed ?? Infinity) - server.skewMs <= now;
    const isLifeKnown = held.ttlMs !== null || (claimed !== null && server.isKnown);
    const isUnproven = unproven?.generation === generation;
    const isYoung = now - (unproven?.since ?? now) < (isLifeKnown ? outagePatienceMs : YOUNG_MS);
    noteRefusal(generation, isYoung);
    const outage = isUnproven && isYoung && !isExpired && !isHopeless();
    log({ type: 'token.refused', generation, outage });
    if (isHopeless()) return giveUp();
    if (!unproven || !outage) return null;
    unproven.refusals += 1;
    return { type: 'outage', retryAfterMs: backoff(unproven.refusals - 1, OUTAGE_BACKOFF, random) };
  };

  /**
   * Requests a refresh from the coordinator; null when the session changed first. It waits for a refresh of an earlier session to
   * finish and does not join it, because that may bring the token of another user.
   */
  const ask = async (isForced: boolean): Promise<RefreshOutcome | null> => {
    const begun = session;
    if (latest && latest.session !== begun) await latest.outcome;
    if (session !== begun) return null;
    const outcome = coordinator.refresh(isForced);
    latest = { session, outcome };
    waiting += 1;
    return outcome.finally(() => (waiting -= 1));
  };

  const refresh = async (charge: Charge, isForced = charge !== 'none'): Promise<RenewalOutcome> => {
    const mayKeep = charge !== 'refused';
    if (!isRefreshEnabled()) {
      isDenied = !(usable() && mayKeep);
      return { type: isDenied ? 'rejected' : 'holds' };
    }
    if (isRefreshOver) return usable() && charge === 'none' ? { type: 'holds' } : giveUp();
    const begun = session;
    const before = token?.generation;
    // The one attempt a minute is kept for when the service is there.
    if (watch.isTroubled() && (await watch.isDown())) {
      if (session !== begun || token?.generation !== before) return { type: ended ? 'rejected' : 'renewed' };
      const retryAfterMs = jitter(DOWN_MS, 0.2, random);
      heldBackUntil = clock.now() + retryAfterMs;
      schedule(0);
      if (charge === 'suspected') suspect = null;
      return usable() && mayKeep ? { type: 'holds' } : { type: 'wait', retryAfterMs, reason: 'transient' };
    }
    if (session !== begun || token?.generation !== before) return { type: ended ? 'rejected' : 'renewed' };
    heldBackUntil = 0;
    // The outage seems to be over: `token.recovered` says when it is this client's turn.
    if (watch.isReturning()) {
      if (usable() && mayKeep) return { type: 'holds' };
      return usable()
        ? { type: 'outage', retryAfterMs: DOWN_MS }
        : { type: 'wait', retryAfterMs: DOWN_MS, reason: 'transient' };
    }
    const outcome = await ask(isForced);
    if (outcome && session === begun) {
      if (outcome.type === 'rejected') return !outcome.isRotated && outlive(charge) ? { type: 'holds' } : giveUp();
      if ('until' in outcome) {
        if ('isLoginPage' in outcome && outcome.isLoginPage && isLoginNeeded(outcome)) return giveUp();
        schedule(0);
        if (charge === 'suspected') suspect = null;
        if (outcome.type === 'transient') watch.refreshFailed();
        if (usable() && mayKeep) return { type: 'holds' };
        const waitMs = Math.max(0, outcome.until - clock.now());
        // A refresh that cannot be done says nothing against the token.
        if (usable() && isFailingAgain(outcome)) return { type: 'outage', retryAfterMs: waitMs / 2 };
        return { type: 'wait', retryAfterMs: waitMs, reason: outcome.type };
      }
    }
    return { type: ended ? 'rejected' : 'renewed' };
  };

  /** Refreshing is on again: what paused for want of a refresh resumes, as after a sign-in of the same user. */
  const applySettings = (): void => {
    schedule();
    if (!isDenied || !isRefreshEnabled()) return;
    isDenied = false;
    events.next({ type: 'session.restored', userId: token?.userId ?? null });
  };

  /** Whether this is the second refresh in a row, or a later one, that failed. Callers that joined a refresh share its outcome. */
  const isFailingAgain = (outcome: RefreshOutcome): boolean => {
    if (outcome.type !== 'transient') return false;
    if (failed.outcome !== outcome) failed = { count: failed.count + 1, outcome };
    return failed.count > 1;
  };

  /** Keeps a good token although the API has refused to renew it: the sign-in is asked for when the token is over. */
  const outlive = (charge: Charge): boolean => {
    const held = usable();
    if (!held || charge !== 'none' || refused?.generation === held.generation) return false;
    isRefreshOver = true;
    schedule();
    return true;
  };

  /** The outcome of a refresh that met a login page, the last one that was counted: callers that joined a refresh share its outcome. */
  let metPage: RefreshOutcome | null = null;
  const isLoginNeeded = (outcome: RefreshOutcome): boolean => {
    // A refresh of the application's own does not tell a page from a broken answer: the API must have met one as well.
    const isSure = outcome.type === 'transient';
    if (!isSure && loginPages.count === 0) return false;
    if (metPage !== outcome) loginPages.metByRefresh();
    metPage = outcome;
    return loginPages.count >= (isSure ? MAX_LOGIN_PAGES_AT_REFRESH : MAX_LOGIN_PAGES);
  };

  shared.answerWith(() => {
    const now = usable();
    if (!now) return null;
    const { value, expiresAt, ttlMs } = now;
    const sentAt = expiresAt === null || ttlMs === null ? clock.now() : expiresAt - ttlMs;
    const refreshToken = store.get(REFRESH_TOKEN_KEY) ?? undefined;
    const expiresIn = ttlMs === null ? undefined : ttlMs / 1_000;
    return { token: { accessToken: value, expiresIn, userId: appIn(identity ?? ''), refreshToken }, sentAt };
  });
  let isDisposed = false;
  const follow = (news: SharedNews): void => {
    // Of the next session this service keeps nothing: the storage of the tab belongs to the next page.
    if (isDisposed && news.type !== 'renewed') return subscription.unsubscribe();
    if (news.type === 'ended') end(news.reason);
    else if (news.type === 'signed-in' && isHeld(news.token)) keepAs(news.token, news.generation);
    else if (news.type === 'signed-in') begin(news.token, news.sentAt, news.generation);
    else if (!ended) renew(news);
  };
  const subscription = shared.news$.subscribe(follow);

  /** The server has refused the token in hand. */
  const replace = async (held: AccessToken): Promise<RenewalOutcome> => {
    const { generation } = held;
    if (!watch.isKnown(generation)) watch.refused(generation, clock.now());
    if (watch.isTrusted(generation)) return { type: 'holds' };
    const outcome = refuse(held);
    if (outcome?.type !== 'outage') return outcome ?? refresh('refused');
    // A fresh token that is refused is tried again: at the word of the health route, or now and then.
    const isDown = watch.isTroubled() && (await watch.isDown());
    if (ended || token?.generation !== generation) return { type: ended ? 'rejected' : 'renewed' };
    return isDown ? { type: 'wait', retryAfterMs: jitter(DOWN_MS, 0.2, random), reason: 'transient' } : outcome;
  };

  const renewal = async (rejected: number | null): Promise<RenewalOutcome> => {
    if (ended) return { type: 'rejected' };
    const held = usable();
    if (loginPages.count >= MAX_LOGIN_PAGES || (!held && isHopeless())) return giveUp();
    if (held && rejected !== null && held.generation > rejected) return { type: 'renewed' };
    if (held && suspect?.isOpen && suspect.generation === held.generation) {
      suspect.isOpen = false;
      return refresh('suspected');
    }
    if (held && rejected === null && !isDueAhead(held)) return { type: 'renewed' };
    if (held && rejected !== null) return replace(held);
    return refresh('none');
  };

  /** With the corrected clock a token of unknown age may expire much earlier or later than assumed. */
  const describeAgain = (): void => {
    const { skewMs, isKnown } = server;
    if (!token || !described || ended) return;
    if (isKnown === described.isKnown && Math.abs(skewMs - described.skewMs) < SKEW_MS) return;
    described = { ...described, skewMs, isKnown };
    token = { ...token, expiresAt: described.again().expiresAt };
    keep();
    schedule();
  };

  const service: TokenService = {
    events$,
    sessions$: events.asObservable(),
    current: usable,
    async forCall(signal) {
      const held = usable();
      if (held) await coordinator.settled(held.generation, signal);
      const token = usable();
      if (!token) return null;
      const { generation } = token;
      const mayBeDead = coordinator.isInDoubt(generation) && !watch.isTrusted(generation);
      const isRefusedElsewhere = watch.isRefusedElsewhere(generation);
      const inDoubt = mayBeDead || isRefusedElsewhere || watch.isRefusedOfLate(generation);
      return { ...token, inDoubt, isRefused: watch.isRefused(generation), isRefusedElsewhere };
    },
    userId: () => token?.userId ?? null,
    identity: () => identity,
    isRefreshDue() {
      const held = usable();
      if (!held) return true;
      if (isRefreshOver) return false;
      const availableAt = Math.max(coordinator.availableAt(), heldBackUntil);
      return isRefreshEnabled() && isDueAhead(held) && availableAt <= clock.now();
    },
    async ensureValidToken(forceRefresh = false) {
      const held = usable();
      if (held && !forceRefresh && !isDueAhead(held)) return held.value;
      if (ended) throw new SignInRequiredError();
      const outcome = await refresh('none', forceRefresh);
      const now = usable();
      if (now) return now.value;
      if (outcome.type === 'rejected') throw new SignInRequiredError();
      const availableAt = Math.max(coordinator.availableAt(), heldBackUntil);
      throw new TokenUnavailableError(Math.max(0, availableAt - clock.now()));
    },
    async renew(rejected, isUrgent = false) {
      const outcome = await renewal(rejected);
      if ('retryAfterMs' in outcome) watch.waits(outcome.retryAfterMs, isUrgent);
      return outcome;
    },
    refused: (generation, sentAt) => void (generation === token?.generation && watch.refused(generation, sentAt)),
    authenticated: watch.authenticated,
    whyRefused(generation, serverNow) {
      if (token?.generation !== generation || coordinator.isInDoubt(generation)) return 'stale-generation';
      if (ended) return 'revoked';
      const held = usable();
      if (!held) return 'expired';
      // By the server's clock: its `exp`, or where the token has none, the expiry by the clock that described it.
      const { expiresAt } = held;
      const byLifetime = described?.isKnown && expiresAt !== null ? expiresAt + described.skewMs : null;
      if (isPast(claimedExpiry(held.value) ?? byLifetime, serverNow)) return 'skew';
      if (unproven?.generation === generation) return 'outage';
      return acceptedGeneration === generation && expiresAt !== null ? 'revoked' : null;
    },
    accepted(generation) {
      loginPages.reset();
      unanswered = 0;
      if (unproven?.generation === generation) unproven = null;
      if (generation !== token?.generation) return;
      acceptedGeneration = generation;
      refused = null;
      suspicions = 0;
      failed = { count: 0, outcome: null };
      coordinator.accepted(generation);
      watch.accepted(generation);
    },
    unanswered(generation) {
      const held = usable();
      if (held?.generation !== generation || suspect?.generation === generation) return false;
      if (held.expiresAt !== null && acceptedGeneration === generation) return false;
      unanswered += 1;
      // A new token did not help: the network itself may be down.
      if (unanswered < MAX_UNANSWERED * 2 ** suspicions) return false;
      unanswered = 0;
      suspicions += 1;
      suspect = { generation, isOpen: true };
      // For the calls that do not report it themselves.
      events.next({ type: 'token.expiring' });
      return true;
    },
    metLoginPage: loginPages.met,
    observeServerTime(serverNow) {
      server.observe(serverNow);
      describeAgain();
    },
    signIn(issued) {
      if (token && isHeld(issued)) return keepAs(issued, token.generation);
      const now = clock.now();
      begin(issued, now, shared.signedIn(issued, now));
    },
    signOut() {
      if (ended !== 'signed-out') shared.ended('signed-out');
      end('signed-out');
    },
    recheck() {
      // A clock that was set would end each token on arrival, in a tab that has no other one to learn the time with.
      server.doubt();
      describeAgain();
      shared.look();
      schedule(0);
    },
    dispose() {
      clock.clearTimeout(timer);
      watch.observe(false);
      events.complete();
      isDisposed = true;
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

const isPast = (at: number | null, now: number | null): boolean => at !== null && now !== null && now >= at;

/** The token without what is stored beside it. */
const tokenIn = ({ value, generation, expiresAt, ttlMs, userId }: z.infer<typeof storedSchema>): AccessToken => ({
  value,
  generation,
  expiresAt,
  ttlMs,
  userId: userId ?? claimedUser(value),
});
