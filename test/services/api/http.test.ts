import { getEventListeners } from 'node:events';
import { Subject } from 'rxjs';
import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { TransientError } from '../../../src/lib/errors.ts';
import { sleep } from '../../../src/lib/clock.ts';
import { exchange, type HttpRequest, MAX_SILENCES } from '../../../src/services/api/http.ts';
import { type Deferred, deferred, watch } from '../../support/deferred.ts';
import { type LoopbackServer, startServer } from '../../support/http-server.ts';
import { settle, T0, virtualClock, type VirtualClock } from '../../../src/testing/virtual-clock.ts';

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

  it('goes past every cache, and sends cookies where the caller asks for it', async () => {
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

  it('is null where neither header nor body names it', async () => {
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
    await expect(ask()).rejects.toMatchObject({ code: 'network', status: 200 });
  });

  it('waits as long as the caller says, and no longer', async () => {
    server.answer(() => {});
    const asked = watch(ask());
    await server.received(1);
    await clock.run(4_999);
    expect(asked.state).toBe('pending');
    await clock.run(1);
    expect(asked).toMatchObject({ state: 'rejected', error: network(/for 5000 ms/) });
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
    await clock.run(4_999);
    expect(asked.state).toBe('pending');
    await clock.run(1);
    expect(asked).toMatchObject({ state: 'rejected', error: network(/for 5000 ms/) });
  });

  it('does not cut a body that makes progress', async () => {
    let response: ServerResponse | undefined;
    server.answer((its) => {
      response = its;
      its.writeHead(200).write('{"data":"');
    });
    let parts = 0;
    const arrived = async (count: number) => vi.waitFor(() => expect(parts).toBeGreaterThanOrEqual(count));
    const asked = ask({}, async (...args) => counted(await fetch(...args), () => (parts += 1)));
    for (let part = 1; part <= 8; part += 1) {
      await arrived(part);
      await clock.run(4_000);
      response?.write('x');
    }
    await arrived(9);
    response?.end('"}');
    expect((await asked).body).toEqual({ data: 'xxxxxxxx' });
  });

  it('does not read a body for ever', async () => {
    const stream = new ReadableStream({
      async pull(controller) {
        // One byte each two seconds: progress without an end.
        await sleep(clock, 2_000);
        controller.enqueue(new TextEncoder().encode('x'));
      },
    });
    const slow = new Response(stream);
    const asked = watch(ask({}, () => Promise.resolve(slow)));
    for (let passed = 0; passed < MAX_SILENCES * 5_000; passed += 1_000) await clock.run(1_000);
    expect(asked).toMatchObject({ state: 'rejected', error: { code: 'network' } });
  });

  it('gives a large request the time that a slow line needs', async () => {
    server.answer(() => {});
    const asked = watch(ask({ method: 'POST', body: 'x'.repeat(1_600_000) }));
    await server.received(1);
    await clock.run(100_000);
    expect(asked.state).toBe('pending');
    await clock.run(6_000);
    expect(asked.state).toBe('rejected');
  });

  it('is not held by a fetch that does not listen to its signal', async () => {
    const asked = watch(ask({}, () => new Promise(() => {})));
    await clock.run(5_000);
    expect(asked).toMatchObject({ state: 'rejected', error: network(/for 5000 ms/) });
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
    expect([clock.armed(), lost$.observed]).toEqual([0, false]);
  });

  it('breaks the connection when it gives up', async () => {
    const closed = deferred();
    server.answer((response) => response.on('close', closed.resolve));
    const asked = watch(ask());
    await server.received(1);
    await clock.run(5_000);
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
    await clock.run(1_999);
    expect(fetches).toHaveLength(1);
    await clock.run(1);
    expect(fetches).toHaveLength(2);
    fetches[first]?.answer.resolve(new Response(JSON.stringify({ first })));
    expect(await answer).toMatchObject({ body: { first }, sentAt: T0 + first * 2_000 });
    // The other one is broken off.
    expect(fetches.every(({ signal }) => signal.aborted)).toBe(true);
    expect(clock.armed()).toBe(0);
  });

  it('is asked for twice at the most, and given up at its time', async () => {
    const { fetches, asked } = handFetch();
    await clock.run(5_000);
    expect(asked).toMatchObject({ state: 'rejected', error: { message: 'nothing arrived for 5000 ms' } });
    expect([fetches.length, clock.armed()]).toEqual([2, 0]);
  });

  it('is not asked for again where it may not be any more', async () => {
    const { fetches, answer } = handFetch({ mayAskAgain: () => false });
    await clock.run(4_000);
    expect(fetches).toHaveLength(1);
    fetches[0]?.answer.resolve(new Response('{}'));
    await answer;
    expect([clock.armed(), fetches[0]?.signal.aborted]).toEqual([0, false]);
  });

  it('is not asked for again when it has begun to come', async () => {
    const { fetches, asked } = handFetch();
    const body = new TransformStream<Uint8Array, Uint8Array>();
    fetches[0]?.answer.resolve(new Response(body.readable));
    await clock.run(4_000);
    expect(fetches).toHaveLength(1);
    await body.writable.close();
    await settle();
    expect([asked.state, clock.armed()]).toEqual(['resolved', 0]);
  });

  it('is not asked for again when there was an answer, or a network that gave none', async () => {
    const [good, bad] = [handFetch(), handFetch()];
    good.fetches[0]?.answer.resolve(new Response('{}'));
    bad.fetches[0]?.answer.reject(new TypeError('fetch failed'));
    await clock.run(4_000);
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
    expect(clock.armed()).toBe(0);
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
    const left = () => [clock.armed(), getEventListeners(signal, 'abort').length, Number(lost$.observed)];

    server.reply(200, {});
    const asked = ask({ signal, lost$ });
    expect(left()).toEqual([2, 1, 1]);
    await asked;
    expect(left()).toEqual([0, 0, 0]);

    server.answer((response) => response.destroy());
    await expect(ask({ signal, lost$ })).rejects.toBeInstanceOf(TransientError);
    expect(left()).toEqual([0, 0, 0]);

    const { controller, asked: aborted } = abortableAsk(() => new Promise(() => {}));
    controller.abort(reason);
    await settle();
    expect(aborted.state).toBe('rejected');
    expect([clock.armed(), getEventListeners(controller.signal, 'abort').length]).toEqual([0, 0]);
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

describe('a redirect', () => {
  let elsewhere: LoopbackServer;
  beforeEach(async () => {
    elsewhere = await startServer();
    elsewhere.reply(200, { data: { jobId: 'stolen' } });
  });
  afterEach(() => elsewhere.close());

  it.each([301, 302, 303, 307, 308])(
    'of status %i to another origin is refused, whatever the method',
    async (status) => {
      server.answer((response) => response.writeHead(status, { location: `${elsewhere.url}/thing` }).end());
      for (const request of [{}, { method: 'POST', body: { answers: [1] } }] as const)
        await expect(ask(request)).resolves.toMatchObject({ body: undefined, isRedirected: true });
      expect(elsewhere.requests).toEqual([]);
    },
  );

  it.each([307, 308])('of status %i within the origin is followed with method and body', async (status) => {
    server.answer((response, { path }) =>
      path === '/thing'
        ? response.writeHead(status, { location: '/other' }).end()
        : response.writeHead(200).end('{"data":1}'),
    );
    await expect(ask({ method: 'POST', body: { a: 1 } })).resolves.toMatchObject({ status: 200, body: { data: 1 } });
    expect(server.requests).toMatchObject([{ path: '/thing' }, { path: '/other', method: 'POST', body: { a: 1 } }]);
  });

  it('that would lose the body is refused', async () => {
    server.answer((response) => response.writeHead(302, { location: '/login' }).end());
    await expect(ask({ method: 'POST', body: {} })).resolves.toMatchObject({ status: 302, isRedirected: true });
    expect(server.requests).toHaveLength(1);
  });

  it('in a circle ends', async () => {
    server.answer((response) => response.writeHead(302, { location: '/thing' }).end());
    await expect(ask()).resolves.toMatchObject({ status: 302, isRedirected: true });
    expect(server.requests.length).toBeLessThan(6);
  });

  it('that a browser hides is refused where the page is on another origin', async () => {
    const hidden = { type: 'opaqueredirect', status: 0, headers: new Headers(), body: null } as Response;
    const fetches: (RequestInit | undefined)[] = [];
    const answer = await ask({}, (_url, init) => {
      fetches.push(init);
      return Promise.resolve(hidden);
    });
    expect(answer).toMatchObject({ body: undefined, isRedirected: true });
    expect(fetches).toMatchObject([{ redirect: 'manual' }]);
  });

  it('that a custom fetch followed to another origin is not read', async () => {
    const foreign = new Response('{"data":{"jobId":"stolen"}}');
    Object.defineProperties(foreign, { redirected: { value: true }, url: { value: `${elsewhere.url}/x` } });
    await expect(ask({}, () => Promise.resolve(foreign))).resolves.toMatchObject({
      body: undefined,
      isRedirected: true,
    });
  });
});

/** The same response, whose body tells of each part that is read. */
function counted(response: Response, onPart: () => void): Response {
  const counting = new TransformStream<Uint8Array, Uint8Array>({
    transform(part, controller) {
      onPart();
      controller.enqueue(part);
    },
  });
  return new Response(response.body?.pipeThrough(counting) ?? null, response);
}
