import type { FeedConnection, JobApi } from 'assessment-monitor';
import { RejectedError } from 'assessment-monitor';
import { describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import { settle, T0, virtualClock } from '../../src/testing/virtual-clock.ts';
import { expired, foreignApi, type ForeignScript, json, openForeignWorld } from '../support/foreign-world.ts';
import { sleep } from '../../src/lib/clock.ts';

const POST = 'POST /analyses';
const STATUS = 'GET /analyses/a-1';
const REPORT = 'GET /analyses/a-1/report';
const REFRESH = 'POST /api/auth/v2/refresh';
const page = (status: number) =>
  new Response('<html>Blocked</html>', { status, headers: { 'content-type': 'text/html' } });

/** A user has signed in and submitted, and so much time has passed. */
async function play(script?: ForeignScript, options: Parameters<typeof openForeignWorld>[1] = {}, ms = 60_000) {
  const world = openForeignWorld(script, options);
  world.signIn();
  world.submit();
  // The code of the ports is loaded on use, in real time.
  await vi.dynamicImportSettled();
  await world.run(ms);
  return world;
}
const nothingOpen = { timers: 0, requests: 0 };

describe('a client with an api of its own', () => {
  it('shows the result after one submission under its key', async () => {
    const world = await play();
    expect(world.last()).toMatchObject({ phase: 'completed', jobId: 'a-1', result: { summary: 'The Explorer' } });
    expect(world.count(POST)).toBe(1);
    const sent = world.calls.find(({ what }) => what === POST);
    expect(sent).toMatchObject({ token: 'first', key: 'key-1', body: '{"answers":[1]}' });
    expect(world.views.some((view) => view.phase === 'waiting' && view.progress.percent === 40)).toBe(true);
    expect(world.close()).toEqual(nothingOpen);
  });

  it('refreshes a token that the backend refuses in a poll, although the api does not look at the status', async () => {
    const world = await play(({ what, token }) => (what === STATUS && token === 'first' ? expired() : undefined));
    expect(world.last()).toMatchObject({ phase: 'completed' });
    expect(world.count(REFRESH)).toBe(1);
    expect(world.count(POST)).toBe(1);
    expect(world.phases()).toEqual(['submitting', 'waiting', 'completed']);
    expect(world.eventsOf('request.finished').filter(({ outcome }) => outcome === 'unauthorized')).toHaveLength(1);
  });

  it('does not take a refused token for a job that runs', async () => {
    const api: JobApi<{ answers: number[] }, { summary: string }> = {
      ...foreignApi,
      async status(jobId, call) {
        const { body } = await call.request(`/analyses/${jobId}`);
        return { type: (body as { phase?: string }).phase === 'READY' ? 'completed' : 'running' };
      },
    };
    const world = await play(({ what, token }) => (what === STATUS && token === 'first' ? expired() : undefined), {
      api,
    });
    expect(world.last()).toMatchObject({ phase: 'completed' });
    expect(world.count(REFRESH)).toBe(1);
  });

  it('waits as long as the backend asks, in a header or in the outcome', async () => {
    const world = await play(({ what, count }) =>
      what === STATUS && count === 1 ? json(200, { phase: 'WORKING' }, { 'retry-after': '17' }) : undefined,
    );
    const [first, second] = world.calls.filter(({ what }) => what === STATUS).map(({ at }) => at);
    expect((second ?? 0) - (first ?? 0)).toBeGreaterThanOrEqual(17_000);

    let asked = 0;
    const api: typeof foreignApi = {
      ...foreignApi,
      status: async () => ((asked += 1), { type: 'running', retryAfterMs: 40_000 }),
    };
    const other = await play(undefined, { api }, 100_000);
    expect(asked).toBe(3);
    world.close();
    other.close();
  });

  it('repeats a submission whose answer was lost under the same key', async () => {
    const world = await play(({ what, count }) => (what === POST && count === 1 ? null : undefined));
    expect(world.last()).toMatchObject({ phase: 'completed' });
    const keys = world.calls.filter(({ what }) => what === POST).map(({ key }) => key);
    expect(keys).toEqual(['key-1', 'key-1']);
  });

  it('repeats a submission whose outcome cannot be read, and names the field once', async () => {
    const world = await play(({ what, count }) =>
      what === POST && count < 3 ? json(200, { other: true }) : undefined,
    );
    expect(world.last()).toMatchObject({ phase: 'completed' });
    expect(world.eventsOf('answer.unreadable')).toEqual([
      { type: 'answer.unreadable', route: 'submit', field: 'jobId', at: expect.any(Number) },
    ]);
  });

  it('asks the user before it repeats a submission to a backend without keys', async () => {
    const script: ForeignScript = ({ what, count }) => (what === POST && count === 1 ? null : undefined);
    const world = await play(script, { idempotencyHeader: null });
    expect(world.last()).toMatchObject({ phase: 'unconfirmed' });
    expect(world.count(POST)).toBe(1);
    world.close();
  });

  it('finds a lost submission in the list of jobs, where the api has one', async () => {
    const api: typeof foreignApi = {
      ...foreignApi,
      jobs: async (call) =>
        ((await call.request('/analyses')).body as { ref: string; created: string }[]).map((it) => ({
          jobId: it.ref,
          createdAt: it.created,
        })),
    };
    const world = await play(
      ({ what, count }) => {
        if (what === POST && count === 1) return null;
        return what === 'GET /analyses' ? json(200, [{ ref: 'a-1', created: new Date(T0).toISOString() }]) : undefined;
      },
      { api, idempotencyHeader: null },
    );
    expect(world.last()).toMatchObject({ phase: 'completed' });
    expect(world.count(POST)).toBe(1);
  });

  it('ends a submission that the backend refuses in its own words, and shows them', async () => {
    const refusal = json(422, { title: 'Invalid', errors: [{ field: 'answers', message: 'too few' }] });
    const world = await play(({ what }) => (what === POST ? refusal.clone() : undefined));
    expect(world.last()).toMatchObject({
      phase: 'failed',
      error: { code: 'validation', details: { answers: 'too few' } },
    });
    expect(world.count(POST)).toBe(1);
  });

  it('takes problem details for the word of the API, and the page of a firewall for none', async () => {
    const problem = json(402, { type: 'https://foreign.test/credit', title: 'No credit is left' });
    const refused = await play(({ what }) => (what === POST ? problem.clone() : undefined));
    expect(refused.last()).toMatchObject({ phase: 'failed', error: { code: 'insufficient-credit' } });
    const blocked = await play(({ what, count }) => (what === POST && count === 1 ? page(403) : undefined));
    expect(blocked.last()).toMatchObject({ phase: 'completed' });
    const forbidden = await play(({ what, count }) =>
      what === POST && count === 1 ? json(403, { message: 'Forbidden' }) : undefined,
    );
    expect(forbidden.last()).toMatchObject({ phase: 'completed' });
  });

  it('never sends the token to another origin, and names that once', async () => {
    const foreign: string[] = [];
    const addresses = [
      'https://evil.test/x',
      'https://foreign.test.evil.test/x',
      'http://foreign.test/x',
      'https://foreign.test:8443/x',
      'https://foreign.test@evil.test/x',
    ];
    const api: typeof foreignApi = {
      ...foreignApi,
      async status(jobId, call) {
        for (const address of addresses)
          await call.request(address).catch((error: unknown) => foreign.push(`${(error as Error).name}`));
        // Paths that would change the host if they were only appended.
        for (const path of ['//evil.test/x', '@evil.test/x', '.evil.test/x', ':8443/x', '\\\\evil.test/x'])
          await call.request(path).catch(() => {});
        return foreignApi.status(jobId, call);
      },
    };
    const world = await play(undefined, { api });
    expect(world.last()).toMatchObject({ phase: 'completed' });
    expect(new Set(foreign)).toEqual(new Set(['TypeError']));
    expect(world.calls.map(({ url }) => new URL(url).host)).toEqual(world.calls.map(() => 'foreign.test'));
    expect(world.eventsOf('address.refused')).toHaveLength(1);
  });

  it('keeps looking when a call leads to another origin only, and says so', async () => {
    const api: typeof foreignApi = {
      ...foreignApi,
      status: async (_, call) => (await call.request('https://evil.test/x'), { type: 'running' }),
    };
    const world = await play(undefined, { api }, 600_000);
    expect(world.last()).toMatchObject({ phase: 'delayed', error: { code: 'invalid-response' } });
    world.close();
  });

  it('does not hang with an implementation that ignores its signal and never answers', async () => {
    let asked = 0;
    const api: typeof foreignApi = {
      ...foreignApi,
      status: (jobId, call) => ((asked += 1) < 3 ? new Promise(() => {}) : foreignApi.status(jobId, call)),
    };
    const world = await play(undefined, { api }, 120_000);
    expect(world.last()).toMatchObject({ phase: 'completed' });
    expect(asked).toBeGreaterThanOrEqual(3);
  });

  it('bounds a call by its silence, not by the time of its requests', async () => {
    const clock = virtualClock();
    const world = await play(
      async ({ what }) => {
        if (what === STATUS) await sleep(clock, 4_000);
        return undefined;
      },
      {
        clock,
        api: {
          ...foreignApi,
          async status(jobId, call) {
            for (const _ of [1, 2]) await call.request(`/analyses/${jobId}`);
            return foreignApi.status(jobId, call);
          },
        },
        timings: { timeouts: { status: 5_000 } },
      },
    );
    expect(world.last()).toMatchObject({ phase: 'completed' });
    expect(world.eventsOf('request.finished').filter(({ outcome }) => outcome === 'transient')).toEqual([]);
  });

  it('aborts what is under way when the page ends, and leaves nothing open', async () => {
    let signal: AbortSignal | undefined;
    const api: typeof foreignApi = {
      ...foreignApi,
      status: (jobId, call) => ((signal = call.signal), foreignApi.status(jobId, call)),
    };
    const world = await play(({ what }) => (what === STATUS ? 'never' : undefined), { api }, 2_000);
    world.client.dispose();
    await settle();
    expect(signal?.aborted).toBe(true);
    expect(world.close()).toEqual(nothingOpen);
  });

  it('passes a result through the schema of the application, and shows none that does not fit', async () => {
    const resultSchema = z.object({ summary: z.string().transform((it) => it.length) });
    const world = openForeignWorld(undefined, { resultSchema });
    world.signIn();
    world.submit();
    await vi.dynamicImportSettled();
    await world.run(60_000);
    expect(world.last()).toMatchObject({ phase: 'completed', result: { summary: 12 } });

    const odd = await play(
      ({ what }) => (what === REPORT ? json(200, { report: 'spoilt' }) : undefined),
      {},
      3_600_000,
    );
    expect(odd.last()).toMatchObject({ phase: 'failed', error: { code: 'invalid-result' } });
  });

  it('fetches a result again that is not ready', async () => {
    const world = await play(({ what, count }) =>
      what === REPORT && count < 3 ? new Response(null, { status: 204 }) : undefined,
    );
    expect(world.last()).toMatchObject({ phase: 'completed' });
    expect(world.count(REPORT)).toBe(3);
  });

  it('fetches the result of a job that the backend forgets as soon as it is complete', async () => {
    let seen = 0;
    const world = await play(({ what, count, at }) => {
      if (what === STATUS && at >= 20_000 && (seen += 1) > 1) return json(410, { title: 'This analysis is over' });
      return what === REPORT && count < 4 ? new Response(null, { status: 204 }) : undefined;
    });
    expect(world.last()).toMatchObject({ phase: 'completed' });
  });

  it('tells a user whose job the backend does not know', async () => {
    const world = await play(
      ({ what }) => (what === STATUS ? json(404, { title: 'There is no such analysis' }) : undefined),
      {},
      300_000,
    );
    expect(world.last()).toMatchObject({ phase: 'delayed', error: { code: 'job-not-found' } });
    world.close();
  });

  it('watches without a balance, and says which part of the api is missing when the application asks for it', async () => {
    const world = await play();
    expect(world.client.getSnapshot().balance).toBeNull();
    await expect(world.client.refreshBalance()).rejects.toThrow('the api of this client has no balance');
    const api = { ...foreignApi, balance: async () => 12 };
    const rich = await play(undefined, { api });
    expect(rich.client.getSnapshot().balance).toBe(12);
  });

  it('shows texts of the application', async () => {
    const messages = { de: { 'insufficient-credit': 'Das Guthaben reicht nicht.' } };
    const world = await play(({ what }) => (what === POST ? json(402, { code: 'NO_CREDIT' }) : undefined), {
      messages,
    });
    expect(world.last()).toMatchObject({ phase: 'failed', error: { message: { de: 'Das Guthaben reicht nicht.' } } });
  });

  it('keeps ids, answers and results out of the log', async () => {
    const world = await play();
    expect(JSON.stringify(world.events)).not.toMatch(/a-1|Explorer|first|foreign\.test/);
  });
});

/** What SDKs throw for an answer with this status. */
const shapes: readonly (readonly [name: string, shape: (status: number, code?: string) => unknown])[] = [
  ['status', (status) => Object.assign(new Error('x'), { status })],
  ['statusCode', (status) => Object.assign(new Error('x'), { statusCode: status })],
  ['response.status', (status) => Object.assign(new Error('x'), { code: 'ERR_BAD_REQUEST', response: { status } })],
  ['a code that is a number', (status) => Object.assign(new Error('x'), { code: status })],
  ['a code that is a text', (status) => Object.assign(new Error('x'), { code: String(status) })],
  ['$metadata', (status) => Object.assign(new Error('x'), { $metadata: { httpStatusCode: status } })],
  ['cause', (status) => new Error('x', { cause: new Error('y', { cause: { status } }) })],
  ['networkError', (status) => Object.assign(new Error('x'), { networkError: { statusCode: status } })],
  ['a thrown answer', (status) => ({ status, headers: new Headers() })],
];

describe('a client with a feed of its own', () => {
  it('shows the result as soon as the feed reports it, over one connection for all assessments', async () => {
    const opened: FeedConnection[] = [];
    const world = openForeignWorld(
      ({ what, at }) =>
        what.startsWith('GET /analyses/a-') && !what.endsWith('report') && at < 100_000
          ? json(200, { phase: 'WORKING' })
          : undefined,
      {
        feed: (connection) =>
          new Promise(() => {
            opened.push(connection);
            connection.live();
          }),
      },
    );
    world.signIn();
    world.submit();
    world.submit({ answers: [2] });
    await vi.dynamicImportSettled();
    await world.run(30_000);
    expect(opened.map(({ token }) => token)).toEqual(['first']);
    const looks = world.count(STATUS);
    expect(looks).toBeLessThan(4);
    opened[0]?.say({ type: 'job.completed', jobId: 'a-1', resultId: 'a-1' });
    await world.run(1_000);
    expect(world.last()).toMatchObject({ phase: 'completed' });
    world.client.dispose();
    await settle();
    expect(opened[0]?.signal.aborted).toBe(true);
    expect(world.clock.armed()).toBe(0);
  });
});

describe('what an api of its own throws', () => {
  const throwing = (thrown: () => unknown, of: 'submit' | 'status') => {
    let isThrown = false;
    const once = () => {
      if (isThrown) return;
      isThrown = true;
      throw thrown();
    };
    const api: typeof foreignApi = {
      ...foreignApi,
      submit: (answers, key, call) => (of === 'submit' && once(), foreignApi.submit(answers, key, call)),
      status: (jobId, call) => (of === 'status' && once(), foreignApi.status(jobId, call)),
    };
    return play(undefined, { api });
  };

  it.each(shapes)('is sorted by its status in: %s', async (_, shape) => {
    const refused = await throwing(() => shape(401), 'status');
    expect(refused.count(REFRESH)).toBe(1);
    expect(refused.last()).toMatchObject({ phase: 'completed' });

    const rejected = await throwing(() => shape(402), 'submit');
    expect(rejected.last()).toMatchObject({ phase: 'failed', error: { code: 'insufficient-credit' } });

    const down = await throwing(() => shape(503), 'submit');
    expect(down.last()).toMatchObject({ phase: 'completed' });
    expect(down.count(REFRESH)).toBe(0);
  });

  it.each([
    ['gRPC', { code: 16 }],
    ['gRPC over HTTP', { code: 'UNAUTHENTICATED' }],
    ['Firebase functions', { code: 'functions/unauthenticated' }],
    ['Firebase auth', { code: 'auth/id-token-expired' }],
    ['AWS', { name: 'ExpiredTokenException' }],
    ['Google', { status: 'UNAUTHENTICATED', error: { code: 401 } }],
    ['Apollo', { graphQLErrors: [{ extensions: { code: 'UNAUTHENTICATED' } }] }],
    ['graphql-request', { response: { status: 200, errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] } }],
    ['a challenge', { status: 403, headers: new Headers({ 'www-authenticate': 'Bearer error="invalid_token"' }) }],
    ['axios', { response: { status: 403, data: { error: 'token_expired' }, headers: {} } }],
  ])('is a refused token in the dialect of: %s', async (_, error) => {
    const world = await throwing(() => Object.assign(new Error('x'), error), 'status');
    expect(world.count(REFRESH)).toBe(1);
    expect(world.last()).toMatchObject({ phase: 'completed' });
  });

  it.each([
    ['a Headers object', { status: 429, headers: new Headers({ 'retry-after': '9' }) }],
    ['an object of headers', { response: { status: 429, headers: { 'retry-after': '9' } } }],
    ['a number of seconds', { status: 429, retryAfter: 9 }],
    ['a number of ms', { statusCode: 429, retryAfterInMs: 9_000 }],
  ])('is a limit whose wait is obeyed, in: %s', async (_, error) => {
    const world = await throwing(() => Object.assign(new Error('x'), error), 'submit');
    expect(world.calls.find(({ what }) => what === POST)?.at).toBeGreaterThanOrEqual(9_000);
    expect(world.last()).toMatchObject({ phase: 'completed' });
  });

  it('does not refuse a submission with the page of a firewall', async () => {
    const thrown = () => Object.assign(new Error('x'), { response: { status: 403, data: '<html>Blocked</html>' } });
    expect((await throwing(thrown, 'submit')).last()).toMatchObject({ phase: 'completed' });
  });

  it('is tried again where it says nothing, and named once by its name', async () => {
    const world = await throwing(() => new RangeError('s3cret'), 'submit');
    expect(world.last()).toMatchObject({ phase: 'completed' });
    expect(world.eventsOf('call.threw')).toEqual([
      { type: 'call.threw', route: 'submit', error: 'RangeError', at: expect.any(Number) },
    ]);
  });

  it('may be an error of this package', async () => {
    const world = await throwing(() => new RejectedError('too-large', 413, 'no'), 'submit');
    expect(world.last()).toMatchObject({ phase: 'failed', error: { code: 'too-large' } });
  });
});
