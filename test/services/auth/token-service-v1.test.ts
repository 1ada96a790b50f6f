import { describe, expect, it } from 'vitest';
import { SignInRequiredError } from '../../../src/lib/errors.ts';
import { memoryStore } from '../../../src/lib/storage.ts';
import { createTokenServiceV1 } from '../../../src/services/auth/token-service-v1.ts';
import type { TokenEvent } from '../../../src/services/auth/token-service.ts';
import { jwt } from '../../support/jwt.ts';
import { recordedLog } from '../../support/recorded-log.ts';
import { T0, virtualClock } from '../../../src/testing/virtual-clock.ts';

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
const seconds = T0 / SECOND;

/** A token of this user that lives for an hour from the start. */
const tokenOf = (id: string, claims: object = {}) => jwt({ id, iat: seconds, exp: seconds + 3_600, ...claims });

/** A tab in which the application keeps `stored` under "token". */
function openTab({ stored = null, random = () => 1 }: { stored?: string | null; random?: () => number } = {}) {
  const clock = virtualClock();
  const store = memoryStore();
  const recorded = recordedLog();
  const storageListeners = new Set<(key: string | null) => void>();
  if (stored !== null) store.set('token', stored);
  const tokens = createTokenServiceV1({
    clock,
    random,
    log: recorded.log,
    store,
    own: memoryStore(),
    keys: ['token', 'auth_token'],
    outagePatienceMs: 600 * SECOND,
    onStorageChange: (listener) => {
      storageListeners.add(listener);
      return () => storageListeners.delete(listener);
    },
  });
  const heard: TokenEvent[] = [];
  tokens.events$.subscribe((event) => heard.push(event));
  return {
    clock,
    store,
    recorded,
    tokens,
    heard,
    storageListeners,
    /** What another tab does to the storage, of which the browser tells us. */
    inAnotherTab(change: () => void, key: string | null = 'token') {
      change();
      for (const listener of storageListeners) listener(key);
    },
    get held() {
      return tokens.current()?.value ?? null;
    },
  };
}

type Tab = ReturnType<typeof openTab>;

/** Lets the held token be refused as often as it takes to give it up. */
async function refuseUntilGivenUp({ tokens, clock }: Tab) {
  const outcomes = [];
  for (;;) {
    const outcome = await tokens.renew(tokens.current()?.generation ?? 0);
    outcomes.push(outcome);
    if (outcome.type !== 'outage') return outcomes;
    await clock.run(outcome.retryAfterMs);
  }
}

describe('the token of the application', () => {
  it('is read at each use, because the application owns it', async () => {
    const tab = openTab();
    expect(tab.held).toBeNull();
    tab.store.set('token', 'one');
    expect(tab.held).toBe('one');
    expect(await tab.tokens.ensureValidToken()).toBe('one');
    tab.store.set('token', 'two');
    expect(await tab.tokens.ensureValidToken()).toBe('two');
    tab.store.remove('token');
    expect(tab.held).toBeNull();
  });

  it('is the one under the first key that holds one', () => {
    const tab = openTab();
    tab.store.set('auth_token', 'second');
    expect(tab.held).toBe('second');
    tab.store.set('token', '');
    expect(tab.held).toBe('second');
    tab.store.set('token', 'null');
    expect(tab.held).toBe('second');
    tab.store.set('token', 'first');
    expect(tab.held).toBe('first');
  });

  it.each([
    ['"quoted"', 'quoted'],
    ['plain', 'plain'],
    ['"half quoted', '"half quoted'],
    ['in"side', 'in"side'],
    [' "quoted" ', 'quoted'],
    ['12345', '12345'],
    ['{"token":1}', '{"token":1}'],
  ])('stored as %s is %s', (stored, value) => {
    expect(openTab({ stored }).held).toBe(value);
  });

  it.each(['', '""', 'null', 'undefined', '"null"', '"undefined"'])('stored as %j is none', async (stored) => {
    const tab = openTab({ stored });
    expect(tab.held).toBeNull();
    expect(tab.tokens.isRefreshDue()).toBe(true);
    await expect(tab.tokens.ensureValidToken()).rejects.toBeInstanceOf(SignInRequiredError);
  });

  it('gets a new generation when it changes, and only then', () => {
    const tab = openTab({ stored: 'one' });
    const generation = () => tab.tokens.current()?.generation;
    expect([generation(), generation()]).toEqual([1, 1]);
    tab.store.set('token', 'two');
    expect([generation(), generation()]).toEqual([2, 2]);
    tab.store.set('token', '"two"');
    expect(generation()).toBe(2);
  });

  it('is never used when its own claims say that it has expired, by a clock that is known', async () => {
    const tab = openTab({ stored: tokenOf('ann') });
    tab.tokens.observeServerTime(T0 - 500);
    await tab.clock.run(HOUR - 10 * SECOND - 1);
    expect(tab.held).not.toBeNull();
    expect(tab.tokens.isRefreshDue()).toBe(false);
    await tab.clock.run(1);
    expect(tab.held).toBeNull();
    expect(tab.tokens.isRefreshDue()).toBe(true);
  });

  it("expires by the server's clock", () => {
    const tab = openTab({ stored: tokenOf('ann') });
    for (const _ of [1, 2]) tab.tokens.observeServerTime(T0 + HOUR);
    expect(tab.held).toBeNull();
    for (const _ of [1, 2]) tab.tokens.observeServerTime(T0 - HOUR);
    expect(tab.tokens.current()?.expiresAt).toBe(T0 + 2 * HOUR - 500);
  });

  it('needs no refresh ahead, because there is no refresh', async () => {
    const tab = openTab({ stored: tokenOf('ann') });
    await tab.clock.run(58 * 60 * SECOND);
    expect(tab.tokens.isRefreshDue()).toBe(false);
    expect(await tab.tokens.renew(null)).toEqual({ type: 'renewed' });
    expect(await tab.tokens.ensureValidToken(true)).toBe(tokenOf('ann'));
  });

  it('needs no timer either', async () => {
    const tab = openTab({ stored: tokenOf('ann') });
    await tab.tokens.renew(1);
    tab.tokens.recheck();
    expect(tab.clock.armed()).toBe(0);
  });
});

describe('a token for a call', () => {
  it('is the stored one, and never in doubt', async () => {
    const tab = openTab();
    const { signal } = new AbortController();
    expect(await tab.tokens.forCall(signal)).toBeNull();
    tab.tokens.signIn({ accessToken: 'stored' });
    const token = await tab.tokens.forCall(signal);
    expect([token?.value, token?.inDoubt ?? false]).toEqual(['stored', false]);
  });
});

describe('renew', () => {
  it('ends the session when the token has expired, by a clock that is known', async () => {
    const tab = openTab({ stored: tokenOf('ann') });
    tab.tokens.observeServerTime(T0 - 500);
    await tab.clock.run(HOUR);
    expect(await tab.tokens.renew(null)).toEqual({ type: 'rejected' });
    expect(await tab.tokens.renew(null)).toEqual({ type: 'rejected' });
    expect(tab.heard).toEqual([{ type: 'session.ended', reason: 'rejected' }]);
    expect(tab.recorded.events).toEqual([{ type: 'session.ended', reason: 'rejected' }]);
    await expect(tab.tokens.ensureValidToken()).rejects.toBeInstanceOf(SignInRequiredError);
  });

  it('announces once that a sign-in is needed when there is no token at all', async () => {
    const tab = openTab();
    expect(await tab.tokens.renew(null)).toEqual({ type: 'rejected' });
    expect(await tab.tokens.renew(null)).toEqual({ type: 'rejected' });
    expect(tab.heard).toEqual([{ type: 'session.ended', reason: 'rejected' }]);
  });

  it('treats rejections of a token without an expiry as an outage, a few times, with growing waits', async () => {
    const tab = openTab({ stored: 'opaque' });
    expect(await refuseUntilGivenUp(tab)).toEqual([
      { type: 'outage', retryAfterMs: 1_000 },
      { type: 'outage', retryAfterMs: 2_000 },
      { type: 'outage', retryAfterMs: 4_000 },
      { type: 'outage', retryAfterMs: 8_000 },
      { type: 'rejected' },
    ]);
    expect(tab.held).toBeNull();
    expect(tab.heard).toEqual([{ type: 'session.ended', reason: 'rejected' }]);
    expect(tab.recorded.of('token.refused').map(({ generation, outage }) => [generation, outage])).toEqual([
      [1, true],
      [1, true],
      [1, true],
      [1, true],
      [1, false],
    ]);
  });

  it('never waits less than half a second', async () => {
    const tab = openTab({ stored: tokenOf('ann'), random: () => 0 });
    expect(await tab.tokens.renew(1)).toEqual({ type: 'outage', retryAfterMs: 500 });
  });

  it('treats rejections of a token that has not expired as an outage for ten minutes, however many there are', async () => {
    const tab = openTab({ stored: tokenOf('ann') });
    const outcomes = await refuseUntilGivenUp(tab);
    expect(outcomes.slice(0, 5)).toEqual([1, 2, 4, 8, 16].map((s) => ({ type: 'outage', retryAfterMs: s * SECOND })));
    expect(outcomes.at(-1)).toEqual({ type: 'rejected' });
    const lastedMs = tab.clock.now() - T0;
    expect(lastedMs).toBeGreaterThanOrEqual(600 * SECOND);
    expect(lastedMs).toBeLessThan(630 * SECOND);
    expect(tab.heard).toEqual([{ type: 'session.ended', reason: 'rejected' }]);
  });

  it('ends an outage of which it saw one rejection before a long sleep by no count of minutes alone', async () => {
    const tab = openTab({ stored: tokenOf('ann') });
    await tab.tokens.renew(1);
    await tab.clock.run(30 * 60 * SECOND);
    expect(await tab.tokens.renew(1)).toMatchObject({ type: 'outage' });
  });

  it('ends the session at once when the server rejects a token whose expiry has passed by the local clock', async () => {
    const tab = openTab({ stored: tokenOf('ann', { exp: seconds - 60 }) });
    expect(tab.held).not.toBeNull();
    expect(await tab.tokens.renew(1)).toEqual({ type: 'rejected' });
    expect(tab.held).toBeNull();
  });

  it('ends the session when the third login page in a row answers, and not before', async () => {
    const tab = openTab({ stored: tokenOf('ann') });
    const meetPage = async () => {
      await tab.clock.run(SECOND);
      tab.tokens.metLoginPage(tab.clock.now());
      tab.tokens.refused?.(1, tab.clock.now());
      return (await tab.tokens.renew(1)).type;
    };
    expect([await meetPage(), await meetPage()]).toEqual(['outage', 'outage']);
    tab.tokens.accepted(1);
    expect([await meetPage(), await meetPage(), await meetPage()]).toEqual(['outage', 'outage', 'rejected']);
  });

  it('counts the rejections of one outage once, however many assessments receive one', async () => {
    const tab = openTab({ stored: 'opaque' });
    const outage = (retryAfterMs: number) => ({ type: 'outage', retryAfterMs });
    const refusals = await Promise.all(Array.from({ length: 10 }, () => tab.tokens.renew(1)));
    expect(refusals).toEqual(refusals.map(() => outage(1_000)));
    await tab.clock.run(400);
    expect(await tab.tokens.renew(1)).toEqual(outage(600));
    await tab.clock.run(600);
    for (const ms of [2_000, 4_000, 8_000]) {
      expect(await Promise.all([tab.tokens.renew(1), tab.tokens.renew(1)])).toEqual([outage(ms), outage(ms)]);
      await tab.clock.run(ms);
    }
    expect(await tab.tokens.renew(1)).toEqual({ type: 'rejected' });
  });

  it('does not wait for an hour when the clock is set back during an outage', async () => {
    const tab = openTab({ stored: tokenOf('ann') });
    await tab.tokens.renew(1);
    tab.clock.jump(-HOUR);
    expect(await tab.tokens.renew(1)).toEqual({ type: 'outage', retryAfterMs: 2_000 });
  });

  it('restarts the count when the server has accepted the token in between', async () => {
    const tab = openTab({ stored: tokenOf('ann') });
    for (let round = 0; round < 10; round += 1) {
      tab.tokens.refused?.(1, tab.clock.now());
      expect(await tab.tokens.renew(1)).toEqual({ type: 'outage', retryAfterMs: 1_000 });
      tab.tokens.accepted(1);
    }
  });

  it('restarts the count when the application stores another token', async () => {
    const tab = openTab({ stored: 'one' });
    await tab.tokens.renew(1);
    tab.store.set('token', 'two');
    expect(await tab.tokens.renew(2)).toEqual({ type: 'outage', retryAfterMs: 1_000 });
  });

  it('ignores a late rejection of a token that was replaced', async () => {
    const tab = openTab({ stored: 'one' });
    tab.tokens.current();
    tab.store.set('token', 'two');
    expect(await tab.tokens.renew(1)).toEqual({ type: 'renewed' });
    expect(tab.recorded.events).toEqual([]);
  });

  it('leaves a token that it gives up in the storage, because the application owns it', async () => {
    const tab = openTab({ stored: 'one' });
    await refuseUntilGivenUp(tab);
    expect(tab.store.get('token')).toBe('one');
  });

  it('gives up the next token too when the application stores one that is rejected as well', async () => {
    const tab = openTab({ stored: 'one' });
    await refuseUntilGivenUp(tab);
    tab.store.set('token', 'two');
    expect(tab.held).toBe('two');
    await refuseUntilGivenUp(tab);
    expect(tab.held).toBeNull();
    await expect(tab.tokens.ensureValidToken()).rejects.toBeInstanceOf(SignInRequiredError);
    expect(tab.heard).toHaveLength(2);
  });

  it('does not log a rejection where no request was sent', async () => {
    const tab = openTab();
    await tab.tokens.renew(null);
    expect(tab.recorded.of('token.refused')).toEqual([]);
  });
});

describe('a change by another tab', () => {
  it('restores a session that was given up when it stores another token', async () => {
    const tab = openTab({ stored: 'one' });
    await refuseUntilGivenUp(tab);
    tab.inAnotherTab(() => tab.store.set('token', tokenOf('ann')));
    expect(tab.held).toBe(tokenOf('ann'));
    expect(tab.heard.at(-1)).toEqual({ type: 'session.restored', userId: 'ann' });
    expect(tab.recorded.events.at(-1)).toEqual({ type: 'session.restored' });
  });

  it('does not restore it when it stores the same token, an expired one, or something else', async () => {
    const tab = openTab({ stored: 'one' });
    await refuseUntilGivenUp(tab);
    tab.inAnotherTab(() => tab.store.set('token', '"one"'));
    tab.inAnotherTab(() => tab.store.set('theme', 'dark'));
    tab.tokens.observeServerTime(T0 - 500);
    tab.inAnotherTab(() => tab.store.set('token', tokenOf('ann', { exp: seconds - 3_600 })));
    expect(tab.heard).toEqual([{ type: 'session.ended', reason: 'rejected' }]);
    expect(tab.held).toBeNull();
  });

  it.each(['token', null])('that removes the token after a rejection is a sign-out, once (key %s)', async (key) => {
    const tab = openTab({ stored: 'one' });
    await refuseUntilGivenUp(tab);
    tab.inAnotherTab(() => tab.store.remove('token'), key);
    tab.inAnotherTab(() => {}, key);
    expect(tab.heard.slice(1)).toEqual([{ type: 'session.ended', reason: 'signed-out' }]);
  });

  it('is no sign-out after a rejection when the application of this tab has removed the token, or there was none', async () => {
    const tab = openTab({ stored: 'one' });
    await refuseUntilGivenUp(tab);
    tab.store.remove('token');
    await tab.tokens.forCall(new AbortController().signal);
    tab.inAnotherTab(() => tab.store.set('theme', 'dark'), 'theme');
    const empty = openTab();
    await empty.tokens.renew(null);
    empty.inAnotherTab(() => empty.store.remove('token'));
    for (const { heard } of [tab, empty]) expect(heard).toEqual([{ type: 'session.ended', reason: 'rejected' }]);
  });

  it('is not announced while there is no session before and after it', () => {
    const tab = openTab();
    tab.inAnotherTab(() => tab.store.set('theme', 'dark'));
    expect(tab.heard).toEqual([]);
  });

  it('begins a session where there was none', () => {
    const tab = openTab();
    tab.inAnotherTab(() => tab.store.set('token', tokenOf('ann')));
    expect(tab.heard).toEqual([{ type: 'session.restored', userId: 'ann' }]);
  });

  it('ends the session when it removes the token', () => {
    const tab = openTab({ stored: 'one' });
    tab.inAnotherTab(() => tab.store.remove('token'));
    expect(tab.heard).toEqual([{ type: 'session.ended', reason: 'signed-out' }]);
    tab.inAnotherTab(() => tab.store.remove('user'));
    expect(tab.heard).toHaveLength(1);
  });

  it('announces the new user when it stores the token of another user', () => {
    const tab = openTab({ stored: tokenOf('ann') });
    tab.inAnotherTab(() => tab.store.set('token', tokenOf('bob')));
    expect(tab.heard).toEqual([{ type: 'session.restored', userId: 'bob' }]);
    expect(tab.tokens.userId()).toBe('bob');
  });

  it('announces the new user although the token was already used before the storage event', () => {
    const tab = openTab({ stored: tokenOf('ann') });
    tab.inAnotherTab(() => {
      tab.store.set('token', tokenOf('bob'));
      expect(tab.held).toBe(tokenOf('bob'));
    });
    expect(tab.heard).toEqual([{ type: 'session.restored', userId: 'bob' }]);
  });

  it('is announced once, and not at all when the token is the same', () => {
    const tab = openTab({ stored: tokenOf('ann') });
    tab.tokens.recheck();
    expect(tab.heard).toEqual([]);
    tab.inAnotherTab(() => tab.store.set('token', tokenOf('bob')));
    tab.tokens.recheck();
    expect(tab.heard).toHaveLength(1);
  });

  it('is also found when the page wakes up', () => {
    const tab = openTab({ stored: 'one' });
    tab.store.remove('token');
    tab.tokens.recheck();
    expect(tab.heard).toEqual([{ type: 'session.ended', reason: 'signed-out' }]);
    tab.store.set('token', 'two');
    tab.tokens.recheck();
    expect(tab.heard.at(-1)).toEqual({ type: 'session.restored', userId: null });
  });
});

describe('signing in', () => {
  it('stores the token under the first key, where it wins', () => {
    const tab = openTab();
    tab.store.set('auth_token', 'old');
    tab.tokens.signIn({ accessToken: tokenOf('ann') });
    expect(tab.store.get('token')).toBe(tokenOf('ann'));
    expect(tab.held).toBe(tokenOf('ann'));
    expect(tab.heard).toEqual([{ type: 'session.restored', userId: 'ann' }]);
    expect(tab.recorded.events).toEqual([{ type: 'session.restored' }]);
  });

  it('is not announced a second time by a recheck of the storage', () => {
    const tab = openTab();
    tab.tokens.signIn({ accessToken: tokenOf('ann') });
    tab.tokens.recheck();
    expect(tab.heard).toHaveLength(1);
  });

  it('restarts the retries of a token that was given up before', async () => {
    const tab = openTab({ stored: 'one' });
    await refuseUntilGivenUp(tab);
    tab.tokens.signIn({ accessToken: 'one' });
    expect(tab.held).toBe('one');
    expect(await tab.tokens.renew(tab.tokens.current()?.generation ?? 0)).toEqual({
      type: 'outage',
      retryAfterMs: 1_000,
    });
  });

  it('again with the same token does not wait for an earlier outage', async () => {
    const tab = openTab({ stored: 'one' });
    await tab.tokens.renew(1);
    tab.tokens.signIn({ accessToken: 'one' });
    await tab.clock.run(10);
    expect(await tab.tokens.renew(1)).toEqual({ type: 'outage', retryAfterMs: 1_000 });
  });
});

describe('signing out', () => {
  it('removes the token under every key, and announces it once', () => {
    const tab = openTab({ stored: 'one' });
    tab.store.set('auth_token', 'two');
    tab.store.set('theme', 'dark');
    tab.tokens.signOut();
    tab.tokens.signOut();
    expect(tab.store.keys()).toEqual(['theme']);
    expect(tab.held).toBeNull();
    expect(tab.heard).toEqual([{ type: 'session.ended', reason: 'signed-out' }]);
    expect(tab.recorded.events).toEqual([{ type: 'session.ended', reason: 'signed-out' }]);
  });

  it('is announced only once, also after later rejections', async () => {
    const tab = openTab({ stored: 'one' });
    tab.tokens.signOut();
    expect(await tab.tokens.renew(null)).toEqual({ type: 'rejected' });
    tab.tokens.recheck();
    expect(tab.heard).toHaveLength(1);
  });

  it('is announced after a rejection too, because what is left of the user goes', async () => {
    const tab = openTab({ stored: 'one' });
    await refuseUntilGivenUp(tab);
    tab.tokens.signOut();
    tab.tokens.signOut();
    expect(tab.heard.map((it) => 'reason' in it && it.reason)).toEqual(['rejected', 'signed-out']);
  });

  it('leaves no usable token when its listeners run', () => {
    const tab = openTab({ stored: 'one' });
    const seen: unknown[] = [];
    tab.tokens.events$.subscribe(() => seen.push(tab.held));
    tab.tokens.signOut();
    expect(seen).toEqual([null]);
  });

  it('can be followed by a sign-in', () => {
    const tab = openTab({ stored: 'one' });
    tab.tokens.signOut();
    tab.tokens.signIn({ accessToken: 'two' });
    expect(tab.held).toBe('two');
    tab.tokens.signOut();
    expect(tab.heard.map(({ type }) => type)).toEqual(['session.ended', 'session.restored', 'session.ended']);
  });
});

describe('the sign-in of the token that is in use already', () => {
  it('is no event, and may name the user', () => {
    const tab = openTab();
    tab.tokens.signIn({ accessToken: 'one' });
    tab.tokens.signIn({ accessToken: 'one', userId: 'ann' });
    expect(tab.heard.map(({ type }) => type)).toEqual(['session.restored']);
  });

  it('is an event after a rejection, and with the name of another user', async () => {
    const tab = openTab();
    tab.tokens.signIn({ accessToken: 'one', userId: 'ann' });
    tab.tokens.signIn({ accessToken: 'one', userId: 'bob' });
    await refuseUntilGivenUp(tab);
    tab.tokens.signIn({ accessToken: 'one', userId: 'bob' });
    const types = ['session.restored', 'session.restored', 'session.ended', 'session.restored'];
    expect(tab.heard.map(({ type }) => type)).toEqual(types);
  });
});

describe('whose session it is', () => {
  it('is stated by the token or at the sign-in', () => {
    const tab = openTab({ stored: tokenOf('ann') });
    expect(tab.tokens.userId()).toBe('ann');
    tab.tokens.signIn({ accessToken: 'opaque', userId: 'bob' });
    expect(tab.tokens.userId()).toBe('bob');
    expect(tab.heard).toEqual([{ type: 'session.restored', userId: 'bob' }]);
    tab.tokens.signIn({ accessToken: tokenOf('ann'), userId: 'cat' });
    expect(tab.heard.at(-1)).toEqual({ type: 'session.restored', userId: 'cat' });
    expect(tab.tokens.userId()).toBe('cat');
  });

  it('is unknown where neither states it', () => {
    expect(openTab().tokens.userId()).toBeNull();
    expect(openTab({ stored: 'opaque' }).tokens.userId()).toBeNull();
  });

  it('is not taken from the previous token', () => {
    const tab = openTab({ stored: tokenOf('ann') });
    expect(tab.tokens.userId()).toBe('ann');
    tab.store.set('token', 'opaque');
    expect(tab.tokens.userId()).toBeNull();
    tab.tokens.signIn({ accessToken: 'another opaque' });
    expect(tab.heard).toEqual([{ type: 'session.restored', userId: null }]);
  });
});

describe('dispose', () => {
  it('stops listening to other tabs, and completes its events', () => {
    const tab = openTab({ stored: 'one' });
    let completed = false;
    tab.tokens.events$.subscribe({ complete: () => (completed = true) });
    expect(tab.storageListeners.size).toBe(1);
    tab.tokens.dispose();
    expect(tab.storageListeners.size).toBe(0);
    expect(completed).toBe(true);
  });
});

it('the token is in no event, outcome, error or log line', async () => {
  const tab = openTab({ stored: 's3cret-one' });
  const said: unknown[] = [...(await refuseUntilGivenUp(tab))];
  await tab.tokens.ensureValidToken().catch((error: unknown) => said.push(String(error), JSON.stringify(error)));
  tab.inAnotherTab(() => tab.store.set('token', 's3cret-two'));
  tab.tokens.signIn({ accessToken: 's3cret-three' });
  tab.tokens.signOut();
  said.push(tab.heard, tab.recorded.events);
  expect(tab.heard).toHaveLength(4);
  expect(JSON.stringify(said)).not.toContain('s3cret');
});
