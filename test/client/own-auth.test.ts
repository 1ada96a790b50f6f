import {
  type AssessmentClient,
  type AssessmentClientOptions,
  type IssuedToken,
  SignInRequiredError,
  type TokenSource,
  TransientError,
} from 'assessment-monitor';
import { describe, expect, it, vi } from 'vitest';
import { memoryStore } from '../../src/lib/storage.ts';
import { settle, virtualClock } from '../../src/testing/virtual-clock.ts';
import { deferred } from '../support/deferred.ts';
import { jwt } from '../support/jwt.ts';
import { expired, type ForeignScript, openForeignWorld } from '../support/foreign-world.ts';

const POST = 'POST /analyses';
const STATUS = 'GET /analyses/a-1';
const REFRESH = 'POST /api/auth/v2/refresh';
type Options = NonNullable<Parameters<typeof openForeignWorld>[1]>;

/** The backend accepts these tokens only. */
const accepting =
  (...good: string[]): ForeignScript =>
  ({ token }) =>
    token !== null && good.includes(token) ? undefined : expired();

describe('a refresh request of its own', () => {
  const refreshing = async (
    refresh: NonNullable<AssessmentClientOptions['auth']>['refresh'],
    script: ForeignScript = accepting('second'),
    options: Options = {},
  ) => {
    const world = openForeignWorld(script, { ...options, auth: { refresh } });
    world.client.signedIn({ accessToken: 'first', expiresIn: 3_600, userId: 'user-1', refreshToken: 'r-1' });
    world.submit();
    await vi.dynamicImportSettled();
    await world.run(60_000);
    return world;
  };

  it('takes the place of the default one, and receives the refresh token', async () => {
    const asked: (string | null)[] = [];
    const world = await refreshing(async ({ refreshToken }) => {
      asked.push(refreshToken);
      return { accessToken: 'second', expiresIn: 3_600, refreshToken: `r-${asked.length + 1}` };
    });
    expect(world.last()).toMatchObject({ phase: 'completed' });
    expect(asked).toEqual(['r-1']);
    expect(world.count(REFRESH)).toBe(0);
    expect(world.eventsOf('refresh.finished')).toMatchObject([{ outcome: 'refreshed' }]);
    await world.run(120_000);
    await world.client.ensureValidToken(true);
    expect(asked).toEqual(['r-1', 'r-2']);
    world.client.dispose();
    expect(world.clock.armed()).toBe(0);
  });

  it('asks for a sign-in only when it says that the session is over', async () => {
    const world = await refreshing(async () => {
      throw new SignInRequiredError();
    });
    expect(world.last()).toMatchObject({ phase: 'sign-in-needed' });
    world.client.signedIn({ accessToken: 'second', userId: 'user-1' });
    await world.run(60_000);
    expect(world.last()).toMatchObject({ phase: 'completed' });
    expect(world.count(POST)).toBe(2);
  });

  it.each<[string, unknown, string]>([
    ['an error', new TypeError('fetch failed'), 'ambiguous'],
    ['a status', Object.assign(new Error('x'), { status: 401 }), 'ambiguous'],
    [
      'a limit that proves that nothing was rotated',
      new TransientError('rate-limited', 'x', { maybeDone: false }),
      'limited',
    ],
    ['an outage before anything was sent', new TransientError('unavailable', 'x', { maybeDone: false }), 'transient'],
  ])('keeps the session after %s, and tries again after the minute', async (_, thrown, outcome) => {
    let asked = 0;
    const world = openForeignWorld(accepting('second'), {
      auth: {
        refresh: async () => {
          asked += 1;
          if (asked === 1) throw thrown;
          return { accessToken: 'second' };
        },
      },
    });
    world.signIn();
    world.submit();
    await vi.dynamicImportSettled();
    await world.run(50_000);
    expect(world.eventsOf('refresh.finished')).toMatchObject([{ outcome }]);
    expect(world.phases()).toEqual(['submitting']);
    expect(asked).toBe(1);
    await world.run(180_000);
    expect(world.last()).toMatchObject({ phase: 'completed' });
    expect(asked).toBe(2);
  });

  it('may have rotated the token when it never answers, or answers what cannot be read', async () => {
    const silent = await refreshing(() => new Promise(() => {}));
    expect(silent.eventsOf('refresh.finished')).toMatchObject([{ outcome: 'ambiguous' }]);
    silent.client.dispose();
    const odd = await refreshing(async () => ({ token: 'x' }) as unknown as IssuedToken);
    expect(odd.eventsOf('refresh.finished')).toMatchObject([{ outcome: 'ambiguous' }]);
    expect(odd.eventsOf('answer.unreadable')).toMatchObject([{ route: 'refresh', field: 'accessToken' }]);
    odd.client.dispose();
  });
});

/** An SDK with its own cache: what is asked for, and what it answers. */
function openSource(answer: (fresh: boolean, count: number) => string | IssuedToken | null | Promise<never>) {
  const asked: boolean[] = [];
  const listeners = new Set<() => void>();
  let underWay = 0;
  const state = { most: 0 };
  const source: TokenSource = {
    async getToken({ fresh }) {
      asked.push(fresh);
      underWay += 1;
      state.most = Math.max(state.most, underWay);
      await settle();
      underWay -= 1;
      return answer(fresh, asked.length);
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  return {
    source,
    asked,
    state,
    forced: () => asked.filter(Boolean).length,
    change: () => listeners.forEach((it) => it()),
    listening: () => listeners.size,
  };
}
const named = (accessToken: string, userId = 'user-1') => ({ accessToken, userId });

async function sourced(sdk: ReturnType<typeof openSource>, script?: ForeignScript, options: Options = {}, ms = 60_000) {
  const world = openForeignWorld(script, { ...options, auth: { source: sdk.source } });
  world.submit();
  // The code of the ports is loaded on use, in real time.
  await vi.dynamicImportSettled();
  await world.run(ms);
  return world;
}

describe('a token source', () => {
  it('brings the token of each call, and keeps none in the storages', async () => {
    const [storage, tokenStorage] = [memoryStore(), memoryStore()];
    const sdk = openSource(() => 'sdk-token');
    const world = await sourced(sdk, accepting('sdk-token'), { storage, tokenStorage });
    expect(world.last()).toMatchObject({ phase: 'completed' });
    expect(world.count(POST)).toBe(1);
    expect(sdk.forced()).toBe(0);
    const stored = [storage, tokenStorage].flatMap((it) => it.keys().map((key) => it.get(key)));
    expect(JSON.stringify([stored, world.events])).not.toContain('sdk-token');
    world.client.dispose();
    expect(sdk.listening()).toBe(0);
    expect(world.clock.armed()).toBe(0);
  });

  it('is forced once when the backend refuses its cached token', async () => {
    const sdk = openSource((fresh) => (fresh ? 'second' : 'first'));
    const world = await sourced(sdk, accepting('second'));
    expect(world.last()).toMatchObject({ phase: 'completed' });
    expect(sdk.forced()).toBe(1);
    expect(sdk.state.most).toBe(1);
  });

  it('is forced once a minute at most, in the whole browser', async () => {
    const storage = memoryStore();
    const clock = virtualClock();
    const sdk = openSource((fresh, count) => named(fresh ? `fresh-${count}` : 'first'));
    const world = openForeignWorld(() => expired(), { storage, clock, auth: { source: sdk.source } });
    world.submit();
    const other = openSource((fresh, count) => named(fresh ? `other-${count}` : 'first'));
    const tab = openForeignWorld(() => expired(), { storage, clock, auth: { source: other.source } });
    tab.submit();
    await clock.run(60_000);
    expect(sdk.forced() + other.forced()).toBe(1);
    await clock.run(600_000);
    expect(sdk.forced() + other.forced()).toBeLessThanOrEqual(11);
    world.client.dispose();
    tab.client.dispose();
  });

  it('is waited for while it throws, without a sign-in', async () => {
    let isDown = true;
    const sdk = openSource(() => (isDown ? Promise.reject(new Error('offline')) : 'first'));
    const world = await sourced(sdk, accepting('first'), {}, 120_000);
    expect(world.phases()).toEqual(['submitting']);
    expect(sdk.asked.length).toBeGreaterThan(2);
    expect(sdk.asked.length).toBeLessThan(40);
    isDown = false;
    await world.run(180_000);
    expect(world.last()).toMatchObject({ phase: 'completed' });
  });

  it('does not hang with a source that never answers', async () => {
    const sdk = openSource((_, count) => (count === 1 ? new Promise<never>(() => {}) : 'first'));
    const world = await sourced(sdk, accepting('first'), {}, 120_000);
    expect(world.last()).toMatchObject({ phase: 'completed' });
  });

  it('asks for a sign-in when there is no token, and resumes when the source reports one', async () => {
    let token: string | null = 'first';
    const sdk = openSource((fresh) => (fresh ? null : token));
    const world = await sourced(sdk, accepting('second'));
    expect(world.last()).toMatchObject({ phase: 'sign-in-needed' });
    token = 'second';
    sdk.change();
    await world.run(60_000);
    // The text names no user: it may be another one's.
    expect(world.client.getSnapshot().assessments).toEqual([]);
    world.client.dispose();

    let user: IssuedToken | null = named('first');
    const naming = openSource((fresh) => (fresh ? null : user));
    const known = await sourced(naming, accepting('second'));
    expect(known.last()).toMatchObject({ phase: 'sign-in-needed' });
    user = named('second');
    naming.change();
    await known.run(60_000);
    expect(known.last()).toMatchObject({ phase: 'completed' });
    expect(known.calls.filter(({ what, token: it }) => what === POST && it === 'second')).toHaveLength(1);
  });

  it('signs the user out when it reports so, and in again', async () => {
    let user: IssuedToken | null = named('first');
    const sdk = openSource(() => user);
    const world = await sourced(sdk, undefined, {}, 5_000);
    expect(world.last()).toMatchObject({ phase: 'waiting' });
    user = null;
    sdk.change();
    await world.run(1_000);
    expect(world.client.getSnapshot().assessments).toEqual([]);
    const before = world.calls.length;
    await world.run(60_000);
    expect(world.calls.length).toBe(before);

    user = named('second-users', 'user-2');
    sdk.change();
    await world.run(60_000);
    expect(world.client.getSnapshot().assessments).toEqual([]);

    user = named('again');
    sdk.change();
    await world.run(60_000);
    expect(world.client.getSnapshot().assessments.map((it) => it.getSnapshot().phase)).toEqual(['completed']);
    expect(world.count(POST)).toBe(1);
  });

  it('brings another user straight over the first: nothing of the first is shown or asked for', async () => {
    let user = named('first');
    const sdk = openSource(() => user);
    const world = await sourced(sdk, undefined, {}, 5_000);
    user = named('other', 'user-2');
    sdk.change();
    await world.run(60_000);
    expect(world.client.getSnapshot().assessments).toEqual([]);
    expect(world.calls.filter(({ token, what }) => token === 'other' && what === STATUS)).toEqual([]);
  });

  it('does not bring a user back whom the application has signed out', async () => {
    const sdk = openSource(() => named('first'));
    const world = await sourced(sdk, undefined, {}, 5_000);
    world.client.signedOut();
    sdk.change();
    await world.run(60_000);
    expect(world.client.getSnapshot().assessments).toEqual([]);
    expect(world.count(STATUS)).toBeLessThan(4);
    world.client.signedIn(named('first'));
    await world.run(60_000);
    expect(world.client.getSnapshot().assessments.map((it) => it.getSnapshot().phase)).toEqual(['completed']);
  });

  it.each([
    ['is signed out', (client: AssessmentClient<never>) => client.signedOut(), 'session.ended'],
    [
      'is followed by another',
      (client: AssessmentClient<never>) => client.signedIn(named('other', 'user-2')),
      'session.restored',
    ],
  ])('does not bring a user back who %s while it is asked', async (_, leave, last) => {
    const answered = deferred();
    const sdk = openSource(() => named('first'));
    const getToken = async (fresh: boolean) => {
      const token = await sdk.source.getToken({ fresh });
      if (fresh) await answered.promise;
      return token;
    };
    const world = await sourced({ ...sdk, source: { ...sdk.source, getToken: ({ fresh }) => getToken(fresh) } });
    const asked = world.client.ensureValidToken(true).catch(() => {});
    await vi.waitFor(() => expect(sdk.forced()).toBe(1));
    leave(world.client);
    answered.resolve();
    await asked;
    await world.run(1_000);
    const sessions = world.events.filter(({ type }) => type.startsWith('session.'));
    expect(sessions.at(-1)?.type).toBe(last);
    expect(world.eventsOf('session.restored')).toHaveLength(last === 'session.ended' ? 0 : 1);
    expect(world.client.getSnapshot().assessments).toEqual([]);
  });

  it.each<[string, string | IssuedToken, string | IssuedToken]>([
    ['of two sessions by cookie without a name', { accessToken: '' }, { accessToken: '' }],
    ['of which one is named by the token alone and the other by nothing', jwt({ sub: 'ann' }), 'token-of-bob'],
  ])('brings nothing from one user to the next, %s', async (_, first, second) => {
    let user: string | IssuedToken | null = first;
    const sdk = openSource(() => user);
    const world = await sourced(sdk, undefined, {}, 5_000);
    expect(world.client.getSnapshot().assessments).toHaveLength(1);
    if (first !== second && typeof first !== 'string') {
      user = null;
      sdk.change();
      await world.run(1_000);
    }
    user = second;
    sdk.change();
    await world.run(5_000);
    expect(world.client.getSnapshot().assessments).toEqual([]);
  });

  it('is asked ahead of the expiry, and a renewal keeps the assessment', async () => {
    const clock = virtualClock();
    const token = (serial: number) =>
      jwt({ sub: 'user-1', exp: Math.floor(clock.now() / 1_000) + 300, iat: Math.floor(clock.now() / 1_000), serial });
    let held = token(1);
    let serial = 1;
    const sdk = openSource(() => {
      const { exp } = JSON.parse(atob(held.split('.')[1] ?? '')) as { exp: number };
      // An SDK renews its token in the last minute.
      if (exp * 1_000 - clock.now() < 60_000) held = token((serial += 1));
      return held;
    });
    const world = await sourced(
      sdk,
      ({ what, at }) => (what === STATUS && at < 900_000 ? new Response('{"phase":"WORKING"}') : undefined),
      { clock },
      1_000_000,
    );
    expect(world.last()).toMatchObject({ phase: 'completed' });
    expect(world.phases()).toEqual(['submitting', 'waiting', 'completed']);
    expect(sdk.forced()).toBe(0);
    expect(serial).toBeGreaterThan(2);
    expect(sdk.asked.length).toBeLessThan(40);
    expect(world.eventsOf('request.finished').filter(({ outcome }) => outcome === 'unauthorized')).toEqual([]);
  });

  it('resumes the assessment of its user after a reload', async () => {
    const storage = memoryStore();
    const sdk = openSource(() => named('first'));
    const world = await sourced(sdk, undefined, { storage }, 5_000);
    world.client.dispose();
    const next = openForeignWorld(undefined, { storage, auth: { source: sdk.source } });
    const [resumed] = next.client.resume();
    await vi.dynamicImportSettled();
    await next.run(60_000);
    expect(resumed?.getSnapshot()).toMatchObject({ phase: 'completed' });
    expect(next.count(POST)).toBe(0);

    const others = openSource(() => named('theirs', 'user-2'));
    const foreign = openForeignWorld(undefined, { storage, auth: { source: others.source } });
    foreign.client.resume();
    await foreign.run(60_000);
    expect(foreign.client.getSnapshot().assessments).toEqual([]);
    expect(foreign.calls.filter(({ what }) => what === STATUS)).toEqual([]);
  });

  it('can be a session by cookie: no header is sent, and cookies are, across origins', async () => {
    let isSignedIn = true;
    const sdk = openSource(() => (isSignedIn ? { accessToken: '', userId: 'user-1' } : null));
    const world = await sourced(
      sdk,
      ({ token, at }) => (token !== null || (at > 4_000 && !isSignedIn) ? expired() : undefined),
      {},
      3_000,
    );
    expect(world.last()).toMatchObject({ phase: 'waiting' });
    expect(world.calls.every(({ token, credentials }) => token === null && credentials === 'include')).toBe(true);
    isSignedIn = false;
    await world.run(30_000);
    expect(world.last()).toMatchObject({ phase: 'sign-in-needed' });
    isSignedIn = true;
    sdk.change();
    await world.run(60_000);
    expect(world.last()).toMatchObject({ phase: 'completed' });
  });

  it('cannot stand beside a refresh', () => {
    const auth = { source: openSource(() => null).source, refresh: async () => ({ accessToken: 'x' }) };
    expect(() => openForeignWorld(undefined, { auth })).toThrow('a source or a refresh of its own, not both');
  });
});
