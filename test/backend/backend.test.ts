import { randomUUID } from 'node:crypto';
import { io, type Socket } from 'socket.io-client';
import { afterEach, describe, expect, it } from 'vitest';
import { type Backend, type StartOptions, startBackend } from '../../backend/index.ts';
import { sampleAnswers } from '../../demo/sample-answers.ts';
import { cookieFetch } from '../../e2e/scenarios/cookie-fetch.ts';

/* The reference backend is a judge; here it is judged itself, over real HTTP and real sockets. */

let backend: Backend;
let browser: typeof fetch;
const sockets: Socket[] = [];

const start = async (options: StartOptions = {}) => {
  backend = await startBackend({ accessTokenTtlMs: 600_000, jobDurationMs: 600_000, refreshIntervalMs: 0, ...options });
  browser = cookieFetch();
};
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.disconnect();
  await backend.close();
});

interface Answer {
  status: number;
  headers: Headers;
  // Bodies are asserted on, field by field.
  body: Record<string, never>;
}
const call = async (
  method: string,
  path: string,
  { token, body, headers }: { token?: string; body?: unknown; headers?: Record<string, string> } = {},
): Promise<Answer> => {
  const response = await browser(backend.url + path, {
    method,
    credentials: 'include',
    headers: { 'Content-Type': 'application/json', ...(token ? { Authorization: `Bearer ${token}` } : {}), ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  return {
    status: response.status,
    headers: response.headers,
    body: JSON.parse((await response.text()) || 'null') as Answer['body'],
  };
};
const at = (value: unknown, ...path: string[]): unknown =>
  path.reduce<unknown>((it, key) => (it as Record<string, unknown> | null)?.[key], value);
const logIn = async (email = 'user@example.test'): Promise<string> => {
  const { body } = await call('POST', '/api/auth/v2/login', { body: { email, password: 'correct-horse' } });
  return at(body, 'data', 'idToken') as string;
};
const submit = async (token: string, headers?: Record<string, string>) => {
  const answer = await call('POST', '/api/assessment/submit', {
    token,
    body: sampleAnswers,
    ...(headers ? { headers } : {}),
  });
  return {
    ...answer,
    jobId: at(answer.body, 'data', 'jobId') as string,
    resultId: at(answer.body, 'data', 'resultId') as string,
  };
};
const refresh = (body: unknown = {}) => call('POST', '/api/auth/v2/refresh', { body });
const connect = (token?: unknown, transports = ['websocket']): Socket => {
  const socket = io(backend.url, { transports, reconnection: false, forceNew: true });
  sockets.push(socket);
  if (token !== undefined) socket.on('connect', () => socket.emit('authenticate', token));
  return socket;
};
const event = <T>(socket: Socket, name: string): Promise<T> => new Promise((resolve) => socket.once(name, resolve));

describe('assessments', () => {
  it('are accepted with 202, both ids and the remaining credit', async () => {
    await start({ initialBalance: 3 });
    const { status, body } = await submit(await logIn());
    expect(status).toBe(202);
    expect(at(body, 'data')).toMatchObject({
      status: 'queued',
      tokenCost: 1,
      remainingTokens: 2,
      jobId: expect.any(String),
      resultId: expect.any(String),
    });
  });

  it('are accepted once per idempotency key, also when two come at the same time', async () => {
    await start();
    const token = await logIn();
    const headers = { 'Idempotency-Key': randomUUID() };
    const [first, second] = await Promise.all([submit(token, headers), submit(token, headers)]);
    const third = await submit(token, headers);
    expect(new Set([first.jobId, second.jobId, third.jobId]).size).toBe(1);
    expect(third.headers.get('x-idempotency-cache')).toBe('HIT');
    expect(backend.counts()).toMatchObject({ submissionsAccepted: 1, submissionReplays: 2, submitCalls: 3 });
  });

  it('are not recognised while idempotency is off', async () => {
    await start({ idempotency: false });
    const token = await logIn();
    const headers = { 'Idempotency-Key': randomUUID() };
    expect((await submit(token, headers)).jobId).not.toBe((await submit(token, headers)).jobId);
  });

  it('keep keys apart by user, and refuse one that comes with other answers', async () => {
    await start();
    const headers = { 'Idempotency-Key': 'the-same-key' };
    const token = await logIn();
    const mine = await submit(token, headers);
    expect((await submit(await logIn('other@example.test'), headers)).jobId).not.toBe(mine.jobId);
    const changed = await call('POST', '/api/assessment/submit', {
      token,
      headers,
      body: { riasec: { realistic: 1 } },
    });
    expect([changed.status, at(changed.body, 'error', 'code')]).toEqual([422, 'IDEMPOTENCY_KEY_REUSED']);
  });

  it.each([
    ['not JSON', '{"riasec":', 400],
    ['null', 'null', 400],
    ['a list', '[]', 400],
    ['scores out of range', { assessment_data: { riasec: { realistic: 101 } } }, 400],
    ['more than 10 MB', `"${'x'.repeat(11 * 1_024 * 1_024)}"`, 413],
  ])('that are %s are refused', async (_, body, status) => {
    await start();
    const answer = await call('POST', '/api/assessment/submit', { token: await logIn(), body });
    expect(answer.status).toBe(status);
    expect(backend.counts().submissionsAccepted).toBe(0);
  });

  it('that cannot be paid are refused with 402 and the figures', async () => {
    await start({ initialBalance: 0 });
    const { status, body } = await submit(await logIn());
    expect([status, at(body, 'error', 'details')]).toEqual([402, { required: 1, available: 0 }]);
  });

  it('have a result of null until they are done, and a real one then', async () => {
    await start();
    const token = await logIn();
    const { jobId, resultId } = await submit(token);
    const result = () => call('GET', `/api/archive/results/${resultId}`, { token });
    expect(at((await result()).body, 'data', 'test_result')).toBeNull();
    backend.finishJobs();
    expect(at((await result()).body, 'data', 'test_result', 'archetype')).toBe('The Explorer');
    const status = await call('GET', `/api/assessment/status/${jobId}`, { token });
    expect(at(status.body, 'data')).toMatchObject({ jobId, resultId, status: 'completed', progress: 100 });
  });

  it('that fail give the credit back and say why', async () => {
    await start({ initialBalance: 1 });
    const token = await logIn();
    const { jobId } = await submit(token);
    backend.finishJobs('failed');
    expect(at((await call('GET', `/api/assessment/status/${jobId}`, { token })).body, 'data')).toMatchObject({
      status: 'failed',
      error: expect.any(String),
    });
    expect(at((await call('GET', '/api/auth/token-balance', { token })).body, 'data', 'token_balance')).toBe(1);
  });

  it('of another user are forbidden, and unknown ones not found', async () => {
    await start();
    const { jobId, resultId } = await submit(await logIn());
    const token = await logIn('other@example.test');
    for (const path of [
      `/api/assessment/status/${jobId}`,
      `/api/archive/results/${resultId}`,
      `/api/archive/jobs/${jobId}`,
    ]) {
      expect((await call('GET', path, { token })).status).toBe(403);
      expect((await call('GET', path.replace(/[^/]+$/, 'unknown'), { token })).status).toBe(404);
    }
  });
});

describe('access tokens', () => {
  it('are asked for in the flat dialect', async () => {
    await start();
    expect((await call('GET', '/api/auth/token-balance')).body).toMatchObject({
      success: false,
      error: 'UNAUTHORIZED',
    });
    expect((await call('GET', '/api/auth/token-balance', { token: 'garbage' })).body).toEqual({
      success: false,
      error: 'INVALID_TOKEN',
      message: 'Invalid or expired token',
    });
    expect(backend.counts().unauthorizedAnswers).toBe(2);
  });

  it('past their announced expiry are counted; those that were ended early are not', async () => {
    await start({ accessTokenTtlMs: 0 });
    const expired = await logIn();
    backend.configure({ accessTokenTtlMs: 600_000 });
    const ended = await logIn();
    backend.endTokens();
    for (const token of [expired, ended])
      expect((await call('GET', '/api/auth/token-balance', { token })).status).toBe(401);
    expect(backend.counts()).toMatchObject({ requestsWithExpiredToken: 1, unauthorizedAnswers: 2 });
  });

  it('are all refused during an outage of the verifier, and good again after it', async () => {
    await start();
    const token = await logIn();
    backend.configure({ authOutage: true });
    expect((await call('GET', '/api/auth/token-balance', { token })).status).toBe(401);
    backend.configure({ authOutage: false });
    expect((await call('GET', '/api/auth/token-balance', { token })).status).toBe(200);
  });

  it('carry no address', async () => {
    await start();
    const [, payload = ''] = (await logIn()).split('.');
    expect(Buffer.from(payload, 'base64url').toString()).not.toContain('@');
  });
});

describe('refreshes', () => {
  it('rotate the cookie and end the token before at once', async () => {
    await start();
    const old = await logIn();
    const answer = await refresh();
    expect(answer.headers.get('set-cookie')).toMatch(/^__Host-refresh=[^;]+;.*HttpOnly; Secure; SameSite=Strict$/);
    expect(at(answer.body, 'data')).toEqual({ idToken: expect.any(String), expiresIn: '600' });
    expect((await call('GET', '/api/auth/token-balance', { token: old })).status).toBe(401);
    expect(
      (await call('GET', '/api/auth/token-balance', { token: at(answer.body, 'data', 'idToken') as string })).status,
    ).toBe(200);
  });

  it('with a token that was used before end the session', async () => {
    await start({ refreshTransport: 'body' });
    const login = await call('POST', '/api/auth/v2/login', {
      body: { email: 'user@example.test', password: 'correct-horse' },
    });
    const refreshToken = at(login.body, 'data', 'refreshToken');
    const { body } = await refresh({ refreshToken });
    expect((await refresh({ refreshToken })).status).toBe(401);
    expect((await refresh({ refreshToken: at(body, 'data', 'refreshToken') })).status).toBe(401);
    expect(
      (await call('GET', '/api/auth/token-balance', { token: at(body, 'data', 'idToken') as string })).status,
    ).toBe(401);
    expect(backend.counts()).toMatchObject({ refreshes: 1, reuseDetections: 1, refreshesRejected: 2 });
  });

  it('that race: one is granted, one ends the session', async () => {
    await start({ refreshTransport: 'body' });
    const login = await call('POST', '/api/auth/v2/login', {
      body: { email: 'user@example.test', password: 'correct-horse' },
    });
    const refreshToken = at(login.body, 'data', 'refreshToken');
    const answers = await Promise.all([refresh({ refreshToken }), refresh({ refreshToken })]);
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 401]);
  });

  it('come at most once a minute; the 429 says when, and rotates nothing', async () => {
    await start({ refreshIntervalMs: 60_000 });
    await logIn();
    expect((await refresh()).status).toBe(200);
    const limited = await refresh();
    expect([limited.status, limited.headers.get('retry-after'), at(limited.body, 'retryAfter')]).toEqual([
      429,
      '60',
      60,
    ]);
    backend.configure({ refreshIntervalMs: 0 });
    expect((await refresh()).status).toBe(200);
    expect(backend.counts()).toMatchObject({ refreshCalls: 3, refreshes: 2, refreshesLimited: 1 });
  });

  it('are rejected without a cookie, after a sign-out, and when the session was revoked', async () => {
    await start();
    expect((await refresh()).status).toBe(401);
    const token = await logIn();
    expect((await call('POST', '/api/auth/v2/logout', { token })).status).toBe(200);
    expect((await refresh()).status).toBe(401);
    await logIn();
    backend.revokeSessions();
    const { status, body } = await refresh();
    expect([status, at(body, 'error', 'code'), body.message]).toEqual([
      401,
      'INVALID_REFRESH_TOKEN',
      'Operation failed',
    ]);
  });
});

describe('signing in', () => {
  it.each([
    [{ email: 'user@elsewhere.test', password: 'correct-horse' }, 404],
    [{ email: 'user@example.test', password: 'wrong' }, 401],
    [{ email: 'user@example.test' }, 400],
    ['nonsense{', 400],
  ])('with %j is refused', async (body, status) => {
    await start();
    expect((await call('POST', '/api/auth/v2/login', { body })).status).toBe(status);
    expect((await call('POST', '/api/auth/login', { body })).status).toBe(status);
  });

  it('the old way gives one token that is good for days and cannot be refreshed', async () => {
    await start();
    const { body, headers } = await call('POST', '/api/auth/login', {
      body: { username: 'user@example.test', password: 'correct-horse' },
    });
    expect(headers.get('set-cookie')).toBeNull();
    expect((await submit(at(body, 'data', 'token') as string)).status).toBe(202);
  });
});

describe('sockets', () => {
  it.each([['polling'], ['polling', 'websocket']].map((transports) => [transports.join(', '), transports]))(
    'are accepted over the transports %s, with CORS headers for a page of another origin',
    async (_names, transports) => {
      await start();
      const socket = connect({ token: await logIn() }, transports as string[]);
      expect(await event(socket, 'authenticated')).toMatchObject({ success: true });
      const handshake = await fetch(`${backend.url}/socket.io/?EIO=4&transport=polling`, {
        headers: { Origin: 'http://localhost:5173' },
      });
      expect(handshake.headers.get('access-control-allow-origin')).toBe('http://localhost:5173');
      await handshake.text();
    },
  );

  it('are authenticated by event and then hear of their user only', async () => {
    await start();
    const token = await logIn();
    const socket = connect({ token });
    expect(await event(socket, 'authenticated')).toMatchObject({ success: true, tokenType: 'jwt' });
    const heard: unknown[] = [];
    socket.onAny((name: string, payload: unknown) => heard.push([name, payload]));
    await submit(await logIn('other@example.test'));
    const { jobId, resultId } = await submit(token);
    const completed = event(socket, 'analysis-complete');
    backend.finishJobs();
    expect(await completed).toMatchObject({ jobId, result_id: resultId, status: 'completed' });
    expect(heard.filter((it) => JSON.stringify(it).includes('analysis-complete'))).toHaveLength(1);
  });

  it.each([
    ['no payload', null],
    ['an empty token', { token: '' }],
    ['a number', { token: 7 }],
  ])('survive an authentication with %s: refused, and left open', async (_, payload) => {
    await start();
    const socket = connect(payload);
    expect(await event(socket, 'auth_error')).toEqual({ message: 'Token required' });
    expect(backend.openConnections().sockets).toBe(1);
  });

  it('with a dead token receive an error and are disconnected by the server', async () => {
    await start();
    const token = await logIn();
    backend.endTokens();
    const socket = connect({ token });
    const gone = event<string>(socket, 'disconnect');
    expect(await event(socket, 'auth_error')).toEqual({ message: 'Invalid or expired token' });
    expect(await gone).toBe('io server disconnect');
    expect(backend.counts().socketsRefused).toBe(1);
  });

  it.each([
    ['dropSockets', false, 1006],
    ['closeSockets', true, 1005],
  ] as const)('end by %s in order: %s (code %i)', async (end, wasClean, code) => {
    await start();
    const socket = connect({ token: await logIn() });
    await event(socket, 'authenticated');
    const ended = new Promise((resolve) => {
      socket.once('disconnect', (...said) => resolve(said));
    });
    backend[end]();
    expect(await ended).toMatchObject(['transport close', { context: { wasClean, code } }]);
  });

  it('can be kicked and refused', async () => {
    await start();
    const token = await logIn();
    const kicked = connect({ token });
    await event(kicked, 'authenticated');
    const end2 = event<string>(kicked, 'disconnect');
    backend.kickSockets();
    expect(await end2).toBe('io server disconnect');
    backend.configure({ sockets: 'refuse' });
    expect(await event(connect({ token }), 'connect_error')).toBeInstanceOf(Error);
  });
});

describe('faults', () => {
  it.each(['reset', 'drop-answer'] as const)('%s breaks the connection, as often as its rule says', async (kind) => {
    await start({ faults: [{ route: 'submit', kind, times: 1 }] });
    const token = await logIn();
    await expect(submit(token)).rejects.toThrow();
    expect((await submit(token)).status).toBe(202);
    expect(backend.counts().submissionsAccepted).toBe(kind === 'reset' ? 1 : 2);
  });

  it('status and body answer what their rule says', async () => {
    await start({
      faults: [
        { route: 'balance', kind: 'status', status: 503, retryAfter: '7', times: 1 },
        { route: 'balance', kind: 'body', body: '"odd"', times: 1 },
      ],
    });
    const token = await logIn();
    const failed = await call('GET', '/api/auth/token-balance', { token });
    expect([failed.status, failed.headers.get('retry-after')]).toEqual([503, '7']);
    expect((await call('GET', '/api/auth/token-balance', { token })).body).toBe('odd');
    expect((await call('GET', '/api/auth/token-balance', { token })).status).toBe(200);
  });
});

describe('the levers', () => {
  it('are there only when asked for, for the page of this server only', async () => {
    await start();
    expect((await call('GET', '/__control')).status).toBe(404);
    await backend.close();
    await start({ control: true });
    expect((await call('GET', '/__control')).status).toBe(200);
    expect(
      (
        await call('POST', '/__control', {
          body: { configure: { latencyMs: 0 } },
          headers: { Origin: 'http://evil.test' },
        })
      ).status,
    ).toBe(403);
  });

  it('change what they should and refuse what they do not know', async () => {
    await start({ control: true });
    expect(
      (await call('POST', '/__control', { body: { configure: { authOutage: true }, do: 'endTokens' } })).status,
    ).toBe(204);
    expect(backend.options.authOutage).toBe(true);
    for (const body of [
      { do: 'explode' },
      { configure: { port: 1 } },
      { configure: { latencyMs: 'x' } },
      'nonsense{',
    ]) {
      const answer = await call('POST', '/__control', { body });
      expect([answer.status, typeof answer.body.error]).toEqual([400, 'string']);
    }
  });

  it('write no token, address or answer into the log', async () => {
    await start();
    const token = await logIn();
    await submit(token);
    backend.finishJobs();
    const log = JSON.stringify(backend.log());
    expect(log).not.toContain(token);
    expect(log).not.toMatch(/@|archetype|eyJ/);
  });
});
