import fc from 'fast-check';
import { NEVER } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { SignInRequiredError, TokenUnavailableError } from '../../src/lib/errors.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { createRefreshCoordinator, type RefreshAnswer } from '../../src/services/auth/refresh-coordinator.ts';
import { memoryStore } from '../../src/lib/storage.ts';
import { createTokenServiceV2 } from '../../src/services/auth/token-service-v2.ts';
import type { RenewalOutcome } from '../../src/services/auth/token-service.ts';
import { loneTab } from '../support/lone-tab.ts';

/*
 * Everything that can happen to the token service, in every order: callers, sign-ins, sign-outs and the answers of the server are
 * tasks of fast-check's scheduler, which tries their interleavings. RACES says how many, SEED which.
 */

const numRuns = Number(process.env.RACES ?? 2_000);
const seed = Number(process.env.SEED ?? 20_261_123);

const MINUTE = 60_000;
const moves = [
  'ensureValidToken',
  'ensureValidToken(true)',
  'renew',
  'renew what was refused',
  'signIn',
  'signIn as another',
  'signOut',
  'a minute passes',
  'the token expires',
  'timers fire',
] as const;
type Move = (typeof moves)[number];
type Answer = 'issued' | 'rejected' | 'limited' | 'transient' | 'ambiguous';

const anyMoves = fc.array(fc.constantFrom(...moves), { minLength: 1, maxLength: 14 });
const anyAnswers = fc.array(
  fc.constantFrom<Answer>('issued', 'issued', 'rejected', 'limited', 'transient', 'ambiguous'),
  {
    maxLength: 6,
  },
);

/** A tab, a user and a server, whose steps the scheduler puts in order. */
function openTab(scheduler: fc.Scheduler, answers: readonly Answer[]) {
  const broken: string[] = [];
  const clock = handClock();
  const store = memoryStore();
  /** Whose token each is, and of which sign-in. */
  const owners = new Map<string, { userId: string; session: number }>();
  let session = 0;
  let userId: string | null = null;
  let serial = 0;
  let asked = 0;
  let inFlight = 0;
  let lastSentAt = Number.NEGATIVE_INFINITY;
  /** A refresh of this session was refused: it may end. */
  let mayEnd = true;

  const issue = (owner: { userId: string; session: number }): string => {
    const value = `token-${(serial += 1)}`;
    owners.set(value, owner);
    return value;
  };
  const request = async (): Promise<RefreshAnswer> => {
    const sent = { userId: userId ?? 'nobody', session };
    inFlight += 1;
    if (inFlight > 1) broken.push('two refreshes in flight');
    if (clock.now() - lastSentAt < MINUTE) broken.push('two refreshes within a minute');
    lastSentAt = clock.now();
    const type = answers[asked++] ?? 'issued';
    await scheduler.schedule(Promise.resolve(), `the server answers: ${type}`);
    inFlight -= 1;
    if (type === 'issued')
      return { type, token: { accessToken: issue(sent), expiresIn: 300, userId: sent.userId }, sentAt: lastSentAt };
    if (type === 'rejected') mayEnd ||= sent.session === session;
    return type === 'limited' || type === 'transient' ? { type, retryAfterMs: null } : { type };
  };

  const tab = loneTab(clock, memoryStore());
  const tokens = createTokenServiceV2({
    shared: tab.shared,
    coordinator: createRefreshCoordinator({
      ...tab,
      request,
      clock,
      random: () => 0,
      store: memoryStore(),
      log: () => {},
      minIntervalMs: MINUTE,
    }),
    clock,
    random: () => 0.5,
    log: () => {},
    store,
    isRefreshEnabled: () => true,
    isPreventive: () => true,
    settingChanges$: NEVER,
    outagePatienceMs: 10 * MINUTE,
  });
  tokens.events$.subscribe((event) => {
    if (event.type === 'session.ended' && event.reason === 'rejected' && !mayEnd)
      broken.push('a session was ended by the refusal of an earlier one');
    if (event.type === 'token.expiring' && userId === null) broken.push('a token expires of a session that is over');
    look();
  });

  let generation = 0;
  let seen = '';
  /** What must hold at any moment. */
  const look = (): void => {
    const token = tokens.current();
    if (!token) return;
    const owner = owners.get(token.value);
    if (userId === null || owner?.session !== session) broken.push(`a token of ${owner?.userId} came back to life`);
    // One token, one generation; the next token, a higher one.
    if (token.value === seen ? token.generation !== generation : token.generation <= generation)
      broken.push(`generation ${token.generation} after ${generation}`);
    generation = token.generation;
    seen = token.value;
  };

  const signIn = (name: string): void => {
    session += 1;
    userId = name;
    mayEnd = false;
    tokens.signIn({ accessToken: issue({ userId: name, session }), expiresIn: 300, userId: name });
  };
  const unanswered = new Set<string>();
  const call = async (what: string, promise: Promise<unknown>): Promise<void> => {
    unanswered.add(what);
    try {
      const answer = await promise;
      if (typeof answer === 'string' && owners.get(answer)?.session !== session)
        broken.push(`${what} gave a token of another session`);
      if ((answer as RenewalOutcome | null)?.type === 'holds' && !tokens.current())
        broken.push(`${what} says that a token holds that is not there`);
    } catch (error) {
      const isFair = error instanceof SignInRequiredError || error instanceof TokenUnavailableError;
      if (!isFair) broken.push(`${what} threw ${String(error)}`);
    }
    unanswered.delete(what);
    look();
  };

  const perform = (move: Move, index: number): void => {
    const what = `${index}. ${move}`;
    switch (move) {
      case 'ensureValidToken':
      case 'ensureValidToken(true)':
        return void call(what, tokens.ensureValidToken(move === 'ensureValidToken(true)'));
      case 'renew':
        return void call(what, tokens.renew(null));
      case 'renew what was refused':
        return void call(what, tokens.renew(tokens.current()?.generation ?? null));
      case 'signIn':
        return signIn('user-1');
      case 'signIn as another':
        return signIn('user-2');
      case 'signOut':
        userId = null;
        return tokens.signOut();
      case 'a minute passes':
        return clock.pass(MINUTE);
      case 'the token expires':
        return clock.pass(5 * MINUTE);
      default:
        return clock.fire();
    }
  };

  signIn('user-1');
  return { broken, unanswered, perform, look, timers: clock.armed, dispose: tokens.dispose };
}

/** Time that passes by hand; timers fire by hand. */
function handClock(): Clock & { pass(ms: number): void; fire(): void; armed(): number } {
  let now = 1_800_000_000_000;
  const timers = new Map<object, { due: number; callback: () => void }>();
  return {
    now: () => now,
    setTimeout(callback, ms) {
      const handle = {};
      timers.set(handle, { due: now + ms, callback });
      return handle;
    },
    clearTimeout: (handle) => void timers.delete(handle as object),
    pass: (ms) => void (now += ms),
    fire() {
      for (const [handle, { due, callback }] of timers) {
        if (due > now) continue;
        timers.delete(handle);
        callback();
      }
    },
    armed: () => timers.size,
  };
}

describe('in any order of calls, sign-ins, sign-outs and answers', () => {
  it(`one refresh at a time, no ended session is resurrected, and every caller gets an answer (${numRuns} orders, seed ${seed})`, async () => {
    const property = fc.asyncProperty(fc.scheduler(), anyMoves, anyAnswers, async (scheduler, moves, answers) => {
      const tab = openTab(scheduler, answers);
      for (const [index, move] of moves.entries()) {
        void scheduler.schedule(Promise.resolve(), move).then(() => {
          tab.perform(move, index);
          tab.look();
        });
      }
      await scheduler.waitIdle();
      tab.dispose();
      expect({ broken: tab.broken, unanswered: [...tab.unanswered], timers: tab.timers() }).toEqual({
        broken: [],
        unanswered: [],
        timers: 0,
      });
    });
    await fc.assert(property, { numRuns, seed });
  });
});
