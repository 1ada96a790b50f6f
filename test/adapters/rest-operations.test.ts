import { restOperations, type RestOperationsOptions } from 'assessment-monitor/adapters';
import { testCall } from '../../src/testing/test-call.ts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ForeignServer, startForeignServer } from '../support/foreign-server.ts';
import { type LoopbackServer, startServer } from '../support/http-server.ts';

const answers = { name: 'An example' };

describe('restOperations over a real server', () => {
  let server: ForeignServer;
  beforeEach(async () => {
    server = await startForeignServer('rest');
  });
  afterEach(() => server.close());

  it.each([
    ['the Location as the id', {}],
    ['a template of the operation', { operation: '/v1/operations/:id' }],
  ])('follows a job to its result, with %s', async (_how, more) => {
    const api = restOperations({ submit: '/v1/analyses', ...more });
    const call = testCall({ baseUrl: server.url, token: server.signIn().accessToken });
    const { jobId } = await api.submit(answers, 'key-1', call);
    expect(jobId).toBe('operation' in more ? 'job-1' : `${server.url}/v1/operations/job-1`);
    expect(await api.submit(answers, 'key-1', call)).toMatchObject({ jobId });
    expect(await api.status(jobId, call)).toMatchObject({ type: 'running', percent: expect.any(Number) as number });
    expect(await api.result(jobId, call)).toMatchObject({ type: 'not-ready' });
    server.finishJobs();
    expect(await api.status(jobId, call)).toEqual({ type: 'completed' });
    expect(await api.result(jobId, call)).toEqual({
      type: 'found',
      result: { archetype: 'The Explorer', of: 'job-1' },
    });
    expect(server.seen).toMatchObject({ submissions: 2, jobs: 1, refusedTokens: 0 });
  });

  it('reports a job that the server has failed', async () => {
    const api = restOperations({ submit: '/v1/analyses' });
    const call = testCall({ baseUrl: server.url, token: server.signIn().accessToken });
    const { jobId } = await api.submit(answers, 'key-1', call);
    server.finishJobs('failed');
    expect(await api.status(jobId, call)).toEqual({ type: 'failed' });
  });

  it('lets a refused token through, with its status, from each call', async () => {
    const api = restOperations({ submit: '/v1/analyses' });
    const call = testCall({ baseUrl: server.url, token: 'refused' });
    const operation = `${server.url}/v1/operations/job-1`;
    const sent = [api.submit(answers, 'key-1', call), api.status(operation, call), api.result(operation, call)];
    const refused = await Promise.allSettled(sent);
    expect(refused.map((it) => (it.status === 'rejected' ? (it.reason as { status: number }).status : 0))).toEqual([
      401, 401, 401,
    ]);
  });
});

describe('restOperations with one answer at a time', () => {
  let server: LoopbackServer;
  beforeEach(async () => {
    server = await startServer();
  });
  afterEach(() => server.close());
  const open = (options: Partial<RestOperationsOptions<unknown, unknown>> = {}) => ({
    api: restOperations({ submit: '/analyses', ...options }),
    call: testCall({ baseUrl: `${server.url}/base`, token: 'token-1' }),
  });

  it('asks for an asynchronous answer under the key, and reads the wait', async () => {
    server.reply(202, {}, { location: '/base/operations/7', 'retry-after': '3' });
    const { api, call } = open({ operation: '/operations/:id', keyHeader: 'X-Request-Key' });
    expect(await api.submit(answers, 'key-1', call)).toEqual({ jobId: '7', retryAfterMs: 3_000 });
    expect(server.requests[0]).toMatchObject({ method: 'POST', path: '/base/analyses', body: answers });
    expect(server.requests[0]?.headers).toMatchObject({ prefer: 'respond-async', 'x-request-key': 'key-1' });
    await api.status('a/b', call);
    expect(server.requests[1]?.path).toBe('/base/operations/a%2Fb');
  });

  it.each([
    ['202 without a word', 202, {}, 'running'],
    ['200 without a word', 200, { name: 'x' }, 'running'],
    ['a word that is not known', 200, { status: 'Hibernating' }, 'running'],
    ['the word Succeeded', 200, { status: 'Succeeded' }, 'completed'],
    ['the field state', 200, { state: 'done' }, 'completed'],
    ['the word Canceled', 200, { status: 'Canceled' }, 'failed'],
  ])('reads %s as a state', async (_what, status, body, type) => {
    server.reply(status, body, { 'retry-after': '2' });
    const { api, call } = open();
    const state = await api.status(`${server.url}/base/operations/7`, call);
    expect(state).toMatchObject(type === 'running' ? { type, retryAfterMs: 2_000 } : { type });
  });

  it('takes the words and the readings of the application', async () => {
    server.reply(200, { status: 'Hibernating' });
    const words = open({ statusWords: { hibernating: 'completed' } });
    expect(await words.api.status('/operations/7', words.call)).toEqual({ type: 'completed' });
    const own = open({
      readState: ({ status }) => ({ type: status === 200 ? 'completed' : 'running' }),
      readResult: ({ body }) => [body],
    });
    expect(await own.api.result('/operations/7', own.call)).toEqual({
      type: 'found',
      result: [{ status: 'Hibernating' }],
    });
  });

  it('follows a redirect to the result, and tells it from an operation that has moved', async () => {
    const { api, call } = open();
    server.answer((response, { path }) => {
      if (path === '/base/operations/7') response.writeHead(303, { location: '/base/results/7' }).end();
      else if (path === '/base/operations/8') response.writeHead(307, { location: '/base/eu/operations/8' }).end();
      else
        response
          .writeHead(200, { 'content-type': 'application/json' })
          .end(path.includes('eu') ? '{"status":"Running"}' : '{"score":1}');
    });
    expect(await api.status('/operations/7', call)).toEqual({ type: 'completed' });
    expect(await api.result('/operations/7', call)).toEqual({ type: 'found', result: { score: 1 } });
    expect(await api.status('/operations/8', call)).toMatchObject({ type: 'running' });
  });

  it('takes a result that stands in the operation, and waits for one that is answered 202', async () => {
    const { api, call } = open();
    server.reply(200, { status: 'done', result: { score: 1 } });
    expect(await api.result('/operations/7', call)).toEqual({ type: 'found', result: { score: 1 } });
    server.answer((response, { path }) => {
      const isOperation = path === '/base/operations/7';
      response.writeHead(isOperation ? 200 : 202, { location: '/base/results/7', 'retry-after': '4' });
      response.end(isOperation ? '{"status":"done"}' : '');
    });
    expect(await api.result('/operations/7', call)).toEqual({ type: 'not-ready', retryAfterMs: 4_000 });
  });

  it('names the header that has to be exposed when there is no Location', async () => {
    server.reply(202, {});
    const { api, call } = open();
    await expect(api.submit(answers, 'key-1', call)).rejects.toThrow('Access-Control-Expose-Headers: Location');
    server.reply(202, {}, { location: '/somewhere/7' });
    const strict = open({ operation: '/operations/:id' });
    await expect(strict.api.submit(answers, 'key-1', strict.call)).rejects.toThrow('/operations/:id');
  });

  it('never sends the token to an operation or a result on another origin', async () => {
    const foreign = await startServer();
    foreign.reply(200, { status: 'done', result: {} });
    try {
      const { api, call } = open();
      server.reply(202, {}, { location: `${foreign.url}/operations/7` });
      const { jobId } = await api.submit(answers, 'key-1', call);
      await expect(api.status(jobId, call)).rejects.toThrow(TypeError);
      await expect(api.result(jobId, call)).rejects.toThrow(TypeError);
      server.reply(200, { status: 'done', resourceLocation: `${foreign.url}/results/7` });
      await expect(api.result('/operations/7', call)).rejects.toThrow(TypeError);
      server.reply(200, { status: 'done', resourceLocation: `//${foreign.url.split('//')[1] ?? ''}/results/7` });
      await expect(api.result('/operations/7', call)).rejects.toThrow(TypeError);
      expect(foreign.requests).toHaveLength(0);
    } finally {
      await foreign.close();
    }
  });
});
