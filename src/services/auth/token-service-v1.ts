import { defer, finalize, share, Subject } from 'rxjs';
import * as z from 'zod/mini';
import { SignInRequiredError } from '../../lib/errors.ts';
import { type AccessToken, claimedExpiry, claimedUser, describeToken, isSendable, isUsable } from './access-token.ts';
import { backoff, jitter, type Random } from '../../lib/backoff.ts';
import type { Clock } from '../../lib/clock.ts';
import { digestOf } from '../../lib/digest.ts';
import { appIn, contradicts, identityOf, isSameUser, mergeIdentities, nameIn } from '../../lib/identity.ts';
import type { Log } from '../../lib/log.ts';
import type { Health } from './health-request.ts';
import { createLoginPages, MAX_LOGIN_PAGES } from './login-pages.ts';
import { createOutageWatch } from './outage-watch.ts';
import { object, readJson } from '../../lib/schemas.ts';
import { createServerClock } from './server-clock.ts';
import type { KeyValueStore } from '../../lib/storage.ts';
import type { RenewalOutcome, TokenEvent, TokenService } from './token-service.ts';

export interface TokenServiceV1Options {
  clock: Clock;
  random: Random;
  log: Log;
  /** Where the application keeps the token. It is read at each use, because the application may change it. */
  store: KeyValueStore;
  /** The part of it that belongs to this package and this API. */
  own: KeyValueStore;
  /** The keys of the token, in order of precedence. A sign-in stores the token under the first. */
  keys: readonly [string, ...string[]];
  /**
   * Registers a listener for changes of the storage by other tabs. It receives the key; null for a storage that was cleared.
   *
   * @returns unsubscribes
   */
  onStorageChange: (listener: (key: string | null) => void) => () => void;
  /** How long the rejection of a token that has not expired by its `exp` counts as an outage, ms. */
  outagePatienceMs: number;
  /** Asks the health route of the auth service. @default it is not asked */
  askHealth?: ((signal: AbortSignal) => Promise<Health>) | null | undefined;
}

/** Names the user whom the application gave with a token, for as long as that token is stored. */
const USER_KEY = 'user';
const userSchema = object({ token: z.string(), user: z.string() });

/** The server may reject a valid token because its verifier is down. Without an `exp`, the session ends after this many retries. */
const MAX_REFUSALS = 4;
/** Each try of the token is one more refusal. */
const OUTAGE_BACKOFF = { minMs: 500, baseMs: 1_000, capMs: 30_000 };
/** Without an `exp` the waits stay short: it may be a token that has expired, and then the user has to sign in. */
const SHORT_BACKOFF = { ...OUTAGE_BACKOFF, capMs: 8_000 };
/** Two refusals of one outage are no further apart: the longest wait between two tries, and a call that takes its time, ms. */
const MAX_GAP_MS = 90_000;
/** Between two decisions while the health route says that the auth service is down, ms. */
const DOWN_MS = 60_000;

/**
 * Auth V1: one long-lived token that the application stores. There is no refresh; after its expiry only a sign-in helps.
 *
 * @example
 * const tokens = createTokenServiceV1({ clock, random, log, store, own, keys: ['token'], onStorageChange });
 */
export function createTokenServiceV1(options: TokenServiceV1Options): TokenService {
  const { clock, random, log, store, own, keys, onStorageChange, outagePatienceMs } = options;
  const events = new Subject<TokenEvent>();
  const watch = createOutageWatch({
    clock,
    random,
    log,
    askHealth: options.askHealth ?? null,
    onRecovered: () => events.next({ type: 'token.recovered' }),
  });
  const events$ = defer(() => {
    watch.observe(true);
    return events;
  }).pipe(
    finalize(() => watch.observe(false)),
    share(),
  );
  let known: { value: string; generation: number } = { value: '', generation: 0 };
  let userId: string | null = null;
  let identity: string | null = null;
  const server = createServerClock(clock);
  const loginPages = createLoginPages(clock);
  let acceptedGeneration: number | null = null;
  let refusals = 0;
  /** When the server last rejected the token, ms since the epoch, and for how long it has done so without accepting it, ms. */
  let refusedAt = 0;
  let refusedForMs = 0;
  /** Until then, ms since the epoch, a 401 counts as part of the known outage: all assessments receive one at the same time. */
  let retryAt = 0;
  /** The stored token that no header can carry. It counts as none, and the log reports it once. */
  let unsendable: string | null = null;
  let endedAs: 'signed-out' | 'rejected' | null = null;
  /** The token that was given up. The session counts as ended until another one is stored. */
  let givenUp: string | null = null;

  const read = (): AccessToken | null => {
    const value = keys.map((key) => unquote(store.get(key))).find((it) => it !== '') ?? '';
    if (value === '') return null;
    if (!isSendable(value)) {
      if (value !== unsendable) log({ type: 'token.unsendable' });
      unsendable = value;
      return null;
    }
    const isNew = value !== known.value;
    if (isNew) known = { value, generation: known.generation + 1 };
    const { skewMs, isKnown: isSkewKnown } = server;
    const { generation } = known;
    const token = describeToken({ accessToken: value }, { generation, sentAt: clock.now(), skewMs, isSkewKnown });
    if (isNew) {
      userId = token.userId;
      const digest = digestOf(value);
      const named = readJson(own.get(USER_KEY), userSchema);
      identity = identityOf(named?.token === digest ? named.user : null, claimedUser(value), digest);
      forgetRefusals();
      watch.reset();
    }
    return token;
  };
  const usable = (): AccessToken | null => {
    const token = read();
    return token && token.value !== givenUp && isUsable(token, clock.now()) ? token : null;
  };
  const forgetRefusals = (): void => {
    refusals = 0;
    retryAt = 0;
    loginPages.reset();
  };
  const accepted = (generation: number): void => {
    acceptedGeneration = generation;
    forgetRefusals();
    watch.accepted(generation);
  };
  /** Whether a rejection of this token may come from a verifier that is down, and is worth another try. */
  const isOutage = ({ value }: AccessToken, isKnown: boolean): boolean => {
    if (loginPages.count >= MAX_LOGIN_PAGES) return false;
    const expiresAt = claimedExpiry(value);
    if (expiresAt === null) return isKnown || refusals < MAX_REFUSALS;
    const now = clock.now();
    // A sleep, or a clock that was set, is no time in which the token was refused.
    refusedForMs = refusals === 0 ? 0 : refusedForMs + Math.min(MAX_GAP_MS, Math.max(0, now - refusedAt));
    refusedAt = now;
    const isPatient = refusedForMs < outagePatienceMs || refusals < MAX_REFUSALS;
    return isPatient && now < expiresAt - server.skewMs;
  };
  /** The token of the session that was announced to listeners; empty where there is none. */
  let announced = read()?.value ?? '';

  const begin = (value: string): void => {
    announced = value;
    givenUp = endedAs = null;
    log({ type: 'session.restored' });
    events.next({ type: 'session.restored', userId });
  };
  const end = (reason: 'signed-out' | 'rejected'): void => {
    const value = read()?.value ?? '';
    // A sign-out after a rejection is news: what is left of the user goes.
    const isNews = reason === 'signed-out' && endedAs === 'rejected';
    if (givenUp !== null && (value === '' || value === givenUp) && !isNews) return;
    announced = '';
    givenUp = value;
    endedAs = reason;
    log({ type: 'session.ended', reason });
    events.next({ type: 'session.ended', reason });
  };
  /** The application, in this tab or another, may have stored or removed a token since the last announcement. */
  const recheck = (): void => {
    const held = usable();
    if (held && held.value !== announced) begin(held.value);
    else if (announced !== '' && read() === null) end('signed-out');
  };
  const unsubscribe = onStorageChange((key) => {
    // After a rejection the application of this tab may remove the token itself, and the answers wait for the next sign-in. Another tab
    // that removes it signs out.
    const isRemoved = (key === null || keys.includes(key)) && read() === null;
    if (isRemoved && endedAs === 'rejected' && givenUp !== '') end('signed-out');
    else recheck();
  });

  const renewal = async (refused: number | null): Promise<RenewalOutcome> => {
    const held = usable();
    if (held && (refused === null || held.generation > refused)) return { type: 'renewed' };
    if (held && !watch.isKnown(held.generation)) watch.refused(held.generation, clock.now());
    if (held && watch.isTrusted(held.generation)) return { type: 'holds' };
    const wait = retryAt - clock.now();
    // A longer wait than the cap means that the clock was set back.
    const isKnownOutage = wait > 0 && wait <= OUTAGE_BACKOFF.capMs;
    const outage = held !== null && isOutage(held, isKnownOutage);
    if (refused !== null) log({ type: 'token.refused', generation: refused, outage });
    if (!outage) {
      end('rejected');
      return { type: 'rejected' };
    }
    if (watch.isTroubled() && (await watch.isDown())) {
      if (usable()?.generation !== held.generation) return renewal(refused);
      return { type: 'wait', retryAfterMs: jitter(DOWN_MS, 0.2, random), reason: 'transient' };
    }
    if (usable()?.generation !== held.generation) return renewal(refused);
    if (isKnownOutage) return { type: 'outage', retryAfterMs: wait };
    const bounds = claimedExpiry(held.value) === null ? SHORT_BACKOFF : OUTAGE_BACKOFF;
    const retryAfterMs = backoff(refusals, bounds, random);
    refusals += 1;
    retryAt = clock.now() + retryAfterMs;
    return { type: 'outage', retryAfterMs };
  };

  return {
    events$,
    sessions$: events.asObservable(),
    current: usable,
    async forCall() {
      // The application may have stored the token of another user: the assessments of this one end before anything is sent.
      recheck();
      return usable();
    },
    userId: () => (read(), userId),
    identity() {
      recheck();
      return read() ? identity : null;
    },
    isRefreshDue: () => usable() === null,
    async ensureValidToken() {
      const token = read();
      if (!token || token.value === givenUp) throw new SignInRequiredError();
      return token.value;
    },
    async renew(refused, isUrgent = false) {
      const outcome = await renewal(refused);
      if ('retryAfterMs' in outcome) watch.waits(outcome.retryAfterMs, isUrgent);
      return outcome;
    },
    whyRefused(generation, serverNow) {
      const held = usable();
      if (held && held.generation !== generation) return 'stale-generation';
      if (!held) return read() ? 'expired' : 'revoked';
      const expiresAt = claimedExpiry(held.value);
      if (expiresAt !== null && serverNow !== null && serverNow >= expiresAt) return 'skew';
      if (refusals > 0) return 'outage';
      return acceptedGeneration === generation && expiresAt !== null ? 'revoked' : null;
    },
    accepted(generation) {
      // The answer may be of a user whose token the application has replaced: it ends here, and is not shown.
      recheck();
      accepted(generation);
    },
    refused: watch.refused,
    authenticated: watch.authenticated,
    unanswered: () => false,
    metLoginPage: loginPages.met,
    observeServerTime: server.observe,
    signIn(issued) {
      const { accessToken, userId: appId } = issued;
      const digest = digestOf(accessToken);
      const before = read();
      const named = identityOf(appId, claimedUser(accessToken), digest);
      const isAnother = identity !== null && !isSameUser(identity, named);
      // This very token is in use already: its sign-in is no event.
      const isHeld = before?.value === accessToken && announced === accessToken && givenUp === null;
      const isKept = isHeld && (identity === null || !contradicts(identity, named));
      // A storage that is full keeps the token of the user before when it refuses a new one.
      if (isAnother && !isKept) for (const key of keys) if (unquote(store.get(key)) !== accessToken) store.remove(key);
      identity = isKept ? mergeIdentities(identity, named) : named;
      const user = appIn(identity);
      if (user === undefined) own.remove(USER_KEY);
      else own.set(USER_KEY, JSON.stringify({ token: digest, user }));
      forgetRefusals();
      if (isKept) return;
      store.set(keys[0], accessToken);
      const token = read();
      userId = nameIn(appId) ?? token?.userId ?? null;
      begin(issued.accessToken);
    },
    signOut() {
      end('signed-out');
      for (const key of keys) store.remove(key);
      own.remove(USER_KEY);
      // No token stays in memory.
      known = { ...known, value: '' };
      givenUp = '';
      userId = identity = null;
    },
    recheck,
    dispose() {
      unsubscribe();
      watch.observe(false);
      events.complete();
    },
  };
}

/** Some sign-in pages store the token as JSON, quotes included. The server rejects every call with the quoted token. */
function unquote(stored: string | null): string {
  const value = readJson(stored, z.string()) ?? stored;
  // Some applications store "null" or "undefined" after a sign-out.
  return value === null || value === 'null' || value === 'undefined' ? '' : value;
}
