import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { jwt } from './jwt.ts';

/*
 * A real server of a job API that is not the default contract. It counts what it sees. Two dialects:
 *
 * - `rest`: 202 with Location (RFC 9110), refresh by OAuth 2 (RFC 6749), events over SSE
 * - `aip151`: Google's long-running operations, tokens from an SDK's own route, events over a plain WebSocket
 */

/** What the server does from now on. */
export interface Mood {
  /** A job ends by itself once its state was asked for so many times. */
  endsAfterPolls: number;
  /** The `Retry-After` of operations that run, s. */
  retryAfter: number | null;
  /** Whether the results of finished jobs are there. */
  hasResults: boolean;
  tokenTtlMs: number;
  refresh: 'granted' | 'limited' | 'refused';
  /** Everything answers 503, and feeds are dropped. */
  isDown: boolean;
  hasFeed: boolean;
}

export interface ForeignServer {
  readonly url: string;
  readonly mood: Mood;
  readonly seen: {
    /** Requests to submit, repeated ones included. */
    submissions: number;
    /** Jobs that were made of them. */
    jobs: number;
    /** Requests with a token that the server refused. */
    refusedTokens: number;
    refreshes: number;
    polls: number;
    results: number;
    /** Feeds that were opened. */
    feeds: number;
    /** Paths with their queries, of HTTP requests and of feeds. */
    addresses: string[];
    /** The `Last-Event-ID` of each stream that was opened, or null. */
    lastEventIds: (string | null)[];
  };
  /** Signs a user in: an access token, and a refresh token that is rotated. */
  signIn(userId?: string): { accessToken: string; refreshToken: string; expiresIn: number };
  /** Ends every access token. */
  endTokens(): void;
  /** Ends every refresh token. */
  endSessions(): void;
  /** Ends the jobs that run, and says so on the feeds. */
  finishJobs(how?: 'done' | 'failed'): void;
  dropFeeds(): void;
  /** Requests and feeds that are open. */
  open(): number;
  close(): Promise<void>;
}

interface Job {
  id: string;
  userId: string;
  state: 'running' | 'done' | 'failed';
  polls: number;
}

export async function startForeignServer(
  dialect: 'rest' | 'aip151',
  given: Partial<Mood> = {},
): Promise<ForeignServer> {
  const mood: Mood = {
    endsAfterPolls: Infinity,
    retryAfter: null,
    hasResults: true,
    tokenTtlMs: 600_000,
    refresh: 'granted',
    isDown: false,
    hasFeed: true,
    ...given,
  };
  const seen: ForeignServer['seen'] = {
    submissions: 0,
    jobs: 0,
    refusedTokens: 0,
    refreshes: 0,
    polls: 0,
    results: 0,
    feeds: 0,
    addresses: [],
    lastEventIds: [],
  };
  const tokens = new Map<string, { userId: string; endsAt: number }>();
  const refreshTokens = new Map<string, string>();
  const jobs = new Map<string, Job>();
  const keys = new Map<string, Job>();
  /** Open feeds, and how each of them is written to and closed. */
  const feeds = new Set<{ userId: string; write: (event: FeedEvent) => void; end: () => void }>();
  const history: FeedEvent[] = [];
  let count = 0;
  let requests = 0;

  const issue = (userId: string) => {
    count += 1;
    const accessToken = jwt({ sub: userId, n: count });
    tokens.set(accessToken, { userId, endsAt: Date.now() + mood.tokenTtlMs });
    return { accessToken, expiresIn: mood.tokenTtlMs / 1_000 };
  };
  const signIn = (userId = 'user-1') => {
    const refreshToken = `refresh-${userId}-${(count += 1)}`;
    refreshTokens.set(refreshToken, userId);
    return { ...issue(userId), refreshToken };
  };
  const userOf = (token: string | undefined): string | null => {
    const known = token === undefined ? undefined : tokens.get(token);
    if (known && known.endsAt > Date.now()) return known.userId;
    seen.refusedTokens += 1;
    return null;
  };
  const announce = (event: Omit<FeedEvent, 'id'>): void => {
    const whole = { ...event, id: String(history.length + 1) };
    history.push(whole);
    for (const feed of feeds) if (feed.userId === event.userId) feed.write(whole);
  };

  const accept = (key: string, userId: string): Job => {
    seen.submissions += 1;
    const known = keys.get(`${userId} ${key}`);
    if (known) return known;
    seen.jobs += 1;
    const job: Job = { id: `job-${seen.jobs}`, userId, state: 'running', polls: 0 };
    jobs.set(job.id, job);
    keys.set(`${userId} ${key}`, job);
    return job;
  };
  const isResultThere = (job: Job): boolean => job.state === 'done' && mood.hasResults;
  const end = (job: Job, how: 'done' | 'failed'): void => {
    if (job.state !== 'running') return;
    job.state = how;
    announce({ userId: job.userId, job: job.id, type: how });
  };
  const poll = (job: Job): Job => {
    seen.polls += 1;
    job.polls += 1;
    if (job.polls >= mood.endsAfterPolls) end(job, 'done');
    return job;
  };
  const percentOf = (job: Job): number => Math.min(99, 5 * job.polls);
  const wait = (): Record<string, string> =>
    mood.retryAfter === null ? {} : { 'retry-after': String(mood.retryAfter) };
  const resultOf = ({ id }: Job) => ({ archetype: 'The Explorer', of: id });

  // --- the dialects

  type Answer = [status: number, body?: unknown, headers?: Record<string, string>];

  const oauth2 = (body: string): Answer => {
    const form = new URLSearchParams(body);
    const given = form.get('refresh_token') ?? '';
    const userId = refreshTokens.get(given);
    seen.refreshes += 1;
    if (mood.refresh === 'limited') return [429, { error: 'slow_down' }, { 'retry-after': '1' }];
    if (form.get('grant_type') !== 'refresh_token' || !form.get('client_id'))
      return [400, { error: 'invalid_request' }];
    if (userId === undefined || mood.refresh === 'refused') return [400, { error: 'invalid_grant' }];
    refreshTokens.delete(given);
    const { accessToken, expiresIn, refreshToken } = signIn(userId);
    const issued = {
      access_token: accessToken,
      expires_in: expiresIn,
      refresh_token: refreshToken,
      token_type: 'Bearer',
    };
    return [200, issued];
  };
  /** The route behind an SDK that looks after its own tokens. */
  const sdkToken = (body: string): Answer => {
    const userId = refreshTokens.get(body);
    seen.refreshes += 1;
    if (mood.refresh === 'limited')
      return [429, { error: { code: 429, status: 'RESOURCE_EXHAUSTED' } }, { 'retry-after': '1' }];
    if (userId === undefined || mood.refresh === 'refused')
      return [403, { error: { code: 403, status: 'SESSION_OVER' } }];
    return [200, issue(userId)];
  };
  const rest = (method: string, url: URL, headers: IncomingMessage['headers'], userId: string): Answer => {
    const [, route = '', id = ''] = /^\/v1\/(\w+)\/?(.*)$/.exec(url.pathname) ?? [];
    if (method === 'POST' && route === 'analyses') {
      const job = accept(String(headers['idempotency-key']), userId);
      return [202, { status: 'NotStarted' }, { location: `/v1/operations/${job.id}` }];
    }
    const job = jobs.get(id);
    if (!job || job.userId !== userId) return [404, { error: { code: 'NotFound', message: 'No such operation' } }];
    if (route === 'results') {
      seen.results += 1;
      return isResultThere(job) ? [200, resultOf(job)] : [202, {}];
    }
    const { state } = poll(job);
    if (state === 'running') return [200, { id, status: 'Running', percentComplete: percentOf(job) }, wait()];
    return [
      200,
      state === 'failed'
        ? { id, status: 'Failed' }
        : { id, status: 'Succeeded', resourceLocation: `/v1/results/${id}` },
    ];
  };
  const aip151 = (method: string, url: URL, userId: string): Answer => {
    if (method === 'POST' && url.pathname === '/v1/assessments:analyze') {
      const job = accept(String(url.searchParams.get('requestId')), userId);
      return [200, { name: `operations/${job.id}`, metadata: { progressPercent: 0 } }];
    }
    const name = url.pathname.replace('/v1/', '');
    const job = jobs.get(name.replace('operations/', ''));
    if (!job || job.userId !== userId) return [404, { error: { code: 404, status: 'NOT_FOUND' } }];
    if (poll(job).state === 'failed') return [200, { name, done: true, error: { code: 13, message: 'internal' } }];
    // The operation is done once its result is there.
    if (!isResultThere(job)) return [200, { name, done: false, metadata: { progressPercent: percentOf(job) } }];
    seen.results += 1;
    return [200, { name, done: true, response: resultOf(job) }];
  };

  const answer = (request: IncomingMessage, body: string): Answer => {
    const url = new URL(request.url ?? '', 'http://server.test');
    const method = request.method ?? '';
    if (mood.isDown) return [503, { error: 'down' }];
    if (url.pathname === '/oauth2/token') return oauth2(body);
    if (url.pathname === '/sdk/token') return sdkToken(body);
    const userId = userOf(request.headers.authorization?.replace('Bearer ', ''));
    if (userId === null) return [401, { error: { code: 401, status: 'UNAUTHENTICATED' } }];
    return dialect === 'rest' ? rest(method, url, request.headers, userId) : aip151(method, url, userId);
  };

  // --- the feeds

  const openStream = (request: IncomingMessage, response: ServerResponse): void => {
    const userId = mood.isDown || !mood.hasFeed ? null : userOf(request.headers.authorization?.replace('Bearer ', ''));
    if (userId === null) return void response.writeHead(mood.isDown || !mood.hasFeed ? 503 : 401).end();
    const lastEventId = request.headers['last-event-id'];
    seen.feeds += 1;
    seen.lastEventIds.push(lastEventId === undefined ? null : String(lastEventId));
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(': welcome\n\n');
    const write = ({ id, type, job }: FeedEvent) =>
      void response.write(`event: ${type}\nid: ${id}\ndata: ${JSON.stringify({ job })}\n\n`);
    const feed = { userId, write, end: () => void response.destroy() };
    feeds.add(feed);
    for (const event of history.slice(Number(lastEventId ?? history.length))) if (event.userId === userId) write(event);
    response.on('close', () => feeds.delete(feed));
  };
  const openSocket = (socket: WebSocket): void => {
    let feed: { userId: string; write: (event: FeedEvent) => void; end: () => void } | undefined;
    socket.on('message', (data) => {
      // A test's own client sends nothing but JSON.
      const { type, token } = JSON.parse(String(data)) as { type: string; token: string };
      const userId = type === 'auth' ? userOf(token) : null;
      if (userId === null) {
        socket.send(JSON.stringify({ type: 'denied' }));
        return socket.close(4_401);
      }
      if (!feed) {
        seen.feeds += 1;
        feed = {
          userId,
          write: (event) => socket.send(JSON.stringify({ type: event.type, job: event.job })),
          end: () => socket.terminate(),
        };
        feeds.add(feed);
      }
      return socket.send(JSON.stringify({ type: 'welcome' }));
    });
    socket.on('close', () => feed && feeds.delete(feed));
  };

  const server = createServer((request, response) => {
    seen.addresses.push(request.url ?? '');
    requests += 1;
    response.on('close', () => (requests -= 1));
    if (request.url === '/events') return openStream(request, response);
    let body = '';
    request.on('data', (part) => (body += String(part)));
    request.on('end', () => {
      const [status, content, headers] = answer(request, body);
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(content));
    });
  });
  // A client that closes while it is answered resets its connection.
  server.on('connection', (socket) => socket.on('error', () => {}));
  const sockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request, socket, head) => {
    seen.addresses.push(request.url ?? '');
    if (mood.isDown || !mood.hasFeed) return void socket.end('HTTP/1.1 503 Service Unavailable\r\n\r\n');
    return sockets.handleUpgrade(request, socket, head, openSocket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    mood,
    seen,
    signIn,
    endTokens: () => tokens.clear(),
    endSessions: () => refreshTokens.clear(),
    finishJobs(how = 'done') {
      for (const job of jobs.values()) end(job, how);
    },
    dropFeeds() {
      for (const feed of feeds) feed.end();
    },
    open: () => requests + sockets.clients.size,
    async close() {
      for (const client of sockets.clients) client.terminate();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

interface FeedEvent {
  id: string;
  userId: string;
  job: string;
  type: 'done' | 'failed';
}
