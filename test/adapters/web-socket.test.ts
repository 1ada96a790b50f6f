import { type SocketNews, webSocket, type WebSocketOptions } from 'assessment-monitor/adapters';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { openFeed } from '../support/feed-connection.ts';
import { type ForeignServer, startForeignServer } from '../support/foreign-server.ts';

const toNews = (data: unknown): SocketNews => {
  const { type, job } = data as { type: string; job: string };
  if (type === 'welcome') return 'accepted';
  if (type === 'denied') return 'refused';
  return type === 'done' ? { type: 'job.completed', jobId: job, resultId: null } : null;
};

describe('webSocket with the token in its first message', () => {
  let server: ForeignServer;
  beforeEach(async () => {
    server = await startForeignServer('aip151');
  });
  afterEach(() => server.close());
  const feedOf = (more: Partial<WebSocketOptions> = {}) =>
    webSocket({
      url: server.url.replace('http', 'ws'),
      WebSocket,
      firstMessage: (token: string) => ({ type: 'auth', token }),
      toNews,
      ...more,
    } as WebSocketOptions);
  const runJob = async (token: string) => {
    await fetch(`${server.url}/v1/assessments:analyze?requestId=1`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}` },
    });
    server.finishJobs();
  };

  it('is live once the server has accepted the token, reports events, and settles when the connection is lost', async () => {
    const { accessToken } = server.signIn();
    const feed = openFeed(feedOf(), accessToken);
    await expect.poll(feed.lives).toBe(1);
    await runJob(accessToken);
    await expect.poll(() => feed.messages).toEqual([{ type: 'job.completed', jobId: 'job-1', resultId: null }]);
    server.dropFeeds();
    await expect.poll(feed.state).toBe('resolved');
    expect(feed.takesNewer()).toBe(false);
    expect(server.seen.addresses.join()).not.toContain(accessToken);
  });

  it('sends a newer token on the open connection where the server takes one, and is live once', async () => {
    const feed = openFeed(feedOf({ takesNewerTokens: true } as Partial<WebSocketOptions>), server.signIn().accessToken);
    await expect.poll(feed.lives).toBe(1);
    server.endTokens();
    const { accessToken } = server.signIn();
    feed.renew(accessToken);
    await runJob(accessToken);
    await expect.poll(() => feed.messages).toHaveLength(1);
    expect([feed.state(), feed.lives(), server.seen.feeds]).toEqual(['pending', 1, 1]);
    feed.renew('refused');
    await expect.poll(feed.state).toBe('rejected');
  });

  it.each([
    ['in a message', toNews],
    ['by its close code alone', (): SocketNews => null],
  ])('says that the token is refused when the server does so %s', async (_how, read) => {
    const feed = openFeed(feedOf({ toNews: read }), 'refused');
    await expect.poll(feed.state).toBe('rejected');
    expect([feed.lives(), feed.error()]).toEqual([0, expect.objectContaining({ status: 401 })]);
  });

  it('settles when it is aborted or not let in, and leaves nothing open', async () => {
    const { accessToken } = server.signIn();
    const early = openFeed(feedOf(), accessToken);
    early.abort();
    const open = openFeed(feedOf(), accessToken);
    await expect.poll(open.lives).toBe(1);
    open.abort();
    server.mood.hasFeed = false;
    const refused = openFeed(feedOf(), accessToken);
    await expect.poll(() => [early.state(), open.state(), refused.state()]).not.toContain('pending');
    await expect.poll(server.open).toBe(0);
    expect([early.lives(), refused.lives()]).toEqual([0, 0]);
  });
});

describe('webSocket with the token as a subprotocol', () => {
  it('is live once the handshake is accepted, ignores what it cannot read, and never puts the token into the address', async () => {
    const seen: string[] = [];
    const server = new WebSocketServer({
      host: '127.0.0.1',
      port: 0,
      handleProtocols: () => 'jobs.v1',
      verifyClient: ({ req }: { req: IncomingMessage }) => {
        seen.push(`${req.url ?? ''} ${String(req.headers['sec-websocket-protocol'])}`);
        return String(req.headers['sec-websocket-protocol']).endsWith('bearer.token-1');
      },
    });
    await once(server, 'listening');
    server.on('connection', (socket) => {
      socket.send('no JSON');
      socket.send(Buffer.from('binary'));
      socket.send('{"type":"done","job":"job-1"}');
    });
    const connect = webSocket({
      url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/feed`,
      WebSocket,
      protocols: ['jobs.v1'],
      tokenProtocols: (token) => [`bearer.${token}`],
      toNews,
    });
    const feed = openFeed(connect, 'token-1');
    await expect.poll(() => feed.messages).toEqual([{ type: 'job.completed', jobId: 'job-1', resultId: null }]);
    expect(feed.lives()).toBe(1);
    const refused = openFeed(connect, 'token-2');
    await expect.poll(refused.state).toBe('resolved');
    expect(refused.lives()).toBe(0);
    expect(seen).toEqual(['/feed jobs.v1,bearer.token-1', '/feed jobs.v1,bearer.token-2']);
    for (const client of server.clients) client.terminate();
    await expect.poll(feed.state).toBe('resolved');
    server.close();
  });
});
