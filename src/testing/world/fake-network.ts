import type { Conditions } from './conditions.ts';
import { rollOf } from './dice.ts';
import type { FakeServer, Reply, ServerRequest } from './fake-server.ts';
import type { Mishap, Route, World } from './story.ts';
import type { VirtualClock } from './virtual-clock.ts';
import type { Witness } from './witness.ts';

/** One request as it left a page, and what became of it. */
export interface SeenRequest {
  route: Route;
  id: string;
  /** Which page sent it. */
  page: number;
  /** True time. */
  sentAt: number;
  /** How often the clock had been set by then. */
  jumps: number;
  /** What was sent with a submission. */
  body: string;
  /** When its answer reached the page, and what the answer asked for. */
  answeredAt: number | null;
  status: number | null;
  retryAfterMs: number | null;
  /** When it was over for the page, however it ended. */
  endedAt: number | null;
}

/** The network between the pages of one browser and the server, with the browser's cookie jar. */
export interface FakeNetwork {
  /** `fetch` as one page has it. */
  fetchOf(page: number): typeof fetch;
  /** The page is gone: nothing that was on its way comes back. */
  cut(page: number): void;
  readonly requests: readonly SeenRequest[];
  /** Refresh tokens that the server replaced, and whose successors never reached the browser. */
  readonly orphaned: ReadonlySet<string>;
  /** The httpOnly cookie. */
  jar: string | null;
}

interface Call {
  seen: SeenRequest;
  isOver(): boolean;
  succeed(reply: Reply): void;
  fail(message: string): void;
  /** Forgotten, not failed: there is nobody left to be told. */
  forget(): void;
}

const routes: Record<string, Route> = {
  submit: 'submit',
  status: 'status',
  results: 'result',
  jobs: 'job',
  'token-balance': 'balance',
  refresh: 'refresh',
};

export function fakeNetwork(
  world: World,
  { clock, conditions, server, witness }: { clock: VirtualClock; conditions: Conditions; server: FakeServer; witness: Witness },
): FakeNetwork {
  const requests: SeenRequest[] = [];
  const open = new Set<Call>();
  const orphaned = new Set<string>();
  const counts: Partial<Record<Route, number>> = {};
  const later = (ms: number, callback: () => void) => void clock.outside.setTimeout(callback, ms);

  const exchange = (request: ServerRequest, call: Call): void => {
    const { route } = request;
    const count = (counts[route] = (counts[route] ?? 0) + 1);
    const mishap = conditions.take(route) ?? misfortune(route, count);
    const delay = world.latencyMs * (0.5 + rollOf(world.seed, `latency of ${route}`, count));
    if (conditions.is('offline')) return later(5, () => call.fail('Failed to fetch'));
    if (mishap === 'hang') return undefined;
    if (mishap === 'loseRequest') return later(delay, () => call.fail('connection reset'));

    later(delay / 2, () => {
      if (conditions.is('offline')) return call.fail('Failed to fetch');
      // A request that was aborted on its way arrives all the same: nobody can call it back.
      const reply = mishap === 'refuse' && route !== 'refresh' ? refused : server.answer(request);
      // A proxy that repeats a refresh ends every session of a strict server: that is not what is tested here.
      if (mishap === 'duplicate' && route !== 'refresh') later(delay, () => void server.answer(request));
      later(delay / 2, () => deliver(request, reply, mishap, call));
      return undefined;
    });
    return undefined;
  };
  const deliver = (request: ServerRequest, reply: Reply, mishap: Mishap | undefined, call: Call): void => {
    const isLost = mishap === 'loseAnswer' || conditions.is('offline') || clock.isAsleep() || call.isOver();
    if (isLost) {
      if (reply.setCookie && request.cookie !== null) orphaned.add(request.cookie);
      return clock.whenAwake(() => call.fail('connection reset'));
    }
    // The browser takes the cookie from the headers, whatever the page can read of the body.
    if (reply.setCookie) network.jar = reply.setCookie;
    if (mishap === 'garble') return call.succeed({ status: 200, body: '<html>hello</html>', headers: {} });
    return call.succeed(reply);
  };
  const misfortune = (route: Route, count: number): Mishap | undefined => {
    if (conditions.isClear()) return undefined;
    const roll = rollOf(world.seed, `loss of ${route}`, count);
    if (roll >= world.loss) return undefined;
    return roll < world.loss / 8 ? 'hang' : roll < world.loss / 2 ? 'loseRequest' : 'loseAnswer';
  };

  const network: FakeNetwork = {
    requests,
    orphaned,
    jar: null,
    cut(page) {
      for (const call of open) if (call.seen.page === page) call.forget();
    },
    fetchOf: (page) => (url, init) => {
      const [, name = '', id = ''] = /\/(submit|status|results|jobs|token-balance|refresh)(?:\/(.*))?$/.exec(String(url)) ?? [];
      const route = routes[name];
      if (!route) throw new Error(`no such route in this world: ${String(url)}`);
      const headers = init?.headers as Record<string, string>;
      const request: ServerRequest = {
        route,
        id: decodeURIComponent(id),
        token: headers.Authorization?.replace('Bearer ', '') ?? null,
        cookie: init?.credentials === 'include' ? network.jar : null,
        key: headers['Idempotency-Key'] ?? null,
        body: typeof init?.body === 'string' ? init.body : '',
      };
      const seen: SeenRequest = {
        route,
        id: request.id,
        page,
        sentAt: clock.time(),
        jumps: clock.jumps(),
        body: request.body,
        answeredAt: null,
        status: null,
        retryAfterMs: null,
        endedAt: null,
      };
      requests.push(seen);
      witness.sawRequest(seen, request, String(url));

      return new Promise((resolve, reject) => {
        const end = (): boolean => {
          init?.signal?.removeEventListener('abort', onAbort);
          open.delete(call);
          if (seen.endedAt !== null) return false;
          seen.endedAt = clock.time();
          return true;
        };
        const call: Call = {
          seen,
          isOver: () => seen.endedAt !== null,
          succeed(reply) {
            if (!end()) return;
            seen.answeredAt = clock.time();
            seen.status = reply.status;
            seen.retryAfterMs = retryAfterOf(reply);
            witness.sawReply(seen, request, reply);
            resolve(responseOf(reply));
          },
          fail: (message) => void (end() && reject(new TypeError(message))),
          forget: () => void end(),
        };
        const onAbort = () => void (end() && reject(init?.signal?.reason as Error));
        open.add(call);
        if (init?.signal?.aborted) return onAbort();
        init?.signal?.addEventListener('abort', onAbort);
        exchange(request, call);
        return undefined;
      });
    },
  };
  return network;
}

/** A verifier that hiccups: the request gets no further than the gateway. */
const refused: Reply = {
  status: 401,
  body: { success: false, error: 'INVALID_TOKEN', message: 'Invalid or expired token' },
  headers: {},
};

/** What a page can ask a response for, as far as our client asks. A real one is ten times slower. */
function responseOf({ status, body, headers }: Reply): Response {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return {
    status,
    headers: { get: (name: string) => headers[name] ?? null },
    text: async () => text,
  } as unknown as Response;
}

function retryAfterOf({ headers, body }: Reply): number | null {
  const seconds = headers['retry-after'] ?? (body as { retryAfter?: unknown }).retryAfter;
  return seconds === undefined ? null : Number(seconds) * 1_000;
}
