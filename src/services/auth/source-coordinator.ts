import { NEVER } from 'rxjs';
import { backoff, type Random } from '../../lib/backoff.ts';
import type { Clock } from '../../lib/clock.ts';
import { digestOf } from '../../lib/digest.ts';
import { contradicts, identityOf, isSameUser, nameIn } from '../../lib/identity.ts';
import type { Log } from '../../lib/log.ts';
import { number, object, readJson } from '../../lib/schemas.ts';
import type { KeyValueStore } from '../../lib/storage.ts';
import type { TokenSource } from '../../ports.ts';
import { claimedUser, type IssuedToken, isSendable } from './access-token.ts';
import { issuedSchema } from './own-refresh.ts';
import type { RefreshCoordinator, RefreshOutcome } from './refresh-coordinator.ts';
import type { SharedSession } from './shared-session.ts';
import type { TabLock } from './tab-lock.ts';
import type { TokenService } from './token-service.ts';

export interface SourceCoordinatorOptions {
  source: TokenSource;
  /** The session of this tab. Each tab has a source of its own, so it is not shared. */
  shared: Pick<SharedSession, 'renewed' | 'position' | 'newest' | 'hear'>;
  tokens: Pick<TokenService, 'current' | 'identity' | 'signIn' | 'signOut' | 'sessions$'>;
  clock: Clock;
  random: Random;
  log: Log;
  /** Shared by all tabs: holds when the source was last forced. */
  store: KeyValueStore;
  lock: TabLock;
  /** The bound of one question, ms. */
  timeoutMs: number;
  /** The shortest time between two forced questions, ms. */
  minIntervalMs: number;
  /** Whether a token may be forced at all. */
  isRefreshEnabled: () => boolean;
}

/** A coordinator that asks a token source of the application. */
export interface SourceCoordinator extends RefreshCoordinator {
  /**
   * Asks for the token as it is now: something may have changed.
   *
   * @param isNews the source itself said so: then no token means that the user has signed out
   */
  look(isNews: boolean): void;
}

type Answer = { type: 'token'; token: IssuedToken; sentAt: number } | { type: 'none' } | { type: 'failed' };

const BUDGET_KEY = 'source-budget';
const budgetSchema = object({ attemptedAt: number, availableAt: number });
/** Before the next question to a source that threw. */
const RETRY = { minMs: 1_000, baseMs: 2_000, capMs: 60_000 };
/** A cached token is asked for again after half of its remaining time, and not sooner than this, ms. */
const LEAST_WAIT_MS = 10_000;
/** The longest wait for a token that is being forced, ms. */
const FORCED_MS = 2_000;

/**
 * One question at a time, and one forced question a minute in the whole browser.
 *
 * @example
 * const coordinator = createSourceCoordinator({ source, shared, tokens, clock, random, log, store, lock, ...bounds });
 */
export function createSourceCoordinator(options: SourceCoordinatorOptions): SourceCoordinator {
  const { source, shared, tokens, clock, random, log, store, lock, timeoutMs, minIntervalMs, isRefreshEnabled } =
    options;
  /** The question under way. That of a look answers no other caller. */
  let flight: { isForced: boolean; outcome: Promise<RefreshOutcome | null> } | null = null;
  /** The text that the source returned last. */
  let given: string | null = null;
  /** Names a user of whom the tokens say nothing. */
  let alias: string | null = null;
  /** Counts the sessions. What the source was asked for in an earlier one is of the user who has left. */
  let epoch = 0;
  let availableAt = 0;
  let failures = 0;
  let ended: 'signed-out' | 'rejected' | null = null;
  /** The application has signed the user out, and the source has not said so yet: what it returns is of that user. */
  let isLeaving = false;

  let unsubscribe: (() => void) | undefined;
  const watching = tokens.sessions$.subscribe({
    next(event) {
      if (event.type === 'session.ended' || event.type === 'session.restored') epoch += 1;
      if (event.type === 'session.ended') {
        ended = event.reason;
        if (event.reason === 'signed-out') alias = null;
        isLeaving = event.reason === 'signed-out';
      } else if (event.type !== 'token.expiring') {
        ended = null;
        isLeaving = false;
      }
    },
    complete: () => unsubscribe?.(),
  });

  const ask = async (fresh: boolean): Promise<Answer> => {
    const sentAt = clock.now();
    const asked = epoch;
    let timer: unknown;
    const late = new Promise<never>((_, reject) => {
      timer = clock.setTimeout(() => reject(new Error('late')), timeoutMs);
    });
    try {
      const answer = await Promise.race([late, (async () => source.getToken({ fresh }))()]);
      if (asked !== epoch) return { type: 'failed' };
      if (answer === null) return { type: 'none' };
      const read = issuedSchema.safeParse(typeof answer === 'string' ? { accessToken: answer } : answer);
      const isEmpty = typeof answer === 'string' && answer === '';
      if (read.success && !isEmpty && isSendable(read.data.accessToken))
        return { type: 'token', token: read.data, sentAt };
      log({ type: 'token.unsendable' });
    } catch {
      // An outage: the session is kept.
    } finally {
      clock.clearTimeout(timer);
    }
    return { type: 'failed' };
  };

  /** The token under the name of its user. @param mayBeAnother whether a text without a name may be another user's */
  const named = (token: IssuedToken, mayBeAnother: boolean): IssuedToken => {
    if (nameIn(token.userId) !== null || claimedUser(token.accessToken) !== null) return token;
    // The text of a session by cookie is that of all users.
    if (token.accessToken === '') return token;
    if (alias === null || (mayBeAnother && token.accessToken !== given)) alias = digestOf(token.accessToken);
    return { ...token, userId: alias };
  };
  const publish = (answer: Answer & { type: 'token' }, isCached: boolean, mayBeAnother = false): void => {
    const token = named(answer.token, mayBeAnother);
    const identity = tokens.identity();
    const its = identityOf(token.userId, claimedUser(token.accessToken), '');
    given = token.accessToken;
    failures = 0;
    availableAt = 0;
    const isAnother = mayBeAnother ? !isSameUser(identity, its) : identity !== null && contradicts(identity, its);
    // Only a sign-in gives a session a number of its own, and a user without a name is known by it.
    const isNameless = identity === null && its.startsWith('session:');
    if (ended !== null || isAnother || isNameless) return tokens.signIn(token);
    const asked = { ...shared.position(), generation: shared.newest() };
    shared.renewed(token, answer.sentAt, asked, isCached);
  };
  const fail = (until: number): RefreshOutcome => {
    failures += 1;
    availableAt = Math.max(until, clock.now() + backoff(failures - 1, RETRY, random));
    return { type: 'transient', until: availableAt };
  };
  const isNew = (answer: Answer): answer is Answer & { type: 'token' } =>
    answer.type === 'token' && answer.token.accessToken !== given;

  /** When the source may be forced, ms since the epoch. A time from a clock that was set back counts for nothing. */
  const forcedAt = (): number => {
    const budget = readJson(store.get(BUDGET_KEY), budgetSchema);
    const isSane = budget !== null && budget.attemptedAt <= clock.now();
    return isSane ? Math.min(budget.availableAt, budget.attemptedAt + minIntervalMs) : 0;
  };
  const attempt = async (): Promise<RefreshOutcome> => {
    const until = forcedAt();
    if (clock.now() < until) {
      // Another tab may have forced the source: what they share is new then.
      const answer = await ask(false);
      if (!isNew(answer)) return { type: 'limited', until };
      publish(answer, true);
      return { type: 'refreshed' };
    }
    const attemptedAt = clock.now();
    const next = attemptedAt + minIntervalMs;
    store.set(BUDGET_KEY, JSON.stringify({ attemptedAt, availableAt: next }));
    const answer = await ask(true);
    if (answer.type === 'failed') return fail(next);
    if (answer.type === 'none') return { type: 'rejected', isRotated: true };
    publish(answer, false);
    return { type: 'refreshed' };
  };
  const force = async (): Promise<RefreshOutcome> => {
    if (!isRefreshEnabled()) return { type: 'rejected', isRotated: true };
    const startedAt = clock.now();
    const turn = await lock.run(attempt, NEVER, () => false);
    const outcome = turn?.value ?? { type: 'joined' };
    if (outcome.type !== 'joined')
      log({ type: 'refresh.finished', outcome: outcome.type, ms: clock.now() - startedAt });
    return outcome;
  };
  const run = async (isForced: boolean): Promise<RefreshOutcome> => {
    if (isForced) return force();
    const answer = await ask(false);
    if (answer.type === 'failed') return fail(0);
    if (answer.type === 'none') return { type: 'rejected', isRotated: true };
    if (isNew(answer) || ended !== null || tokens.identity() === null) publish(answer, true);
    else {
      const held = tokens.current();
      if (held) {
        const remainingMs = (held.expiresAt ?? Infinity) - clock.now();
        availableAt = clock.now() + Math.max(LEAST_WAIT_MS, Math.min(minIntervalMs, remainingMs / 2));
        return { type: 'limited', until: availableAt };
      }
    }
    // The source keeps a token that is over by the clock.
    return tokens.current() ? { type: 'refreshed' } : force();
  };
  const refresh = async (isForced = false): Promise<RefreshOutcome> => {
    if (flight) {
      const { isForced: wasForced, outcome } = flight;
      const ending = await outcome;
      if (ending === null || (isForced && !wasForced && ending.type !== 'refreshed')) return refresh(isForced);
      return ending.type === 'refreshed' ? { type: 'joined' } : ending;
    }
    const outcome = run(isForced).finally(() => (flight = null));
    flight = { isForced, outcome };
    return outcome;
  };
  const look = async (isNews: boolean, mayEnd = isNews): Promise<void> => {
    if (flight) {
      // An SDK whose session is refused reports that as a change, too: it is no sign-out, and the assessment asks for a sign-in.
      const isRefused = (await flight.outcome)?.type === 'rejected';
      return look(isNews, mayEnd && !isRefused);
    }
    const looking = ask(false);
    flight = { isForced: false, outcome: looking.then(() => (flight = null)) };
    const answer = await looking;
    if (answer.type === 'none') {
      given = null;
      // After a refusal the answers wait for the next sign-in.
      if (mayEnd && ended === null && tokens.identity() !== null) tokens.signOut();
      isLeaving = false;
    } else if (answer.type === 'token' && !isLeaving && (isNew(answer) || ended !== null)) {
      publish(answer, true, isNews);
    }
  };
  const lookSafely = (isNews: boolean): void => void look(isNews).catch(() => {});
  // The client may have been disposed of while this code was loaded.
  if (!watching.closed) unsubscribe = subscribeTo(source, () => lookSafely(true));

  return {
    refresh,
    look: lookSafely,
    availableAt: () => availableAt,
    isInDoubt: () => false,
    accepted: () => {},
    recovered: () => availableAt,
    async settled(_, signal) {
      if (flight?.isForced) await shared.hear(FORCED_MS, signal, flight.outcome);
    },
  };
}

/** A source whose `onChange` throws reports nothing. */
function subscribeTo(source: TokenSource, listener: () => void): (() => void) | undefined {
  try {
    return source.onChange?.(listener);
  } catch {
    return undefined;
  }
}
