import { jitter, type Random } from '../../lib/backoff.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { number, object, readJson } from '../../lib/schemas.ts';
import type { KeyValueStore } from '../../lib/storage.ts';
import type { Health } from './health-request.ts';

/** What tells of the end of an outage: a good answer, a socket that authenticates, or the health route. */
export type Evidence = 'answer' | 'socket' | 'health';

/**
 * Watches for the end of an outage of the auth service, without a token where that is possible: each try of a token during an outage
 * is one more refusal.
 */
export interface OutageWatch {
  /** The server refused the token of this generation, in a call that left at `sentAt`, ms since the epoch. */
  refused(generation: number, sentAt: number): void;
  /** A refresh failed, and the answer says nothing about the session. */
  refreshFailed(): void;
  /** The server accepted the token of this generation: the outage is over. */
  accepted(generation: number): void;
  /** A socket authenticated with the token of this generation. */
  authenticated(generation: number): void;
  /** Whether a refusal of this generation has been reported. */
  isKnown(generation: number): boolean;
  /** Whether the server refused this token, with no sign since then that it accepts the token. */
  isRefused(generation: number): boolean;
  /** Whether this tab saw this token refused so recently that calls that can wait are not sent. */
  isRefusedOfLate(generation: number): boolean;
  /** Whether another tab has just seen this token refused, and this one has not. */
  isRefusedElsewhere(generation: number): boolean;
  /** Whether something says, since the last refusal of this token, that the server accepts it. */
  isTrusted(generation: number): boolean;
  /** Whether {@link isDown} has to be asked before a refresh. */
  isTroubled(): boolean;
  /** Asks the health route, unless it has just answered. False where it cannot tell. */
  isDown(): Promise<boolean>;
  /** Whether the outage seems to be over, and what waits continues in a moment. */
  isReturning(): boolean;
  /** A caller waits for the end of the outage for so long, ms. `isUrgent`: a finished result waits. */
  waits(ms: number, isUrgent: boolean): void;
  /** Requests and timers exist only while the token service has listeners. */
  observe(isObserved: boolean): void;
  /** Another session has begun. */
  reset(): void;
}

export interface OutageWatchOptions {
  clock: Clock;
  random: Random;
  log: Log;
  /** Null where the health route is not asked. */
  askHealth: ((signal: AbortSignal) => Promise<Health>) | null;
  /** Shared by all tabs: one refusal is enough for all of them. @default null */
  store?: KeyValueStore | null | undefined;
  /** When a refresh, which has to come first after the outage, is allowed, ms since the epoch; null where the token holds. @default null */
  refreshAt?: () => number | null;
  /** The outage seems to be over. */
  onRecovered: () => void;
}

/** The waits between two looks at the health route grow from the first to the last, ms; each varies by half. */
const LOOK = { firstMs: 4_000, growth: 1.5, mostMs: 15_000, mostUrgentMs: 8_000 };
const LOOK_SHARE = 0.5;
/** An answer of the health route that is younger than this needs no second look, ms. */
const FRESH_MS = 2_000;
/** After so long the refresh itself decides whether the service is down, ms. */
const BELIEF_MS = 300_000;
/** A route that does not exist, or says nothing, is not asked again for so long, ms. */
const MISSING_MS = 600_000;
/** Clients of one server hear of the end of an outage within the same seconds: they come back over this time, ms. */
const SPREAD_MS = 3_000;
/**
 * … and over more time where their tokens have expired: in a minute of outage as many tokens expire as are refreshed in a minute without
 * one, and the refreshes that follow stay within three times that rate. It grows with the outage, and counts from its last sign.
 */
const REFRESH_SPREAD = { leastMs: 15_000, share: 0.4, mostMs: 96_000 };
/** So long after a refusal, calls that can wait are not sent, ms. */
const RECENT_MS = 60_000;
/** A health route that was wrong so often says nothing about this outage. */
const MOST_MISTAKES = 2;
const REFUSAL_KEY = 'refusal';
const refusalSchema = object({ generation: number, at: number });

/** @example const watch = createOutageWatch({ clock, random, log, askHealth, onRecovered }); */
export function createOutageWatch(options: OutageWatchOptions): OutageWatch {
  const { clock, random, log, askHealth, onRecovered, store = null } = options;
  let refusal: { generation: number; at: number; trustedAt: number | null } | null = null;
  /**
   * `hasBeenDown`: the health route knows of the outage. `endedBy`: what announced its end. Mistakes: how often each source announced an end
   * that was none.
   */
  let outage: {
    since: number;
    looks: number;
    hasBeenDown: boolean;
    endedBy: Evidence | null;
    mistakes: Record<Evidence, number>;
  } | null = null;
  /** The latest sign of the outage, ms since the epoch. */
  let downAt = -Infinity;
  /** The latest good answer, ms since the epoch. */
  let goodAt = -Infinity;
  let missingSince = -Infinity;
  let latest: { health: Health; at: number } | null = null;
  let look: Promise<Health> | null = null;
  let controller = new AbortController();
  let isObserved = false;
  /** Until then a caller waits, ms since the epoch. */
  let waitedUntil = 0;
  let isUrgent = false;
  let lookTimer: unknown;
  let release: unknown = null;

  /** A sign of the outage: an end that was announced before was none. */
  const begin = (): void => {
    const now = clock.now();
    downAt = now;
    outage ??= {
      since: now,
      looks: 0,
      hasBeenDown: false,
      endedBy: null,
      mistakes: { answer: 0, socket: 0, health: 0 },
    };
    // After a clock that was set back.
    outage.since = Math.min(outage.since, now);
    if (outage.endedBy) {
      outage.mistakes[outage.endedBy] += 1;
      outage.hasBeenDown = false;
    }
    outage.endedBy = null;
  };
  const isWithin = (since: number, ms: number): boolean => clock.now() >= since && clock.now() - since < ms;
  const canTell = (): boolean =>
    askHealth !== null &&
    !isWithin(missingSince, MISSING_MS) &&
    (outage === null || outage.mistakes.health < MOST_MISTAKES);

  /** For the other tabs, as long as the outage is known to last. */
  const publish = (): void => {
    if (refusal?.trustedAt === null) {
      store?.set(REFUSAL_KEY, JSON.stringify({ generation: refusal.generation, at: clock.now() }));
    }
  };
  const withdraw = (generation: number): void => {
    if (published()?.generation === generation) store?.remove(REFUSAL_KEY);
  };
  const published = () => readJson(store?.get(REFUSAL_KEY) ?? null, refusalSchema);

  const isRefused = (generation: number): boolean => refusal?.generation === generation && refusal.trustedAt === null;
  const isRefusedElsewhere = (generation: number): boolean => {
    if (refusal?.generation === generation) return false;
    const elsewhere = published();
    return elsewhere?.generation === generation && isWithin(elsewhere.at, RECENT_MS);
  };

  const stop = (): void => {
    clock.clearTimeout(lookTimer);
    clock.clearTimeout(release);
    release = null;
  };
  /** What waits continues, a moment later. */
  const recover = (by: Evidence): void => {
    if (release !== null || (outage?.mistakes[by] ?? 0) >= (by === 'health' ? MOST_MISTAKES : 1)) return;
    clock.clearTimeout(lookTimer);
    if (!isObserved) return settle(by);
    const now = clock.now();
    const refreshAt = isUrgent ? null : (options.refreshAt?.() ?? null);
    release = clock.setTimeout(
      () => {
        release = null;
        settle(by);
      },
      refreshAt === null ? random() * SPREAD_MS : turnAt(refreshAt) - now,
    );
  };
  /** When this client refreshes its expired token. Clients that wait for their minute are spread by it already. */
  const turnAt = (refreshAt: number): number => {
    const now = clock.now();
    if (refreshAt > now) return refreshAt;
    const { leastMs, share, mostMs } = REFRESH_SPREAD;
    const spreadMs = Math.min(mostMs, leastMs + share * (downAt - goodAt));
    return now + random() * Math.max(SPREAD_MS, downAt + spreadMs - now);
  };
  const settle = (by: Evidence): void => {
    if (refusal?.trustedAt === null) {
      refusal.trustedAt = clock.now();
      withdraw(refusal.generation);
      log({ type: 'token.trusted', generation: refusal.generation, by });
    }
    if (outage) outage.endedBy = by;
    waitedUntil = 0;
    isUrgent = false;
    onRecovered();
  };

  const ask = (): Promise<Health> => {
    if (askHealth === null) return Promise.resolve('unknown');
    const { signal } = controller;
    look ??= askHealth(signal).then((health) => {
      look = null;
      if (signal.aborted) return health;
      latest = { health, at: clock.now() };
      if (health === 'unknown') missingSince = clock.now();
      if (health === 'down') downAt = clock.now();
      if (health === 'down') publish();
      if (health === 'down' && outage) outage.hasBeenDown = true;
      // Only a route that knows of the outage can tell of its end.
      if (health === 'up' && outage?.hasBeenDown) recover('health');
      else arm();
      return health;
    });
    return look;
  };
  /** The next look, while a caller waits for the end of an outage that the route knows of. */
  const arm = (): void => {
    clock.clearTimeout(lookTimer);
    if (!isObserved || !outage?.hasBeenDown || outage.endedBy || release !== null || !canTell()) return;
    if (clock.now() >= waitedUntil) return;
    const ms = Math.min(
      isUrgent ? LOOK.mostUrgentMs : LOOK.mostMs,
      LOOK.firstMs * LOOK.growth ** Math.min(outage.looks, 10),
    );
    lookTimer = clock.setTimeout(
      () => {
        if (outage) outage.looks += 1;
        void ask();
      },
      jitter(ms, LOOK_SHARE, random),
    );
  };

  const reset = (): void => {
    stop();
    refusal = outage = latest = null;
    waitedUntil = 0;
    isUrgent = false;
  };

  return {
    refused(generation, sentAt) {
      const trustedAt = refusal?.generation === generation ? refusal.trustedAt : null;
      // A late answer: it left before the sign. A sign in the future dates from before the clock was set back.
      if (trustedAt !== null && sentAt < trustedAt && trustedAt <= clock.now()) return;
      begin();
      if (release !== null) stop();
      refusal = { generation, at: clock.now(), trustedAt: null };
      publish();
    },
    refreshFailed: begin,
    accepted(generation) {
      goodAt = clock.now();
      withdraw(generation);
      const isWaitedFor = outage !== null && clock.now() < waitedUntil;
      outage = latest = null;
      stop();
      if (!isWaitedFor) refusal = null;
      else if (refusal?.generation === generation) refusal.trustedAt ??= clock.now();
      if (isWaitedFor) recover('answer');
    },
    authenticated(generation) {
      if (refusal?.generation === generation && refusal.trustedAt === null) recover('socket');
    },
    isKnown: (generation) => refusal?.generation === generation,
    isRefused,
    isRefusedElsewhere,
    isRefusedOfLate: (generation) => isRefused(generation) && refusal !== null && isWithin(refusal.at, RECENT_MS),
    isTrusted: (generation) => refusal?.generation === generation && refusal.trustedAt !== null,
    isTroubled: () => outage !== null && outage.endedBy === null && canTell(),
    async isDown() {
      if (!canTell()) return false;
      const { health } = latest && isWithin(latest.at, FRESH_MS) ? latest : { health: await ask() };
      return health === 'down' && outage !== null && isWithin(outage.since, BELIEF_MS);
    },
    isReturning: () => release !== null,
    waits(ms, urgent) {
      if (!isObserved) return;
      waitedUntil = Math.max(waitedUntil, clock.now() + ms);
      isUrgent ||= urgent;
      arm();
    },
    observe(observed) {
      isObserved = observed;
      if (observed) return arm();
      stop();
      look = null;
      controller.abort();
      controller = new AbortController();
    },
    reset,
  };
}
