import { aip151 } from 'assessment-monitor/adapters';
import { testCall } from '../../src/testing/test-call.ts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startForeignServer } from '../support/foreign-server.ts';
import { type LoopbackServer, startServer } from '../support/http-server.ts';

const answers = { name: 'An example' };

describe('aip151', () => {
  it('follows an operation to its response, and makes one job of one key', async () => {
    const server = await startForeignServer('aip151');
    try {
      const api = aip151({ submit: '/v1/assessments:analyze' });
      const call = testCall({ baseUrl: server.url, token: server.signIn().accessToken });
      const { jobId } = await api.submit(answers, 'key 1', call);
      expect(jobId).toBe('operations/job-1');
      expect(await api.submit(answers, 'key 1', call)).toMatchObject({ jobId });
      expect(await api.status(jobId, call)).toMatchObject({ type: 'running', percent: expect.any(Number) as number });
      expect(await api.result(jobId, call)).toMatchObject({ type: 'not-ready' });
      server.finishJobs();
      expect(await api.status(jobId, call)).toEqual({ type: 'completed' });
      expect(await api.result(jobId, call)).toEqual({
        type: 'found',
        result: { archetype: 'The Explorer', of: 'job-1' },
      });
      const { jobId: failing } = await api.submit(answers, 'key 2', call);
      server.finishJobs('failed');
      expect(await api.status(failing, call)).toEqual({ type: 'failed' });
      const refused = testCall({ baseUrl: server.url, token: 'refused' });
      await expect(api.status(jobId, refused)).rejects.toMatchObject({ status: 401 });
      expect(server.seen).toMatchObject({ submissions: 3, jobs: 2 });
    } finally {
      await server.close();
    }
  });
});

describe('aip151 with one answer at a time', () => {
  let server: LoopbackServer;
  beforeEach(async () => {
    server = await startServer();
  });
  afterEach(() => server.close());
  const callOf = () => testCall({ baseUrl: server.url, token: 'token-1' });

  it('sends the key where the method takes it, and the body as the application writes it', async () => {
    const api = aip151<{ name: string }>({
      submit: '/v2/runs?alt=json',
      root: '/v2',
      keyParameter: 'request_id',
      toBody: ({ name }, key) => ({ run: { name }, requestId: key }),
      readResult: (response) => [response],
    });
    server.reply(200, { name: 'projects/p/operations/7' });
    expect(await api.submit(answers, 'k/1', callOf())).toEqual({
      jobId: 'projects/p/operations/7',
      retryAfterMs: null,
    });
    expect(server.requests[0]).toMatchObject({
      method: 'POST',
      path: '/v2/runs?alt=json&request_id=k%2F1',
      body: { run: { name: 'An example' }, requestId: 'k/1' },
    });
    server.reply(200, { name: 'projects/p/operations/7', done: true, response: 1 });
    expect(await api.result('projects/p/operations/7', callOf())).toEqual({ type: 'found', result: [1] });
    expect(server.requests[1]?.path).toBe('/v2/projects/p/operations/7');
  });

  it.each([
    ['done is missing', {}, 'running'],
    ['done is a word', { done: 'yes', response: {} }, 'running'],
    ['done comes with neither error nor response', { done: true }, 'running'],
    ['there is a response and done is false', { done: false, response: {} }, 'running'],
    ['there is an error and done is false', { done: false, error: { code: 14 } }, 'running'],
    ['done comes with an error', { done: true, error: { code: 1 } }, 'failed'],
    ['done comes with a response', { done: true, response: {} }, 'completed'],
  ])('reads an operation by the rules of AIP-151 where %s', async (_what, fields, type) => {
    server.reply(200, { name: 'operations/7', ...fields });
    const api = aip151({ submit: '/v1/x' });
    expect(await api.status('operations/7', callOf())).toMatchObject({ type });
    expect(await api.result('operations/7', callOf())).toMatchObject({
      type: type === 'completed' ? 'found' : 'not-ready',
    });
  });

  it('takes no answer about another operation, and no name that leads to another path', async () => {
    const api = aip151({ submit: '/v1/x' });
    server.reply(200, { name: 'operations/8', done: true, response: {} });
    await expect(api.status('operations/7', callOf())).rejects.toThrow('another operation');
    for (const name of ['../../secrets', '//elsewhere.test/operations/7', '', undefined]) {
      server.reply(200, { name });
      await expect(api.submit(answers, 'key-1', callOf())).rejects.toThrow('no usable name');
    }
  });

  it('keeps the token within the API when an operation is named by an address on another origin', async () => {
    const foreign = await startServer();
    const api = aip151({ submit: '/v1/x' });
    const name = `${foreign.url}/operations/7`;
    server.reply(200, { name });
    await expect(api.submit(answers, 'key-1', callOf())).rejects.toThrow('no usable name');
    await api.status(name, callOf()).catch(() => {});
    expect([foreign.requests.length, server.requests.length]).toEqual([0, 2]);
    await foreign.close();
  });
});
