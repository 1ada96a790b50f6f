import { getEventListeners } from 'node:events';
import { Subject } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RejectedError, TransientError, UnauthorizedError } from '../../../src/lib/errors.ts';
import {
  errorOf,
  exchange,
  type HttpAnswer,
  type HttpRequest,
  readServerError,
} from '../../../src/services/api/http.ts';
import { type Deferred, deferred, watch } from '../../support/deferred.ts';
import { type LoopbackServer, startServer } from '../../support/http-server.ts';
import { settle, T0, virtualClock, type VirtualClock } from '../../support/virtual-clock.ts';

let server: LoopbackServer;
let clock: VirtualClock;

beforeEach(async () => {
  server = await startServer();
  clock = virtualClock();
});
afterEach(() => server.close());

const httpDate = (ms: number) => new Date(ms).toUTCString();

const ask = (request: Partial<HttpRequest> = {}, fetchIt: typeof fetch = fetch) =>
  exchange(
    { fetch: fetchIt, clock, baseUrl: server.url },
    { method: 'GET', path: '/thing', timeoutMs: 5_000, ...request },
  );

describe('what exchange sends', () => {
  it('asks for JSON at the path under the base URL', async () => {
    server.reply(200, {});
    await ask({ path: '/a/b?c=d' });
    expect(server.requests).toMatchObject([{ method: 'GET', path: '/a/b?c=d', body: undefined }]);
    expect(server.requests[0]?.headers).toMatchObject({ accept: 'application/json' });
    expect(server.requests[0]?.headers).not.toHaveProperty('content-type');
  });

  it('sends a body as JSON and says so', async () => {
    server.reply(200, {});
    await ask({ method: 'POST', body: { answers: [1, null] } });
    expect(server.requests).toMatchObject([
      { method: 'POST', body: { answers: [1, null] }, headers: { 'content-type': 'application/json' } },
    ]);
  });

  it.each([null, false, 0, ''])('sends the body %j like any other', async (body) => {
    server.reply(200, {});
    await ask({ method: 'POST', body });
    expect(server.requests).toMatchObject([{ body, headers: { 'content-type': 'application/json' } }]);
  });

  it('adds the headers of the caller', async () => {
    server.reply(200, {});
    await ask({ headers: { Authorization: 'Bearer x' } });
    expect(server.requests[0]?.headers).toMatchObject({ authorization: 'Bearer x', accept: 'application/json' });
  });

  it('goes past every cache, and sends cookies where it is told to', async () => {
    server.reply(200, {});
    const inits: (RequestInit | undefined)[] = [];
    const spy: typeof fetch = (input, init) => {
      inits.push(init);
      return fetch(input, init);
    };
    await ask({}, spy);
    await ask({ credentials: 'include' }, spy);
    expect(inits).toMatchObject([{ cache: 'no-store' }, { cache: 'no-store', credentials: 'include' }]);
    expect(inits[0]).not.toHaveProperty('credentials');
  });
});

describe('what exchange makes of an answer', () => {
  it.each([200, 202, 400, 401, 404, 429, 500, 503])('takes the status %i for an answer', async (status) => {
    server.reply(status, { data: 1 });
    await expect(ask()).resolves.toMatchObject({ status, body: { data: 1 } });
  });

  it.each([
    ['malformed JSON', '{"data":'],
    ['an HTML page', '<html><body>502 Bad Gateway</body></html>'],
    ['nothing', ''],
  ])('gives %s no body, and keeps the status', async (_case, text) => {
    server.reply(502, text);
    await expect(ask()).resolves.toMatchObject({ status: 502, body: undefined });
  });

  it.each([null, 'text', 5, true, []])('reads the JSON %j, odd as it is', async (body) => {
    server.reply(200, JSON.stringify(body));
    await expect(ask()).resolves.toMatchObject({ body, retryAfterMs: null });
  });

  it('says when the request left, however late the answer came', async () => {
    server.answer((response) => {
      clock.jump(3_000);
      response.end('{}');
    });
    await expect(ask()).resolves.toMatchObject({ sentAt: T0 });
  });

  it("reads the server's clock", async () => {
    server.reply(200, {}, { date: httpDate(T0 + 60_000) });
    await expect(ask()).resolves.toMatchObject({ serverNow: T0 + 60_000 });
  });

  it('does without it where a server or a CORS list hides it, or where it is garbage', async () => {
    server.answer((response) => {
      response.sendDate = false;
      response.end('{}');
    });
    await expect(ask()).resolves.toMatchObject({ serverNow: null });
    server.reply(200, {}, { date: 'yesterday' });
    await expect(ask()).resolves.toMatchObject({ serverNow: null });
  });
});

describe('Retry-After', () => {
  const retryAfterOf = async (header: string | undefined, body: unknown, date = httpDate(T0)) => {
    server.reply(429, body, { date, ...(header === undefined ? {} : { 'retry-after': header }) });
    return (await ask()).retryAfterMs;
  };

  it('is read from the header, in seconds or as a date', async () => {
    expect(await retryAfterOf('7', {})).toBe(7_000);
    expect(await retryAfterOf(httpDate(T0 + 9_000), {})).toBe(9_000);
  });

  it("is read from the body where a CORS list hides the header's", async () => {
    expect(await retryAfterOf(undefined, { retryAfter: 7 })).toBe(7_000);
    expect(await retryAfterOf(undefined, { retryAfter: '7' })).toBe(7_000);
    expect(await retryAfterOf(undefined, { retryAfter: httpDate(T0 + 9_000) })).toBe(9_000);
  });

  it("is the header's where both say something, and the body's where the header says nothing usable", async () => {
    expect(await retryAfterOf('7', { retryAfter: 70 })).toBe(7_000);
    expect(await retryAfterOf('0', { retryAfter: 70 })).toBe(70_000);
    expect(await retryAfterOf('soon', { retryAfter: 70 })).toBe(70_000);
  });

  it('is null where nobody says anything', async () => {
    expect(await retryAfterOf(undefined, {})).toBeNull();
    expect(await retryAfterOf(undefined, null)).toBeNull();
    expect(await retryAfterOf(undefined, '<html>')).toBeNull();
  });

  it("counts a date from the server's clock, which may differ from ours", async () => {
    const serverNow = T0 + 3_600_000;
    expect(await retryAfterOf(httpDate(serverNow + 5_000), {}, httpDate(serverNow))).toBe(5_000);
    expect(await retryAfterOf(undefined, { retryAfter: httpDate(serverNow + 5_000) }, httpDate(serverNow))).toBe(5_000);
  });

  it("counts a date from our clock where the server's is not known", async () => {
    expect(await retryAfterOf(httpDate(T0 + 5_000), {}, 'unknown')).toBe(5_000);
    expect(await retryAfterOf(undefined, { retryAfter: httpDate(T0 + 5_000) }, 'unknown')).toBe(5_000);
  });

  it('counts on successes as well', async () => {
    server.reply(202, {}, { 'retry-after': '7' });
    await expect(ask()).resolves.toMatchObject({ retryAfterMs: 7_000 });
  });
});

describe('when no answer comes', () => {
  const network = (message: RegExp) =>
    expect.objectContaining({
      name: 'TransientError',
      code: 'network',
      maybeDone: true,
      retryAfterMs: null,
      message: expect.stringMatching(message) as string,
    });

  it('tells of a connection that is refused', async () => {
    await server.close();
    await expect(ask()).rejects.toEqual(network(/the network gave no answer/));
    server = await startServer();
  });

  it('tells of a connection that is reset', async () => {
    server.answer((response) => response.destroy());
    await expect(ask()).rejects.toEqual(network(/the network gave no answer/));
  });

  it('does not take half a body for an answer', async () => {
    server.answer((response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('{"data":1}', () => response.destroy());
    });
    await expect(ask()).rejects.toEqual(network(/the network gave no answer/));
  });

  it('waits as long as it was told to, and no longer', async () => {
    server.answer(() => {});
    const asked = watch(ask());
    await server.received(1);
    await clock.advance(4_999);
    expect(asked.state).toBe('pending');
    await clock.advance(1);
    expect(asked).toMatchObject({ state: 'rejected', error: network(/within 5000 ms/) });
  });

  it('is not held by a server that dribbles its body', async () => {
    server.answer((response) => response.writeHead(200).write('{"data":'));
    const headersArrived = deferred();
    const asked = watch(
      ask({}, async (...args) => {
        const response = await fetch(...args);
        headersArrived.resolve();
        return response;
      }),
    );
    await headersArrived.promise;
    await clock.advance(4_999);
    expect(asked.state).toBe('pending');
    await clock.advance(1);
    expect(asked).toMatchObject({ state: 'rejected', error: network(/within 5000 ms/) });
  });

  it('is not held by a fetch that does not listen to its signal', async () => {
    const asked = watch(ask({}, () => new Promise(() => {})));
    await clock.advance(5_000);
    expect(asked).toMatchObject({ state: 'rejected', error: network(/within 5000 ms/) });
  });

  it('gives an answer up that counts as lost, and breaks the connection', async () => {
    const closed = deferred();
    server.answer((response) => response.on('close', closed.resolve));
    const lost$ = new Subject<void>();
    const asked = watch(ask({ lost$ }));
    await server.received(1);
    expect(asked.state).toBe('pending');
    lost$.next();
    await closed.promise;
    expect(asked).toMatchObject({ state: 'rejected', error: network(/slept/) });
    expect([clock.timers, lost$.observed]).toEqual([0, false]);
  });

  it('breaks the connection when it gives up', async () => {
    const closed = deferred();
    server.answer((response) => response.on('close', closed.resolve));
    const asked = watch(ask());
    await server.received(1);
    await clock.advance(5_000);
    await closed.promise;
    expect(asked.state).toBe('rejected');
  });
});

describe('an answer that is late', () => {
  /** A fetch whose answers come when the test says so. */
  const handFetch = (may: Pick<HttpRequest, 'mayAskAgain'> = {}) => {
    const fetches: { answer: Deferred<Response>; signal: AbortSignal }[] = [];
    const fetchIt = ((_input, init) => {
      const answer = deferred<Response>();
      fetches.push({ answer, signal: init?.signal as AbortSignal });
      return answer.promise;
    }) as typeof fetch;
    const answer = ask({ againAfterMs: 2_000, ...may }, fetchIt);
    return { fetches, answer, asked: watch(answer) };
  };

  it.each([0, 1])('is asked for once more, and the first answer counts: of the two, number %i', async (first) => {
    const { fetches, answer } = handFetch();
    await clock.advance(1_999);
    expect(fetches).toHaveLength(1);
    await clock.advance(1);
    expect(fetches).toHaveLength(2);
    fetches[first]?.answer.resolve(new Response(JSON.stringify({ first })));
    expect(await answer).toMatchObject({ body: { first }, sentAt: T0 + first * 2_000 });
    // The other one is broken off.
    expect(fetches.every(({ signal }) => signal.aborted)).toBe(true);
    expect(clock.timers).toBe(0);
  });

  it('is asked for twice at the most, and given up at its time', async () => {
    const { fetches, asked } = handFetch();
    await clock.advance(5_000);
    expect(asked).toMatchObject({ state: 'rejected', error: { message: 'no answer within 5000 ms' } });
    expect([fetches.length, clock.timers]).toEqual([2, 0]);
  });

  it('is not asked for again where it may not be any more', async () => {
    const { fetches, answer } = handFetch({ mayAskAgain: () => false });
    await clock.advance(4_000);
    expect(fetches).toHaveLength(1);
    fetches[0]?.answer.resolve(new Response('{}'));
    await answer;
    expect([clock.timers, fetches[0]?.signal.aborted]).toEqual([0, false]);
  });

  it('is not asked for again when it has begun to come', async () => {
    const { fetches, asked } = handFetch();
    const body = new TransformStream<Uint8Array, Uint8Array>();
    fetches[0]?.answer.resolve(new Response(body.readable));
    await clock.advance(4_000);
    expect(fetches).toHaveLength(1);
    await body.writable.close();
    await settle();
    expect([asked.state, clock.timers]).toEqual(['resolved', 0]);
  });

  it('is not asked for again when there was an answer, or a network that gave none', async () => {
    const [good, bad] = [handFetch(), handFetch()];
    good.fetches[0]?.answer.resolve(new Response('{}'));
    bad.fetches[0]?.answer.reject(new TypeError('fetch failed'));
    await clock.advance(4_000);
    expect([good.asked.state, bad.asked.state]).toEqual(['resolved', 'rejected']);
    expect([good.fetches.length, bad.fetches.length, good.fetches[0]?.signal.aborted]).toEqual([1, 1, false]);
  });
});

describe('when the caller aborts', () => {
  const reason = new Error('the state was left');
  const abortableAsk = (fetchIt?: typeof fetch) => {
    const controller = new AbortController();
    return { controller, asked: watch(ask({ signal: controller.signal }, fetchIt)) };
  };

  it('sends nothing when that happened before', async () => {
    await expect(ask({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(server.requests).toEqual([]);
    expect(clock.timers).toBe(0);
  });

  it("rejects with the signal's reason, and breaks the connection", async () => {
    const closed = deferred();
    server.answer((response) => response.on('close', closed.resolve));
    const { controller, asked } = abortableAsk();
    await server.received(1);
    controller.abort(reason);
    await closed.promise;
    expect(asked).toEqual({ state: 'rejected', error: reason });
  });

  it('rejects while the body is read, too', async () => {
    server.answer((response) => response.writeHead(200).write('{"data":'));
    const headersArrived = deferred();
    const { controller, asked } = abortableAsk(async (...args) => {
      const response = await fetch(...args);
      headersArrived.resolve();
      return response;
    });
    await headersArrived.promise;
    controller.abort(reason);
    await settle();
    expect(asked).toEqual({ state: 'rejected', error: reason });
  });

  it('rejects although fetch does not listen to its signal', async () => {
    const { controller, asked } = abortableAsk(() => new Promise(() => {}));
    controller.abort(reason);
    await settle();
    expect(asked).toEqual({ state: 'rejected', error: reason });
  });

  it('leaves no timer and no listener, however the exchange ends', async () => {
    const { signal } = new AbortController();
    const lost$ = new Subject<void>();
    const left = () => [clock.timers, getEventListeners(signal, 'abort').length, Number(lost$.observed)];

    server.reply(200, {});
    const asked = ask({ signal, lost$ });
    expect(left()).toEqual([1, 1, 1]);
    await asked;
    expect(left()).toEqual([0, 0, 0]);

    server.answer((response) => response.destroy());
    await expect(ask({ signal, lost$ })).rejects.toBeInstanceOf(TransientError);
    expect(left()).toEqual([0, 0, 0]);

    const { controller, asked: aborted } = abortableAsk(() => new Promise(() => {}));
    controller.abort(reason);
    await settle();
    expect(aborted.state).toBe('rejected');
    expect([clock.timers, getEventListeners(controller.signal, 'abort').length]).toEqual([0, 0]);
  });

  it('leaves nothing on the signal that it gave to fetch, which may live for longer', async () => {
    const given: AbortSignal[] = [];
    const answers = [() => Promise.resolve(new Response('{}')), () => Promise.reject(new TypeError('fetch failed'))];
    for (const answer of answers) {
      const asked = ask({}, (_input, init) => {
        given.push(init?.signal as AbortSignal);
        return answer();
      });
      await asked.catch(() => {});
    }
    expect(given.map((signal) => getEventListeners(signal, 'abort').length)).toEqual([0, 0]);
  });
});

describe('readServerError', () => {
  it('reads the flat dialect of the gateway', () => {
    expect(readServerError({ success: false, error: 'INVALID_TOKEN', message: 'Invalid or expired token' })).toEqual({
      code: 'INVALID_TOKEN',
      message: 'Invalid or expired token',
      details: undefined,
    });
  });

  it('reads the nested dialect of the services', () => {
    expect(
      readServerError({
        success: false,
        error: { code: 'INSUFFICIENT_TOKENS', message: 'Not enough', details: { required: 1, available: 0 } },
      }),
    ).toEqual({ code: 'INSUFFICIENT_TOKENS', message: 'Not enough', details: { required: '1', available: '0' } });
  });

  it('prefers the inner message of auth v2 to the generic one around it', () => {
    const body = { message: 'Operation failed', error: { code: 'USER_DISABLED', message: 'The account is disabled' } };
    expect(readServerError(body).message).toBe('The account is disabled');
    expect(readServerError({ message: 'Operation failed', error: { code: 'X' } }).message).toBe('Operation failed');
  });

  it.each([undefined, null, '', 'text', 5, [], {}, { error: null }, { error: 5 }, { error: [] }, { error: {} }])(
    'makes an empty error of %j, and never the text "undefined"',
    (body) => {
      expect(readServerError(body)).toEqual({ code: '', message: '', details: undefined });
    },
  );

  it.each([
    { code: 5, message: {} },
    { code: null, message: null },
    { code: ['X'], message: true },
  ])('takes the parts %j for missing', (error) => {
    expect(readServerError({ error })).toEqual({ code: '', message: '', details: undefined });
  });

  it('keeps the messages of fields, and leaves out what nobody can read', () => {
    const details = { name: 'is missing', age: 5, nested: { deep: 'x' }, list: ['x'], none: null };
    expect(readServerError({ error: { code: 'VALIDATION_ERROR', details } }).details).toEqual({
      name: 'is missing',
      age: '5',
    });
  });

  it.each([{}, { nested: {} }, 'text', 5, null])('has no details where they are %j', (details) => {
    expect(readServerError({ error: { details } }).details).toBeUndefined();
  });

  it('cuts long texts', () => {
    const long = 'x'.repeat(1_000);
    const read = readServerError({ error: { message: long, details: { field: long } } });
    expect([read.message.length, read.details?.['field']?.length]).toEqual([300, 300]);
    expect(readServerError({ message: long }).message).toHaveLength(300);
  });
});

describe('errorOf', () => {
  const answer = (status: number, body: unknown = {}, retryAfterMs: number | null = null): HttpAnswer => ({
    status,
    body,
    retryAfterMs,
    sentAt: T0,
    serverNow: null,
  });

  it.each([200, 202, 204, 304, 399])('finds nothing wrong with the status %i', (status) => {
    expect(errorOf(answer(status), 1)).toBeNull();
    expect(errorOf(answer(status, { success: true }), 1)).toBeNull();
    expect(errorOf(answer(status, undefined), 1)).toBeNull();
    expect(errorOf(answer(status, null), 1)).toBeNull();
  });

  it.each([undefined, null, {}, { error: 'ANYTHING' }, { error: { code: 'UNAUTHORIZED' } }])(
    'takes a 401 for a refused token, whatever it says: %j',
    (body) => {
      expect(errorOf(answer(401, body), 7)).toEqual(new UnauthorizedError(7));
    },
  );

  it.each(['INVALID_TOKEN', 'UNAUTHORIZED', 'TOKEN_EXPIRED'])(
    'knows %s under any status and in both dialects',
    (code) => {
      for (const status of [400, 403, 404, 429, 500, 502]) {
        expect(errorOf(answer(status, { error: code }), 7)).toBeInstanceOf(UnauthorizedError);
        expect(errorOf(answer(status, { error: { code } }), 7)).toBeInstanceOf(UnauthorizedError);
      }
      expect(errorOf(answer(200, { success: false, error: code }), 7)).toBeInstanceOf(UnauthorizedError);
    },
  );

  it('goes by codes, never by messages', () => {
    expect(errorOf(answer(400, { error: 'X', message: 'INVALID_TOKEN' }), 7)).toBeInstanceOf(RejectedError);
    expect(errorOf(answer(200, { error: 'INVALID_TOKEN' }), 7)).toBeNull();
  });

  it('remembers which token was refused, if one was sent', () => {
    expect(errorOf(answer(401), 7)).toMatchObject({ generation: 7 });
    expect(errorOf(answer(401), null)).toMatchObject({ generation: null });
  });

  it('takes a 429 for proof that nothing was done', () => {
    expect(errorOf(answer(429, { message: 'slow down' }, 9_000), 7)).toMatchObject({
      code: 'rate-limited',
      message: 'slow down',
      retryAfterMs: 9_000,
      maybeDone: false,
    });
    expect(errorOf(answer(429), 7)).toMatchObject({ message: 'too many requests', retryAfterMs: null });
  });

  it.each([500, 502, 503, 504, 520, 599, 408, 425])(
    'hopes that the status %i will pass, and that it may be done',
    (status) => {
      expect(errorOf(answer(status, { message: 'down' }, 9_000), 7)).toMatchObject({
        name: 'TransientError',
        code: 'unavailable',
        message: 'down',
        retryAfterMs: 9_000,
        maybeDone: true,
      });
    },
  );

  it('names the status where the server has no words', () => {
    expect(errorOf(answer(503), 7)?.message).toBe('status 503');
    expect(errorOf(answer(404), 7)?.message).toBe('status 404');
  });

  it('does not take a success that says `success: false` for one', () => {
    expect(errorOf(answer(200, { success: false, message: 'no' }), 7)).toMatchObject({
      code: 'unavailable',
      message: 'no',
    });
    expect(errorOf(answer(200, { success: 'false' }), 7)).toBeNull();
  });

  it.each([
    [400, 'validation'],
    [402, 'insufficient-credit'],
    [403, 'forbidden'],
    [413, 'too-large'],
    [404, 'rejected'],
    [405, 'rejected'],
    [409, 'rejected'],
    [422, 'rejected'],
  ])('takes the status %i for a refusal of its own kind', (status, code) => {
    const error = errorOf(answer(status, { error: { code: 'X', message: 'no', details: { a: 'b' } } }), 7);
    expect(error).toBeInstanceOf(RejectedError);
    expect(error).toMatchObject({ code, status, message: 'no', details: { a: 'b' } });
  });
});
