import * as z from 'zod/mini';
import type { IssuedToken } from './access-token.ts';
import type { Random } from '../../lib/backoff.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { number, object, readJson } from '../../lib/schemas.ts';
import type { Position, SharedSession } from './shared-session.ts';
import type { KeyValueStore } from '../../lib/storage.ts';
import type { TabLock } from './tab-lock.ts';

/** What came back from the refresh endpoint. */
export type RefreshAnswer =
  | { type: 'issued'; token: IssuedToken; sentAt: number }
  /** The server was asked too often. */
  | { type: 'limited'; retryAfterMs: number | null }
  /** It certainly did not rotate the token. */
  | { type: 'transient'; retryAfterMs: number | null }
  /** It may have rotated the token: the answer was lost. */
  | { type: 'ambiguous' }
  | { type: 'rejected' };

/** How a refresh ended, for everybody who waited for it. */
export type RefreshOutcome =
  /** This call made the request. All tabs have been told of the token, this one included. */
  | { type: 'refreshed' }
  /** Somebody else's request was joined: of this tab, or of another, whose news have been heard by now. */
  | { type: 'joined' }
  /** Nothing was sent: the budget is spent until `until`, ms since the epoch. */
  | { type: 'limited'; until: number }
  | { type: 'transient'; until: number }
  | { type: 'ambiguous'; until: number }
  | { type: 'rejected' };

/**
 * Makes sure that refreshes of rotating tokens never race: two at once look like theft to the server, and it ends the session.
 * One at a time, and one attempt a minute, successes and failures counted, in all tabs together and over reloads.
 */
export interface RefreshCoordinator {
  /** Never throws. A request that has begun is never aborted by its callers: it may have rotated the token. */
  refresh(): Promise<RefreshOutcome>;
  /** When the next attempt is allowed, ms since the epoch; in the past when it is allowed now. */
  availableAt(): number;
  /**
   * Whether the token of this number may be dead although it should hold: a refresh that would end it has left, in whichever tab, and
   * nothing newer is known here. Its answer may be under way, lost, or an error of a server that may be too ill to know any token.
   */
  isInDoubt(generation: number): boolean;
  /**
   * Waits for the answer of a refresh that is in flight in any tab and puts this token in doubt: 2 s at most, about as long as a request
   * takes. Resolves at once where there is no such refresh, or when `signal` aborts.
   */
  settled(generation: number, signal: AbortSignal): Promise<void>;
}

export interface RefreshCoordinatorOptions {
  /** Asks the server once. Bounded in time, never throws. */
  request: () => Promise<RefreshAnswer>;
  clock: Clock;
  random: Random;
  /** Shared by all tabs. */
  store: KeyValueStore;
  shared: SharedSession;
  lock: TabLock;
  log: Log;
  /** At most one attempt in this time, ms; after a failure it is up to twice as long. */
  minIntervalMs: number;
}

/** What came of one request, or of the wish to make one. */
type Attempt = Exclude<RefreshOutcome, { type: 'joined' }> & { isRaced?: boolean };

const BUDGET_KEY = 'assessment-monitor:refresh-budget';
/** A server may ask for more patience than the interval, up to this. */
const MAX_COOLDOWN_MS = 600_000;
/** Who failed together does not come back together: up to this part of the interval is added to the wait after a failure. */
const SPREAD = 0.9;
/** How long the news of a tab that was faster may take: about as long as a request. */
const RACE_MS = 2_000;
/** A doubt ends with the next refresh, one interval later or a little more; and by itself, so that nothing waits for it for ever. */
const DOUBT_INTERVALS = 2;
/** `ends` is the number of the token that the attempt ends if it succeeds; it is taken back when it certainly did not. */
const budgetSchema = object({ attemptedAt: number, availableAt: number, ends: z.optional(number) });
type Budget = z.infer<typeof budgetSchema>;

export function createRefreshCoordinator(options: RefreshCoordinatorOptions): RefreshCoordinator {
  const { request, clock, random, store, shared, lock, log, minIntervalMs } = options;
  let flight: Promise<RefreshOutcome> | null = null;
  /** What this page has spent itself: applications clear the storage, and some storages forget. */
  let spent: Budget | null = null;

  /** What was written down last, by whichever tab. Asked for each call, so that it is read again only when it has changed. */
  let written: { text: string | null; budget: Budget | null } = { text: null, budget: null };
  const writtenBudget = (): Budget | null => {
    const text = store.get(BUDGET_KEY);
    if (text !== written.text) written = { text, budget: readBudget(text) };
    return written.budget;
  };

  /** An attempt in the future means that the clock was set back, or garbage: it must not lock the user out. */
  const attempts = (): Budget[] =>
    [spent, writtenBudget()].filter((it) => it !== null && it.attemptedAt <= clock.now()) as Budget[];
  const availableAt = (): number => Math.max(0, ...attempts().map((it) => it.availableAt));
  const spend = (cooldownMs: number, ends?: number): number => {
    const attemptedAt = clock.now();
    spent = { attemptedAt, availableAt: attemptedAt + Math.min(cooldownMs, MAX_COOLDOWN_MS), ends };
    store.set(BUDGET_KEY, JSON.stringify(spent));
    return spent.availableAt;
  };
  /** When the last attempt left that would end this token; for ever ago where there was none. */
  const doubtedAt = (generation: number): number =>
    Math.max(...attempts().map(({ attemptedAt, ends = -1 }) => (ends < generation ? -Infinity : attemptedAt)));

  /** Somebody else has tried since we asked, or got further. A tab that was behind before, and could not catch up, is not raced. */
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
    // Counted before it leaves: a reload in the middle must not allow a second one.
    let until = spend(minIntervalMs, asked.generation);
    const answer = await request();
    // The clock was set back meanwhile: the minute must not become an hour.
    if (clock.now() < startedAt) until = spend(minIntervalMs, asked.generation);
    if (answer.type === 'rejected' && !isSecond && isRaced(asked)) return { type: 'rejected', isRaced: true };
    if (answer.type === 'limited' || answer.type === 'transient') {
      const patienceMs = until - clock.now() + minIntervalMs * SPREAD * random();
      const cooldownMs = Math.max(patienceMs, answer.retryAfterMs ?? 0);
      // Who says "slow down" is well, and has not touched the token.
      until = spend(cooldownMs, answer.type === 'limited' ? undefined : asked.generation);
    }
    if (answer.type === 'issued') shared.renewed(answer.token, answer.sentAt, asked);
    const outcome: Attempt =
      answer.type === 'issued'
        ? { type: 'refreshed' }
        : answer.type === 'rejected'
          ? answer
          : { type: answer.type, until };
    log({ type: 'refresh.finished', outcome: outcome.type, ms: clock.now() - startedAt });
    return outcome;
  };

  /**
   * Alone among the tabs. Whoever gets a turn looks first whether there is anything left to do: another tab may have done it, and who
   * signed in while we waited must not have the first token ended by our request.
   */
  const takeTurn = async (since: Position, isSecond = false): Promise<Attempt | { type: 'joined' }> => {
    const isNeedless = async () => (await shared.catchUp()) || shared.hasMovedOn(since);
    if (await isNeedless()) return { type: 'joined' };
    const turn = await lock.run(
      async () => ((await isNeedless()) ? ({ type: 'joined' } as const) : attempt(since.session, isSecond)),
      shared.news$,
      ({ type }) => type === 'refreshed',
    );
    return turn ? turn.value : { type: 'joined' };
  };

  const fly = async (): Promise<RefreshOutcome> => {
    const since = shared.position();
    let outcome: Attempt | { type: 'joined' } = await takeTurn(since);
    // A refusal that was given to a race with another tab: its token will do, and if that does not come, one more attempt tells,
    // with the cookie as it is then.
    if (outcome.type === 'rejected' && outcome.isRaced) {
      const isKnown = shared.hasMovedOn(since) || (await shared.hear(RACE_MS));
      outcome = isKnown ? { type: 'joined' } : await takeTurn(since, true);
    }
    // It may have rotated the token. Before anybody asks again, others may know more.
    if (outcome.type === 'ambiguous' && (await shared.catchUp())) return { type: 'joined' };
    return outcome;
  };

  return {
    availableAt,
    isInDoubt: (generation) => clock.now() - doubtedAt(generation) < DOUBT_INTERVALS * minIntervalMs,
    async settled(generation, signal) {
      // A refresh of this tab may still wait for its turn. One of this tab that has landed has nothing more to tell.
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
      flight = fly().finally(() => {
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
