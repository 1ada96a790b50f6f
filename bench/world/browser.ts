import { type KeyValueStore, memoryStore, type Random, type TabChannel, type TabLocks } from 'assessment-monitor';
import { fakeTabs, routeOf, type TimerOwner, type VirtualClock, type WireRoute } from 'assessment-monitor/testing';
import type { BenchServer } from './server.ts';
import { openSocketOver, type OpenSocket } from './socket.ts';

/** From tab to tab, ms. */
const MESSAGE_MS = 2;

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
  onSent?: (route: WireRoute | 'connect', page: Page) => void;
}

/** One user's browser: a cookie jar and storages for all its pages. */
export function openBrowser(network: NetworkOptions) {
  const { clock, server, random, roundTripMs, loss, isReachable = () => true, hasSockets = true, onSent } = network;
  const localStorage = memoryStore();
  const tabs = fakeTabs(clock, { messageMs: MESSAGE_MS });
  let jar: string | null = null;

  const exchange = (page: Page, request: PageRequest): Promise<PageAnswer> => {
    const { route, id } = routeOf(request.method, request.path);
    if (route === null) throw new Error(`the API has no ${request.method} ${request.path}`);
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
          const [status, body, answered = {}] = server.answer({
            route,
            id,
            token: headers['Authorization']?.replace('Bearer ', '') ?? null,
            key: headers['Idempotency-Key'] ?? null,
            cookie,
          });
          if (fate < 1) return reset();
          const takeCookie = () => void (jar = answered['set-cookie'] ?? jar);
          // The cookie of a request that outlives its page arrives without it.
          if (request.keepalive && answered['set-cookie']) clock.setTimeout(takeCookie, oneWayMs, null);
          return toPage(() => {
            takeCookie();
            resolve({ status, headers: answered, text: JSON.stringify(body) });
          });
        },
        oneWayMs,
        null,
      );
    });
  };

  return {
    /** A sign-in, wherever it happened: the cookie is set. */
    takeCookie: (cookie: string) => void (jar = cookie),
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
      const tab = tabs.openTab(owner);
      const page: Page = Object.assign(owner, {
        clock,
        random,
        localStorage,
        sessionStorage,
        locks: tab.locks,
        openChannel: tab.channel,
        openSocket: sockets.open,
        exchange: (request: PageRequest) => exchange(page, request),
        close() {
          tab.close();
          sockets.closeAll();
        },
      });
      return page;
    },
  };
}

export type Browser = ReturnType<typeof openBrowser>;

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
