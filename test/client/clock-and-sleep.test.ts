import { type AssessmentPhase, createAssessmentClient } from 'assessment-monitor';
import { describe, expect, it } from 'vitest';
import { memoryStore } from '../../src/lib/storage.ts';
import { jwt } from '../support/jwt.ts';
import { settle, virtualClock } from '../../src/testing/virtual-clock.ts';

/*
 * Clocks that are wrong, machines that sleep, networks that come late, timers that are throttled: the whole client in virtual time,
 * against a server that keeps its own time and counts.
 */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
/** From the page to the server, ms; the answer takes no time. */
const LATENCY = 50;

interface WorldOptions {
  /** The user's clock minus the server's, ms. */
  skewMs?: number;
  /** Life of a token, s. */
  ttl?: number;
  /** When the job is done, ms after the start. */
  doneAfter?: number;
  /** Whether the server tells a token's lifetime beside its claims. */
  tellsLifetime?: boolean;
  /** The shortest timer, ms: what a hidden tab gets. */
  shortestTimer?: number;
}

async function openWorld({
  skewMs = 0,
  ttl = 60,
  doneAfter = 10 * MINUTE,
  tellsLifetime = true,
  shortestTimer = 0,
}: WorldOptions = {}) {
  const clock = virtualClock();
  const startedAt = clock.now();
  const seen = { refreshes: [] as number[], submissions: 0, statuses: 0, dead: 0, refused: 0 };
  const shown: AssessmentPhase[] = [];
  const state = {
    isOnline: true,
    isFrozen: false,
    /** Answers that come while the page is frozen never reach it, without a sign of their loss. */
    losesAnswers: false,
    underWay: 0,
  };
  const page = {
    window: new EventTarget(),
    document: Object.assign(new EventTarget(), { visibilityState: 'visible' }),
  };
  /** What would have run while the page was frozen. */
  const missed: (() => void)[] = [];
  const inPage = (work: () => void): void => void (state.isFrozen ? missed.push(work) : work());

  let serial = 0;
  let accepted = { token: '', until: 0 };
  const issue = () => {
    const iat = Math.floor(clock.now() / 1_000);
    const token = jwt({ sub: 'ann', iat, exp: iat + ttl, jti: String((serial += 1)) });
    accepted = { token, until: clock.now() + ttl * 1_000 };
    return tellsLifetime ? { idToken: token, expiresIn: String(ttl) } : { idToken: token };
  };
  // Read without delay: a real body takes turns of the event loop that virtual time knows nothing of.
  const answer = (status: number, data: unknown) =>
    ({
      status,
      headers: new Headers({ Date: new Date(clock.now()).toUTCString() }),
      text: () => Promise.resolve(JSON.stringify(status < 400 ? { data } : data)),
    }) as Response;
  const serve = (url: string, token: string): Response => {
    if (url.endsWith('/refresh')) {
      seen.refreshes.push(clock.now() - startedAt);
      return answer(200, issue());
    }
    if (token !== accepted.token || clock.now() >= accepted.until) {
      seen.refused += 1;
      if (token === accepted.token) seen.dead += 1;
      return answer(401, { error: 'INVALID_TOKEN', message: 'Invalid or expired token' });
    }
    const isDone = clock.now() - startedAt >= doneAfter;
    if (url.endsWith('/submit')) {
      seen.submissions += 1;
      return answer(202, { jobId: 'j1', resultId: 'r1' });
    }
    if (url.includes('/status/')) {
      seen.statuses += 1;
      return answer(200, { jobId: 'j1', status: isDone ? 'completed' : 'processing', resultId: 'r1' });
    }
    if (url.includes('/results/')) return answer(200, { id: 'r1', test_result: isDone ? { archetype: 'x' } : null });
    return answer(200, { token_balance: 3 });
  };

  const client = createAssessmentClient({
    baseUrl: 'https://skew.test',
    clock: {
      now: () => clock.now() + skewMs,
      setTimeout: (callback, ms) => clock.setTimeout(() => inPage(callback), Math.max(ms, shortestTimer)),
      clearTimeout: clock.clearTimeout,
    },
    random: () => 0.5,
    socket: false,
    storage: memoryStore(),
    tokenStorage: memoryStore(),
    page,
    fetch: ((url: string, init: RequestInit) =>
      new Promise<Response>((resolve, reject) => {
        state.underWay += 1;
        clock.setTimeout(() => {
          state.underWay -= 1;
          const token = new Headers(init.headers).get('Authorization')?.slice(7) ?? '';
          const response = state.isOnline ? serve(url, token) : null;
          if (state.isFrozen && state.losesAnswers) return;
          inPage(() => (response ? resolve(response) : reject(new TypeError('Failed to fetch'))));
        }, LATENCY);
      })) as unknown as typeof fetch,
  });
  const { idToken } = issue();
  client.signedIn({ accessToken: idToken, ...(tellsLifetime ? { expiresIn: ttl } : {}) });
  const assessment = client.submit({ answers: [1] });
  assessment.subscribe(() => shown.push(assessment.getSnapshot().phase));
  await clock.run(SECOND);
  return {
    clock,
    client,
    seen,
    shown,
    state,
    get phase() {
      return assessment.getSnapshot().phase;
    },
    /** Runs on to a moment at which a request is under way. */
    async untilAsking() {
      while (state.underWay === 0) await clock.run(10);
    },
    async wake(reason: 'resume' | 'online' | 'visibilitychange') {
      state.isFrozen = false;
      for (const work of missed.splice(0)) {
        work();
        await settle();
      }
      const target = reason === 'online' ? page.window : page.document;
      target.dispatchEvent(new Event(reason));
    },
  };
}

const gaps = (times: readonly number[]) => times.slice(1).map((at, index) => at - (times[index] ?? 0));

describe.each([
  ['an hour fast', HOUR],
  ['an hour slow', -HOUR],
  ['50 s fast', 50 * SECOND],
  ['right', 0],
])('a clock that is %s, with tokens of 60 s', (_how, skewMs) => {
  it.each([true, false])(
    'makes no storm, and nothing expired is sent (the server tells the lifetime: %s)',
    async (tellsLifetime) => {
      const world = await openWorld({ skewMs, tellsLifetime });
      await world.clock.run(11 * MINUTE);
      expect(world.phase).toBe('completed');
      expect(world.shown).not.toContain('sign-in-needed');
      expect(world.seen.submissions).toBe(1);
      // One a minute is allowed, half of a life is asked for: the slower of the two.
      expect(Math.min(...gaps(world.seen.refreshes))).toBeGreaterThanOrEqual(30 * SECOND);
      expect(world.seen.dead).toBe(0);
      world.client.dispose();
    },
  );
});

describe('a page that sleeps', () => {
  it('for ten minutes past the death of its token refreshes first, once, and shows the result', async () => {
    const world = await openWorld({ ttl: 300, doneAfter: 8 * MINUTE });
    world.state.isFrozen = true;
    await world.clock.run(15 * MINUTE);
    await world.wake('resume');
    await world.clock.run(5 * SECOND);
    expect(world.phase).toBe('completed');
    expect(world.seen).toMatchObject({ submissions: 1, dead: 0, refused: 0 });
    expect(world.seen.refreshes).toHaveLength(1);
    world.client.dispose();
  });

  it('and wakes before its network does keeps the session, and resumes when the network is there', async () => {
    const world = await openWorld({ ttl: 300, doneAfter: 8 * MINUTE });
    world.state.isFrozen = true;
    await world.clock.run(15 * MINUTE);
    world.state.isOnline = false;
    await world.wake('resume');
    await world.clock.run(30 * SECOND);
    expect(world.phase).toBe('waiting');
    world.state.isOnline = true;
    await world.wake('online');
    await world.clock.run(MINUTE);
    expect(world.phase).toBe('completed');
    expect(world.shown).not.toContain('sign-in-needed');
    expect(world.seen).toMatchObject({ submissions: 1, dead: 0 });
    expect(world.seen.refreshes).toHaveLength(1);
    world.client.dispose();
  });
});

describe('a call that is under way', () => {
  it('when the page falls asleep is made again when it wakes: its answer may never come', async () => {
    const world = await openWorld({ ttl: 3_600, doneAfter: 20 * SECOND });
    await world.clock.run(15 * SECOND);
    await world.untilAsking();
    world.state.losesAnswers = true;
    world.state.isFrozen = true;
    await world.clock.run(8 * SECOND);
    await world.wake('resume');
    await world.clock.run(5 * SECOND);
    expect(world.phase).toBe('completed');
    world.client.dispose();
  });

  it('when a tab is shown again is waited for', async () => {
    const world = await openWorld({ ttl: 3_600 });
    await world.clock.run(15 * SECOND);
    const before = world.seen.statuses;
    await world.untilAsking();
    await world.wake('visibilitychange');
    await world.clock.run(SECOND);
    expect(world.seen.statuses).toBe(before + 1);
    world.client.dispose();
  });
});

describe('a hidden tab', () => {
  it('whose timers fire once a minute still shows the result, and sends nothing expired', async () => {
    const world = await openWorld({ ttl: 300, doneAfter: 8 * MINUTE, shortestTimer: MINUTE });
    await world.clock.run(12 * MINUTE);
    expect(world.phase).toBe('completed');
    expect(world.seen).toMatchObject({ submissions: 1, dead: 0 });
    world.client.dispose();
  });

  it('looks at once when it is shown again', async () => {
    const world = await openWorld({ ttl: 3_600, doneAfter: 30 * SECOND, shortestTimer: MINUTE });
    await world.clock.run(40 * SECOND);
    expect(world.phase).toBe('waiting');
    await world.wake('visibilitychange');
    await world.clock.run(SECOND);
    expect(world.phase).toBe('completed');
    world.client.dispose();
  });
});

it('a browser that says it is offline, and is not, makes no difference', async () => {
  const before = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  Object.defineProperty(globalThis, 'navigator', { value: { onLine: false }, configurable: true });
  try {
    const world = await openWorld({ doneAfter: MINUTE });
    await world.clock.run(2 * MINUTE);
    expect(world.phase).toBe('completed');
    world.client.dispose();
  } finally {
    if (before) Object.defineProperty(globalThis, 'navigator', before);
    else Reflect.deleteProperty(globalThis, 'navigator');
  }
});
