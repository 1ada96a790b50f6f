import { io, type Socket } from 'socket.io-client';
import { afterEach, describe, expect, it } from 'vitest';
import { type Backend, type BackendOptions, startBackend } from '../../backend/index.ts';
import { profiles } from '../../backend/profiles.ts';
import { sampleAnswers } from '../../demo/sample-answers.ts';

/* What was measured on the running services, and what something in front of them answers. */

let backend: Backend;
let socket: Socket | undefined;
/** The original, with its seconds scaled to milliseconds. */
const scaled = { ...profiles.original, submitMs: 0, retryDelaysMs: [5, 10, 20], redeliveryMs: 20, jobDurationMs: 20 };

const start = async (options: Partial<BackendOptions> = {}) => {
  backend = await startBackend({
    accessTokenTtlMs: 600_000,
    refreshTransport: 'body',
    jobDurationMs: 600_000,
    ...options,
  });
};
afterEach(async () => {
  socket?.disconnect();
  socket = undefined;
  await backend.close();
});

interface Body {
  data?: Record<string, unknown>;
  error?: Record<string, unknown>;
}
const request = (path: string, token?: string, init: RequestInit = {}) =>
  fetch(backend.url + path, {
    redirect: 'manual',
    ...init,
    headers: {
      'Content-Type': 'application/json',
      ...(token && { Authorization: `Bearer ${token}` }),
      ...init.headers,
    },
  });
const call = async (path: string, token?: string, init?: RequestInit) => {
  const response = await request(path, token, init);
  return { status: response.status, headers: response.headers, body: (await response.json()) as Body };
};
const post = (body: unknown, headers: Record<string, string> = {}) => ({
  method: 'POST',
  headers,
  body: typeof body === 'string' ? body : JSON.stringify(body),
});
const logIn = async () => {
  const credentials = { email: 'user@example.test', password: 'correct-horse' };
  const { data } = (await call('/api/auth/v2/login', undefined, post(credentials))).body;
  return { token: String(data?.idToken), refreshToken: String(data?.refreshToken) };
};
const submit = async (token: string, headers: Record<string, string> = {}, answers: unknown = sampleAnswers) => {
  const answer = await call('/api/assessment/submit', token, post(answers, headers));
  return { ...answer, jobId: String(answer.body.data?.jobId), resultId: String(answer.body.data?.resultId) };
};
const statusOf = async (jobId: string, token: string) =>
  (await call(`/api/assessment/status/${jobId}`, token)).body.data;
const listen = async (token: string): Promise<string[]> => {
  const heard: string[] = [];
  const opened = (socket = io(backend.url, { transports: ['websocket'], reconnection: false, forceNew: true }));
  opened.onAny((name: string, payload: { result_id?: unknown }) =>
    heard.push(`${name} ${payload.result_id ?? ''}`.trim()),
  );
  await new Promise((resolve) => opened.once('connect', () => resolve(undefined)));
  opened.emit('authenticate', { token });
  await new Promise((resolve) => opened.once('authenticated', resolve));
  return heard;
};

describe('something in front of the API', () => {
  it('answers with a page, a redirect, a body and a date of its own', async () => {
    await start();
    const { token } = await logIn();
    backend.configure({
      faults: [
        { route: 'balance', kind: 'html', status: 403, times: 1 },
        { route: 'balance', kind: 'redirect', times: 1 },
        { route: 'balance', kind: 'status', status: 419, body: '{"message":"x"}', headers: { 'X-A': 'b' }, times: 1 },
        { route: 'balance', kind: 'date', ms: 86_400_000, times: 1 },
      ],
    });
    const balance = () => request('/api/auth/token-balance', token);
    const page = await balance();
    expect([page.status, page.headers.get('content-type')]).toEqual([403, expect.stringMatching(/html/)]);
    const redirect = await balance();
    expect([redirect.status, redirect.headers.get('location')]).toEqual([302, 'https://login.invalid/']);
    const coded = await balance();
    expect([coded.status, coded.headers.get('x-a'), await coded.json()]).toEqual([419, 'b', { message: 'x' }]);
    expect(Date.parse((await balance()).headers.get('date') ?? '')).toBeGreaterThan(Date.now() + 80_000_000);
    expect((await balance()).status).toBe(200);
  });

  it.each(['cut', 'nan'] as const)('breaks JSON: %s', async (kind) => {
    await start();
    const { token } = await logIn();
    backend.configure({ faults: [{ route: 'balance', kind }] });
    const text = await (await request('/api/auth/token-balance', token)).text();
    expect(() => JSON.parse(text) as unknown).toThrow(SyntaxError);
  });

  it('answers with the row of another job and user', async () => {
    await start();
    const { token } = await logIn();
    const { jobId } = await submit(token);
    backend.configure({ faults: [{ route: 'status', kind: 'foreign-row' }] });
    expect(await statusOf(jobId, token)).toMatchObject({
      jobId: expect.not.stringMatching(jobId) as string,
      userId: 'user-of-another-account',
    });
  });

  it('sends a body in parts', async () => {
    await start();
    const { token } = await logIn();
    backend.configure({ faults: [{ route: 'balance', kind: 'slow-body', ms: 20 }] });
    const { body } = await request('/api/auth/token-balance', token);
    const parts = [];
    for await (const part of body ?? []) parts.push(part);
    expect(parts.length).toBeGreaterThan(1);
  });
});

describe('the original', () => {
  it('takes a failure back, with a refund for each', async () => {
    await start({ ...scaled, failedAttempts: 2, initialBalance: 3, quirks: [] });
    const { token } = await logIn();
    const heard = await listen(token);
    const { jobId, resultId } = await submit(token);
    await expect.poll(() => heard.at(-1)).toBe(`analysis-complete ${resultId}`);
    const events = heard.filter((it) => it.startsWith('analysis'));
    expect(events).toEqual([
      'analysis-started',
      'analysis-failed',
      'analysis-started',
      'analysis-failed',
      'analysis-started',
      `analysis-complete ${resultId}`,
    ]);
    expect(await statusOf(jobId, token)).toMatchObject({ status: 'completed' });
    expect((await call('/api/auth/token-balance', token)).body.data).toMatchObject({ token_balance: 4 });
  });

  it('fails a job for good after its last retry', async () => {
    await start({ ...scaled, jobOutcome: 'failed', quirks: [] });
    const { token } = await logIn();
    await submit(token);
    await expect.poll(() => backend.jobs()[0]?.endedAt).not.toBeNull();
    expect(backend.jobs()[0]?.status).toBe('failed');
  });

  it('answers equal answers with the first result, and leaves the own row empty', async () => {
    await start({ ...scaled, quirks: ['events-without-job-id'] });
    const { token } = await logIn();
    const first = await submit(token);
    await expect.poll(() => statusOf(first.jobId, token)).toMatchObject({ status: 'completed' });
    const heard = await listen(token);
    const second = await submit(token);
    await expect.poll(() => heard.at(-1)).toBe(`analysis-complete ${first.resultId}`);
    expect(await statusOf(second.jobId, token)).toMatchObject({ status: 'completed', resultId: first.resultId });
    const own = (await call(`/api/archive/results/${second.resultId}`, token)).body;
    expect(own.data).toMatchObject({ test_result: null });
  });

  it('fails the sixth job of an hour', async () => {
    await start({ ...scaled, retryDelaysMs: [], dedupWindowMs: 0, initialBalance: 9, quirks: [] });
    const { token } = await logIn();
    for (let count = 0; count < 6; count += 1) await submit(token);
    await expect.poll(() => backend.jobs().every(({ endedAt }) => endedAt !== null)).toBe(true);
    expect(backend.jobs().map(({ status }) => status)).toEqual([...Array<string>(5).fill('completed'), 'failed']);
  });

  it('says that it supports keys and does not store them', async () => {
    await start({ ...scaled, jobDurationMs: 600_000 });
    const { token } = await logIn();
    const { headers } = await submit(token, { 'Idempotency-Key': 'one' });
    expect([headers.get('x-idempotency-supported'), headers.get('x-idempotency-cache')]).toEqual(['true', null]);
    await submit(token, { 'Idempotency-Key': 'one' });
    expect(backend.counts().submissionsAccepted).toBe(2);
  });

  it('lists the jobs of the user, newest first', async () => {
    await start({ ...scaled, jobDurationMs: 600_000 });
    const { token } = await logIn();
    const [first, second] = [await submit(token), await submit(token)];
    const { data } = (await call('/api/archive/jobs', token)).body;
    const createdAt = expect.stringMatching(/^\d{4}-/) as string;
    expect(data?.jobs).toMatchObject([{ job_id: second.jobId, created_at: createdAt }, { job_id: first.jobId }]);
  });

  it('takes the refresh and the socket down with the verifier', async () => {
    await start({ ...scaled, authOutage: true });
    const { token, refreshToken } = await logIn();
    expect((await call('/api/auth/v2/refresh', undefined, post({ refreshToken }))).status).toBe(503);
    const refused = await call('/api/assessment/status/x', token);
    expect([refused.status, refused.body.error]).toEqual([401, expect.objectContaining({ code: 'UNAUTHORIZED' })]);
    const opened = (socket = io(backend.url, { transports: ['websocket'], reconnection: false, forceNew: true }));
    const refusal = new Promise((resolve) => opened.once('auth_error', resolve));
    const end = new Promise((resolve) => opened.once('disconnect', resolve));
    opened.once('connect', () => opened.emit('authenticate', { token }));
    expect(await refusal).toEqual({ message: 'Invalid or expired token' });
    expect(await end).toBe('io server disconnect');
  });

  it('takes a job up again that the sweeper had given up', async () => {
    await start({ ...scaled, jobDurationMs: 600_000, redeliveryMs: 5, quirks: [] });
    const { token } = await logIn();
    const { jobId, resultId } = await submit(token);
    const heard = await listen(token);
    backend.configure({ jobDurationMs: 20 });
    backend.sweepJobs();
    expect(backend.jobs()[0]?.status).toBe('failed');
    await expect.poll(() => heard.at(-1)).toBe(`analysis-complete ${resultId}`);
    expect((await call(`/api/archive/jobs/${jobId}`, token)).body.data).toMatchObject({ status: 'completed' });
  });

  it('compares the answers of two jobs without their names', async () => {
    await start({ ...scaled, quirks: [] });
    const { token } = await logIn();
    const { jobId, resultId } = await submit(token);
    await expect.poll(() => statusOf(jobId, token)).toMatchObject({ status: 'completed' });
    const named = await submit(token, {}, { ...sampleAnswers, assessment_name: 'Another name' });
    await expect.poll(() => statusOf(named.jobId, token)).toMatchObject({ status: 'completed', resultId });
  });

  it('words its errors in its own way', async () => {
    await start({ ...scaled, jobDurationMs: 600_000 });
    const { token } = await logIn();
    expect((await call('/api/assessment/nothing')).body.error).toMatchObject({ code: 'UNAUTHORIZED', details: {} });
    expect((await call('/api/assessment/submit', token, post('{'))).status).toBe(500);
    const invalid = await call('/api/archive/results/x', token);
    expect([invalid.status, Array.isArray(invalid.body.error?.details)]).toEqual([400, true]);
    const unknown = { username: 'no-user', password: 'x' };
    const login = await call('/api/auth/login', undefined, post(unknown));
    expect(login.body.error).toMatchObject({ code: 'IDENTIFIER_NOT_FOUND' });
    const { resultId, body } = await submit(token);
    expect(body.data).toMatchObject({ queuePosition: 0 });
    expect((await call('/api/assessment/retry', token, post({ resultId }))).status).toBe(400);
  });

  it('shows the archive row of a finished job late', async () => {
    await start({ archiveLagMs: 600_000 });
    const { token } = await logIn();
    const { jobId } = await submit(token);
    backend.finishJobs();
    expect((await call(`/api/archive/jobs/${jobId}`, token)).status).toBe(404);
    backend.configure({ archiveLagMs: 0 });
    expect((await call(`/api/archive/jobs/${jobId}`, token)).body.data).toMatchObject({ status: 'completed' });
  });
});
