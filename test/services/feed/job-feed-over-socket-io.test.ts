import { filter, firstValueFrom, Subject, take, toArray } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { WebSocket } from 'ws';
import type { Subscription } from 'xstate';
import { loadSocketIo } from '../../../src/client/browser.ts';
import { createJobFeed, type JobFeed } from '../../../src/services/feed/job-feed.ts';
import { socketTransport } from '../../../src/services/feed/socket-io.ts';
import type { JobFeedEvent } from '../../../src/services/feed/vocabulary.ts';
import type { PageEvent } from '../../../src/services/page-signals.ts';
import type { TokenEvent } from '../../../src/services/auth/token-service.ts';
import { deferred } from '../../support/deferred.ts';
import { type SocketServer, startSocketServer } from '../../support/socket-server.ts';
import { virtualClock, type VirtualClock } from '../../../src/testing/virtual-clock.ts';

/*
 * The feed over the real Socket.IO, on both sides. Connections take the time they take; waits between them are virtual.
 */

let server: SocketServer;
let clock: VirtualClock;
let feed: JobFeed;
let tokenEvents$: Subject<TokenEvent>;
let token: { value: string; generation: number };
let subscription: Subscription;

beforeEach(async () => {
  server = await startSocketServer();
  clock = virtualClock();
  tokenEvents$ = new Subject();
  token = { value: 'first', generation: 1 };
  const held = () => ({ ...token, expiresAt: null, ttlMs: null, userId: 'ann' });
  feed = createJobFeed({
    async load() {
      const { io } = await loadSocketIo();
      return socketTransport(io, { url: server.url, path: '/socket.io/', transports: ['polling', 'websocket'] });
    },
    tokens: {
      current: held,
      forCall: async () => held(),
      identity: () => 'ann',
      events$: tokenEvents$,
    },
    resumed$: new Subject<PageEvent>(),
    clock,
    random: () => 1,
    log: () => {},
    connectTimeoutMs: 8_000,
    stableAfterMs: 5_000,
  });
});
afterEach(async () => {
  subscription.unsubscribe();
  await server.close();
});

/** The next event of this type. */
const next = (type: JobFeedEvent['type']) => firstValueFrom(feed.events$.pipe(filter((event) => event.type === type)));

async function goLive(): Promise<void> {
  const live = next('feed.live');
  subscription = feed.events$.subscribe(() => {});
  await live;
}

/** Resolves when the server has lost the connection. */
function closedAtServer(index: number): Promise<void> {
  const closed = deferred();
  server.connections[index]?.on('disconnect', () => closed.resolve());
  return closed.promise;
}

const tokensSeen = () => server.authentications.map(({ token: seen }) => seen);

describe('the feed over Socket.IO', () => {
  it('authenticates and receives job events', async () => {
    await goLive();
    const completed = next('job.completed');
    server.connections[0]?.emit('analysis-complete', { status: 'completed', result_id: 'r1' });
    expect(await completed).toEqual({ type: 'job.completed', jobId: null, resultId: 'r1' });
    expect(tokensSeen()).toEqual(['first']);
  });

  it('opens over HTTP and upgrades to a WebSocket on the same connection', async () => {
    const upgraded = deferred<string>();
    server.onConnection(({ conn }) => conn.once('upgrade', () => upgraded.resolve(conn.transport.name)));
    await goLive();
    expect(await upgraded.promise).toBe('websocket');
    const completed = next('job.completed');
    server.connections[0]?.emit('analysis-complete', { jobId: 'j1' });
    await completed;
    expect(server.connections).toHaveLength(1);
  });

  it('reconnects after the server closed the connection, which Socket.IO alone would not, and authenticates again', async () => {
    await goLive();
    const lost = next('feed.lost');
    server.connections[0]?.disconnect(true);
    await lost;
    token = { value: 'second', generation: 2 };
    const live = next('feed.live');
    await clock.run(3_000);
    await live;
    expect(tokensSeen()).toEqual(['first', 'second']);
    expect(server.connections).toHaveLength(2);
  });

  it('reconnects after the connection broke', async () => {
    await goLive();
    const lost = next('feed.lost');
    server.connections[0]?.conn.close();
    await lost;
    const live = next('feed.live');
    await clock.run(3_000);
    await live;
    expect(tokensSeen()).toEqual(['first', 'first']);
  });

  it.each([
    ['after up to 45 s when the server closed it', (socket: WebSocket) => socket.close(), 45_000],
    ['after up to 3 s when it broke', (socket: WebSocket) => socket.terminate(), 3_000],
  ])('reconnects a WebSocket of three minutes %s', async (_how, end, withinMs) => {
    const upgraded = deferred<WebSocket>();
    server.onConnection(({ conn }) =>
      conn.once('upgrade', () => upgraded.resolve((conn.transport as unknown as { socket: WebSocket }).socket)),
    );
    await goLive();
    const socket = await upgraded.promise;
    await clock.run(180_000);
    const lost = next('feed.lost');
    end(socket);
    await lost;
    await clock.run(withinMs - 1);
    expect(server.connections).toHaveLength(1);
    const live = next('feed.live');
    await clock.run(1);
    await live;
    expect(server.connections).toHaveLength(2);
  });

  it('authenticates the live connection with a renewed token and keeps it open', async () => {
    await goLive();
    const again = deferred<string>();
    server.connections[0]?.on('authenticate', ({ token: seen }: { token: string }) => again.resolve(seen));
    token = { value: 'second', generation: 2 };
    tokenEvents$.next({ type: 'token.renewed', generation: 2, userId: 'ann' });
    expect(await again.promise).toBe('second');
    const completed = next('job.completed');
    server.connections[0]?.emit('analysis-complete', { jobId: 'j1' });
    await completed;
    expect(server.connections).toHaveLength(1);
  });

  it('recovers from a renewed token that the server refuses as soon as there is a valid one', async () => {
    await goLive();
    server.refused.add('refused');
    const lost = next('feed.lost');
    token = { value: 'refused', generation: 2 };
    tokenEvents$.next({ type: 'token.renewed', generation: 2, userId: 'ann' });
    await lost;
    const live = next('feed.live');
    token = { value: 'better', generation: 3 };
    tokenEvents$.next({ type: 'token.renewed', generation: 3, userId: 'ann' });
    await live;
    expect(tokensSeen()).toEqual(['first', 'refused', 'better']);
  });

  it('closes the connection when the last subscriber leaves', async () => {
    await goLive();
    const closed = closedAtServer(0);
    subscription.unsubscribe();
    await closed;
    expect(clock.armed()).toBe(0);
  });

  it('opens a new connection when another user signs in', async () => {
    await goLive();
    const heard = firstValueFrom(feed.events$.pipe(take(3), toArray()));
    const closed = closedAtServer(0);
    token = { value: "bob's", generation: 2 };
    tokenEvents$.next({ type: 'session.restored', userId: 'bob' });
    await closed;
    expect((await heard).map(({ type }) => type)).toEqual(['feed.live', 'feed.lost', 'feed.live']);
    expect(server.authentications.map(({ token: seen, connection }) => [seen, connection])).toEqual([
      ['first', server.connections[0]?.id],
      ["bob's", server.connections[1]?.id],
    ]);
  });
});
