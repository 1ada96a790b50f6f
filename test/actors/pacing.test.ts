import { createAssessmentClient } from 'assessment-monitor';
import { openTestWorld } from 'assessment-monitor/testing';
import { describe, expect, it } from 'vitest';
import { memoryStore } from '../../src/lib/storage.ts';
import { virtualClock } from '../../src/testing/virtual-clock.ts';

/* How often the server is asked, seen from the server: in virtual time, with the middle of all luck unless a test says otherwise. */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

const json = (status: number, body: unknown, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json', ...headers } });
const running = () => json(200, { data: { jobId: 'j1', status: 'processing', progress: 10 } });
const down = () => json(503, { error: { code: 'SERVICE_UNAVAILABLE', message: 'down' } });

interface PageOptions {
  random?: () => number;
  submit?: () => Response;
  clock?: ReturnType<typeof virtualClock>;
  storage?: ReturnType<typeof memoryStore>;
  tokenStorage?: ReturnType<typeof memoryStore>;
  monitoringTimeoutMs?: number;
}

/** A page that polls, and when its calls arrived, ms after it was opened. */
function openPage(
  status: () => Response,
  {
    random = () => 0.5,
    submit,
    clock = virtualClock(),
    storage = memoryStore(),
    tokenStorage = memoryStore(),
    monitoringTimeoutMs = 60 * MINUTE,
  }: PageOptions = {},
) {
  const startedAt = clock.now();
  const asked: number[] = [];
  const submitted: number[] = [];
  const client = createAssessmentClient({
    baseUrl: 'https://pace.test',
    clock,
    random,
    socket: false,
    storage,
    tokenStorage,
    settings: () => ({ monitoringTimeoutMs }),
    fetch: (async (input: string) => {
      if (input.endsWith('/submit')) {
        submitted.push(clock.now() - startedAt);
        return submit?.() ?? json(202, { data: { jobId: 'j1', resultId: 'r1' } });
      }
      if (/\/jobs(\?|$)/.test(input)) return json(200, { data: { jobs: [] } });
      // Every look at the job: the archive is asked in turn while the status route fails.
      if (!/\/(status|jobs)\//.test(input)) return json(200, { data: { token_balance: 3 } });
      asked.push(clock.now() - startedAt);
      return status();
    }) as unknown as typeof fetch,
  });
  const gaps = () => asked.slice(1).map((at, index) => at - (asked[index] ?? 0));
  return { clock, client, storage, tokenStorage, asked, submitted, gaps };
}

/** … on which a user has signed in and submitted. */
async function openBusyPage(...args: Parameters<typeof openPage>) {
  const page = openPage(...args);
  page.client.signedIn({ accessToken: 'token', expiresIn: 36_000 });
  page.client.submit({ answers: [1] });
  await page.clock.run(0);
  return page;
}

describe('a job that runs', () => {
  it('is polled every 2 s at first, every 10 s after two minutes, and in between in between', async () => {
    const { clock, client, asked, gaps } = await openBusyPage(running);
    await clock.run(6 * MINUTE);
    client.dispose();
    const gapAt = (ms: number) => gaps()[asked.findIndex((at) => at >= ms)] ?? 0;
    expect(gaps()[0]).toBeCloseTo(2 * SECOND, -2);
    expect(gapAt(30 * SECOND)).toBeGreaterThan(3.5 * SECOND);
    expect(gapAt(30 * SECOND)).toBeLessThan(4.5 * SECOND);
    expect(gapAt(2 * MINUTE)).toBe(10 * SECOND);
    expect(gapAt(5 * MINUTE)).toBe(10 * SECOND);
    // Never more often than before.
    expect(gaps()).toEqual(gaps().toSorted((a, b) => a - b));
  });

  it.each([
    ['at the least', 0, 0.8],
    ['at the most', 1, 1.2],
  ])('is not polled in step with others: %s', async (_how, luck, share) => {
    const { clock, client, gaps } = await openBusyPage(running, { random: () => luck });
    await clock.run(6 * MINUTE);
    client.dispose();
    expect(gaps()[0]).toBeCloseTo(share * 2 * SECOND, -2);
    expect(gaps().at(-1)).toBeCloseTo(share * 10 * SECOND, -1);
  });

  it('is asked for again when the server says so, on a success as well', async () => {
    const { clock, client, gaps } = await openBusyPage(() =>
      json(200, { data: { jobId: 'j1', status: 'queued' } }, { 'Retry-After': '25' }),
    );
    await clock.run(2 * MINUTE);
    client.dispose();
    expect(Math.min(...gaps())).toBeGreaterThanOrEqual(25 * SECOND);
  });
});

describe('a server that is down', () => {
  it('is asked less and less often, at its worst every 45 s', async () => {
    const { clock, client, gaps } = await openBusyPage(down, { random: () => 1 });
    await clock.run(5 * MINUTE);
    client.dispose();
    expect(gaps().slice(0, 5)).toEqual([8, 16, 32, 45, 45].map((seconds) => seconds * SECOND));
  });

  it('is asked as often as before when it is back', async () => {
    let isDown = true;
    const { clock, client, asked, gaps } = await openBusyPage(() => (isDown ? down() : running()), { random: () => 1 });
    await clock.run(MINUTE);
    isDown = false;
    const failures = asked.length;
    await clock.run(MINUTE);
    client.dispose();
    expect(Math.max(...gaps().slice(failures + 1))).toBeLessThanOrEqual(12 * SECOND);
  });

  it('is sent the answers again after ever longer waits, at its worst every 15 s', async () => {
    const { clock, client, submitted } = await openBusyPage(running, { random: () => 1, submit: down });
    await clock.run(MINUTE);
    client.dispose();
    const gaps = submitted.slice(1).map((at, index) => at - (submitted[index] ?? 0));
    expect(gaps.slice(0, 5)).toEqual([5, 5, 5, 8, 15].map((seconds) => seconds * SECOND));
  });
});

describe('the deadline', () => {
  const phaseOf = (client: ReturnType<typeof openPage>['client']) =>
    client.getSnapshot().assessments[0]?.getSnapshot().phase;

  it('counts from the acceptance, and the user is asked when it has passed', async () => {
    const { clock, client } = await openBusyPage(running, { monitoringTimeoutMs: 10 * MINUTE });
    await clock.run(10 * MINUTE - SECOND);
    expect(phaseOf(client)).toBe('waiting');
    await clock.run(3 * SECOND);
    expect(phaseOf(client)).toBe('delayed');
    client.dispose();
  });

  it('stays where it was when the page is reloaded', async () => {
    const monitoringTimeoutMs = 10 * MINUTE;
    const before = await openBusyPage(running, { monitoringTimeoutMs });
    await before.clock.run(6 * MINUTE);
    before.client.dispose();
    const { clock, client, submitted } = openPage(running, { ...before, monitoringTimeoutMs });
    client.resume();
    await clock.run(4 * MINUTE - SECOND);
    expect(phaseOf(client)).toBe('waiting');
    await clock.run(3 * SECOND);
    expect(phaseOf(client)).toBe('delayed');
    expect(submitted).toEqual([]);
    client.dispose();
  });

  it('that passed while the page was closed is shown after one more look', async () => {
    const monitoringTimeoutMs = 10 * MINUTE;
    const before = await openBusyPage(running, { monitoringTimeoutMs });
    before.client.dispose();
    await before.clock.run(15 * MINUTE);
    const { clock, client, asked } = openPage(running, { ...before, monitoringTimeoutMs });
    client.resume();
    await clock.run(3 * SECOND);
    expect(phaseOf(client)).toBe('delayed');
    expect(asked).not.toEqual([]);
    client.dispose();
  });
});

describe('a server that does the same to everybody', () => {
  /** A job of this age, watched over a live feed by a user of this luck. */
  async function watched(luck: number, ageMs: number) {
    const world = openTestWorld({ jobMs: 60 * MINUTE, tokenTtlMs: 60 * MINUTE }, { random: () => luck });
    world.signIn();
    world.client.submit({ answers: [1] });
    await world.run(ageMs);
    const { requests } = world.backend.seen;
    /** When the next calls of a route come, s from now. */
    const next = async (route: string, ms: number) => {
      const [before, from] = [requests.length, ageMs];
      await world.run(ms);
      const sent = requests.slice(before).filter((it) => it.route === route);
      return sent.map(({ at }) => Math.round((at - (requests[0]?.at ?? 0) - from) / SECOND));
    };
    return { ...world, next };
  }

  /** The same by a user without luck, and now neither the feed nor the server is there. */
  async function gone(ageMs: number) {
    const world = await watched(1, ageMs);
    Object.assign(world.backend.state, { noSockets: true, down: true });
    world.backend.dropSockets();
    return world;
  }

  it.each([
    ['soon by the luckiest', 0, 200 * SECOND, 0, 2],
    ['within 20 s by the least lucky', 1, 200 * SECOND, 17, 20],
    ['sooner when the job is young', 1, 8 * SECOND, 3, 7],
  ])('drops the feed, and is asked once for the status when it is back: %s', async (_who, luck, age, min, max) => {
    const { client, backend, next } = await watched(luck, age);
    backend.dropSockets();
    const [first, ...others] = await next('status', 23 * SECOND);
    expect([first, others]).toEqual([expect.toSatisfy((at: number) => at >= min && at <= max), []]);
    client.dispose();
  });

  it('takes the feeds away for good, and is polled at a rate that a fleet can keep up', async () => {
    const { client, backend, next } = await watched(0.5, 200 * SECOND);
    backend.state.noSockets = true;
    backend.dropSockets();
    const asked = await next('status', 5 * MINUTE);
    const gaps = asked.map((at, index) => at - (asked[index - 1] ?? 0));
    expect([Math.min(...gaps), Math.max(...gaps)]).toEqual([17, 18]);
    client.dispose();
  });

  it('goes away with the feed, and is asked less and less often', async () => {
    const { client, next } = await gone(200 * SECOND);
    const [first = 0, second = 0, third = 0] = await next('status', 3 * MINUTE);
    expect([first, second - first].map((s) => Math.round(s / 5) * 5)).toEqual([30, 60]);
    // The archive is asked in between.
    expect(third - second).toBeGreaterThanOrEqual(55);
    client.dispose();
  });

  it('goes away with the feed, and is asked soon about a job that is young, by the least lucky too', async () => {
    const { client, next } = await gone(8 * SECOND);
    const [first, second = 0] = await next('status', MINUTE);
    expect(first).toBe(5);
    expect(second).toBeLessThan(15);
    client.dispose();
  });

  it.each([
    ['at once by the luckiest', 0, 0, 1],
    ['within 90 s by the least lucky', 1, 88, 92],
  ])('refuses a good token, and is asked for another: %s', async (_who, luck, min, max) => {
    const { client, backend, next } = await watched(luck, 200 * SECOND);
    backend.endTokens();
    const { requests } = backend.seen;
    const before = requests.length;
    await next('refresh', 3 * MINUTE);
    const [refused, refreshed] = ['status', 'refresh'].map((it) =>
      requests.slice(before).find(({ route }) => route === it),
    );
    expect(((refreshed?.at ?? 0) - (refused?.at ?? 0)) / SECOND).toSatisfy((s: number) => s >= min && s <= max);
    client.dispose();
  });
});

it('asks for the balance after a refresh that is due: beside it, the call would carry the token that it ends', async () => {
  const { client, backend, signIn, run } = openTestWorld({ tokenTtlMs: 300_000 });
  signIn();
  await run(200 * SECOND);
  const balance = client.refreshBalance();
  await run(5 * SECOND);
  expect(await balance).toBe(4);
  expect(backend.seen.requests.map(({ route }) => route)).toEqual(['refresh', 'balance']);
  client.dispose();
});

it('asks nothing for an assessment that is given up in the moment before its call', async () => {
  const { client, backend, signIn, run } = openTestWorld();
  signIn();
  const { actor } = client.submit({ answers: [1] });
  actor.subscribe((snapshot) => {
    if (snapshot.context.jobId !== null) client.dispose();
  });
  await run(5 * SECOND);
  expect(backend.seen.requests.map(({ route }) => route)).not.toContain('status');
});
