import { type KeyValueStore, memoryStore, type Random, type TabChannel, type TabLocks } from 'assessment-monitor';
import type { TimerOwner, VirtualClock } from 'assessment-monitor/testing';
import type { BenchServer, Route } from './server.ts';
import { openSocketOver, type OpenSocket } from './socket.ts';
import { tabChannels, tabLocks } from './tabs.ts';

/** What a page asks of the server. */
export interface PageRequest {
  method: 'GET' | 'POST';
  path: string;
  /** By their usual spelling, such as `Authorization`. */
  headers?: Record<string, string | undefined>;
  signal?: AbortSignal | undefined;
  /** The request and its cookie outlive the page. */
  keepalive?: boolean | undefined;
}

/** What arrives at a page: text, which everybody has to read. */
export interface PageAnswer {
  status: number;
  headers: Record<string, string>;
  text: string;
}

/** What every contestant gets from its browser: nothing that another one does not get. */
export interface Page extends TimerOwner {
  readonly clock: VirtualClock;
  readonly random: Random;
  /** Shared by all pages of the browser. */
  readonly localStorage: KeyValueStore;
  /** Of this tab; outlives a reload. */
  readonly sessionStorage: KeyValueStore;
  readonly locks: TabLocks;
  readonly openChannel: (name: string) => TabChannel;
  readonly openSocket: OpenSocket;
  /** One exchange. The refresh token travels by itself, in its cookie. Rejects with a TypeError when the network lost it. */
  exchange(request: PageRequest): Promise<PageAnswer>;
  close(): void;
}

export interface NetworkOptions {
  clock: VirtualClock;
  server: BenchServer;
  random: Random;
  /** There and back, ms. */
  roundTripMs: () => number;
  /** Share of requests that get lost, half of them before and half after the server did its work. A quarter is never answered. */
  loss: number;
  /** Whether the server can be reached now. */
  isReachable?: () => boolean;
  /** Whether sockets come about at all. Default true. */
  hasSockets?: boolean;
  /** Hears when a page's request is on its way, and of each attempt to connect. */
  onSent?: (route: Route | 'connect', page: Page) => void;
}

/** One user's browser: a cookie jar and storages for all its pages. */
export function openBrowser(network: NetworkOptions) {
  const { clock, server, random, roundTripMs, loss, isReachable = () => true, hasSockets = true, onSent } = network;
  const localStorage = memoryStore();
  const openLocks = tabLocks(clock);
  const openChannels = tabChannels(clock);
  let jar: number | null = null;

  const exchange = (page: Page, request: PageRequest): Promise<PageAnswer> => {
    const [, name = '', id = ''] =
      /\/(submit|status|results|jobs|token-balance|refresh)(?:\/(.*))?$/.exec(request.path) ?? [];
    const route = (routeNames[name] ?? name) as Route;
    const { headers = {}, signal } = request;
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error);
      signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      const oneWayMs = roundTripMs() / 2;
      const fate = random() / loss;
      const cookie = jar;
      onSent?.(route, page);
      const toPage = (work: () => void) => clock.setTimeout(work, oneWayMs, page);
      const reset = () => toPage(() => reject(new TypeError('Failed to fetch')));
      clock.setTimeout(
        () => {
          if (!isReachable()) return reset();
          if (fate < 0.25) return; // silence
          if (fate < 0.5) return reset();
          const answer = server.handle({
            route,
            id,
            authorization: headers['Authorization'],
            idempotencyKey: headers['Idempotency-Key'],
            cookie,
          });
          if (fate < 1) return reset();
          if (answer.setCookie !== undefined && request.keepalive) {
            clock.setTimeout(() => void (jar = answer.setCookie ?? jar), oneWayMs, null);
          }
          return toPage(() => {
            if (answer.setCookie !== undefined) jar = answer.setCookie;
            resolve({ status: answer.status, headers: answer.headers, text: JSON.stringify(answer.body) });
          });
        },
        oneWayMs,
        null,
      );
    });
  };

  return {
    /** A sign-in, wherever it happened: the cookie is set. */
    takeCookie: (cookie: number) => void (jar = cookie),
    /** @param sessionStorage what is left of the page before, after a reload */
    openPage(sessionStorage: KeyValueStore = memoryStore()): Page {
      const owner: TimerOwner = { isGone: false };
      const sockets = openSocketOver({
        clock,
        server,
        owner,
        roundTripMs,
        isReachable: () => hasSockets && isReachable(),
        onConnect: () => onSent?.('connect', page),
      });
      const locks = openLocks(owner);
      const channels = openChannels(owner);
      const page: Page = Object.assign(owner, {
        clock,
        random,
        localStorage,
        sessionStorage,
        locks: locks.locks,
        openChannel: channels.open,
        openSocket: sockets.open,
        exchange: (request: PageRequest) => exchange(page, request),
        close() {
          page.isGone = true;
          sockets.closeAll();
          locks.leave();
          channels.leave();
        },
      });
      return page;
    },
  };
}

export type Browser = ReturnType<typeof openBrowser>;

const routeNames: Record<string, Route> = { results: 'result', jobs: 'job', 'token-balance': 'balance' };

/** The part of `fetch` that contestants use which bring no client of their own. */
export async function fetchOver(
  page: Page,
  url: string,
  init: { method?: string; headers?: object; signal?: AbortSignal | null; keepalive?: boolean } = {},
) {
  const answer = await page.exchange({
    method: init.method === 'POST' ? 'POST' : 'GET',
    path: url,
    headers: init.headers as Record<string, string>,
    signal: init.signal ?? undefined,
    keepalive: init.keepalive,
  });
  return {
    status: answer.status,
    ok: answer.status < 400,
    headers: { get: (name: string) => answer.headers[name.toLowerCase()] ?? null },
    text: () => Promise.resolve(answer.text),
  };
}
