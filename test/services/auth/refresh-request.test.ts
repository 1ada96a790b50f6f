import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createRefreshRequest, REFRESH_TOKEN_KEY } from '../../../src/services/auth/refresh-request.ts';
import { memoryStore } from '../../../src/lib/storage.ts';
import { type LoopbackServer, startServer } from '../../support/http-server.ts';
import { type RecordedLog, recordedLog } from '../../support/recorded-log.ts';
import { T0, virtualClock, type VirtualClock } from '../../../src/testing/virtual-clock.ts';

let server: LoopbackServer;
let clock: VirtualClock;
let recorded: RecordedLog;
let store: ReturnType<typeof memoryStore>;

beforeEach(async () => {
  server = await startServer();
  clock = virtualClock();
  recorded = recordedLog();
  store = memoryStore();
});
afterEach(() => server.close());

function createRequest(transport: 'cookie' | 'body' = 'cookie', fetchIt: typeof fetch = fetch) {
  const { log } = recorded;
  const options = { fetch: fetchIt, clock, baseUrl: server.url, log, path: '/refresh', timeoutMs: 15_000 };
  return createRefreshRequest({ ...options, transport, store });
}

const yes = (data: unknown) => ({ success: true, data });

describe('with the refresh token in a cookie', () => {
  it('sends an empty body with credentials and keepalive', async () => {
    server.reply(200, yes({ idToken: 'fresh' }));
    const sent: unknown[] = [];
    await createRequest('cookie', (input, init) => {
      sent.push(init);
      return fetch(input, init);
    })();
    expect(server.requests).toMatchObject([{ method: 'POST', path: '/refresh', body: {} }]);
    expect(server.requests[0]?.headers).not.toHaveProperty('authorization');
    expect(sent).toMatchObject([{ credentials: 'include', keepalive: true }]);
  });

  it('neither sends nor stores a refresh token that scripts can read', async () => {
    store.set(REFRESH_TOKEN_KEY, 'left over');
    server.reply(200, yes({ idToken: 'fresh', refreshToken: 'unasked for' }));
    expect(await createRequest()()).toEqual({ type: 'issued', token: { accessToken: 'fresh' }, sentAt: T0 });
    expect(server.requests[0]?.body).toEqual({});
    expect(store.get(REFRESH_TOKEN_KEY)).toBe('left over');
    store.remove(REFRESH_TOKEN_KEY);
    await createRequest()();
    expect(store.keys()).toEqual([]);
  });
});

describe('with the refresh token in the body', () => {
  it('sends the stored refresh token and stores the new one', async () => {
    store.set(REFRESH_TOKEN_KEY, 'r1');
    server.reply(200, yes({ idToken: 'fresh', refreshToken: 'r2', expiresIn: '3600' }));
    expect(await createRequest('body')()).toEqual({
      type: 'issued',
      token: { accessToken: 'fresh', expiresIn: '3600', refreshToken: 'r2' },
      sentAt: T0,
    });
    expect(server.requests).toMatchObject([{ body: { refreshToken: 'r1' } }]);
    expect(store.get(REFRESH_TOKEN_KEY)).toBe('r2');
  });

  it('reads the stored refresh token at each use', async () => {
    const request = createRequest('body');
    for (const [sent, got] of [
      ['r1', 'r2'],
      ['r2', 'r3'],
    ]) {
      if (sent === 'r1') store.set(REFRESH_TOKEN_KEY, sent);
      server.reply(200, yes({ idToken: 'fresh', refreshToken: got }));
      await request();
    }
    expect(server.requests.map(({ body }) => body)).toEqual([{ refreshToken: 'r1' }, { refreshToken: 'r2' }]);
  });

  it('keeps the stored refresh token where the server does not rotate it', async () => {
    store.set(REFRESH_TOKEN_KEY, 'r1');
    for (const refreshToken of [undefined, null, '']) {
      server.reply(200, yes({ idToken: 'fresh', refreshToken }));
      expect(await createRequest('body')()).toMatchObject({ type: 'issued' });
      expect(store.get(REFRESH_TOKEN_KEY)).toBe('r1');
    }
  });

  it('is rejected without a request when no refresh token is stored', async () => {
    expect(await createRequest('body')()).toEqual({ type: 'rejected' });
    expect(server.requests).toEqual([]);
  });

  it('does not restore a session that was signed out during the request', async () => {
    store.set(REFRESH_TOKEN_KEY, 'r1');
    server.answer((response) => {
      store.remove(REFRESH_TOKEN_KEY);
      response.end(JSON.stringify(yes({ idToken: 'fresh', refreshToken: 'r2' })));
    });
    await createRequest('body')();
    expect(store.get(REFRESH_TOKEN_KEY)).toBeNull();
  });

  it('does not overwrite the refresh token of another user who signed in during the request', async () => {
    store.set(REFRESH_TOKEN_KEY, "ann's");
    server.answer((response) => {
      store.set(REFRESH_TOKEN_KEY, "bob's");
      response.end(JSON.stringify(yes({ idToken: 'fresh', refreshToken: "ann's next" })));
    });
    await createRequest('body')();
    expect(store.get(REFRESH_TOKEN_KEY)).toBe("bob's");
  });
});

describe('the answer of a refresh', () => {
  it('contains the token and the time when the request was sent', async () => {
    server.answer((response) => {
      clock.jump(2_000);
      response.end(JSON.stringify(yes({ idToken: 'fresh', expiresIn: 300 })));
    });
    expect(await createRequest()()).toEqual({
      type: 'issued',
      token: { accessToken: 'fresh', expiresIn: 300 },
      sentAt: T0,
    });
  });

  it.each([{ refreshToken: null }, { refreshToken: 5 }, { expiresIn: null }, { expiresIn: [] }])(
    'is a token although %j beside it makes no sense: it was rotated, and must not get lost',
    async (odd) => {
      server.reply(200, yes({ idToken: 'fresh', ...odd }));
      expect(await createRequest()()).toMatchObject({ type: 'issued', token: { accessToken: 'fresh' } });
    },
  );

  it.each([401, 400, 403, 409, 422])('is "rejected" for the status %i', async (status) => {
    server.reply(status, { success: false, error: { code: 'INVALID_REFRESH_TOKEN', message: 'no' } });
    expect(await createRequest()()).toEqual({ type: 'rejected' });
  });

  it.each<[string, number, unknown]>([
    ['an auth error under another 4xx', 404, { success: false, error: 'TOKEN_EXPIRED' }],
    ['invalid_grant under a success status', 200, { error: 'invalid_grant' }],
    ['a refused success', 200, { success: false, error: { code: 'REFRESH_TOKEN_REVOKED', message: 'no' } }],
  ])('is "rejected" for %s', async (_case, status, body) => {
    server.reply(status, body);
    expect(await createRequest()()).toEqual({ type: 'rejected' });
  });

  it.each<[string, number, unknown]>([
    ['the page of a firewall', 403, '<html>Blocked</html>'],
    ['an HTML page with status 401', 401, '<html>Sign in</html>'],
    ['the JSON of a gateway without a code', 403, { message: 'Forbidden' }],
    ['an auth error with which a broken server answers', 500, { success: false, error: 'TOKEN_EXPIRED' }],
  ])('keeps the session for %s', async (_case, status, body) => {
    server.reply(status, body, { 'content-type': typeof body === 'string' ? 'text/html' : 'application/json' });
    expect(await createRequest()()).toEqual({ type: 'transient', retryAfterMs: null });
  });

  it.each<[string, string, Record<string, string>]>([
    ['the password prompt of a proxy', '', { 'www-authenticate': 'Basic realm="staging"' }],
    ['a page that is sent as plain text', '<!DOCTYPE html><html></html>', { 'content-type': 'text/plain' }],
    ['the XML of a storage service', '<Error/>', { 'content-type': 'application/xml' }],
  ])('keeps the session for a 401 with %s', async (_case, body, headers) => {
    server.reply(401, body, headers);
    expect(await createRequest()()).toEqual({ type: 'transient', retryAfterMs: null });
  });

  it('is "limited" for a 429', async () => {
    server.reply(429, { success: false, error: 'AUTH_RATE_LIMIT_EXCEEDED', retryAfter: 90 });
    expect(await createRequest()()).toEqual({ type: 'limited', retryAfterMs: 90_000 });
    server.reply(429, {});
    expect(await createRequest()()).toEqual({ type: 'limited', retryAfterMs: null });
  });

  it.each([500, 502, 503, 504, 520, 408])('keeps the session for the status %i', async (status) => {
    server.reply(status, '<html>', { 'retry-after': '20' });
    expect(await createRequest()()).toEqual({ type: 'transient', retryAfterMs: 20_000 });
  });

  it('keeps the session when the endpoint is missing, as during a deployment', async () => {
    server.reply(404, {}, { 'retry-after': '20' });
    expect(await createRequest()()).toEqual({ type: 'transient', retryAfterMs: 20_000 });
  });

  it.each([
    ['nothing', ''],
    ['a login page', '<html>Sign in</html>'],
    ['half of the JSON', '{"success":true,"data":{"idTok'],
    ['JSON without data', { success: true }],
    ['data without a token', yes({ expiresIn: 300 })],
    ['an empty token', yes({ idToken: '' })],
    ['a token that is no text', yes({ idToken: { value: 'x' } })],
    ['null', 'null'],
  ])('is ambiguous when a success contains %s, because the token was probably rotated', async (_case, body) => {
    server.reply(200, body);
    expect(await createRequest()()).toEqual({ type: 'ambiguous' });
    expect(recorded.of('request.finished')).toMatchObject([{ outcome: 'transient', status: 200 }]);
  });

  it('is ambiguous when its token has a character that no header can carry, and keeps the next refresh token', async () => {
    store.set(REFRESH_TOKEN_KEY, 'r1');
    server.reply(200, yes({ idToken: 'fre\u2028sh', refreshToken: 'r2' }));
    expect(await createRequest('body')()).toEqual({ type: 'ambiguous' });
    expect(store.get(REFRESH_TOKEN_KEY)).toBe('r2');
    expect(recorded.of('token.unsendable')).toHaveLength(1);
  });

  it('is ambiguous when the connection breaks, before an answer or in the middle of one', async () => {
    server.answer((response) => response.destroy());
    expect(await createRequest()()).toEqual({ type: 'ambiguous' });
    server.answer((response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('{"success":true', () => response.destroy());
    });
    expect(await createRequest()()).toEqual({ type: 'ambiguous' });
  });

  it('is ambiguous after the timeout, and leaves no timer', async () => {
    server.answer(() => {});
    const answer = createRequest()();
    await server.received(1);
    // The body of the request gets its time on a slow line.
    await clock.run(16_000);
    expect(await answer).toEqual({ type: 'ambiguous' });
    expect(clock.armed()).toBe(0);
  });

  it('is ambiguous when fetch itself throws', async () => {
    const broken: typeof fetch = () => {
      throw new TypeError('no fetch here');
    };
    expect(await createRequest('cookie', broken)()).toEqual({ type: 'ambiguous' });
  });

  it('is always one of the five types, for any response', async () => {
    const status = fc.integer({ min: 200, max: 599 }).filter((it) => it !== 204 && it !== 205 && it !== 304);
    await fc.assert(
      fc.asyncProperty(status, fc.oneof(fc.json(), fc.string()), async (status, body) => {
        const answering: typeof fetch = async () => new Response(body, { status });
        const { type } = await createRequest('cookie', answering)();
        expect(['issued', 'limited', 'transient', 'ambiguous', 'rejected']).toContain(type);
      }),
    );
  });
});

describe('the log', () => {
  it('has one line for the start and one for the end, without a token or an address', async () => {
    store.set(REFRESH_TOKEN_KEY, 's3cret-r1');
    server.answer((response) => {
      clock.jump(250);
      response.end(JSON.stringify(yes({ idToken: 's3cret-t', refreshToken: 's3cret-r2' })));
    });
    await createRequest('body')();
    expect(recorded.events).toEqual([
      { type: 'request.started', route: 'refresh', generation: null },
      { type: 'request.finished', route: 'refresh', outcome: 'ok', status: 200, generation: null, ms: 250 },
    ]);
  });

  it.each([
    [401, 'rejected'],
    [404, 'transient'],
    [429, 'transient'],
    [503, 'transient'],
  ] as const)('calls the status %i %s', async (status, outcome) => {
    server.reply(status, {});
    await createRequest()();
    expect(recorded.of('request.finished')).toMatchObject([{ status, outcome }]);
  });

  it('has no status where there was no answer', async () => {
    server.answer((response) => response.destroy());
    await createRequest()();
    expect(recorded.of('request.finished')).toMatchObject([{ status: null, outcome: 'transient' }]);
  });
});
