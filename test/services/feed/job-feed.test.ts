import { Subject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { Subscription } from 'xstate';
import type { AccessToken } from '../../../src/services/auth/access-token.ts';
import { createJobFeed } from '../../../src/services/feed/job-feed.ts';
import { type LoadSocketIo, socketTransport } from '../../../src/services/feed/socket-io.ts';
import type { JobFeedEvent } from '../../../src/services/feed/vocabulary.ts';
import type { MonitorEvent } from '../../../src/lib/log.ts';
import type { PageEvent } from '../../../src/services/page-signals.ts';
import type { TokenEvent, TokenForCall } from '../../../src/services/auth/token-service.ts';
import { deferred } from '../../support/deferred.ts';
import { type FakeSocketIo, fakeSocketIo } from '../../support/fake-socket-io.ts';
import { recordedLog } from '../../support/recorded-log.ts';
import { settle, type VirtualClock, virtualClock } from '../../../src/testing/virtual-clock.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

const live: JobFeedEvent = { type: 'feed.live' };
const lost: JobFeedEvent = { type: 'feed.lost' };

const tokenOf = (generation: number): AccessToken => ({
  value: `s3cret-${generation}`,
  generation,
  expiresAt: null,
  ttlMs: null,
  userId: 'ann',
});
const authenticateWith = (generation: number) => ({
  event: 'authenticate',
  payload: { token: `s3cret-${generation}` },
});

/** Refuses so many sockets, one after the other. @returns how long each time it took until the next one was made, in seconds */
async function waitsAfterRefusals(
  count: number,
  { sockets }: FakeSocketIo,
  clock: VirtualClock,
  refusal = 'connect_error',
): Promise<number[]> {
  const waits: number[] = [];
  while (waits.length < count) {
    const before = sockets.length;
    const since = clock.now();
    sockets.at(-1)?.fire(refusal, new Error('refused'));
    while (sockets.length === before) await clock.run(500);
    waits.push((clock.now() - since) / 1_000);
  }
  return waits;
}

/** A feed without subscribers, between fakes. By default every backoff takes its longest time. */
function openFeed({
  generation = 1,
  random = () => 1,
  load,
  onLog = () => {},
}: {
  generation?: number | null;
  random?: () => number;
  load?: LoadSocketIo;
  onLog?: (event: MonitorEvent) => void;
} = {}) {
  const clock = virtualClock();
  const recorded = recordedLog();
  const socketIo = fakeSocketIo();
  const tokenEvents$ = new Subject<TokenEvent>();
  const resumed$ = new Subject<PageEvent>();
  let token: TokenForCall = generation === null ? null : tokenOf(generation);
  let user = 'ann';
  const feed = createJobFeed({
    async load() {
      const { io } = await (load ?? socketIo.load)();
      return socketTransport(io, { url: 'https://feed.test', path: '/socket.io/', transports: ['websocket'] });
    },
    tokens: {
      current: () => token,
      forCall: async () => token,
      identity: () => user,
      events$: tokenEvents$,
    },
    resumed$,
    clock,
    random,
    log: (event) => {
      recorded.log(event);
      onLog(event);
    },
    connectTimeoutMs: 8_000,
    stableAfterMs: 5_000,
  });
  const heard: JobFeedEvent[] = [];
  return {
    clock,
    recorded,
    socketIo,
    feed,
    heard,
    tokenEvents$,
    resumed$,
    async listen(): Promise<Subscription> {
      const subscription = feed.events$.subscribe((event) => heard.push(event));
      await settle();
      return subscription;
    },
    /** From now on this is the token; null when it has died. */
    hold: (next: number | null) => void (token = next === null ? null : tokenOf(next)),
    renew(next: number, userId = 'ann') {
      token = tokenOf(next);
      user = userId;
      tokenEvents$.next({ type: 'token.renewed', generation: next, userId: 'ann' });
    },
    endSession() {
      token = null;
      tokenEvents$.next({ type: 'session.ended', reason: 'signed-out' });
    },
    restoreSession(next: number, userId = 'ann') {
      token = tokenOf(next);
      user = userId;
      tokenEvents$.next({ type: 'session.restored', userId });
    },
    wake: () => resumed$.next({ type: 'page.resumed', reason: 'visible' }),
    get socket() {
      return socketIo.socket;
    },
  };
}

/** The socket is closed a moment after its last listener left, so that whatever made the listener leave is shown first. */
const aMomentLater = settle;

/** A feed that is live. */
async function liveFeed(options: Parameters<typeof openFeed>[0] = {}) {
  const feed = openFeed(options);
  const subscription = await feed.listen();
  feed.socket.goLive();
  await settle();
  return { ...feed, subscription, first: feed.socket };
}

describe('connecting', () => {
  it('makes one socket, and leaves nothing of it to Socket.IO', async () => {
    const { listen, socketIo } = openFeed();
    await listen();
    await settle();
    expect(socketIo.sockets).toMatchObject([{ url: 'https://feed.test', isOpen: true, sent: [] }]);
    expect(socketIo.socket.options).toEqual({
      path: '/socket.io/',
      transports: ['websocket'],
      reconnection: false,
      forceNew: true,
      autoConnect: false,
    });
  });

  it('holds no listener, timer or module before the first subscription', async () => {
    const { clock, socketIo, tokenEvents$, resumed$ } = openFeed();
    await settle();
    expect([socketIo.loads, clock.armed()]).toEqual([0, 0]);
    expect([tokenEvents$.observed, resumed$.observed]).toEqual([false, false]);
  });

  it('authenticates on the connection, with the token of that moment', async () => {
    const { listen, socketIo, hold } = openFeed({ generation: 1 });
    await listen();
    hold(2);
    socketIo.socket.fire('connect');
    await settle();
    expect(socketIo.socket.sent).toEqual([authenticateWith(2)]);
  });

  it('is live when the server says so, and not before', async () => {
    const { listen, socketIo, heard, recorded } = openFeed();
    await listen();
    socketIo.socket.fire('connect');
    expect(heard).toEqual([]);
    socketIo.socket.fire('authenticated', { success: true });
    expect(heard).toEqual([live]);
    expect(recorded.events).toEqual([{ type: 'feed.connecting', attempt: 0 }, { type: 'feed.live' }]);
  });

  it('does not begin without a token, and begins with the first one', async () => {
    const { listen, socketIo, clock, renew } = openFeed({ generation: null });
    await listen();
    expect(socketIo.sockets).toEqual([]);
    expect(clock.armed()).toBe(0);
    renew(1);
    socketIo.socket.fire('connect');
    await settle();
    expect(socketIo.socket.sent).toEqual([authenticateWith(1)]);
  });

  it('begins with a sign-in, too', async () => {
    const { listen, socketIo, restoreSession } = openFeed({ generation: null });
    await listen();
    restoreSession(1);
    socketIo.socket.fire('connect');
    await settle();
    expect(socketIo.socket.sent).toEqual([authenticateWith(1)]);
  });

  it('never sends a token that died while it connected, and sends the next one', async () => {
    const { listen, socketIo, hold, renew } = openFeed({ generation: 1 });
    await listen();
    hold(null);
    socketIo.socket.fire('connect');
    await settle();
    expect(socketIo.socket.sent).toEqual([]);
    renew(2);
    await settle();
    expect(socketIo.socket.sent).toEqual([authenticateWith(2)]);
  });

  it('sends nothing before it is connected: what Socket.IO keeps for later may be dead by then', async () => {
    const { listen, socketIo, renew, hold } = openFeed({ generation: 1 });
    await listen();
    renew(2);
    await settle();
    expect(socketIo.socket.sent).toEqual([]);
    hold(3);
    socketIo.socket.fire('connect');
    await settle();
    expect(socketIo.socket.sent).toEqual([authenticateWith(3)]);
  });

  it('sends nothing before it is connected again, either', async () => {
    const { first, socketIo, clock, renew } = await liveFeed();
    first.fire('disconnect', 'transport close');
    await clock.run(3_000);
    renew(2);
    await settle();
    expect(socketIo.socket.sent).toEqual([]);
    socketIo.socket.fire('connect');
    await settle();
    expect(socketIo.socket.sent).toEqual([authenticateWith(2)]);
  });

  it('gives up after 8 s without an answer, whether to the connection or to the token', async () => {
    for (const event of ['nothing', 'connect']) {
      const { listen, socketIo, clock, recorded } = openFeed();
      await listen();
      const { socket } = socketIo;
      await clock.run(4_000);
      socket.fire(event);
      await clock.run(3_999);
      expect(socket.isOpen).toBe(true);
      await clock.run(1);
      expect([socket.isOpen, socket.listenerCount]).toEqual([false, 0]);
      await clock.run(3_000);
      expect(socketIo.sockets).toHaveLength(2);
      expect(recorded.of('feed.connecting')).toMatchObject([{ attempt: 0 }, { attempt: 1 }]);
      expect(recorded.of('feed.lost')).toEqual([]);
    }
  });

  it('has no timer left once it is live', async () => {
    const { clock, first } = await liveFeed();
    expect(clock.armed()).toBe(0);
    await clock.run(3_600_000);
    expect(first.isOpen).toBe(true);
  });
});

describe('a token that is renewed', () => {
  it('authenticates the live socket again without replacing it', async () => {
    const { first, socketIo, renew, heard } = await liveFeed();
    renew(2);
    first.fire('authenticated', { success: true });
    await settle();
    expect(first.sent).toEqual([authenticateWith(1), authenticateWith(2)]);
    expect([socketIo.sockets.length, first.isOpen]).toEqual([1, true]);
    expect(heard).toEqual([live]);
  });

  it('is not sent twice', async () => {
    const { first, renew, tokenEvents$ } = await liveFeed();
    renew(2);
    tokenEvents$.next({ type: 'token.renewed', generation: 2, userId: 'ann' });
    await settle();
    expect(first.sent).toEqual([authenticateWith(1), authenticateWith(2)]);
  });

  it('is not sent when it is dead already', async () => {
    const { first, hold, tokenEvents$ } = await liveFeed();
    hold(null);
    tokenEvents$.next({ type: 'token.renewed', generation: 2, userId: 'ann' });
    await settle();
    expect(first.sent).toEqual([authenticateWith(1)]);
  });

  it('connects at once where the last attempt is waited for', async () => {
    const { first, socketIo, renew, clock } = await liveFeed();
    first.fire('disconnect', 'transport close');
    renew(2);
    expect(socketIo.sockets).toHaveLength(2);
    socketIo.socket.goLive();
    await clock.run(60_000);
    expect(socketIo.sockets).toHaveLength(2);
    await settle();
    expect(socketIo.socket.sent).toEqual([authenticateWith(2)]);
  });

  it('is not asked for by its expiry alone', async () => {
    const { first, socketIo, tokenEvents$ } = await liveFeed();
    tokenEvents$.next({ type: 'token.expiring' });
    await settle();
    expect([socketIo.sockets.length, first.isOpen, first.sent.length]).toEqual([1, true, 1]);
    first.fire('disconnect', 'transport close');
    tokenEvents$.next({ type: 'token.expiring' });
    expect(socketIo.sockets).toHaveLength(1);
  });
});

describe('a connection that is lost', () => {
  it.each(['io server disconnect', 'transport close', 'ping timeout'])(
    'is opened and authenticated again after "%s"',
    async (reason) => {
      const { first, socketIo, clock, heard, recorded } = await liveFeed();
      first.fire('disconnect', reason);
      expect(heard).toEqual([live, lost]);
      expect(recorded.of('feed.lost')).toEqual([{ type: 'feed.lost', reason }]);
      expect([first.isOpen, first.listenerCount]).toEqual([false, 0]);
      await clock.run(2_999);
      expect(socketIo.sockets).toHaveLength(1);
      await clock.run(1);
      expect(socketIo.sockets).toHaveLength(2);
      socketIo.socket.goLive();
      await settle();
      expect(socketIo.socket.sent).toEqual([authenticateWith(1)]);
      expect(heard).toEqual([live, lost, live]);
    },
  );

  it.each([
    ['auth_error', 'refused'],
    ['auth-error', 'refused'],
    ['connect_error', 'unreachable'],
  ])('by "%s" is opened again as well', async (event, reason) => {
    const { first, socketIo, clock, heard, recorded } = await liveFeed();
    first.fire(event, { message: 'Invalid or expired token' });
    expect(heard).toEqual([live, lost]);
    expect(recorded.of('feed.lost')).toEqual([{ type: 'feed.lost', reason }]);
    await clock.run(3_000);
    expect(socketIo.sockets).toHaveLength(2);
  });

  it.each(['auth_error', 'auth-error', 'connect_error', 'disconnect'])(
    'before it was live, by "%s", was never there for the listeners',
    async (event) => {
      const { listen, socketIo, clock, heard, recorded } = openFeed();
      await listen();
      socketIo.socket.fire('connect');
      socketIo.socket.fire(event, 'io server disconnect');
      expect(heard).toEqual([]);
      expect(recorded.of('feed.lost')).toEqual([]);
      await clock.run(3_000);
      expect(socketIo.sockets).toHaveLength(2);
    },
  );

  it('counts once, although Socket.IO tells of it twice', async () => {
    const { first, clock, socketIo, heard } = await liveFeed();
    first.fire('auth_error', {});
    first.fire('disconnect', 'io server disconnect');
    expect(clock.armed()).toBe(1);
    await clock.run(3_000);
    expect(socketIo.sockets).toHaveLength(2);
    expect(heard).toEqual([live, lost]);
  });

  it('is opened again after growing waits of up to 30 s while its token is refused', async () => {
    const { listen, socketIo, clock } = openFeed();
    await listen();
    socketIo.socket.fire('connect');
    expect(await waitsAfterRefusals(6, socketIo, clock, 'auth_error')).toEqual([3, 6, 12, 24, 30, 30]);
  });

  it('is opened again after growing waits of up to 2 min while none has ever opened', async () => {
    const { listen, socketIo, clock } = openFeed();
    await listen();
    expect(await waitsAfterRefusals(8, socketIo, clock)).toEqual([3, 6, 12, 24, 48, 96, 120, 120]);
  });

  it('is opened again at once when the page wakes, whatever the backoff', async () => {
    const { listen, socketIo, clock, resumed$ } = openFeed();
    await listen();
    await waitsAfterRefusals(6, socketIo, clock);
    socketIo.socket.fire('connect_error', new Error('refused'));
    const before = socketIo.sockets.length;
    resumed$.next({ type: 'page.resumed', reason: 'online' });
    expect(socketIo.sockets).toHaveLength(before + 1);
  });

  it('is opened again within a minute once one has been open, after first attempts that failed', async () => {
    const { listen, socketIo, clock } = openFeed();
    await listen();
    await waitsAfterRefusals(6, socketIo, clock);
    socketIo.socket.fire('connect');
    expect(await waitsAfterRefusals(3, socketIo, clock)).toEqual([45, 55, 55]);
  });

  it('says nothing any more, whatever still arrives on it', async () => {
    const { first, heard } = await liveFeed();
    first.fire('disconnect', 'transport close');
    first.fire('authenticated', { success: true });
    first.fire('analysis-complete', { jobId: 'job-1' });
    expect(heard).toEqual([live, lost]);
  });

  it('is never opened again within 250 ms, whatever the jitter', async () => {
    const { first, socketIo, clock } = await liveFeed({ random: () => 0 });
    first.fire('disconnect', 'transport close');
    await clock.run(249);
    expect(socketIo.sockets).toHaveLength(1);
    await clock.run(1);
    expect(socketIo.sockets).toHaveLength(2);
  });

  it('resets its backoff after 5 stable seconds, and not while it flaps', async () => {
    const { listen, socketIo, clock } = openFeed();
    await listen();
    const liveFor = async (ms: number) => {
      socketIo.socket.goLive();
      await clock.run(ms);
      socketIo.socket.fire('disconnect', 'transport close');
    };
    const attemptAfter = async (ms: number) => {
      const before = socketIo.sockets.length;
      await clock.run(ms - 1);
      expect(socketIo.sockets).toHaveLength(before);
      await clock.run(1);
      expect(socketIo.sockets).toHaveLength(before + 1);
    };
    await liveFor(4_999);
    await attemptAfter(3_000);
    await liveFor(4_999);
    await attemptAfter(6_000);
    await liveFor(4_999);
    await attemptAfter(12_000);
    await liveFor(5_000);
    await attemptAfter(3_000);
  });

  it('is opened again with the token that is current by then', async () => {
    const { first, socketIo, clock, hold } = await liveFeed();
    first.fire('disconnect', 'transport close');
    hold(3);
    await clock.run(3_000);
    socketIo.socket.fire('connect');
    await settle();
    expect(socketIo.socket.sent).toEqual([authenticateWith(3)]);
  });

  it('waits for a token when there is none by then', async () => {
    const { first, socketIo, clock, hold, renew } = await liveFeed();
    first.fire('disconnect', 'transport close');
    hold(null);
    await clock.run(60_000);
    expect(socketIo.sockets).toHaveLength(1);
    expect(clock.armed()).toBe(0);
    renew(2);
    expect(socketIo.sockets).toHaveLength(2);
  });
});

describe('a feed that the server closes in order, as one that shuts down does to all of them', () => {
  const closeFrame = { description: 'websocket connection closed', context: { code: 1005, wasClean: true } };
  const closePacket = { description: 'transport closed by the server' };

  /** A feed that was live for so long, and when it connects again, s after it was lost. */
  async function closedAfter(ageMs: number, luck: number, details: object = closeFrame) {
    const { socketIo, clock, first } = await liveFeed({ random: () => luck });
    await clock.run(ageMs);
    first.fire('disconnect', 'transport close', details);
    const lostAt = clock.now();
    const nextAttempt = async () => {
      const before = socketIo.sockets.length;
      while (socketIo.sockets.length === before) await clock.run(50);
      return (clock.now() - lostAt) / SECOND;
    };
    return { socketIo, nextAttempt };
  }

  it.each([
    ['a close frame', closeFrame],
    ['a packet of long polling', closePacket],
  ])('connects again at a random time within 45 s (%s)', async (_by, details) => {
    const attempts = [0, 0.5, 1].map(async (luck) => (await closedAfter(3 * MINUTE, luck, details)).nextAttempt());
    expect(await Promise.all(attempts)).toEqual([0.25, 22.65, 45]);
  });

  it('comes back with at most three times the mean of a recovery of 75 s, in every second', async () => {
    const clients = 200;
    const perSecond = new Map<number, number>();
    for (let client = 0; client < clients; client += 1) {
      const luck = (client + 0.5) / clients;
      const { nextAttempt } = await closedAfter((3 + luck) * MINUTE, luck);
      const second = Math.floor(await nextAttempt());
      perSecond.set(second, (perSecond.get(second) ?? 0) + 1);
    }
    expect(Math.max(...perSecond.values())).toBeLessThanOrEqual((3 * clients) / 75);
  });

  it.each([
    [3, 3],
    [30, 10],
    [90, 30],
  ])('that is %i s old connects again within %i s: its job may be a short one', async (ageS, withinS) => {
    const { nextAttempt } = await closedAfter(ageS * SECOND, 1);
    expect(await nextAttempt()).toBeCloseTo(withinS, 0);
  });

  it.each([
    [0, 45.25],
    [1, 100],
  ])('connects again 45 to 55 s after an attempt that failed (luck %i)', async (luck, secondS) => {
    const { socketIo, nextAttempt } = await closedAfter(3 * MINUTE, luck);
    await nextAttempt();
    socketIo.socket.fire('connect_error', new Error('refused'));
    expect(await nextAttempt()).toBe(secondS);
  });

  it.each([
    ['a connection that broke', { context: { code: 1006, wasClean: false } }],
    ['a context that is none', { context: null }],
    ['details that are none', null],
  ])('is another matter than %s, which may concern one client alone', async (_what, details) => {
    const { nextAttempt } = await closedAfter(3 * MINUTE, 1, details as object);
    expect(await nextAttempt()).toBe(3);
  });

  it('is forgotten when the next connection breaks', async () => {
    const { socketIo, nextAttempt } = await closedAfter(3 * MINUTE, 0);
    await nextAttempt();
    socketIo.socket.goLive();
    const before = socketIo.sockets.length;
    socketIo.socket.fire('disconnect', 'transport close', { context: { code: 1006, wasClean: false } });
    expect(await nextAttempt()).toBeLessThan(1);
    expect(socketIo.sockets).toHaveLength(before + 1);
  });
});

describe('a page that wakes up', () => {
  it('reconnects at once, instead of waiting for its turn', async () => {
    const { first, socketIo, clock, wake } = await liveFeed();
    first.fire('disconnect', 'transport close');
    wake();
    expect(socketIo.sockets).toHaveLength(2);
    socketIo.socket.goLive();
    await clock.run(60_000);
    expect(socketIo.sockets).toHaveLength(2);
  });

  it('leaves a socket alone that is there, or on its way', async () => {
    const { listen, socketIo, wake } = openFeed();
    await listen();
    wake();
    socketIo.socket.goLive();
    wake();
    expect(socketIo.sockets).toHaveLength(1);
  });

  it('does not make a socket that is on its way wait for longer', async () => {
    const { listen, socketIo, clock, wake } = openFeed();
    await listen();
    await clock.run(7_000);
    wake();
    await clock.run(4_000);
    expect(socketIo.sockets).toHaveLength(2);
  });

  it('does not connect without a token, or before Socket.IO is loaded', async () => {
    const { listen, socketIo, wake } = openFeed({ generation: null });
    await listen();
    wake();
    expect(socketIo.sockets).toEqual([]);

    const unloaded = openFeed({ load: () => new Promise(() => {}) });
    await unloaded.listen();
    unloaded.wake();
    expect(unloaded.clock.armed()).toBe(0);
  });
});

describe('a session that changes', () => {
  it('closes the socket when it ends, and connects no more', async () => {
    const { first, socketIo, clock, heard, recorded, endSession, wake } = await liveFeed();
    endSession();
    expect([first.isOpen, first.listenerCount]).toEqual([false, 0]);
    expect(heard).toEqual([live, lost]);
    expect(recorded.of('feed.lost')).toEqual([{ type: 'feed.lost', reason: 'session.ended' }]);
    wake();
    await clock.run(3_600_000);
    expect(socketIo.sockets).toHaveLength(1);
    expect(clock.armed()).toBe(0);
  });

  it('ends the wait for the next attempt, too', async () => {
    const { first, clock, endSession } = await liveFeed();
    first.fire('disconnect', 'transport close');
    expect(clock.armed()).toBe(1);
    endSession();
    expect(clock.armed()).toBe(0);
  });

  it("never brings a second user into the first one's socket", async () => {
    const { first, socketIo, heard, restoreSession } = await liveFeed();
    restoreSession(2, 'bob');
    expect(first.isOpen).toBe(false);
    await settle();
    expect(first.sent).toEqual([authenticateWith(1)]);
    expect(heard).toEqual([live, lost]);
    socketIo.socket.goLive();
    expect(socketIo.sockets).toHaveLength(2);
    await settle();
    expect(socketIo.socket.sent).toEqual([authenticateWith(2)]);
    expect(heard).toEqual([live, lost, live]);
  });

  it('opens a new socket after a sign-in', async () => {
    const { socketIo, heard, endSession, restoreSession } = await liveFeed();
    endSession();
    restoreSession(2);
    socketIo.socket.goLive();
    expect(heard).toEqual([live, lost, live]);
  });
});

describe('what the server says', () => {
  const ids = { jobId: null, resultId: null };

  it.each<[string, unknown, JobFeedEvent]>([
    [
      'analysis-started',
      { jobId: 'j1', status: 'processing', assessment_name: 'x', message: 'y', timestamp: 'z' },
      { type: 'job.progressed', jobId: 'j1', resultId: null, status: 'processing', percent: null },
    ],
    [
      'analysis-started',
      { jobId: 'j1', resultId: 'r1', progress: 40 },
      { type: 'job.progressed', jobId: 'j1', resultId: 'r1', status: 'processing', percent: 40 },
    ],
    ['analysis-started', { progress: 150 }, { type: 'job.progressed', ...ids, status: 'processing', percent: 100 }],
    ['analysis-started', { progress: -1 }, { type: 'job.progressed', ...ids, status: 'processing', percent: 0 }],
    ['analysis-started', { progress: 'half' }, { type: 'job.progressed', ...ids, status: 'processing', percent: null }],
    [
      'analysis-complete',
      { status: 'completed', result_id: 'r1', assessment_name: 'x', timestamp: 'z' },
      { type: 'job.completed', jobId: null, resultId: 'r1' },
    ],
    ['analysis-complete', { jobId: 'j1', resultId: 'r1' }, { type: 'job.completed', jobId: 'j1', resultId: 'r1' }],
    ['analysis-complete', { result_id: 'r1', resultId: 'r2' }, { type: 'job.completed', jobId: null, resultId: 'r1' }],
    ['analysis-complete', {}, { type: 'job.completed', ...ids }],
    ['analysis-complete', { jobId: 5.5, result_id: '' }, { type: 'job.completed', ...ids }],
    [
      'analysis-failed',
      { status: 'failed', result_id: null, error_message: 'model refused' },
      { type: 'job.failed', ...ids, message: 'model refused' },
    ],
    [
      'analysis-failed',
      { jobId: 'j1', resultId: 'r1', error: 'older server' },
      { type: 'job.failed', jobId: 'j1', resultId: 'r1', message: 'older server' },
    ],
    [
      'analysis-failed',
      { error_message: '', error: 'the other one' },
      { type: 'job.failed', ...ids, message: 'the other one' },
    ],
    [
      'analysis-failed',
      { error_message: { code: 5 } },
      { type: 'job.failed', ...ids, message: 'the analysis failed on the server' },
    ],
    ['analysis-unknown', { error_message: 'unsupported' }, { type: 'job.failed', ...ids, message: 'unsupported' }],
    ['analysis-failed', { error_message: 'x'.repeat(1_000) }, { type: 'job.failed', ...ids, message: 'x'.repeat(300) }],
    ['token-balance-update', { balance: 3 }, { type: 'balance.changed', balance: 3 }],
    ['token-balance-update', { token_balance: 0 }, { type: 'balance.changed', balance: 0 }],
  ])('as "%s" %j is heard as %j', async (name, payload, event) => {
    const { first, heard, recorded } = await liveFeed();
    first.fire(name, payload);
    expect(heard).toEqual([live, event]);
    expect(recorded.of('feed.ignored')).toEqual([]);
  });

  it.each([
    ['analysis-started', null],
    ['analysis-complete', undefined],
    ['analysis-complete', 'text'],
    ['analysis-complete', []],
    ['analysis-failed', 5],
    ['analysis-unknown', true],
    ['token-balance-update', {}],
    ['token-balance-update', { balance: '3' }],
    ['token-balance-update', null],
  ])('as "%s" %j makes no sense, and is noted without its content', async (name, payload) => {
    const { first, heard, recorded } = await liveFeed();
    first.fire(name, payload);
    expect(heard).toEqual([live]);
    expect(recorded.of('feed.ignored')).toEqual([{ type: 'feed.ignored', event: name, reason: 'malformed' }]);
  });

  it('in words that we do not know is not heard', async () => {
    const { first, heard } = await liveFeed();
    first.fire('chat-message', { text: 'hello' });
    expect(heard).toEqual([live]);
  });

  it('through a socket that was dropped is not heard', async () => {
    const { first, heard } = await liveFeed();
    first.fire('disconnect', 'transport close');
    first.fire('analysis-complete', { jobId: 'j1' });
    expect(heard).toEqual([live, lost]);
  });
});

describe('many listeners', () => {
  it('share one socket, and hear the same', async () => {
    const { listen, socketIo, heard } = openFeed();
    await listen();
    await listen();
    expect([socketIo.sockets.length, socketIo.loads]).toEqual([1, 1]);
    socketIo.socket.goLive();
    socketIo.socket.fire('analysis-complete', { jobId: 'j1' });
    const completed = { type: 'job.completed', jobId: 'j1', resultId: null };
    expect(heard).toEqual([live, live, completed, completed]);
  });

  it('receive feed.live when they subscribe late, and the others do not receive it again', async () => {
    const { feed, heard } = await liveFeed();
    const late: JobFeedEvent[] = [];
    feed.events$.subscribe((event) => late.push(event));
    expect([heard, late]).toEqual([[live], [live]]);
  });

  it('are not told so while the feed is lost', async () => {
    const { feed, first } = await liveFeed();
    first.fire('disconnect', 'transport close');
    const late: JobFeedEvent[] = [];
    feed.events$.subscribe((event) => late.push(event));
    expect(late).toEqual([]);
  });

  it('keep the socket until the last of them has left; then nothing is left', async () => {
    const { feed, first, subscription, clock, tokenEvents$, resumed$, recorded } = await liveFeed();
    const second = feed.events$.subscribe(() => {});
    subscription.unsubscribe();
    expect(first.isOpen).toBe(true);
    second.unsubscribe();
    expect(first.isOpen).toBe(true);
    await aMomentLater();
    expect([first.isOpen, first.listenerCount, clock.armed()]).toEqual([false, 0, 0]);
    expect([tokenEvents$.observed, resumed$.observed]).toEqual([false, false]);
    expect(recorded.of('feed.lost')).toEqual([{ type: 'feed.lost', reason: 'closed' }]);
  });

  it('leave no timer behind, whether they leave while it connects or while it waits', async () => {
    const connecting = openFeed();
    (await connecting.listen()).unsubscribe();
    await aMomentLater();
    expect([connecting.clock.armed(), connecting.socket.isOpen]).toEqual([0, false]);

    const waiting = await liveFeed();
    waiting.first.fire('disconnect', 'transport close');
    waiting.subscription.unsubscribe();
    await aMomentLater();
    expect(waiting.clock.armed()).toBe(0);
  });

  it('are not waited for when the feed is closed', async () => {
    const { feed, first, subscription } = await liveFeed();
    feed.close();
    expect(first.isOpen).toBe(true);
    subscription.unsubscribe();
    expect(first.isOpen).toBe(true);
    feed.close();
    expect([first.isOpen, first.listenerCount]).toEqual([false, 0]);
  });

  it('who come within a moment after the last has left keep its socket, and hear that it is live', async () => {
    const { feed, socketIo, clock, first, subscription } = await liveFeed();
    subscription.unsubscribe();
    const heard: JobFeedEvent[] = [];
    feed.events$.subscribe((event) => heard.push(event));
    await aMomentLater();
    expect(heard).toEqual([live]);
    expect([socketIo.sockets.length, first.isOpen, clock.armed()]).toEqual([1, true, 0]);
  });

  it('who come after that get a new socket, and are not told that it is live before it is', async () => {
    const { feed, socketIo, subscription } = await liveFeed();
    subscription.unsubscribe();
    await aMomentLater();
    const heard: JobFeedEvent[] = [];
    feed.events$.subscribe((event) => heard.push(event));
    await settle();
    expect([socketIo.sockets.length, socketIo.loads]).toEqual([2, 1]);
    expect(heard).toEqual([]);
    socketIo.socket.goLive();
    expect(heard).toEqual([live]);
  });
});

describe('Socket.IO itself', () => {
  it('may be missing: then there is no feed, and the assessment is polled', async () => {
    const missing = Object.assign(new Error('Cannot find package'), { name: 'ModuleNotFoundError' });
    const { listen, clock, heard, recorded, wake, renew } = openFeed({ load: () => Promise.reject(missing) });
    await listen();
    wake();
    renew(2);
    expect(recorded.events).toEqual([{ type: 'feed.unavailable', reason: 'ModuleNotFoundError' }]);
    expect(heard).toEqual([]);
    expect(clock.armed()).toBe(0);
  });

  it('may be missing in a strange way', async () => {
    // eslint-disable-next-line prefer-promise-reject-errors -- loaders of applications reject with anything
    const { listen, recorded } = openFeed({ load: () => Promise.reject('no') });
    await listen();
    expect(recorded.events).toEqual([{ type: 'feed.unavailable', reason: 'unknown' }]);
  });

  it('may be there at the next try', async () => {
    const socketIo = fakeSocketIo();
    let isThere = false;
    const { listen } = openFeed({
      load: () => (isThere ? socketIo.load() : Promise.reject(new Error('offline'))),
    });
    (await listen()).unsubscribe();
    await aMomentLater();
    isThere = true;
    await listen();
    expect(socketIo.sockets).toHaveLength(1);
  });

  it('may throw when a socket is made: then there is no feed either', async () => {
    const io = () => {
      throw new TypeError('not an address');
    };
    const { listen, recorded } = openFeed({ load: () => Promise.resolve({ io }) });
    await listen();
    expect(recorded.of('feed.unavailable')).toEqual([{ type: 'feed.unavailable', reason: 'TypeError' }]);
  });

  it('may arrive when everybody has left: then no socket is made', async () => {
    const socketIo = fakeSocketIo();
    const arrival = deferred<Awaited<ReturnType<LoadSocketIo>>>();
    const { listen } = openFeed({ load: () => arrival.promise });
    (await listen()).unsubscribe();
    await aMomentLater();
    arrival.resolve(await socketIo.load());
    await settle();
    expect(socketIo.sockets).toEqual([]);
  });

  it('is loaded once for subscribers that come and leave one after the other', async () => {
    const { listen, socketIo } = openFeed();
    (await listen()).unsubscribe();
    await aMomentLater();
    await listen();
    expect(socketIo.loads).toBe(1);
  });
});

describe('a listener that leaves in the middle of what it hears', () => {
  /** Leaves when `isTime` says so. */
  async function leavingFeed(isTime: (event: JobFeedEvent) => boolean) {
    const feed = openFeed();
    const subscription: Subscription = feed.feed.events$.subscribe((event) => {
      if (isTime(event)) subscription.unsubscribe();
    });
    await settle();
    feed.socket.goLive();
    return feed;
  }

  it('leaves neither timer nor socket when it hears that the feed is lost', async () => {
    const { socketIo, clock } = await leavingFeed((event) => event.type === 'feed.lost');
    socketIo.socket.fire('disconnect', 'transport close');
    await aMomentLater();
    expect(clock.armed()).toBe(0);
    await clock.run(60_000);
    expect(socketIo.sockets).toHaveLength(1);
  });

  it('leaves no socket when another user signs in', async () => {
    const { socketIo, clock, restoreSession } = await leavingFeed((event) => event.type === 'feed.lost');
    restoreSession(2, 'bob');
    await aMomentLater();
    expect(socketIo.sockets.filter(({ isOpen }) => isOpen)).toEqual([]);
    expect(clock.armed()).toBe(0);
  });

  it('leaves nothing when it hears that the feed is live', async () => {
    const { socketIo, clock } = await leavingFeed((event) => event.type === 'feed.live');
    await aMomentLater();
    expect([socketIo.socket.isOpen, clock.armed()]).toEqual([false, 0]);
  });

  it('leaves nothing when it reads in the log that the feed connects', async () => {
    let subscription: Subscription | undefined;
    const { feed, socketIo, clock, renew } = openFeed({
      generation: null,
      onLog: (event) => event.type === 'feed.connecting' && subscription?.unsubscribe(),
    });
    subscription = feed.events$.subscribe(() => {});
    await settle();
    renew(1);
    await aMomentLater();
    expect(socketIo.sockets.filter(({ isOpen }) => isOpen)).toEqual([]);
    expect(clock.armed()).toBe(0);
  });
});

it('says nothing of the token itself: not in an event, and not in the log', async () => {
  const { first, socketIo, clock, heard, recorded, renew, endSession, restoreSession } = await liveFeed();
  renew(2);
  first.fire('analysis-complete', 's3cret');
  first.fire('auth_error', { message: 's3cret-2' });
  await clock.run(3_000);
  socketIo.socket.fire('connect_error', new Error('s3cret-2'));
  endSession();
  restoreSession(3);
  socketIo.socket.goLive();
  expect(recorded.events.length).toBeGreaterThan(5);
  expect(JSON.stringify([heard, recorded.events])).not.toContain('s3cret');
  expect(socketIo.sockets.map(({ url, options }) => JSON.stringify([url, options])).join()).not.toContain('s3cret');
});
