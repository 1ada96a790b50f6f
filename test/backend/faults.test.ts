import { randomUUID } from 'node:crypto';
import { io, type Socket } from 'socket.io-client';
import { afterEach, describe, expect, it } from 'vitest';
import { type Backend, type BackendOptions, startBackend } from '../../backend/index.ts';
import { profiles } from '../../backend/profiles.ts';
import { sampleAnswers } from '../../demo/sample-answers.ts';

/* A soak is worth what its faults are worth: each one does what it says, over real HTTP and real sockets. */

/** The original, with submissions at once: their two seconds have tests of their own. */
const original = { ...profiles.original, submitMs: 0 };

let backend: Backend;
const sockets: Socket[] = [];

const start = async (options: Partial<BackendOptions> = {}) => {
  backend = await startBackend({
    accessTokenTtlMs: 600_000,
    jobDurationMs: 600_000,
    refreshIntervalMs: 0,
    refreshTransport: 'body',
    ...options,
  });
};
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.disconnect();
  await backend.close();
});

type Body = { data?: Record<string, unknown>; error?: unknown; success?: boolean };

const request = (path: string, token?: string, init: RequestInit = {}) =>
  fetch(backend.url + path, {
    ...init,
    headers: {
      'Content-Type': 'application/json',
      ...(token ? { Authorization: `Bearer ${token}` } : {}),
      ...init.headers,
    },
  });
const call = async (path: string, token?: string, init?: RequestInit) => {
  const response = await request(path, token, init);
  return { status: response.status, headers: response.headers, body: (await response.json()) as Body };
};
const logIn = async (email = 'user@example.test') => {
  const body = JSON.stringify({ email, password: 'correct-horse' });
  const { data } = (await call('/api/auth/v2/login', undefined, { method: 'POST', body })).body;
  return { token: String(data?.idToken), refreshToken: String(data?.refreshToken) };
};
const submit = async (token: string, headers: Record<string, string> = {}) => {
  const init = { method: 'POST', headers, body: JSON.stringify(sampleAnswers) };
  const { data } = (await call('/api/assessment/submit', token, init)).body;
  return { jobId: String(data?.jobId), resultId: String(data?.resultId) };
};
const balance = (token: string) => call('/api/auth/token-balance', token);
const connect = (): Socket => {
  const socket = io(backend.url, { transports: ['websocket'], reconnection: false, forceNew: true });
  sockets.push(socket);
  return socket;
};
const next = <T>(socket: Socket, name: string): Promise<T> => new Promise((resolve) => socket.once(name, resolve));
const listen = async (token: string): Promise<Socket> => {
  const socket = connect();
  await next(socket, 'connect');
  socket.emit('authenticate', { token });
  await next(socket, 'authenticated');
  return socket;
};
/** Everything that a socket hears until the server says goodbye. */
const heard = async (socket: Socket): Promise<string[]> => {
  const names: string[] = [];
  socket.onAny((name: string) => names.push(name));
  backend.finishJobs();
  const gone = next(socket, 'disconnect');
  backend.kickSockets();
  await gone;
  return names;
};

describe('a request', () => {
  it.each(['reset', 'drop-answer', 'truncate'] as const)('that meets "%s" gets no whole answer', async (kind) => {
    await start();
    const { token } = await logIn();
    backend.configure({ faults: [{ route: 'balance', kind, times: 1 }] });
    await expect(balance(token)).rejects.toThrow();
    expect((await balance(token)).status).toBe(200);
    expect(backend.faultsInjected()).toEqual({ [kind]: 1 });
  });

  it('that meets "truncate" gets the beginning of the answer', async () => {
    await start();
    const { token } = await logIn();
    backend.configure({ faults: [{ route: 'balance', kind: 'truncate' }] });
    const response = await request('/api/auth/token-balance', token);
    expect(response.status).toBe(200);
    const { value } = await response.body!.getReader().read();
    expect(new TextDecoder().decode(value)).toMatch(/^\{"success":true/);
  });

  it('that meets "dribble" gets one byte after the other', async () => {
    await start();
    const { token } = await logIn();
    backend.configure({ faults: [{ route: 'balance', kind: 'dribble', ms: 1 }] });
    const reader = (await request('/api/auth/token-balance', token)).body!.getReader();
    const first = await reader.read();
    expect(new TextDecoder().decode(first.value)).toMatch(/^\{"?$/);
    let rest = '';
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      rest += new TextDecoder().decode(chunk.value);
    }
    expect(rest).toContain('token_balance');
  });

  it('that meets "hang" or "delay" is answered late or never', async () => {
    await start();
    const { token } = await logIn();
    backend.configure({
      faults: [
        { route: 'balance', kind: 'hang', times: 1 },
        { route: 'balance', kind: 'delay', ms: 20, times: 1 },
      ],
    });
    const patience = new AbortController();
    const hanging = request('/api/auth/token-balance', token, { signal: patience.signal });
    const delayed = await balance(token);
    expect(delayed.status).toBe(200);
    patience.abort();
    await expect(hanging).rejects.toThrow();
    expect(backend.faultsInjected()).toEqual({ hang: 1, delay: 1 });
  });

  it('that arrives twice is worked on twice, and known by its key', async () => {
    await start();
    const { token } = await logIn();
    backend.configure({ faults: [{ route: 'submit', kind: 'duplicate', times: 2 }] });
    await submit(token, { 'Idempotency-Key': randomUUID() });
    expect(backend.counts()).toMatchObject({ submitCalls: 2, submissionsAccepted: 1, submissionReplays: 1 });
    await submit(token);
    expect(backend.counts()).toMatchObject({ submitCalls: 4, submissionsAccepted: 3 });
  });

  it.each([
    ['an HTML error page', { status: 502, body: '<html>Bad Gateway</html>', contentType: 'text/html' }],
    ['a malformed body', { body: '{"success":true,"data":', contentType: 'application/json' }],
    ['the wrong content type', { body: '{}', contentType: 'image/png' }],
  ])('is answered with %s where the rule says so', async (_, answer) => {
    await start();
    const { token } = await logIn();
    backend.configure({ faults: [{ route: 'balance', kind: 'body', ...answer }] });
    const response = await request('/api/auth/token-balance', token);
    expect([response.status, response.headers.get('content-type'), await response.text()]).toEqual([
      'status' in answer ? answer.status : 200,
      answer.contentType,
      answer.body,
    ]);
  });

  it('is hit by the share of faults that was asked for, by the dice of the seed', async () => {
    const hits = async (seed: number): Promise<string> => {
      await start({ seed });
      const { token } = await logIn();
      backend.configure({ faults: [{ route: 'balance', kind: 'status', status: 503, share: 0.3, name: 'burst' }] });
      let pattern = '';
      for (let call = 0; call < 40; call += 1) pattern += (await balance(token)).status === 200 ? '.' : 'x';
      expect(backend.faultsInjected()).toEqual({ burst: pattern.replaceAll('.', '').length });
      return pattern;
    };
    const first = await hits(7);
    await backend.close();
    const second = await hits(7);
    await backend.close();
    expect([second, first.includes('x'), first.includes('.')]).toEqual([first, true, true]);
    expect(await hits(8)).not.toBe(first);
  });
});

describe('an event', () => {
  it.each([
    ['lose', []],
    ['duplicate', ['analysis-complete', 'analysis-complete']],
    ['malformed', ['analysis-complete']],
  ] as const)('that meets "%s" is heard as %j', async (kind, expected) => {
    await start();
    const { token } = await logIn();
    await submit(token);
    const socket = await listen(token);
    const payloads: unknown[] = [];
    socket.on('analysis-complete', (payload) => payloads.push(payload));
    backend.configure({ faults: [{ route: 'event', kind }] });
    expect(await heard(socket)).toEqual(expected);
    expect(payloads.every((it) => Array.isArray(it) === (kind === 'malformed'))).toBe(true);
  });

  it('that is delayed comes after all', async () => {
    await start();
    const { token } = await logIn();
    await submit(token);
    const socket = await listen(token);
    backend.configure({ faults: [{ route: 'event', kind: 'delay', ms: 10 }] });
    const completed = next(socket, 'analysis-complete');
    backend.finishJobs();
    expect(await completed).toMatchObject({ status: 'completed' });
  });
});

describe('a handshake', () => {
  it('can die without a reason, hang, or take its time', async () => {
    await start({
      faults: [
        { route: 'handshake', kind: 'reset', times: 1 },
        { route: 'handshake', kind: 'delay', ms: 10, times: 1 },
        { route: 'handshake', kind: 'hang', times: 1 },
      ],
    });
    await expect(next(connect(), 'connect_error')).resolves.toBeInstanceOf(Error);
    await next(connect(), 'connect');
    connect();
    await expect.poll(() => backend.faultsInjected()['handshake-hang']).toBe(1);
    expect(backend.counts().socketsOpened).toBe(1);
  });
});

describe('a server', () => {
  it('that restarts breaks its sockets and forgets its jobs, but not in the archive', async () => {
    await start();
    const { token } = await logIn();
    const { jobId } = await submit(token);
    const gone = next(await listen(token), 'disconnect');
    backend.restart();
    await gone;
    expect((await call(`/api/assessment/status/${jobId}`, token)).status).toBe(404);
    expect((await call(`/api/archive/jobs/${jobId}`, token)).body.data?.status).toBe('queued');
    backend.finishJobs();
    expect((await call(`/api/archive/jobs/${jobId}`, token)).body.data?.status).toBe('completed');
  });

  it('that sweeps says failed in the archive only, and gives the credit back', async () => {
    await start({ initialBalance: 1 });
    const { token } = await logIn();
    const { jobId } = await submit(token);
    backend.sweepJobs();
    expect((await call(`/api/assessment/status/${jobId}`, token)).body.data?.status).toBe('queued');
    expect((await call(`/api/archive/jobs/${jobId}`, token)).body.data?.status).toBe('failed');
    expect((await balance(token)).body.data?.token_balance).toBe(1);
  });
});

describe('a job of a kind that the worker does not know', () => {
  it('fails under another name', async () => {
    await start({ quirks: ['unknown-kind-of-job'] });
    const { token } = await logIn();
    await submit(token);
    const socket = await listen(token);
    const failed = next(socket, 'analysis-unknown');
    backend.finishJobs('failed');
    expect(await failed).toMatchObject({ status: 'failed', result_id: null, error_message: expect.any(String) });
  });
});

describe('the original server', () => {
  it('names no job in its terminal events, and does not announce the balance', async () => {
    await start(original);
    const { token } = await logIn();
    const { resultId } = await submit(token);
    const socket = await listen(token);
    const completed = next<object>(socket, 'analysis-complete');
    expect(await heard(socket)).toEqual(['analysis-complete']);
    expect(await completed).toMatchObject({ result_id: resultId });
    expect(await completed).not.toHaveProperty('jobId');
  });

  it('lets the status follow the event, and then leaves out the result id', async () => {
    await start(original);
    const { token } = await logIn();
    const { jobId, resultId } = await submit(token);
    const status = async () => (await call(`/api/assessment/status/${jobId}`, token)).body.data;
    backend.finishJobs();
    expect(await status()).toMatchObject({ status: 'queued', resultId });
    await expect.poll(status, { timeout: 5_000 }).toMatchObject({ status: 'completed', resultId: null });
  });

  it('gives results to everybody', async () => {
    await start(original);
    const { resultId } = await submit((await logIn()).token);
    expect((await call(`/api/archive/results/${resultId}`)).body.data).toMatchObject({ test_result: null });
  });

  it('takes the old token after a refresh, and knows no idempotency keys', async () => {
    await start(original);
    const { token, refreshToken } = await logIn();
    const refresh = { method: 'POST', body: JSON.stringify({ refreshToken }) };
    expect((await call('/api/auth/v2/refresh', undefined, refresh)).status).toBe(200);
    expect((await balance(token)).status).toBe(200);
    const headers = { 'Idempotency-Key': randomUUID() };
    expect((await submit(token, headers)).jobId).not.toBe((await submit(token, headers)).jobId);
  });

  it('keeps a socket in the room of its first user when a second one authenticates on it', async () => {
    await start(original);
    const first = await logIn();
    const second = await logIn('other@example.test');
    await submit(first.token);
    await submit(second.token);
    const socket = await listen(first.token);
    socket.emit('authenticate', { token: second.token });
    await next(socket, 'authenticated');
    expect(await heard(socket)).toEqual(['analysis-complete', 'analysis-complete']);
  });

  it('does not let a page of another origin send an idempotency key', async () => {
    await start(original);
    const preflight = await request('/api/assessment/submit', undefined, {
      method: 'OPTIONS',
      headers: { Origin: 'http://localhost:5173', 'Access-Control-Request-Method': 'POST' },
    });
    expect(preflight.headers.get('access-control-allow-headers')).toBe(
      'Content-Type,Authorization,X-Service-Key,X-Internal-Service',
    );
  });

  it('gives the first job to other answers of the same name and day, where it recognises submissions at all', async () => {
    await start({ ...original, idempotency: true });
    const { token } = await logIn();
    const send = async (answers: object) => {
      const init = { method: 'POST', body: JSON.stringify(answers) };
      const { headers, body } = await call('/api/assessment/submit', token, init);
      return { cache: headers.get('x-idempotency-cache'), jobId: body.data?.jobId };
    };
    await expect.poll(() => send(sampleAnswers)).toMatchObject({ cache: 'HIT' });
    const { jobId } = await send(sampleAnswers);
    const others = { ...sampleAnswers, assessment_data: { ...sampleAnswers.assessment_data, ocean: {} } };
    expect(await send(others)).toEqual({ cache: 'HIT', jobId });
    expect((await submit(token, { 'Idempotency-Key': randomUUID() })).jobId).not.toBe(jobId);
  });

  it('does not recognise two that arrive together', async () => {
    await start({ ...original, idempotency: true });
    const { token } = await logIn();
    const headers = { 'Idempotency-Key': randomUUID() };
    const [one, other] = await Promise.all([submit(token, headers), submit(token, headers)]);
    expect(one.jobId).not.toBe(other.jobId);
  });

  it('keeps the credit for a job that it could not queue, until the sweeper comes', async () => {
    await start({ ...original, quirks: [...original.quirks, 'queue-down'] });
    const { token } = await logIn();
    const body = JSON.stringify(sampleAnswers);
    const refused = await call('/api/assessment/submit', token, { method: 'POST', body });
    expect([refused.status, refused.body.error]).toEqual([500, expect.objectContaining({ code: 'QUEUE_ERROR' })]);
    expect((await balance(token)).body.data).toMatchObject({ token_balance: 2 });
    expect((await call('/api/assessment/health/ready')).status).toBe(503);
    expect(await call('/api/assessment/health')).toMatchObject({ status: 200, body: { status: 'degraded' } });
    backend.sweepJobs();
    expect((await balance(token)).body.data).toMatchObject({ token_balance: 3 });
  });

  it('counts the requests of each user, says how many are left, and refuses those that are too many', async () => {
    await start({ ...original, rateLimits: { ...original.rateLimits, submit: 2 } });
    const { token } = await logIn();
    const other = await logIn('other@example.test');
    const body = JSON.stringify(sampleAnswers);
    const send = async (by: string) => {
      const { status, headers, body: answer } = await call('/api/assessment/submit', by, { method: 'POST', body });
      return { status, left: headers.get('ratelimit-remaining'), ...answer };
    };
    expect([await send(token), await send(token)]).toMatchObject([{ left: '1' }, { left: '0' }]);
    expect(await send(token)).toMatchObject({
      status: 429,
      error: 'ASSESSMENT_RATE_LIMIT_EXCEEDED',
      retryAfter: 3_600,
      left: '0',
    });
    expect(await send(other.token)).toMatchObject({ status: 202, left: '1' });
    expect((await balance(token)).headers.get('ratelimit-limit')).toBe('5000');
  });

  it('lets any user drop the sockets of any other', async () => {
    await start(original);
    const { token } = await logIn();
    await submit(token);
    const socket = await listen(token);
    const reason = next(socket, 'disconnect');
    await call(`/api/notifications/debug/disconnect/${backend.jobs()[0]?.userId}`, undefined, { method: 'POST' });
    expect(await reason).toBe('io server disconnect');
  });
});

describe('what the contract has beside the calls of our client', () => {
  it('works on the same answers once more, under the same ids, for another credit', async () => {
    await start();
    const { token } = await logIn();
    const { jobId, resultId } = await submit(token);
    backend.finishJobs('failed');
    const retry = (body: object, by = token) =>
      call('/api/assessment/retry', by, { method: 'POST', body: JSON.stringify(body) });
    expect(await retry({ jobId })).toMatchObject({
      status: 202,
      body: { data: { jobId, resultId, status: 'queued', remainingTokens: 4 } },
    });
    backend.finishJobs();
    expect((await call(`/api/assessment/status/${jobId}`, token)).body.data).toMatchObject({ status: 'completed' });
    expect([
      (await retry({})).status,
      (await retry({ jobId: randomUUID() })).status,
      (await retry({ resultId }, (await logIn('other@example.test')).token)).status,
    ]).toEqual([400, 404, 403]);
  });

  it('says how long the queue is, to those who are signed in', async () => {
    await start();
    const { token } = await logIn();
    await submit(token);
    expect((await call('/api/assessment/queue/status', token)).body.data).toMatchObject({
      queueLength: 1,
      estimatedWaitTime: '1-5 minutes',
      jobStats: { total: 1, queued: 1, completed: 0 },
    });
    expect((await call('/api/assessment/queue/status')).status).toBe(401);
  });

  it.each([
    ['/health', 'healthy'],
    ['/health/live', 'alive'],
    ['/health/ready', 'ready'],
    ['/health/detailed', 'healthy'],
    ['/api/assessment/health', 'healthy'],
    ['/api/assessment/health/live', 'alive'],
    ['/api/assessment/health/ready', 'ready'],
    ['/api/assessment/health/queue', 'healthy'],
    ['/api/auth/v2/health', 'healthy'],
    ['/api/notifications/health', 'healthy'],
  ])('%s: %s', async (path, status) => {
    await start();
    expect(await call(path)).toMatchObject({ status: 200, body: { status } });
  });
});
