import { openTestWorld } from 'assessment-monitor/testing';
import type { Habits } from 'assessment-monitor/testing';
import { describe, expect, it } from 'vitest';
import {
  type Answerer,
  flat,
  invalidToken,
  openScriptedWorld,
  openSubmitted,
  type Script,
  status,
} from '../support/scripted-world.ts';
import { memoryStore } from '../../src/lib/storage.ts';
import { jwt } from '../support/jwt.ts';

/* How soon a result is shown after an outage of the auth service, and what the server saw of it. */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const seeds = [1, 2, 3, 4, 5];

interface Story {
  seed: number;
  fromMs?: number;
  forMs: number;
  jobMs?: number;
  socket?: boolean;
  habits?: Partial<Habits>;
}

/** A job of half a minute, and an outage that begins at 8 s and takes the refresh route and the sockets along. */
async function play({ seed, fromMs = 8 * SECOND, forMs, jobMs = 30 * SECOND, socket = true, habits = {} }: Story) {
  const world = openTestWorld(
    {
      seed,
      tokenTtlMs: 60 * MINUTE,
      jobMs,
      latencyMs: 100,
      eventsNameJobs: false,
      habits: { outageTakesRefresh: true, ...habits },
    },
    socket ? {} : { socket: false },
  );
  world.signIn();
  const assessment = world.client.submit({ answers: [1] });
  let at = 0;
  let shownAt = Infinity;
  assessment.subscribe(() => {
    if (assessment.getSnapshot().phase === 'completed') shownAt = Math.min(shownAt, at);
  });
  const run = async (until: number) => {
    for (; at < until; at += SECOND / 5) await world.run(SECOND / 5);
  };
  await run(fromMs);
  world.backend.state.outage = true;
  world.backend.dropSockets();
  await run(fromMs + forMs);
  world.backend.state.outage = false;
  await run(fromMs + forMs + jobMs + 3 * MINUTE);
  const { refreshes, unauthorized, requests } = world.backend.seen;
  const looks = requests.filter(({ route }) => route === 'health').length;
  world.client.dispose();
  return { afterBothMs: shownAt - Math.max(jobMs, fromMs + forMs), refreshes: refreshes.length, unauthorized, looks };
}

describe('after an outage of ten seconds that takes tokens, refreshes and sockets', () => {
  it.each(seeds)('shows the result within 5 s with a socket (dice %i)', async (seed) => {
    const outcome = await play({ seed, forMs: 10 * SECOND });
    expect(outcome.afterBothMs).toBeLessThan(5 * SECOND);
    expect(outcome).toMatchObject({ refreshes: 0, unauthorized: 1 });
  });

  it.each(seeds)('shows the result within 5 s without a socket as well (dice %i)', async (seed) => {
    const outcome = await play({ seed, forMs: 10 * SECOND, socket: false });
    expect(outcome.afterBothMs).toBeLessThan(5 * SECOND);
    expect(outcome).toMatchObject({ refreshes: 0, unauthorized: 1 });
  });

  it.each(seeds)('needs no health route where the socket authenticates again (dice %i)', async (seed) => {
    const outcome = await play({ seed, forMs: 10 * SECOND, habits: { health: 'missing' } });
    expect(outcome.afterBothMs).toBeLessThan(15 * SECOND);
    expect(outcome).toMatchObject({ refreshes: 1, unauthorized: 1, looks: 1 });
  });

  it.each(seeds)('believes no health route that always says 200 (dice %i)', async (seed) => {
    const outcome = await play({ seed, forMs: 10 * SECOND, habits: { health: 'lying' } });
    expect(outcome.afterBothMs).toBeLessThan(15 * SECOND);
    expect(outcome).toMatchObject({ refreshes: 1, unauthorized: 1 });
    expect(outcome.looks).toBeLessThan(4);
  });

  it.each(seeds)('is not misled for long by sockets that the outage spares (dice %i)', async (seed) => {
    const outcome = await play({ seed, forMs: 40 * SECOND, habits: { outageSparesSockets: true } });
    expect(outcome.afterBothMs).toBeLessThan(30 * SECOND);
    expect(outcome.unauthorized).toBeLessThan(5);
  });
});

describe('during an outage that outlasts the job', () => {
  it.each(seeds)('looks for its end without a token, more often than every half a minute (dice %i)', async (seed) => {
    const outcome = await play({ seed, forMs: 90 * SECOND });
    expect(outcome.afterBothMs).toBeLessThan(25 * SECOND);
    expect(outcome).toMatchObject({ refreshes: 0, unauthorized: 1 });
    expect(outcome.looks).toBeGreaterThan(3);
    expect(outcome.looks).toBeLessThan(15);
  });
});

describe('a refresh that cannot be done', () => {
  /** Refuses the token during the outage. */
  const outage = (untilMs: number, more: Script = {}): Script => ({
    status: ({ at }) => (at > SECOND && at < untilMs ? invalidToken() : status(at < untilMs ? 'queued' : 'completed')),
    refresh: () => flat(503, 'SERVICE_UNAVAILABLE'),
    ...more,
  });

  it('is not asked for while the health route says that the service is down, and the token in hand is used after it', async () => {
    const world = await openSubmitted(
      outage(30 * SECOND, { health: ({ at }) => [at < 30 * SECOND ? 503 : 200, { status: 'any' }] }),
      { socket: false },
    );
    await world.run(MINUTE);
    expect([world.phase(), world.count('refresh')]).toEqual(['completed', 0]);
    expect(world.calls.filter(({ route, token }) => route === 'health' && token !== null)).toEqual([]);
  });

  it('is asked for after five minutes of a health route that always says down', async () => {
    const fresh = /^fresh/;
    const world = await openSubmitted(
      {
        status: ({ token, at }) => (at < SECOND || fresh.test(token ?? '') ? status('completed') : invalidToken()),
        result: ({ token }) => (fresh.test(token ?? '') ? [200, { data: { test_result: { a: 1 } } }] : invalidToken()),
        health: () => [503, {}],
      },
      { socket: false },
    );
    await world.run(7 * MINUTE);
    expect([world.phase(), world.count('refresh')]).toEqual(['completed', 1]);
  });

  it('is not asked for by the call that hears of the end of the outage itself', async () => {
    // The wait of a call is over at the same time as the outage: its own question to the health route is answered "up".
    for (let endMs = 40 * SECOND; endMs < 100 * SECOND; endMs += 5 * SECOND) {
      const world = await openSubmitted(
        outage(endMs, { health: ({ at }) => [at < endMs ? 503 : 200, { status: 'any' }] }),
        { socket: false },
      );
      await world.run(3 * MINUTE);
      expect([world.phase(), world.count('refresh')], `${endMs}`).toEqual(['completed', 0]);
    }
  });

  it('keeps the token in use where nothing else tells of the end of the outage', async () => {
    const world = await openSubmitted(outage(20 * SECOND), { socket: false });
    await world.run(5 * MINUTE);
    expect(world.phase()).toBe('completed');
    expect(world.count('refresh')).toBeLessThan(4);
  });

  it('costs one refused call for all tabs, and for a page that is opened during the outage', async () => {
    const storage = memoryStore();
    const tokenStorage = memoryStore();
    const endMs = 2 * MINUTE;
    const world = await openSubmitted(
      outage(endMs, {
        balance: ({ at }) => (at < endMs ? invalidToken() : [200, { success: true, data: { token_balance: 4 } }]),
        health: ({ at }) => [at < endMs ? 503 : 200, { status: 'any' }],
      }),
      { socket: false, storage, tokenStorage },
    );
    await world.run(30 * SECOND);
    const reloaded = world.openTab({ storage, tokenStorage });
    reloaded.resume();
    const balance = reloaded.refreshBalance().catch(() => 'later');
    await world.run(30 * SECOND);
    expect(await balance).toBe('later');
    await world.run(2 * MINUTE);
    expect(reloaded.getSnapshot().assessments.map((it) => it.getSnapshot().phase)).toEqual(['completed']);
    expect(world.events.filter((it) => it.type === 'request.finished' && it.status === 401)).toHaveLength(1);
    expect(world.count('refresh')).toBe(0);
    reloaded.dispose();
  });

  it('asks no health route where the option says so, or where the contract is another one', async () => {
    const health = { health: () => [503, {}] } satisfies Script;
    for (const paths of [{ health: null }, { refresh: '/token' }]) {
      const world = await openSubmitted(outage(20 * SECOND, health), { socket: false, paths });
      await world.run(MINUTE);
      expect(world.count('health')).toBe(0);
    }
  });
});

describe('with auth V1', () => {
  const v1 = { auth: { version: 'v1' }, socket: false } as const;
  const session = { accessToken: jwt({ id: 'user-1', exp: Math.floor(Date.parse('2099-01-01') / SECOND) }) };
  const script = (untilMs: number, health: Answerer): Script => ({
    status: ({ at }) => (at > SECOND && at < untilMs ? invalidToken() : status(at < untilMs ? 'queued' : 'completed')),
    health,
  });

  it('an outage of 32 s costs one refusal where the health route tells of it', async () => {
    const world = await openSubmitted(
      script(32 * SECOND, ({ at }) => [at < 32 * SECOND ? 503 : 200, { status: 'healthy' }]),
      { ...v1, session },
    );
    await world.run(MINUTE);
    expect(world.phase()).toBe('completed');
    expect(world.events.filter(({ type }) => type === 'token.refused')).toHaveLength(1);
  });

  it('a token without an exp is kept as long as the health route says that the service is down', async () => {
    const world = await openSubmitted(
      script(5 * MINUTE, ({ at }) => [at < 5 * MINUTE ? 503 : 200, { status: 'healthy' }]),
      { ...v1, session: { accessToken: 'opaque' } },
    );
    await world.run(6 * MINUTE);
    expect([world.phase(), world.events.some(({ type }) => type === 'session.ended')]).toEqual(['completed', false]);
  });
});

describe('a health route that always says that the service is down', () => {
  it.each(['v1', 'v2'] as const)(
    'does not hold back a good token for longer than six minutes (auth %s)',
    async (version) => {
      const exp = Math.floor(Date.parse('2099-01-01') / SECOND);
      const world = await openSubmitted(
        {
          status: ({ at }) =>
            at > SECOND && at < 6 * SECOND ? invalidToken() : status(at < 6 * SECOND ? 'queued' : 'completed'),
          health: () => [503, {}],
        },
        { auth: { version }, socket: false, session: { accessToken: jwt({ id: 'user-1', exp }), expiresIn: 86_400 } },
      );
      await world.run(6 * MINUTE);
      expect(world.phase()).toBe('completed');
    },
  );
});

describe('an outage of half an hour that the machine sleeps through', () => {
  it('does not sign a user of auth V1 out: the time asleep is no time in which the token was refused', async () => {
    const exp = Math.floor(Date.parse('2099-01-01') / SECOND);
    const world = await openSubmitted(
      {
        status: ({ at }) =>
          at > SECOND && at < 32 * MINUTE ? invalidToken() : status(at < 31 * MINUTE ? 'processing' : 'completed'),
      },
      { auth: { version: 'v1' }, socket: false, session: { accessToken: jwt({ id: 'user-1', exp }) } },
    );
    await world.run(30 * SECOND);
    world.clock.sleep(30 * MINUTE);
    await world.run(5 * MINUTE);
    expect([world.phase(), world.events.some(({ type }) => type === 'session.ended')]).toEqual(['completed', false]);
  });
});

describe("an outage that a health route of one's own tells of", () => {
  it('is over at once with a token source as well', async () => {
    const isDown = (): boolean => world.clock.now() - startedAt < 20 * SECOND;
    const world = openScriptedWorld(
      {
        status: ({ at }) => (at > SECOND && isDown() ? invalidToken() : status(isDown() ? 'queued' : 'completed')),
        health: () => [isDown() ? 503 : 200, { status: 'any' }],
      },
      {
        socket: false,
        paths: { health: '/api/auth/v2/health' },
        auth: {
          source: {
            getToken: async ({ fresh }) => {
              if (fresh && isDown()) throw new Error('down');
              return { accessToken: 'first', expiresIn: 3_600, userId: 'user-1' };
            },
          },
        },
      },
    );
    const startedAt = world.clock.now();
    await world.client.ensureValidToken();
    world.submit();
    await world.run(35 * SECOND);
    expect([world.phase(), world.count('health') > 0]).toEqual(['completed', true]);
  });
});
