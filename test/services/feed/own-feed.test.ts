import type { ConnectFeed, FeedConnection } from 'assessment-monitor';
import { Subject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { TokenEvent, TokenForCall } from '../../../src/services/auth/token-service.ts';
import { createJobFeed } from '../../../src/services/feed/job-feed.ts';
import { ownTransport } from '../../../src/services/feed/own-feed.ts';
import type { JobFeedEvent } from '../../../src/services/feed/vocabulary.ts';
import type { PageEvent } from '../../../src/services/page-signals.ts';
import { settle, virtualClock } from '../../../src/testing/virtual-clock.ts';
import { recordedLog } from '../../support/recorded-log.ts';

const live: JobFeedEvent = { type: 'feed.live' };
const lost: JobFeedEvent = { type: 'feed.lost' };
const tokenOf = (generation: number) => ({
  value: `s3cret-${generation}`,
  generation,
  expiresAt: null,
  ttlMs: null,
  userId: 'ann',
});

/** A connection that the test holds in its hands. */
interface Opened extends FeedConnection {
  end(error?: unknown): void;
}

async function openFeed(connect?: ConnectFeed) {
  const clock = virtualClock();
  const recorded = recordedLog();
  const events$ = new Subject<TokenEvent>();
  const resumed$ = new Subject<PageEvent>();
  const opened: Opened[] = [];
  const state = { token: tokenOf(1) as TokenForCall, user: 'ann' };
  const own: ConnectFeed =
    connect ??
    ((connection) =>
      new Promise((resolve, reject) => {
        opened.push({
          token: connection.token,
          signal: connection.signal,
          live: connection.live,
          say: connection.say,
          onToken: connection.onToken,
          end: (error) => (error === undefined ? resolve() : reject(error as Error)),
        });
      }));
  const feed = createJobFeed({
    load: async () => ownTransport(own),
    tokens: {
      current: () => state.token,
      forCall: async () => state.token,
      identity: () => state.user,
      events$,
    },
    resumed$,
    clock,
    random: () => 1,
    log: recorded.log,
    connectTimeoutMs: 8_000,
    stableAfterMs: 5_000,
  });
  const heard: JobFeedEvent[] = [];
  const subscription = feed.events$.subscribe((event) => heard.push(event));
  await settle();
  return {
    clock,
    recorded,
    opened,
    heard,
    state,
    subscription,
    wake: () => resumed$.next({ type: 'page.resumed', reason: 'visible' }),
    newest: (): Opened => {
      const connection = opened.at(-1);
      if (!connection) throw new Error('nothing was opened');
      return connection;
    },
    async renew(generation: number, user = 'ann') {
      state.token = tokenOf(generation);
      state.user = user;
      events$.next({ type: 'token.renewed', generation, userId: user });
      await settle();
    },
    async tell(event: TokenEvent) {
      events$.next(event);
      await settle();
    },
  };
}

describe('a feed of the application', () => {
  it('is live when it says so, reports events, and is closed with its last subscriber', async () => {
    const { newest, heard, subscription, clock } = await openFeed();
    expect(newest().token).toBe('s3cret-1');
    expect(heard).toEqual([]);
    newest().live();
    newest().live();
    newest().say({ type: 'job.completed', jobId: 'a-1', resultId: null });
    expect(heard).toEqual([live, { type: 'job.completed', jobId: 'a-1', resultId: null }]);
    subscription.unsubscribe();
    await settle();
    expect(newest().signal.aborted).toBe(true);
    expect(clock.armed()).toBe(0);
  });

  it('is connected again within 3 s when it ends, and over 45 s when its server cannot be reached then', async () => {
    const { opened, newest, clock } = await openFeed();
    newest().live();
    await clock.run(180_000);
    const waits: number[] = [];
    for (const end of [undefined, new TypeError('Failed to fetch')]) {
      newest().end(end);
      await settle();
      const [before, since] = [opened.length, clock.now()];
      while (opened.length === before) await clock.run(500);
      waits.push(clock.now() - since);
    }
    expect(waits).toEqual([3_000, 45_000]);
  });

  it('is given up when it is not live in time, and connected again after a growing wait', async () => {
    const { opened, clock, heard } = await openFeed();
    await clock.run(8_000);
    expect(opened[0]?.signal.aborted).toBe(true);
    const waits: number[] = [];
    for (let count = 2; count < 6; count += 1) {
      const since = clock.now();
      while (opened.length < count) await clock.run(500);
      waits.push(clock.now() - since);
      opened.at(-1)?.end(new Error('refused'));
      await settle();
    }
    expect(waits).toEqual(waits.toSorted((a, b) => a - b));
    expect(waits[0]).toBeLessThanOrEqual(3_000);
    expect(waits.at(-1)).toBeGreaterThan(waits[0] ?? 0);
    expect(heard).toEqual([]);
  });

  it('is connected again when it settles, throws at once, or never begins', async () => {
    const first = await openFeed();
    first.newest().live();
    first.newest().end();
    await settle();
    expect(first.heard).toEqual([live, lost]);
    await first.clock.run(3_000);
    expect(first.opened).toHaveLength(2);

    let calls = 0;
    const throwing = await openFeed(() => {
      calls += 1;
      throw new TypeError('no such thing');
    });
    await throwing.clock.run(30_000);
    expect(calls).toBeGreaterThan(2);
    expect(calls).toBeLessThan(12);
    throwing.subscription.unsubscribe();
  });

  it('has no say after its end', async () => {
    const { newest, heard, clock } = await openFeed();
    const old = newest();
    old.live();
    old.end();
    await clock.run(3_000);
    old.say({ type: 'job.completed', jobId: 'a-1', resultId: null });
    old.live();
    expect(heard).toEqual([live, lost]);
  });

  it('is not connected while the token is in doubt, as after a refresh whose answer was lost', async () => {
    const { state, opened, clock, newest } = await openFeed();
    newest().live();
    state.token = { ...tokenOf(1), inDoubt: true };
    newest().end();
    await clock.run(60_000);
    expect(opened).toHaveLength(1);
    state.token = tokenOf(2);
    await clock.run(120_000);
    expect(newest().token).toBe('s3cret-2');
  });

  it('hears a newer token on the open connection, and connects again where it does not listen', async () => {
    const { newest, renew, opened, clock } = await openFeed();
    const tokens: string[] = [];
    newest().onToken((token) => tokens.push(token));
    newest().live();
    await renew(2);
    await renew(2);
    expect(tokens).toEqual(['s3cret-2']);
    expect(opened).toHaveLength(1);
    newest().end();
    await clock.run(3_000);
    newest().live();
    await renew(3);
    await clock.run(6_000);
    expect(opened).toHaveLength(3);
    expect(newest().token).toBe('s3cret-3');
  });

  it('never lets a second user into the connection of the first', async () => {
    const { newest, renew, opened, state, tell, clock } = await openFeed();
    const first = newest();
    const tokens: string[] = [];
    first.onToken((token) => tokens.push(token));
    first.live();
    await renew(2, 'bob');
    expect(first.signal.aborted).toBe(true);
    expect(tokens).toEqual([]);
    expect(opened.map(({ token }) => token)).toEqual(['s3cret-1', 's3cret-2']);

    state.token = null;
    await tell({ type: 'session.ended', reason: 'signed-out' });
    expect(newest().signal.aborted).toBe(true);
    await clock.run(60_000);
    expect(opened).toHaveLength(2);
    state.token = tokenOf(3);
    await tell({ type: 'session.restored', userId: 'bob' });
    expect(newest().token).toBe('s3cret-3');
  });

  it('connects at once when the page wakes', async () => {
    const { newest, opened, clock, wake } = await openFeed();
    newest().end(new Error('refused'));
    await clock.run(1);
    wake();
    await settle();
    expect(opened).toHaveLength(2);
  });

  it('reports only what makes sense, and names what does not', async () => {
    const { newest, heard, recorded } = await openFeed();
    newest().live();
    const say = newest().say as (event: unknown) => void;
    say({ type: 'job.progressed', jobId: 7, percent: 130 });
    say({ type: 'job.failed', jobId: 'a-1' });
    say({ type: 'balance.changed', balance: 'many' });
    say({ type: 'job.done' });
    say({ type: 7 });
    expect(heard.slice(1)).toEqual([
      { type: 'job.progressed', jobId: '7', resultId: null, status: 'processing', percent: 100 },
      { type: 'job.failed', jobId: 'a-1', resultId: null, message: 'the analysis failed on the server' },
    ]);
    expect(recorded.of('feed.ignored').map(({ event }) => event)).toEqual(['balance.changed', 'unknown', 'unknown']);
  });
});
