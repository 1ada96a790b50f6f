import * as z from 'zod/mini';
import type { IssuedToken } from './access-token.ts';
import type { Random } from '../../lib/backoff.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { number, object, readJson } from '../../lib/schemas.ts';
import type { Position, SharedSession } from './shared-session.ts';
import type { KeyValueStore } from '../../lib/storage.ts';
import type { TabLock } from './tab-lock.ts';

/** The answer of the refresh endpoint. */
export type RefreshAnswer =
  | { type: 'issued'; token: IssuedToken; sentAt: number }
  /** The server limits the rate of refreshes. */
  | { type: 'limited'; retryAfterMs: number | null }
  /** The refresh failed without a rotation of the token. `isLoginPage`: a login page answered in place of the endpoint. */
  | { type: 'transient'; retryAfterMs: number | null; isLoginPage?: boolean }
  /**
   * The answer was lost, and the server may have rotated the token. `isLoginPage`: what came was not an answer of the endpoint, and may have
   * been a login page.
   */
  | { type: 'ambiguous'; isLoginPage?: boolean }
  | { type: 'rejected' };

/** How a refresh ended, for each caller that waited for it. */
export type RefreshOutcome =
  /** This call sent the request. All tabs were notified of the token, this one included. */
  | { type: 'refreshed' }
  /** The call joined a request of this tab or of another. Its news has been delivered to the listeners. */
  | { type: 'joined' }
  /** No request was sent: the budget is spent until `until`, ms since the epoch. */
  | { type: 'limited'; until: number }
  /** `isLoginPage`: a login page answered in place of the endpoint. */
  | { type: 'transient'; until: number; isLoginPage?: boolean }
  | { type: 'ambiguous'; until: number; isLoginPage?: boolean }
  /** `isRotated`: an earlier attempt was not answered, so the server may have ended the token in hand with it. */
  | { type: 'rejected'; isRotated?: boolean };

/**
 * Prevents races between refreshes of rotating tokens: two at once look like theft to the server, and it ends the session. There is
 * one refresh in flight and one attempt a minute, successes and failures counted, across all tabs and reloads.
 */
export interface RefreshCoordinator {
  /**
   * Never throws. Callers cannot abort a request in flight, because the server may have rotated the token.
   *
   * @param isForced a cached token does not help, because the API has refused it @default false
   */
  refresh(isForced?: boolean): Promise<RefreshOutcome>;
  /** When the next attempt is allowed, ms since the epoch; in the past when it is allowed now. */
  availableAt(): number;
  /**
   * Whether the token of this generation may be invalid before its expiry: any tab has sent a refresh that invalidates it, and this tab
   * knows no newer token. The answer may be in flight, lost, or an error of a server that did rotate the token.
   */
  isInDoubt(generation: number): boolean;
  /** The server accepted the token of this generation: the latest refresh that was not answered did not end it. */
  accepted(generation: number): void;
  /**
   * The auth service is back: the next attempt needs no more than the shortest time since the last one.
   *
   * @returns when it is allowed, ms since the epoch
   */
  recovered(): number;
  /**
   * Waits for the answer of a refresh that is in flight in any tab and puts this token in doubt: 2 s at most, about as long as a request
   * takes. Resolves at once where there is no such refresh, or when `signal` aborts.
   */
  settled(generation: number, signal: AbortSignal): Promise<void>;
}

export interface RefreshCoordinatorOptions {
  /** Sends one request. It has a timeout and never throws. */
  request: () => Promise<RefreshAnswer>;
  clock: Clock;
  random: Random;
  /** Shared by all tabs. */
  store: KeyValueStore;
  shared: SharedSession;
  lock: TabLock;
  log: Log;
  /** The shortest time between two attempts, ms. After a failure it is up to twice as long. */
  minIntervalMs: number;
}

/** The outcome of one attempt. `isRaced`: another tab may have used the cookie first. */
type Attempt = Exclude<RefreshOutcome, { type: 'joined' }> & { isRaced?: boolean };

const BUDGET_KEY = 'refresh-budget';
/** The longest accepted Retry-After, ms. */
const MAX_COOLDOWN_MS = 600_000;
/** The jitter after a failure, as a part of the interval, so that clients that failed together do not retry together. */
const SPREAD = 0.9;
/** The longest wait for the token of a faster tab, ms: about as long as a request. */
const RACE_MS = 2_000;
/** A token stays in doubt until the next refresh, but no longer than this many intervals. */
const DOUBT_INTERVALS = 2;
/** A call that is answered so long after a refresh was sent left after it, ms: no call is in flight for longer. */
const IN_FLIGHT_MS = 15_000;
/** `ends`: the generation that the attempt invalidates if it succeeds. It is removed when the server did not rotate the token. */
/** `spreadMs`: the part of the cooldown that only spreads the clients over time. */
const budgetSchema = object({
  attemptedAt: number,
  availableAt: number,
  ends: z.optional(number),
  spreadMs: z.optional(number),
});
type Budget = z.infer<typeof budgetSchema>;

/** @example const coordinator = createRefreshCoordinator({ request, clock, random, store, shared, lock, log, minIntervalMs: 60_000 }); */
export function createRefreshCoordinator(options: RefreshCoordinatorOptions): RefreshCoordinator {
  const { request, clock, random, store, shared, lock, log, minIntervalMs } = options;
  let flight: Promise<RefreshOutcome> | null = null;
  /** The budget as spent by this page, in case the storage is cleared or does not keep it. */
  let spent: Budget | null = null;

  /** The stored budget of all tabs. Each call reads it, so it is parsed only when its text has changed. */
  let written: { text: string | null; budget: Budget | null } = { text: null, budget: null };
  const writtenBudget = (): Budget | null => {
    const text = store.get(BUDGET_KEY);
    if (text !== written.text) written = { text, budget: readBudget(text) };
    return written.budget;
  };

  /** Without attempts in the future: they come from a clock that was set back, or are garbage, and must not lock the user out. */
  const attempts = (): Budget[] =>
    [spent, writtenBudget()].filter((it) => it !== null && it.attemptedAt <= clock.now()) as Budget[];
  const availableAt = (): number => Math.max(0, ...attempts().map((it) => it.availableAt));
  const write = (budget: Budget): number => {
    spent = budget;
    store.set(BUDGET_KEY, JSON.stringify(budget));
    return budget.availableAt;
  };
  const spend = (cooldownMs: number, ends?: number, spreadMs = 0): number => {
    const attemptedAt = clock.now();
    return write({ attemptedAt, availableAt: attemptedAt + Math.min(cooldownMs, MAX_COOLDOWN_MS), ends, spreadMs });
  };
  /** The latest attempt of all tabs. */
  const latest = (): Budget | null => {
    const [one = null, other = null] = attempts();
    return one && other && other.attemptedAt > one.attemptedAt ? other : one;
  };
  /** When the last attempt that invalidates this token was sent; -Infinity where there was none. */
  const doubtedAt = (generation: number): number =>
    Math.max(...attempts().map(({ attemptedAt, ends = -1 }) => (ends < generation ? -Infinity : attemptedAt)));

  const isInDoubt = (generation: number): boolean =>
    clock.now() - doubtedAt(generation) < DOUBT_INTERVALS * minIntervalMs;

  /** Whether another tab has attempted or completed a refresh since this request. A tab that was behind before it is not raced. */
  const isRaced = (asked: Position): boolean => {
    const there = writtenBudget();
    return shared.newest() > asked.generation || (there !== null && there.attemptedAt !== spent?.attemptedAt);
  };
  /** One request, if the budget has one. */
  const attempt = async (session: number, isSecond: boolean): Promise<Attempt> => {
    const limit = availableAt();
    if (!isSecond && clock.now() < limit) return { type: 'limited', until: limit };
    const startedAt = clock.now();
    const asked = { session, generation: shared.newest() };
    const isRotated = isInDoubt(asked.generation);
    // Counted before it is sent: a reload during the request must not allow a second one.
    let until = spend(minIntervalMs, asked.generation);
    const answer = await request();
    // After a clock that was set back during the request, the minute would become an hour.
    if (clock.now() < startedAt) until = spend(minIntervalMs, asked.generation);
    if (answer.type === 'rejected' && !isSecond && isRaced(asked)) return { type: 'rejected', isRaced: true };
    if (answer.type === 'limited' || answer.type === 'transient') {
      const leastMs = Math.max(until - clock.now(), answer.retryAfterMs ?? 0);
      const patienceMs = until - clock.now() + minIntervalMs * SPREAD * random();
      const cooldownMs = Math.max(patienceMs, leastMs);
      // A 429 proves that the server is up and did not rotate the token.
      until = spend(cooldownMs, answer.type === 'limited' ? undefined : asked.generation, cooldownMs - leastMs);
    }
    // The session is over for refreshes; this attempt ended no token.
    if (answer.type === 'rejected') until = spend(Math.max(0, until - clock.now()));
    if (answer.type === 'issued') shared.renewed(answer.token, answer.sentAt, asked);
    const outcome: Attempt =
      answer.type === 'issued'
        ? { type: 'refreshed' }
        : answer.type === 'rejected'
          ? { ...answer, ...(isRotated && { isRotated }) }
          : { type: answer.type, until, ...('isLoginPage' in answer && { isLoginPage: answer.isLoginPage }) };
    log({ type: 'refresh.finished', outcome: outcome.type, ms: clock.now() - startedAt });
    return outcome;
  };

  /**
   * Runs one attempt under the lock of all tabs. It first checks whether the refresh is still necessary: another tab may have finished
   * one, and a request after a new sign-in would invalidate the first token of that session.
   */
  const takeTurn = async (since: Position, isSecond = false): Promise<Attempt | { type: 'joined' }> => {
    const isUnnecessary = async () => (await shared.catchUp()) || shared.hasMovedOn(since);
    if (await isUnnecessary()) return { type: 'joined' };
    const turn = await lock.run(
      async () => ((await isUnnecessary()) ? ({ type: 'joined' } as const) : attempt(since.session, isSecond)),
      shared.news$,
      ({ type }) => type === 'refreshed',
    );
    return turn ? turn.value : { type: 'joined' };
  };

  const run = async (): Promise<RefreshOutcome> => {
    const since = shared.position();
    let outcome: Attempt | { type: 'joined' } = await takeTurn(since);
    // Another tab won a race with this request. Its token is enough; if it does not arrive, one more attempt with the current cookie
    // decides.
    if (outcome.type === 'rejected' && outcome.isRaced) {
      const isKnown = shared.hasMovedOn(since) || (await shared.hear(RACE_MS));
      outcome = isKnown ? { type: 'joined' } : await takeTurn(since, true);
    }
    // The server may have rotated the token. Another tab may know the new one.
    if (outcome.type === 'ambiguous' && (await shared.catchUp())) return { type: 'joined' };
    return outcome;
  };

  return {
    availableAt,
    isInDoubt,
    accepted(generation) {
      const its = latest();
      if (flight || !its || !isInDoubt(generation) || clock.now() - its.attemptedAt < IN_FLIGHT_MS) return;
      write({ ...its, ends: undefined });
    },
    recovered() {
      const its = latest();
      if (!flight && its?.spreadMs) write({ ...its, availableAt: its.availableAt - its.spreadMs, spreadMs: 0 });
      return availableAt();
    },
    async settled(generation, signal) {
      // A refresh of this tab may still wait for its turn. One of this tab that has finished has announced its token.
      const since = flight ? clock.now() : doubtedAt(generation);
      const remaining = since + RACE_MS - clock.now();
      const isPending = remaining > 0 && (flight || since !== spent?.attemptedAt);
      if (isPending) await shared.hear(remaining, signal, flight);
    },
    async refresh() {
      if (flight) {
        const outcome = await flight;
        return outcome.type === 'refreshed' ? { type: 'joined' } : outcome;
      }
      flight = run().finally(() => {
        flight = null;
      });
      return flight;
    },
  };
}

function readBudget(text: string | null): Budget | null {
  const budget = readJson(text, budgetSchema);
  return budget && budget.availableAt - budget.attemptedAt <= MAX_COOLDOWN_MS ? budget : null;
}
