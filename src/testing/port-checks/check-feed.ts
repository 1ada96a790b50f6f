import type { ConnectFeed, FeedMessage } from '../../ports.ts';
import { openReport, pause, type PortReport, type Settled, settledWithin, watchFetch } from './report.ts';

/** What can be wrong with a `ConnectFeed`. */
export type FeedFault =
  | 'never-live'
  | 'live-too-early'
  | 'refusal-hangs'
  | 'settles-early'
  | 'never-settles'
  | 'connects-by-itself'
  | 'signal-ignored'
  | 'says-after-the-end'
  | 'says-nothing'
  | 'unknown-message'
  | 'token-in-address';

export interface FeedCheckOptions {
  /** A token that the server accepts. */
  token: string;
  /** A token that the server refuses. @default 'not-a-token' */
  refusedToken?: string;
  /** Makes the server send an event of a job, such as a submission that ends at once. */
  provoke?: () => void | Promise<void>;
  /** Cuts the connections on the server's side. Without it the loss of a connection is not checked. */
  cut?: () => void | Promise<void>;
  /** The addresses that the test server has seen, for a transport that is not the platform's `fetch`, `WebSocket` or `EventSource`. */
  addresses?: () => readonly string[];
  /** How long connecting may take, ms. @default 8_000 */
  connectTimeoutMs?: number;
  /** How long the promise may take to settle, and an event to arrive, ms. @default 1_000 */
  graceMs?: number;
  /** How long nothing has to happen for "never", ms. @default 500 */
  quietMs?: number;
}

const texts = {
  'never-live': [
    'The feed never calls live() with a token that the server accepts.',
    'The client polls as if there were no feed, and connects again and again.',
  ],
  'live-too-early': [
    'live() is called before the server has accepted the token.',
    'The client stops polling and listens to a connection that is about to be closed. Call it on the answer of the server.',
  ],
  'refusal-hangs': [
    'The promise does not settle when the server refuses the token.',
    'The client waits for its timeout, and never asks for a better token. Reject with { status: 401 }.',
  ],
  'settles-early': [
    'The promise settles while the connection is open.',
    'The client takes the connection for lost and opens another one. Settle on the end of the connection.',
  ],
  'never-settles': [
    'The promise does not settle when the connection is lost.',
    'The client listens to a dead connection until its next status call. Settle on close and on error.',
  ],
  'connects-by-itself': [
    'The feed connects again by itself.',
    'It sends an old token, and comes back together with every other client. Switch the reconnection of the library off.',
  ],
  'signal-ignored': [
    'The connection outlives its signal.',
    'A socket stays open after the last assessment, with the token of a user who may have left. Close it on abort.',
  ],
  'says-after-the-end': [
    'Events are reported after the signal.',
    'Events of one user reach the next one. Remove the listeners on abort.',
  ],
  'says-nothing': [
    'No event of a job arrives.',
    'Results are shown at the next poll. Compare the names of the events with those of the server.',
  ],
  'unknown-message': [
    'A message is none of those that a feed may report.',
    'The client ignores it. type: job.progressed, job.completed, job.failed or balance.changed; an unknown id is null, not undefined.',
  ],
  'token-in-address': [
    'The token is part of an address.',
    'Addresses end up in logs and histories. Send the token in a header, a subprotocol or the first message.',
  ],
} as const;

/**
 * Runs a `ConnectFeed` against a real server and says in plain words what is wrong with it. While it runs it watches the platform's
 * `fetch`, `WebSocket` and `EventSource`, so it runs alone.
 *
 * @example
 * const { faults } = await checkFeed(feed, { token, cut: () => server.dropFeeds(), provoke: () => server.finishJob() });
 * for (const { what, cost } of faults) console.log(`${what} ${cost}`);
 */
export async function checkFeed(connect: ConnectFeed, options: FeedCheckOptions): Promise<PortReport<FeedFault>> {
  const found = openReport<FeedFault>(texts);
  const network = watchFetch();
  const sockets = watchSockets();
  try {
    await checkConnections(connect, options, found);
  } finally {
    network.end();
    sockets.end();
  }
  const { token, addresses = () => [] } = options;
  const seen = [...network.seen.map(({ url }) => url), ...sockets.seen, ...addresses()];
  const isIn = (url: string): boolean => url.includes(token) || url.includes(encodeURIComponent(token));
  found.expect(!seen.some(isIn), 'no address holds the token', 'token-in-address');
  return found.report;
}

async function checkConnections(
  connect: ConnectFeed,
  options: FeedCheckOptions,
  found: ReturnType<typeof openReport<FeedFault>>,
): Promise<void> {
  const { token, refusedToken = 'not-a-token', provoke, cut, connectTimeoutMs = 8_000, graceMs = 1_000 } = options;
  const { quietMs = 500 } = options;

  // --- a refused token
  const refused = open(connect, refusedToken);
  const refusal = await refused.ended(connectTimeoutMs);
  found.expect(refused.lives() === 0, 'a refused token makes no feed live', 'live-too-early');
  found.expect(refusal.type !== 'pending', 'a refused token ends the connection', 'refusal-hangs');
  refused.abort();

  // --- a connection, its events and its loss
  const first = open(connect, token);
  if (first.lives() > 0) found.fault('live-too-early');
  const isLive = await within(connectTimeoutMs, () => first.lives() > 0 || first.isOver());
  if (!found.expect(isLive && first.lives() > 0, 'an accepted token makes the feed live', 'never-live'))
    return first.abort();
  await pause(Math.min(50, quietMs));
  const isOpen = found.expect(!first.isOver(), 'the promise lasts as long as the connection', 'settles-early');
  if (provoke && isOpen) {
    await provoke();
    await within(graceMs, () => first.messages.length > 0);
    found.expect(first.messages.length > 0, 'events arrive', 'says-nothing');
    found.expect(first.messages.every(isMessage), 'events are of the known kinds', 'unknown-message');
  }
  if (cut && isOpen) {
    await cut();
    const lost = await first.ended(graceMs);
    found.expect(lost.type !== 'pending', 'a lost connection settles the promise', 'never-settles');
    await pause(quietMs);
    found.expect(first.lives() === 1, 'the feed leaves reconnecting to the client', 'connects-by-itself');
  }
  first.abort();

  // --- the end
  const last = open(connect, token);
  await within(connectTimeoutMs, () => last.lives() > 0 || last.isOver());
  last.abort();
  const ended = await last.ended(graceMs);
  found.expect(ended.type !== 'pending', 'an aborted connection ends', 'signal-ignored');
  if (!provoke) return;
  const heard = last.messages.length;
  await provoke();
  await pause(quietMs);
  found.expect(last.messages.length === heard, 'nothing is reported after the end', 'says-after-the-end');
}

/** Connects as the client does. */
function open(connect: ConnectFeed, token: string) {
  const controller = new AbortController();
  const messages: unknown[] = [];
  let lives = 0;
  let isOver = false;
  const connected = (async () =>
    connect({
      token,
      signal: controller.signal,
      live: () => (lives += 1),
      say: (message: FeedMessage) => messages.push(message),
      onToken: () => {},
    }))().finally(() => (isOver = true));
  // It is looked at later, or not at all.
  connected.catch(() => {});
  return {
    messages,
    lives: () => lives,
    isOver: () => isOver,
    ended: (ms: number): Promise<Settled<void>> => settledWithin(ms, () => connected),
    abort: () => controller.abort(),
  };
}

async function within(ms: number, isSo: () => boolean): Promise<boolean> {
  for (const since = Date.now(); !isSo() && Date.now() - since < ms;) await pause(Math.min(5, ms));
  return isSo();
}

const isId = (value: unknown): boolean => value === null || (typeof value === 'string' && value !== '');
function isMessage(message: unknown): boolean {
  const { type, jobId, resultId, percent, balance } = (message ?? {}) as Record<string, unknown>;
  if (type === 'balance.changed') return typeof balance === 'number';
  if (type === 'job.progressed' && percent !== null && !(typeof percent === 'number' && percent >= 0 && percent <= 100))
    return false;
  return ['job.progressed', 'job.completed', 'job.failed'].includes(String(type)) && isId(jobId) && isId(resultId);
}

/** Keeps the addresses of the platform's sockets and event sources until it is ended. */
function watchSockets() {
  const seen: string[] = [];
  const platform = globalThis as Record<string, unknown>;
  const real = ['WebSocket', 'EventSource'].map((name) => [name, platform[name]] as const);
  for (const [name, constructor] of real) {
    if (typeof constructor !== 'function') continue;
    platform[name] = new Proxy(constructor, {
      construct(target, given: unknown[], newTarget) {
        seen.push(String(given[0]));
        return Reflect.construct(target, given, newTarget) as object;
      },
    });
  }
  return {
    seen,
    end() {
      for (const [name, constructor] of real) if (typeof constructor === 'function') platform[name] = constructor;
    },
  };
}
