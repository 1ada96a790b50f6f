import { Subject } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod/mini';
import { TransientError, UnauthorizedError } from '../../../src/lib/errors.ts';
import { type AccessToken } from '../../../src/services/auth/access-token.ts';
import {
  type AssessmentApi,
  type AssessmentApiOptions,
  createAssessmentApi,
} from '../../../src/services/api/assessment-api.ts';
import type { Schema } from '../../../src/lib/schema.ts';
import { deferred, watch } from '../../support/deferred.ts';
import { type LoopbackServer, startServer } from '../../support/http-server.ts';
import { type RecordedLog, recordedLog } from '../../support/recorded-log.ts';
import { settle, T0, virtualClock, type VirtualClock } from '../../../src/testing/virtual-clock.ts';

interface Analysis {
  archetype: string;
}

let server: LoopbackServer;
let clock: VirtualClock;
let recorded: RecordedLog;
let token: AccessToken | null;
let inDoubt: boolean;
let slept$: Subject<void>;
/** What the token service heard. */
let told: { accepted: number[]; serverTimes: number[] };

beforeEach(async () => {
  server = await startServer();
  clock = virtualClock();
  recorded = recordedLog();
  token = { value: 's3cret', generation: 7, expiresAt: null, ttlMs: null, userId: 'ann' };
  inDoubt = false;
  slept$ = new Subject();
  told = { accepted: [], serverTimes: [] };
});
afterEach(() => server.close());

const analysisSchema: Schema<Analysis> = z.object({ archetype: z.string() });
const { signal } = new AbortController();

function createApi({
  resultSchema = analysisSchema,
  idempotencyHeader = 'Idempotency-Key',
  ...rest
}: Partial<AssessmentApiOptions<Analysis>> = {}): AssessmentApi<unknown, Analysis> {
  return createAssessmentApi({
    slept$,
    fetch,
    clock,
    baseUrl: server.url,
    tokens: {
      current: () => token,
      forCall: async () => token && { ...token, inDoubt },
      accepted: (generation) => void told.accepted.push(generation),
      observeServerTime: (serverNow) => void told.serverTimes.push(serverNow),
    },
    log: recorded.log,
    paths: {
      submit: '/submit',
      status: '/status/:id',
      result: '/results/:id',
      job: '/jobs/:id',
      jobs: '/jobs',
      balance: '/balance',
    },
    timeouts: { submit: 30_000, status: 15_000, result: 20_000, balance: 10_000 },
    resultSchema,
    idempotencyHeader,
    ...rest,
  });
}

const routes: [string, (api: AssessmentApi<unknown, Analysis>, signal: AbortSignal) => Promise<unknown>, number][] = [
  ['submit', (api, signal) => api.submit({ answers: 1 }, 's1', signal), 30_000],
  ['status', (api, signal) => api.status('j1', signal), 15_000],
  ['job', (api, signal) => api.job('j1', signal), 15_000],
  ['result', (api, signal) => api.result('r1', signal), 20_000],
  ['jobs', (api, signal) => api.jobs(signal), 15_000],
  ['balance', (api, signal) => api.balance(signal), 10_000],
];
/** Routes whose refusals are failed calls: what is said about a request says nothing about the job. */
const looks = new Set(['status', 'job', 'jobs', 'result']);

const yes = (data: unknown) => ({ success: true, data });

describe.each(routes)('every call: %s', (route, call, timeoutMs) => {
  it('sends nothing without a usable token', async () => {
    token = null;
    const error = await call(createApi(), signal).catch((it: unknown) => it);
    expect(error).toBeInstanceOf(UnauthorizedError);
    expect(error).toMatchObject({ generation: null });
    expect(server.requests).toEqual([]);
    expect(recorded.events).toEqual([]);
  });

  it('sends the token of now, in the header and nowhere else', async () => {
    const api = createApi();
    await call(api, signal).catch(() => {});
    token = { value: 'n3xt', generation: 8, expiresAt: null, ttlMs: null, userId: 'ann' };
    await call(api, signal).catch(() => {});
    expect(server.requests.map(({ headers }) => headers.authorization)).toEqual(['Bearer s3cret', 'Bearer n3xt']);
    expect(server.requests.map(({ path }) => path).join()).not.toMatch(/s3cret|n3xt/);
  });

  it('says which token was refused, and does not take it for accepted', async () => {
    server.reply(401, { success: false, error: 'INVALID_TOKEN', message: 'Invalid or expired token' });
    const error = await call(createApi(), signal).catch((it: unknown) => it);
    expect(error).toBeInstanceOf(UnauthorizedError);
    expect(error).toMatchObject({ generation: 7 });
    expect(told.accepted).toEqual([]);
  });

  it('takes the token for accepted when the server refused the call for another reason', async () => {
    server.reply(404, { success: false, error: { code: 'NOT_FOUND', message: 'Job not found' } });
    const error = await call(createApi(), signal).catch((it: unknown) => it);
    if (looks.has(route)) expect(error).toMatchObject({ name: 'TransientError', code: 'job-not-found', status: 404 });
    else expect(error).toMatchObject({ name: 'RejectedError', code: 'rejected', status: 404 });
    expect(told.accepted).toEqual([7]);
  });

  it.each([400, 403, 404, 410, 422])('takes a page of a firewall with status %i for a failed call', async (status) => {
    server.reply(status, '<html>Blocked</html>', { 'content-type': 'text/html', date: new Date(T0).toUTCString() });
    const error = await call(createApi(), signal).catch((it: unknown) => it);
    expect(error).toMatchObject({ name: 'TransientError', code: 'invalid-response', status, maybeDone: true });
    expect(told).toEqual({ accepted: [], serverTimes: [] });
  });

  it('treats a redirect to a login page like a refused token', async () => {
    server.answer((response, request) =>
      request.path === '/login'
        ? response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Sign in</html>')
        : response.writeHead(302, { location: '/login' }).end(),
    );
    await expect(call(createApi(), signal)).rejects.toMatchObject({ code: 'unauthorized', generation: 7 });
    expect(told).toEqual({ accepted: [], serverTimes: [] });
  });

  it.each([
    [429, 'rate-limited'],
    [500, 'unavailable'],
    [503, 'unavailable'],
  ])('does not take it for accepted by a %i, which may come from in front of the verifier', async (status, code) => {
    server.reply(status, {}, { 'retry-after': '20' });
    const error = await call(createApi(), signal).catch((it: unknown) => it);
    expect(error).toBeInstanceOf(TransientError);
    expect(error).toMatchObject({ code, retryAfterMs: 20_000 });
    expect(told.accepted).toEqual([]);
  });

  it("passes the server's clock on from the API's own answers, and from no proxy's", async () => {
    const answers = [
      [200, yes({})],
      [401, { success: false, error: 'INVALID_TOKEN' }],
      [503, { success: false, error: 'X' }],
      [403, {}],
    ] as const;
    for (const [index, [status, body]] of answers.entries()) {
      server.reply(status, body, { date: new Date(T0 + index * 1_000).toUTCString() });
      await call(createApi(), signal).catch(() => {});
    }
    expect(told.serverTimes).toEqual([T0, T0 + 1_000]);
  });

  it("counts the time that the answer took into the server's clock", async () => {
    server.answer((response) => {
      clock.jump(3_000);
      response.writeHead(200, { date: new Date(T0).toUTCString() }).end('{}');
    });
    await call(createApi(), signal).catch(() => {});
    expect(told.serverTimes).toEqual([T0 + 3_000]);
  });

  it('says nothing of a clock that no answer told', async () => {
    server.reply(200, {}, { date: 'hidden' });
    await call(createApi(), signal).catch(() => {});
    expect(told.serverTimes).toEqual([]);
  });

  it.each([
    ['a login page', '<html>Sign in</html>'],
    ['nothing', ''],
    ['half of the JSON', '{"success":true,'],
    ['null', null],
    ['an array', []],
    ['data that is a text', yes('text')],
  ])('does not take %s for an answer', async (_case, body) => {
    // A list may be empty: its rows are checked one by one.
    if (route === 'jobs' && (body as { data?: unknown } | null)?.data === 'text') return;
    server.reply(200, body, { 'retry-after': '20' });
    const error = await call(createApi(), signal).catch((it: unknown) => it);
    expect(error).toMatchObject(
      route === 'result'
        ? { type: 'unreadable' }
        : { code: 'invalid-response', status: 200, retryAfterMs: 20_000, maybeDone: true },
    );
    expect(recorded.of('request.finished')).toMatchObject([{ outcome: 'transient', status: 200 }]);
    expect(recorded.of('answer.unreadable')).toMatchObject([{ route }]);
  });

  it('gives up in its own time', async () => {
    server.answer(() => {});
    const called = watch(call(createApi(), signal));
    await server.received(1);
    // A body of 13 bytes may take a moment to leave.
    const uploadMs = route === 'submit' ? 13 / 16 : 0;
    await clock.run(timeoutMs - 1);
    expect(called.state).toBe('pending');
    await clock.run(1 + uploadMs);
    expect(called.error).toMatchObject({ code: 'network' });
    expect(recorded.of('request.finished')).toEqual([
      { type: 'request.finished', route, outcome: 'transient', status: null, generation: 7, ms: timeoutMs + uploadMs },
    ]);
  });

  it("is broken off with the signal's reason, and the log says that it was we", async () => {
    server.answer(() => {});
    const controller = new AbortController();
    const called = watch(call(createApi(), controller.signal));
    await server.received(1);
    const reason = new Error('the state was left');
    controller.abort(reason);
    await settle();
    expect(called).toEqual({ state: 'rejected', error: reason });
    expect(recorded.of('request.finished')).toMatchObject([{ outcome: 'aborted', status: null }]);
    expect(told).toEqual({ accepted: [], serverTimes: [] });
    expect(clock.armed()).toBe(0);
  });

  it.each([
    [401, 'unauthorized'],
    [418, 'rejected'],
    [429, 'transient'],
    [503, 'transient'],
  ] as const)('logs its beginning and its end: %i is %s', async (status, outcome) => {
    server.answer((response) => {
      clock.jump(120);
      response.writeHead(status).end('{"success":false,"error":"X"}');
    });
    await call(createApi(), signal).catch(() => {});
    expect(recorded.events).toEqual([
      { type: 'request.started', route, generation: 7 },
      {
        type: 'request.finished',
        route,
        outcome,
        status,
        generation: 7,
        ms: 120,
        ...(outcome === 'unauthorized' && { cause: 'unknown' }),
      },
    ]);
  });

  it('logs one end, even when the caller aborts while it is logged', async () => {
    const controller = new AbortController();
    const { log } = recorded;
    recorded = {
      ...recorded,
      log: (event) => {
        log(event);
        if (event.type === 'request.finished') controller.abort();
      },
    };
    server.reply(401, {});
    await call(createApi(), controller.signal).catch(() => {});
    expect(recorded.of('request.finished')).toHaveLength(1);
  });

  it('puts neither token nor answer nor address into the log', async () => {
    server.reply(404, { success: false, error: { code: 'X', message: 'pr1vate' } });
    await call(createApi(), signal).catch(() => {});
    expect(recorded.events).toHaveLength(2);
    expect(JSON.stringify(recorded.events)).not.toMatch(/s3cret|pr1vate|127\.0\.0\.1|j1|r1/);
  });
});

describe('a token that is in doubt', () => {
  beforeEach(() => void (inDoubt = true));

  it.each<[string, (api: AssessmentApi<unknown, Analysis>) => Promise<unknown>]>([
    ['a status that can wait', (api) => api.status('j1', signal, true)],
    ['a balance', (api) => api.balance(signal)],
  ])('is not sent for %s', async (_what, call) => {
    await expect(call(createApi())).rejects.toMatchObject({ code: 'unavailable', retryAfterMs: null });
    expect([server.requests, recorded.events]).toEqual([[], []]);
  });

  it.each<[string, (api: AssessmentApi<unknown, Analysis>) => Promise<unknown>]>([
    ['a submission', (api) => api.submit({}, 's1', signal)],
    ['a status that cannot wait', (api) => api.status('j1', signal, false)],
    ['a status of which nothing else is said', (api) => api.status('j1', signal)],
    ['a result', (api) => api.result('r1', signal)],
  ])('is sent for %s: the user waits', async (_what, call) => {
    await call(createApi()).catch(() => {});
    expect(server.requests).toMatchObject([{ headers: { authorization: 'Bearer s3cret' } }]);
  });
});

describe('an answer that the page slept through', () => {
  it.each(routes.filter(([route]) => route !== 'submit'))('is not waited for: %s', async (_route, call) => {
    server.answer(() => {});
    const asked = watch(call(createApi(), signal));
    await server.received(1);
    slept$.next();
    await settle();
    expect(asked).toMatchObject({ state: 'rejected', error: { code: 'network' } });
  });

  it('is waited for where it is about a submission: the server may have accepted it', async () => {
    const answer = deferred<void>();
    server.answer((response) => {
      void answer.promise.then(() => response.writeHead(202).end(JSON.stringify(yes({ jobId: 'j1' }))));
    });
    const accepted = createApi().submit({}, 's1', signal);
    await server.received(1);
    slept$.next();
    answer.resolve();
    expect(await accepted).toMatchObject({ jobId: 'j1' });
  });
});

describe('submit', () => {
  const submit = (options?: Parameters<typeof createApi>[0]) =>
    createApi(options).submit({ answers: [1] }, 's1', signal);

  it('sends the answers, and gives what was accepted', async () => {
    server.reply(202, yes({ jobId: 'j1', resultId: 'r1', status: 'queued', remainingTokens: 4 }));
    expect(await submit()).toEqual({ jobId: 'j1', resultId: 'r1', balance: 4, retryAfterMs: null });
    expect(server.requests).toMatchObject([{ method: 'POST', path: '/submit', body: { answers: [1] } }]);
    expect(told.accepted).toEqual([7]);
    expect(recorded.of('request.finished')).toMatchObject([{ outcome: 'ok', status: 202 }]);
  });

  it.each([
    {},
    { resultId: null, remainingTokens: null },
    { remainingTokens: '4' },
    { resultId: '' },
    { resultId: {} },
  ])('accepts it with %j as well: the job is what counts, and it is paid for', async (rest) => {
    server.reply(202, yes({ jobId: 'j1', ...rest }));
    expect(await submit()).toEqual({ jobId: 'j1', resultId: null, balance: null, retryAfterMs: null });
  });

  it('reads ids that are numbers as texts', async () => {
    server.reply(202, yes({ jobId: 17, resultId: 18 }));
    expect(await submit()).toMatchObject({ jobId: '17', resultId: '18' });
  });

  it('takes the job that a 409 names for its own', async () => {
    server.reply(409, { success: false, error: 'DUPLICATE', data: { jobId: 'j1' } });
    expect(await submit()).toMatchObject({ jobId: 'j1' });
  });

  it('waits for a request in progress under the same key', async () => {
    server.reply(409, { success: false, error: 'IN_PROGRESS' }, { 'retry-after': '1' });
    await expect(submit()).rejects.toMatchObject({ code: 'unavailable', retryAfterMs: 1_000, maybeDone: true });
  });

  it.each([
    [{}, null],
    [{ 'x-idempotency-supported': 'true' }, false],
    [{ 'x-idempotency-supported': 'true', 'x-idempotency-cache': 'MISS' }, true],
    [{ 'x-idempotency-cache': 'HIT' }, true],
  ])('learns from the headers %j whether the server stores keys: %j', async (headers, recognises) => {
    server.reply(202, yes({ jobId: 'j1' }), headers as Record<string, string>);
    const api = createApi();
    expect(api.recognisesKeys()).toBeNull();
    await api.submit({}, 's1', signal);
    expect(api.recognisesKeys()).toBe(recognises);
  });

  it('obeys a Retry-After of an hour', async () => {
    server.reply(429, { success: false, error: 'X' }, { 'retry-after': '3588' });
    await expect(submit()).rejects.toMatchObject({ code: 'rate-limited', retryAfterMs: 3_588_000 });
  });

  it('names the field that does not fit', async () => {
    server.reply(202, yes({ job_id: 'j1' }));
    await submit().catch(() => {});
    expect(recorded.of('answer.unreadable')).toEqual([
      { type: 'answer.unreadable', route: 'submit', field: 'data.jobId' },
    ]);
  });

  it('gives a balance of nothing as nothing', async () => {
    server.reply(202, yes({ jobId: 'j1', remainingTokens: 0 }));
    expect(await submit()).toMatchObject({ balance: 0 });
  });

  it.each([
    {},
    { jobId: '' },
    { jobId: null },
    { jobId: 'x'.repeat(257) },
    { jobId: 'half a pair \uD800' },
    { jobId: '..' },
    { jobId: '.' },
  ])('does not continue with a job that has no id to ask for: %j', async (data) => {
    server.reply(202, yes({ resultId: 'r1', ...data }));
    await expect(submit()).rejects.toMatchObject({ code: 'invalid-response', maybeDone: true });
  });

  it('carries its idempotency key, under the name that the server knows', async () => {
    await submit().catch(() => {});
    await submit({ idempotencyHeader: 'X-Idempotency-Key' }).catch(() => {});
    expect(server.requests[0]?.headers).toMatchObject({ 'idempotency-key': 's1' });
    expect(server.requests[1]?.headers).toMatchObject({ 'x-idempotency-key': 's1' });
  });

  it('carries none where a gateway would block it', async () => {
    await submit({ idempotencyHeader: null }).catch(() => {});
    expect(Object.values(server.requests[0]?.headers ?? {})).not.toContain('s1');
    expect(server.requests[0]?.headers).toMatchObject({ authorization: 'Bearer s3cret' });
  });

  it.each([
    [400, 'validation'],
    [402, 'insufficient-credit'],
    [403, 'forbidden'],
    [413, 'too-large'],
    [422, 'validation'],
  ])('says why it was refused: %i is %s', async (status, code) => {
    server.reply(status, { success: false, error: { code: 'X', message: 'no', details: { name: 'is missing' } } });
    await expect(submit()).rejects.toMatchObject({ code, details: { name: 'is missing' } });
  });

  it('knows of a 429 that nothing was started', async () => {
    server.reply(429, {});
    await expect(submit()).rejects.toMatchObject({ code: 'rate-limited', maybeDone: false });
  });

  it('knows of a lost answer that something may have been', async () => {
    server.answer((response) => response.destroy());
    await expect(submit()).rejects.toMatchObject({ code: 'network', maybeDone: true });
  });
});

describe('status', () => {
  const status = (jobId = 'j1') => createApi().status(jobId, signal);
  const running = { type: 'running', percent: null, queuePosition: null, retryAfterMs: null, ownerId: null };

  it('asks for the job by its id, whatever it is made of', async () => {
    server.reply(200, yes({ status: 'queued' }));
    await status('a/b?c#$& d');
    expect(server.requests).toMatchObject([{ method: 'GET', path: '/status/a%2Fb%3Fc%23%24%26%20d' }]);
  });

  it('tells how far it is', async () => {
    server.reply(200, yes({ jobId: 'j1', status: 'processing', progress: 25 }));
    expect(await status()).toEqual({ ...running, status: 'processing', percent: 25 });
  });

  it('tells its place in the queue', async () => {
    server.reply(200, yes({ jobId: 'j1', status: 'queued', progress: 0, queuePosition: 3 }));
    expect(await status()).toEqual({ ...running, status: 'queued', percent: 0, queuePosition: 3 });
  });

  it.each([
    [{ progress: -5 }, 0],
    [{ progress: 250 }, 100],
    [{ progress: null }, null],
    [{ progress: 'half' }, null],
    [{ progress: '45%' }, 45],
    [{ progress: '45' }, 45],
    [{ progress: '1e3' }, null],
    [{}, null],
  ])('of a job with %j is at %j percent', async (data, percent) => {
    server.reply(200, yes({ status: 'processing', ...data }));
    expect(await status()).toMatchObject({ type: 'running', percent });
  });

  it.each(['in review', 'COMPLETE?', '', '<script>'])(
    'that is not understood, %j, means "not finished": neither success nor failure',
    async (unknown) => {
      server.reply(200, yes({ status: unknown }));
      const api = createApi();
      for (let looks = 0; looks < 3; looks += 1)
        expect(await api.status('j1', signal)).toEqual({ ...running, status: 'processing' });
      const word = /^[\w ]+$/.test(unknown) ? unknown : '';
      expect(recorded.of('status.unknown')).toEqual([{ type: 'status.unknown', word }]);
    },
  );

  it.each([
    ['QUEUED', 'running'],
    ['In-Progress', 'running'],
    ['done', 'completed'],
    ['SUCCEEDED', 'completed'],
    ['canceled', 'failed'],
    ['expired', 'failed'],
  ])('understands the word %s as %s', async (word, type) => {
    server.reply(200, yes({ status: word }));
    expect(await status()).toMatchObject({ type });
  });

  it('understands words of the application, and progress as a fraction where it says so', async () => {
    server.reply(200, yes({ status: 'Ausgewertet' }));
    const api = createApi({ statusWords: { ausgewertet: 'completed' }, progressScale: 'fraction' });
    expect(await api.status('j1', signal)).toMatchObject({ type: 'completed' });
    server.reply(200, yes({ status: 'running', progress: 0.45 }));
    expect(await api.status('j1', signal)).toMatchObject({ percent: 45 });
  });

  it('passes on how long the server wants to be left alone', async () => {
    server.reply(202, yes({ status: 'processing' }), { 'retry-after': '20' });
    expect(await status()).toMatchObject({ type: 'running', retryAfterMs: 20_000 });
  });

  it('of a finished job brings the id of the result, where the server knows it', async () => {
    server.reply(200, yes({ jobId: 'j1', status: 'completed', progress: 100, resultId: 'r1' }));
    expect(await status()).toEqual({ type: 'completed', resultId: 'r1', ownerId: null });
    for (const resultId of [null, undefined, '', {}]) {
      server.reply(200, yes({ jobId: 'j1', status: 'completed', resultId }));
      expect(await status()).toEqual({ type: 'completed', resultId: null, ownerId: null });
    }
  });

  it("of a failed job keeps none of the server's words", async () => {
    server.reply(200, yes({ status: 'failed', error: 'pr1vate', userId: 'u1' }));
    expect(await status()).toEqual({ type: 'failed', ownerId: 'u1' });
  });

  it('is not taken from another job', async () => {
    server.reply(200, yes({ jobId: 'j2', status: 'completed', resultId: 'r2' }));
    await expect(status()).rejects.toMatchObject({ code: 'invalid-response' });
  });

  it.each([null, undefined, '', {}])('is taken from an answer whose job id is %j', async (jobId) => {
    server.reply(200, yes({ jobId, status: 'queued' }));
    expect(await status()).toMatchObject({ type: 'running', status: 'queued' });
  });

  it('needs a status', async () => {
    server.reply(200, yes({ jobId: 'j1' }));
    await expect(status()).rejects.toMatchObject({ code: 'invalid-response' });
  });
});

describe("the archive's view of a job", () => {
  const job = (jobId = 'j1') => createApi().job(jobId, signal);

  it('is asked for by its id', async () => {
    server.reply(200, yes({ status: 'queued' }));
    expect(await job('a/b')).toMatchObject({ type: 'running', status: 'queued' });
    expect(server.requests).toMatchObject([{ method: 'GET', path: '/jobs/a%2Fb' }]);
  });

  it('says the same in its own words', async () => {
    server.reply(200, yes({ status: 'completed', result_id: 'r1', user_id: 'u1' }));
    expect(await job()).toEqual({ type: 'completed', resultId: 'r1', ownerId: 'u1' });
    server.reply(200, yes({ status: 'failed', error_message: 'model refused' }));
    expect(await job()).toEqual({ type: 'failed', ownerId: null });
    server.reply(200, yes({ status: 'processing', result_id: null, error_message: null }), { 'retry-after': '20' });
    expect(await job()).toEqual({
      type: 'running',
      status: 'processing',
      percent: null,
      queuePosition: null,
      retryAfterMs: 20_000,
      ownerId: null,
    });
  });

  it('is not taken from the row of another job', async () => {
    server.reply(200, yes({ job_id: 'j2', status: 'completed', result_id: 'r2' }));
    await expect(job()).rejects.toMatchObject({ code: 'invalid-response' });
  });

  it('knows jobs that were deleted: they will not finish', async () => {
    server.reply(200, yes({ status: 'deleted' }));
    expect(await job()).toMatchObject({ type: 'failed' });
  });
});

describe('result', () => {
  const result = (resultSchema?: Schema<Analysis>) =>
    createApi(resultSchema ? { resultSchema } : {}).result('r/1', signal);

  it('is ready when the analysis is there and fits its schema', async () => {
    server.reply(200, yes({ id: 'r/1', test_result: { archetype: 'The Explorer', more: 1 } }));
    expect(await result()).toEqual({ type: 'ready', result: { archetype: 'The Explorer' } });
    expect(server.requests).toMatchObject([{ method: 'GET', path: '/results/r%2F1' }]);
  });

  it('is asked for once more when the answer is late, and nothing else is', async () => {
    server.answer(() => {});
    const asked = result();
    const other = watch(createApi().status('j1', signal));
    await server.received(2);
    await clock.run(3_999);
    server.reply(200, yes({ test_result: { archetype: 'The Explorer' } }));
    await clock.run(1);
    await server.received(3);
    expect(await asked).toEqual({ type: 'ready', result: { archetype: 'The Explorer' } });
    expect(server.requests.filter(({ path }) => path.startsWith('/results'))).toHaveLength(2);
    await clock.run(15_000);
    expect(other.state).toBe('rejected');
    expect([server.requests.length, clock.armed()]).toEqual([3, 0]);
  });

  it.each<[string, AccessToken | null]>([
    ['has died', null],
    ['was replaced', { value: 'n3xt', generation: 8, expiresAt: null, ttlMs: null, userId: 'ann' }],
  ])('is not asked for again with a token that %s in between', async (_what, next) => {
    server.answer(() => {});
    const asked = watch(result());
    await server.received(1);
    token = next;
    await clock.run(20_000);
    expect([asked.state, server.requests.length]).toEqual(['rejected', 1]);
  });

  it.each([yes({ id: 'r1', test_result: null }), yes({ id: 'r1' }), yes(null), { success: true }])(
    'is not ready when the server answers %j',
    async (body) => {
      server.reply(200, body);
      expect(await result()).toEqual({ type: 'not-ready', retryAfterMs: null });
    },
  );

  it.each([{}, { archetype: 5 }, 'text', 0, false, ''])('is invalid when it is %j', async (analysis) => {
    server.reply(200, yes({ test_result: analysis }));
    expect(await result()).toEqual({ type: 'invalid' });
  });

  it.each([
    ['another result', { id: 'r2' }, 'u1'],
    ['another user', { id: 'r/1', user_id: 'u2' }, 'u1'],
  ])('is not shown when the row is of %s', async (_whose, row, ownerId) => {
    server.reply(200, yes({ ...row, test_result: { archetype: 'x' } }));
    const isOthers = (id: string) => Promise.resolve(id !== ownerId);
    expect(await createApi().result('r/1', signal, isOthers)).toEqual({ type: 'unreadable' });
    expect(recorded.of('result.invalid')).toEqual([{ type: 'result.invalid', reason: 'foreign', field: '' }]);
  });

  it.each([
    ['holds NaN', '{"success":true,"data":{"test_result":{"score":NaN}}}'],
    ['is cut', '{"success":true,"data":{"test_res'],
    ['is a page', '<html></html>'],
  ])('is unreadable when it %s', async (_how, body) => {
    server.reply(200, body);
    expect(await result()).toEqual({ type: 'unreadable' });
    expect(recorded.of('result.invalid')).toEqual([{ type: 'result.invalid', reason: 'not-json', field: '' }]);
  });

  it('is unreadable when its body breaks off, and a failed call when nothing came', async () => {
    server.answer((response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('{"data":1}', () => response.destroy());
    });
    expect(await result()).toEqual({ type: 'unreadable' });
    server.answer((response) => response.destroy());
    await expect(result()).rejects.toMatchObject({ code: 'network' });
  });

  it('is invalid when its schema throws, and the log names the error', async () => {
    const broken: Schema<Analysis> = {
      '~standard': {
        validate: () => {
          throw new RangeError('pr1vate');
        },
      },
    };
    server.reply(200, yes({ test_result: {} }));
    expect(await result(broken)).toEqual({ type: 'invalid' });
    expect(recorded.of('result.invalid')).toEqual([
      { type: 'result.invalid', reason: 'schema-threw', field: 'RangeError' },
    ]);
  });

  it('is invalid when its schema never answers', async () => {
    server.reply(200, yes({ test_result: {} }));
    const begun = deferred();
    const silent: Schema<Analysis> = {
      '~standard': {
        validate() {
          begun.resolve();
          return new Promise(() => {});
        },
      },
    };
    const asked = result(silent);
    await begun.promise;
    await clock.run(10_000);
    expect(await asked).toEqual({ type: 'invalid' });
    expect(clock.armed()).toBe(0);
  });

  it('names the field that does not fit, and no value', async () => {
    server.reply(200, yes({ test_result: { archetype: 5 } }));
    await result();
    expect(recorded.of('result.invalid')).toEqual([{ type: 'result.invalid', reason: 'schema', field: 'archetype' }]);
  });

  it('names no key that may be data itself, such as those of a record', async () => {
    const keyed: Schema<Analysis> = {
      '~standard': {
        validate: () => ({
          issues: [{ message: 'no', path: ['friends', 'ann@example.test', { key: 0 }, 'a1b2-4711'] }],
        }),
      },
    };
    server.reply(200, yes({ test_result: {} }));
    expect(await result(keyed)).toEqual({ type: 'invalid' });
    expect(recorded.of('result.invalid')).toEqual([
      { type: 'result.invalid', reason: 'schema', field: 'friends.*.0.*' },
    ]);
  });

  it('may be checked by a schema that takes its time', async () => {
    const slow = (archetype: string): Schema<Analysis> => ({
      '~standard': {
        validate: async () => {
          await settle();
          return archetype === '' ? { issues: [{ message: 'no' }] } : { value: { archetype } };
        },
      },
    });
    server.reply(200, yes({ test_result: {} }));
    expect(await result(slow('changed by the schema'))).toEqual({
      type: 'ready',
      result: { archetype: 'changed by the schema' },
    });
    expect(await result(slow(''))).toEqual({ type: 'invalid' });
  });
});

describe('balance', () => {
  const balance = () => createApi().balance(signal);

  it.each([
    { token_balance: 3 },
    { tokenBalance: 3 },
    { balance: 3 },
    { token_balance: 3, tokenBalance: 4, balance: 5 },
  ])('is read from %j', async (data) => {
    server.reply(200, yes(data));
    expect(await balance()).toBe(3);
    expect(server.requests).toMatchObject([{ method: 'GET', path: '/balance' }]);
  });

  it('may be nothing', async () => {
    server.reply(200, yes({ token_balance: 0, balance: 5 }));
    expect(await balance()).toBe(0);
  });

  it.each([{}, { balance: null }, { balance: '3' }, { token_balance: Number.NaN }])('is not in %j', async (data) => {
    server.reply(200, yes(data));
    await expect(balance()).rejects.toMatchObject({
      code: 'invalid-response',
      message: 'a balance without a number',
    });
  });

  it('is read from the spelling that makes sense when another does not', async () => {
    server.reply(200, yes({ token_balance: 'three', tokenBalance: null, balance: 3 }));
    expect(await balance()).toBe(3);
  });
});

describe('the list of jobs', () => {
  const jobs = () => createApi().jobs(signal);

  it('is read in the words of the archive, with times by the clock of the client', async () => {
    const date = { date: new Date(T0 + 3_600_000).toUTCString() };
    const rows = [
      { job_id: 'j2', result_id: 'r2', created_at: new Date(T0 + 3_599_000).toISOString() },
      { job_id: 'j1', created_at: new Date(T0 + 3_500_000).toISOString() },
    ];
    for (const data of [rows, { jobs: rows }, { total: 2, items: rows }]) {
      server.reply(200, yes(data), date);
      expect(await jobs()).toEqual([
        { jobId: 'j2', resultId: 'r2', createdAt: T0 - 1_000 },
        { jobId: 'j1', resultId: null, createdAt: T0 - 100_000 },
      ]);
    }
  });

  it('is asked for again no sooner than the server allows, by whichever search', async () => {
    server.reply(503, { error: 'down' }, { 'retry-after': '10' });
    const api = createApi();
    await expect(api.jobs(signal)).rejects.toMatchObject({ retryAfterMs: 10_000 });
    server.reply(200, yes([]));
    const next = api.jobs(signal);
    await clock.run(9_999);
    expect(server.requests).toHaveLength(1);
    await clock.run(1);
    await next;
    expect(server.requests).toHaveLength(2);
  });

  it('leaves out rows that make no sense, beside one that does', async () => {
    const row = { job_id: 'j3', created_at: new Date(T0).toISOString() };
    server.reply(200, yes([null, 5, {}, { job_id: 'j1' }, { created_at: 'now', job_id: 'j2' }, row]));
    expect((await jobs()).map(({ jobId }) => jobId)).toEqual(['j3']);
  });

  it.each([[[]], [{ jobs: [] }], [{ errors: [], items: [], total: 0 }]])('is empty in %j', async (data) => {
    server.reply(200, yes(data));
    expect(await jobs()).toEqual([]);
    expect(recorded.of('answer.unreadable')).toEqual([]);
  });

  const created_at = new Date(T0).toISOString();
  it.each<[unknown, string]>([
    [{ success: true }, 'data'],
    [{ success: true, jobs: [{ job_id: 'j1', created_at }] }, 'data'],
    [yes(null), 'data'],
    [yes('no jobs'), 'data'],
    [yes({ total: 0, jobs: null }), 'data'],
    [yes({ total: 1, jobs: { j1: { created_at } } }), 'data'],
    [yes([null]), 'data.0'],
    [yes([{ identifier: 'j1', created_at }]), 'data.0.job_id'],
    [yes({ jobs: [{ job_id: 'j1', created: created_at }] }), 'data.jobs.0.created_at'],
    [yes({ errors: [], jobs: [{ job_id: 'j1', created_at: 'yesterday' }] }), 'data.jobs.0.created_at'],
  ])('that cannot be read in %j is no word that there is no job, and its log names "%s"', async (body, field) => {
    server.reply(200, body);
    await expect(jobs()).rejects.toMatchObject({ code: 'invalid-response', status: 200 });
    expect(recorded.of('answer.unreadable')).toEqual([{ type: 'answer.unreadable', route: 'jobs', field }]);
  });
});
