import type { ConnectFeed, FeedMessage } from '../../src/ports.ts';
import { sse, type SseOptions, webSocket, type WebSocketOptions } from 'assessment-monitor/adapters';
import { checkFeed, type FeedFault } from '../../src/testing/port-checks/check-feed.ts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { type ForeignServer, startForeignServer } from '../support/foreign-server.ts';

const toMessage: SseOptions['toMessage'] = (data, { event }) =>
  event === 'done' ? { type: 'job.completed', jobId: (data as { job: string }).job, resultId: null } : null;
const toNews: WebSocketOptions['toNews'] = (data) => {
  const { type, job } = data as { type: string; job: string };
  if (type === 'welcome') return 'accepted';
  return type === 'denied' ? 'refused' : { type: 'job.completed', jobId: job, resultId: null };
};

describe('checkFeed', () => {
  let count = 0;
  let server: ForeignServer;
  let google: ForeignServer;
  beforeEach(async () => {
    server = await startForeignServer('rest');
    google = await startForeignServer('aip151');
  });
  afterEach(() => Promise.all([server.close(), google.close()]));

  const check = async (connect: ConnectFeed, at = server, connectTimeoutMs = 5_000, graceMs = 5_000) => {
    const { accessToken: token } = at.signIn();
    const provoke = async () => {
      count += 1;
      const headers = { Authorization: `Bearer ${token}`, 'Idempotency-Key': String(count) };
      const path = at === server ? '/v1/analyses' : `/v1/assessments:analyze?requestId=${count}`;
      await fetch(at.url + path, { method: 'POST', headers });
      at.finishJobs();
    };
    return checkFeed(connect, {
      token,
      provoke,
      cut: at.dropFeeds,
      addresses: () => at.seen.addresses,
      connectTimeoutMs,
      graceMs,
      quietMs: 40,
    });
  };

  const stream = () => sse({ url: `${server.url}/events`, toMessage });
  /** A feed that is written by hand: it keeps its contract unless an option breaks it. */
  const byHand =
    (broken: {
      isLiveFirst?: boolean;
      isNeverLive?: boolean;
      hangsWhenRefused?: boolean;
      settlesAtOnce?: boolean;
      neverSettles?: boolean;
      query?: boolean;
      again?: boolean;
      isDeaf?: boolean;
      message?: () => unknown;
    }): ConnectFeed =>
    async ({ token, signal, live, say }) => {
      if (broken.isLiveFirst) live();
      const response = await fetch(`${server.url}/events${broken.query ? `?token=${token}` : ''}`, {
        headers: { Authorization: `Bearer ${token}` },
        ...(!broken.isDeaf && { signal }),
      });
      if (!response.ok && broken.hangsWhenRefused) await new Promise(() => {});
      if (!response.ok || !response.body) throw Object.assign(new Error('refused'), { status: response.status });
      if (!broken.isNeverLive && !broken.isLiveFirst) live();
      const read = async (): Promise<void> => {
        for await (const part of response.body as unknown as AsyncIterable<Uint8Array>) {
          const text = new TextDecoder().decode(part);
          const message: unknown = broken.message
            ? broken.message()
            : { type: 'job.completed', jobId: 'job-1', resultId: null };
          if (text.includes('event: done') && message !== undefined) say(message as FeedMessage);
        }
      };
      const reading = read();
      if (broken.settlesAtOnce) return void reading.catch(() => {});
      if (broken.again || broken.neverSettles) await reading.catch(() => {});
      else await reading;
      if (broken.again && !signal.aborted) live();
      if (broken.neverSettles && !signal.aborted)
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
    };

  it('finds nothing wrong with a feed by hand, with sse, and with webSocket', async () => {
    expect((await check(byHand({}))).faults).toEqual([]);
    const { faults, kept } = await check(stream());
    expect(faults).toEqual([]);
    expect(kept).toHaveLength(11);
    const url = google.url.replace('http', 'ws');
    const feed = webSocket({ url, WebSocket, firstMessage: (token) => ({ type: 'auth', token }), toNews });
    expect((await check(feed, google)).faults).toEqual([]);
  });

  const planted: [fault: FeedFault, how: string, connect: () => ConnectFeed][] = [
    ['never-live', 'never calls live', () => byHand({ isNeverLive: true })],
    ['live-too-early', 'is live before it is connected', () => byHand({ isLiveFirst: true })],
    ['refusal-hangs', 'waits after a refusal', () => byHand({ hangsWhenRefused: true })],
    ['settles-early', 'takes the connection for its end', () => byHand({ settlesAtOnce: true })],
    ['never-settles', 'does not notice a loss', () => byHand({ neverSettles: true })],
    ['connects-by-itself', 'connects again by itself', () => byHand({ again: true })],
    [
      'signal-ignored',
      'does not pass its signal on',
      () => {
        const inner = stream();
        return (connection) =>
          inner({
            ...connection,
            signal: new AbortController().signal,
            say: (it) => !connection.signal.aborted && connection.say(it),
          });
      },
    ],
    [
      'says-after-the-end',
      'keeps its listener',
      () => {
        const inner = stream();
        return (connection) => {
          // The promise ends with the signal, and the connection does not.
          const aborted = new Promise<void>((resolve) => connection.signal.addEventListener('abort', () => resolve()));
          return Promise.race([aborted, inner({ ...connection, signal: new AbortController().signal })]);
        };
      },
    ],
    ['says-nothing', 'listens for other names', () => sse({ url: `${server.url}/events`, toMessage: () => null })],
    [
      'unknown-message',
      'leaves an id undefined',
      () => byHand({ message: () => ({ type: 'job.completed', jobId: 'job-1' }) }),
    ],
    [
      'unknown-message',
      "reports the server's own kinds",
      () => byHand({ message: () => ({ type: 'done', jobId: 'job-1', resultId: null }) }),
    ],
    [
      'token-in-address',
      'puts the token into the query',
      () => {
        const inner = stream();
        return async (connection) => {
          await fetch(`${server.url}/probe?access_token=${connection.token}`);
          return inner(connection);
        };
      },
    ],
  ];

  /** Each of these is found by waiting for what never comes. */
  const hanging = new Set<FeedFault>([
    'never-live',
    'refusal-hangs',
    'never-settles',
    'signal-ignored',
    'says-nothing',
  ]);

  it.each(planted)('finds "%s", and only that, in a feed that %s', async (fault, _how, connect) => {
    // What does come has to come in time on a busy machine too.
    const isRefused = fault === 'never-live' || fault === 'refusal-hangs';
    const waits = [isRefused ? 1_000 : 5_000, hanging.has(fault) ? 1_000 : 5_000] as const;
    const { faults } = await check(connect(), server, ...waits);
    expect(faults.map(({ id }) => id)).toEqual([fault]);
    for (const { what, cost } of faults) expect(`${what} ${cost}`).toMatch(/^[A-Za-z].*\. .*\.$/);
  });

  it('sees the token in the address of a WebSocket of the platform, and leaves the platform as it was', async () => {
    const platform = globalThis as { WebSocket?: unknown };
    const before = platform.WebSocket;
    platform.WebSocket = WebSocket;
    const url = google.url.replace('http', 'ws');
    const connect: ConnectFeed = (connection) =>
      webSocket({ url: `${url}/?t=${connection.token}`, firstMessage: (token) => ({ type: 'auth', token }), toNews })(
        connection,
      );
    const { faults } = await checkFeed(connect, {
      token: google.signIn().accessToken,
      connectTimeoutMs: 400,
      graceMs: 100,
    });
    expect(faults.map(({ id }) => id)).toEqual(['token-in-address']);
    expect(platform.WebSocket).toBe(WebSocket);
    if (before === undefined) delete platform.WebSocket;
    else platform.WebSocket = before;
  });
});
