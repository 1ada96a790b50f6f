import type { ApiJobState, ApiResultState, Call, JobApi } from '../../src/ports.ts';
import { aip151, ensureOk, restOperations } from 'assessment-monitor/adapters';
import { checkJobApi, type JobApiFault } from '../../src/testing/port-checks/check-job-api.ts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { type ForeignServer, startForeignServer } from '../support/foreign-server.ts';

interface Report {
  archetype: string;
}
const answers = { name: 'An example' };
const resultSchema = z.object({ archetype: z.string() });

/** An API that is written by hand and keeps its contract. */
const good: JobApi<object, Report> = {
  async submit(submission, key, call) {
    const headers = { 'Idempotency-Key': key };
    const answer = ensureOk(await call.request('/v1/analyses', { body: submission, headers }));
    return { jobId: answer.headers.get('location')?.split('/').at(-1) ?? '' };
  },
  async status(jobId, call) {
    const { body, retryAfterMs } = ensureOk(await call.request(`/v1/operations/${jobId}`));
    const { status, percentComplete } = body as { status: string; percentComplete: number };
    if (status === 'Succeeded') return { type: 'completed' };
    return status === 'Failed' ? { type: 'failed' } : { type: 'running', percent: percentComplete, retryAfterMs };
  },
  async result(jobId, call) {
    const { status, body } = ensureOk(await call.request(`/v1/results/${jobId}`));
    return status === 202 ? { type: 'not-ready' } : { type: 'found', result: body as Report };
  },
};

/** Sends its own requests, as an SDK does. */
const sdkFetch = async (call: Call, path: string, init: RequestInit = {}) => {
  const response = await fetch(path, { ...init, headers: { Authorization: `Bearer ${call.token}` } });
  if (!response.ok) throw Object.assign(new Error('failed'), { response: { status: response.status } });
  return (await response.json()) as { status: string };
};
const ignore401 = (error: { response?: { status: number } }) => {
  if (error.response?.status === 401) return { status: '' };
  throw error;
};
const nothing = async (): Promise<never> => new Promise(() => {});
const stateOf = (status: string): ApiJobState => ({ type: status === 'Succeeded' ? 'completed' : 'running' });

describe('checkJobApi', () => {
  let server: ForeignServer;
  let elsewhere: ForeignServer;
  beforeEach(async () => {
    server = await startForeignServer('rest', { endsAfterPolls: 9, retryAfter: 2 });
    elsewhere = await startForeignServer('rest');
  });
  afterEach(() => Promise.all([server.close(), elsewhere.close()]));

  const check = async (api: JobApi<object, Report>, more: object = {}) => {
    const { accessToken: token } = server.signIn();
    const timings = { pollMs: 5, graceMs: 5_000, jobTimeoutMs: 20_000 };
    return checkJobApi(api, { baseUrl: server.url, token, submission: answers, resultSchema, ...timings, ...more });
  };

  it('finds nothing wrong with an API that keeps its contract', async () => {
    const { faults, kept } = await check(good);
    expect(faults).toEqual([]);
    expect(kept).toHaveLength(14);
  });

  it('leaves the reading of a refusal to the client where it sees the answer', async () => {
    const { faults } = await check({
      ...good,
      async status(jobId, call) {
        const { body } = await call.request(`/v1/operations/${jobId}`);
        return stateOf((body as { status: string }).status);
      },
    });
    expect(faults).toEqual([]);
  });

  it.each([
    ['with the Location as the id', {}],
    ['with short ids', { operation: '/v1/operations/:id' }],
  ])('finds nothing wrong with restOperations %s', async (_how, more) => {
    const { faults } = await check(restOperations<object, Report>({ submit: '/v1/analyses', ...more }));
    expect(faults).toEqual([]);
  });

  it('finds nothing wrong with aip151', async () => {
    const google = await startForeignServer('aip151', { endsAfterPolls: 9 });
    const { accessToken: token } = google.signIn();
    const api = aip151<object, Report>({ submit: '/v1/assessments:analyze' });
    const options = { baseUrl: google.url, token, submission: answers, resultSchema, pollMs: 5 };
    expect((await checkJobApi(api, options)).faults).toEqual([]);
    await google.close();
  });

  const planted: [
    fault: JobApiFault,
    how: string,
    api: Partial<JobApi<object, Report>> | (() => Partial<JobApi<object, Report>>),
  ][] = [
    ['no-job-id', 'returns the id as undefined', { submit: async () => ({ jobId: undefined as unknown as string }) }],
    [
      'key-ignored',
      'sends a key of its own',
      { submit: (it, _key, call) => good.submit(it, crypto.randomUUID(), call) },
    ],
    ['constant-id', 'sends one key for all', { submit: (it, _key, call) => good.submit(it, 'always', call) }],
    [
      'refusal-swallowed',
      'takes a 401 of an SDK for running',
      {
        status: async (id, call) => {
          const sent = sdkFetch(call, `${server.url}/v1/operations/${id}`, { signal: call.signal });
          return stateOf((await sent.catch(ignore401)).status);
        },
      },
    ],
    [
      'refusal-swallowed',
      'hides the status of a 401',
      {
        result: (id, call) =>
          good.result(id, call).catch((error: { status?: number }) => {
            throw error.status === 401 ? Object.assign(new Error('oh'), { status: 500 }) : error;
          }),
      },
    ],
    [
      'completed-early',
      'is completed and runs again',
      () => {
        let asked = 0;
        return {
          status: async (id, call) => {
            const state = await good.status(id, call);
            return state.type === 'running' && (asked += 1) === 3 ? { type: 'completed' } : state;
          },
        };
      },
    ],
    [
      'completed-early',
      'is completed before the result is there',
      {
        status: async (id, call) => {
          const state = await good.status(id, call);
          return state.type === 'running' && (state.percent ?? 0) >= 30 ? { type: 'completed' } : state;
        },
        result: async (id, call) => {
          await good.status(id, call);
          return good.result(id, call);
        },
      },
    ],
    [
      'result-early',
      'finds a part of the result',
      {
        result: (id, call): Promise<ApiResultState<Report>> =>
          good.result(id, call).then((it) => (it.type === 'found' ? it : { type: 'found', result: { archetype: '' } })),
      },
    ],
    [
      'unknown-ends',
      'takes every word but Running for the end',
      {
        status: async (id, call) => {
          const { body } = ensureOk(await call.request(`/v1/operations/${id}`));
          return { type: (body as { status: string }).status === 'Running' ? 'running' : 'completed' };
        },
      },
    ],
    [
      'outage-ends',
      'takes each error for a failure of the job',
      {
        status: (id, call) =>
          good.status(id, call).catch((error: { status?: number }) => {
            if (error.status === 401) throw error;
            return { type: 'failed' as const };
          }),
      },
    ],
    [
      'signal-ignored',
      'sends its own requests without the signal',
      {
        status: async (id, call) => stateOf((await sdkFetch(call, `${server.url}/v1/operations/${id}`)).status),
      },
    ],
    [
      'never-settles',
      'waits for ever after a lost network',
      {
        result: (id, call) =>
          good.result(id, call).catch((error: { status?: number }) => {
            if (error instanceof TypeError) return nothing();
            throw error;
          }),
      },
    ],
    [
      'token-in-address',
      'puts the token into the query',
      {
        result: async (id, call) => {
          await call.request(`/v1/operations/${id}?access_token=${call.token}`);
          return good.result(id, call);
        },
      },
    ],
    [
      'token-elsewhere',
      'sends the token to another server',
      {
        submit: async (it, key, call) => {
          await sdkFetch(call, `${elsewhere.url}/v1/x`, { signal: call.signal }).catch(() => {});
          return good.submit(it, key, call);
        },
      },
    ],
    [
      'wait-not-in-ms',
      'returns the seconds of Retry-After',
      {
        status: async (id, call) => {
          const state = await good.status(id, call);
          return state.type === 'running' ? { ...state, retryAfterMs: (state.retryAfterMs ?? 0) / 1_000 } : state;
        },
      },
    ],
    [
      'percent-out-of-range',
      'counts to a thousand',
      {
        status: async (id, call) => {
          const state = await good.status(id, call);
          return state.type === 'running' ? { ...state, percent: (state.percent ?? 0) * 100 } : state;
        },
      },
    ],
    [
      'percent-out-of-range',
      'counts to one',
      {
        status: async (id, call) => {
          const state = await good.status(id, call);
          return state.type === 'running' ? { ...state, percent: (state.percent ?? 0) / 100 } : state;
        },
      },
    ],
    [
      'unknown-outcome',
      "returns the server's word as the type",
      {
        status: async (id, call) => {
          const { body } = ensureOk(await call.request(`/v1/operations/${id}`));
          const { status } = body as { status: string };
          return status === 'Succeeded' ? { type: 'completed' } : ({ type: status } as unknown as ApiJobState);
        },
      },
    ],
    [
      'never-ends',
      'never recognises the end',
      {
        status: async (id, call) => {
          const state = await good.status(id, call);
          return state.type === 'completed' ? { type: 'running' } : state;
        },
      },
    ],
    [
      'no-result',
      'looks for the result in the wrong place',
      {
        result: async (id, call) => {
          ensureOk(await call.request(`/v1/operations/${id}`));
          return { type: 'not-ready' };
        },
      },
    ],
    [
      'result-does-not-fit',
      'does not unwrap the result',
      {
        result: (id, call) =>
          good
            .result(id, call)
            .then((it) =>
              it.type === 'found' ? { type: 'found', result: { data: it.result } as unknown as Report } : it,
            ),
      },
    ],
    [
      'no-balance',
      'returns the balance as a text',
      {
        balance: async (call) => {
          ensureOk(await call.request('/v1/operations/job-1'));
          return '12' as unknown as number;
        },
      },
    ],
    [
      'refusal-swallowed',
      'reads a balance out of a refusal',
      {
        balance: (call) =>
          sdkFetch(call, `${server.url}/v1/operations/job-1`, { signal: call.signal }).then(
            () => 1,
            () => 0,
          ),
      },
    ],
    ['broken', 'throws at once', { submit: () => Promise.reject(new Error('not written yet')) }],
  ];

  /** Each of these is found by waiting for what never comes. */
  const waits: Partial<Record<JobApiFault, object>> = {
    'never-ends': { jobTimeoutMs: 150 },
    'never-settles': { graceMs: 200 },
    'signal-ignored': { graceMs: 200 },
  };

  it.each(planted)('finds "%s", and only that, in an API that %s', async (fault, _how, broken) => {
    const api = { ...good, ...(typeof broken === 'function' ? broken() : broken) };
    const { faults } = await check(api, waits[fault]);
    expect(faults.map(({ id }) => id)).toEqual([fault]);
    for (const { what, cost } of faults) expect(`${what} ${cost}`).toMatch(/^[A-Za-z].*\. .*\.$/);
  });

  it('leaves the fetch of the platform as it was', async () => {
    const before = globalThis.fetch;
    await check({ ...good, submit: () => Promise.reject(new Error('not written yet')) });
    expect(globalThis.fetch).toBe(before);
  });
});
