import { identityOf } from '../../../src/lib/identity.ts';
import { describe, expect, it } from 'vitest';
import type { IssuedToken } from '../../../src/services/auth/access-token.ts';
import { createSharedSession, type SharedNews } from '../../../src/services/auth/shared-session.ts';
import { type KeyValueStore, memoryStore } from '../../../src/lib/storage.ts';
import { virtualClock } from '../../../src/testing/virtual-clock.ts';

const ann = identityOf('ann', null, 0);

const KEY = 'session';
const record = (session: number, generation: number, more: object = {}) => ({
  session,
  generation,
  ended: false,
  sentAt: 100,
  userId: null,
  ...more,
});
const token: IssuedToken = { accessToken: 'fresh', expiresIn: 300 };
const told = (session: number, generation: number, sentAt = 200) => ({
  type: 'token',
  session,
  generation,
  token,
  sentAt,
});

/** One tab, and the other end of its channel. */
function openTab({
  store = memoryStore(),
  written,
  hasChannel = true,
}: { store?: KeyValueStore; written?: unknown; hasChannel?: boolean } = {}) {
  if (written !== undefined) store.set(KEY, typeof written === 'string' ? written : JSON.stringify(written));
  const clock = virtualClock();
  const said: unknown[] = [];
  const listeners: ((event: { data: unknown }) => void)[] = [];
  let isClosed = false;
  const channel = {
    postMessage(message: unknown) {
      if (isClosed) throw new Error('closed');
      said.push(structuredClone(message));
    },
    addEventListener: (type: 'message', listener: (event: { data: unknown }) => void) =>
      void (type === 'message' && listeners.push(listener)),
    close: () => void (isClosed = true),
  };
  const shared = createSharedSession({ store, channel: hasChannel ? channel : null, clock, key: KEY });
  const news: SharedNews[] = [];
  shared.news$.subscribe((it) => news.push(it));
  return {
    clock,
    store,
    shared,
    said,
    news,
    hear: (data: unknown) => listeners.forEach((it) => it({ data })),
    get isClosed() {
      return isClosed;
    },
    get written() {
      return JSON.parse(store.get(KEY) ?? 'null') as unknown;
    },
  };
}

/** A tab in session 5, whose newest token is number 7 and was asked for at 100. */
function openTabAt57(options: Parameters<typeof openTab>[0] = {}) {
  const tab = openTab({ written: record(5, 6), ...options });
  tab.shared.restored(6);
  tab.shared.renewed({ accessToken: 'seventh' }, 100, tab.shared.position());
  tab.said.length = 0;
  tab.news.length = 0;
  return tab;
}

describe('the position of a session', () => {
  it.each([
    ['nothing', undefined, { session: 0, generation: 0 }],
    ['garbage', '{', { session: 0, generation: 0 }],
    ['null', 'null', { session: 0, generation: 0 }],
    ['another shape', { session: 'five' }, { session: 0, generation: 0 }],
    ['numbers that are none', record(-1, 3), { session: 0, generation: 0 }],
    ['numbers beyond counting', record(5, 1e13), { session: 0, generation: 0 }],
    ['a session', record(5, 7), { session: 5, generation: 0 }],
    [
      'a session that has ended: the cookie may be of a new one',
      record(5, 7, { ended: true }),
      { session: 8, generation: 7 },
    ],
  ])('is known from %s', (_what, written, position) => {
    expect(openTab({ written }).shared.position()).toEqual(position);
  });

  it.each([
    [4, false, 0],
    [5, true, 5],
    [7, true, 7],
  ])('says whether token %d still belongs to it: %s', (found, isCurrent, generation) => {
    const { shared } = openTab({ written: record(5, 7) });
    expect(shared.restored(found)).toBe(isCurrent);
    expect(shared.position()).toEqual({ session: 5, generation });
  });

  it('never moves backwards', () => {
    const { shared } = openTabAt57();
    expect(shared.restored(6)).toBe(true);
    expect(shared.position().generation).toBe(7);
  });
});

describe('a sign-in', () => {
  it('begins a session with the next generation, publishes it and stores its position without the token', () => {
    const { shared, said, news, store } = openTab({ written: record(5, 7) });
    expect(shared.signedIn({ ...token, userId: 'ann' }, 300)).toBe(8);
    expect(said).toEqual([
      { type: 'token', session: 8, generation: 8, token: { ...token, userId: 'ann' }, sentAt: 300 },
    ]);
    expect(JSON.parse(store.get(KEY) ?? '')).toEqual(record(8, 8, { sentAt: 300, userId: ann }));
    expect(news).toEqual([]);
    expect(store.get(KEY)).not.toContain('fresh');
  });
});

describe('a sign-in without the record of the sessions before', () => {
  const forgotten = () => {
    const first = openTab();
    first.shared.signedIn(token, 300);
    first.store.remove(KEY);
    first.clock.sleep(20_000);
    const next = openTab({ store: first.store });
    next.clock.sleep(20_000);
    return { first, next };
  };

  it('begins a session with a number of its own: stored jobs of a user without a name are not those of the next one', () => {
    const { first, next } = forgotten();
    next.shared.signedIn(token, 400);
    expect(next.shared.position().session).toBeGreaterThan(first.shared.position().session);
  });

  it('is news to the others also where a full storage has kept the record of an earlier session', () => {
    const { first, next } = forgotten();
    first.clock.sleep(60_000);
    first.shared.signedIn(token, 60_300);
    next.store.set(KEY, JSON.stringify(record(18_000_000_000, 18_000_000_000)));
    next.clock.sleep(120_000);
    next.shared.signedIn(token, 120_400);
    for (const message of next.said) first.hear(message);
    expect(first.news.map(({ type }) => type)).toEqual(['signed-in']);
  });

  it('ends for the other tabs as well where the tab that signs out knows of no session', () => {
    const { first, next } = forgotten();
    next.shared.ended('signed-out');
    for (const message of next.said) first.hear(message);
    expect(first.news).toEqual([{ type: 'ended', reason: 'signed-out' }]);
    next.shared.signedIn(token, 400);
    for (const message of next.said) first.hear(message);
    expect(first.news.map(({ type }) => type)).toEqual(['ended', 'signed-in']);
  });

  it('is asked for before a cookie is used, where other tabs may know of one', async () => {
    const tab = openTab();
    const caughtUp = tab.shared.catchUp();
    expect(tab.said).toEqual([{ type: 'ask', session: 0, generation: 0 }]);
    tab.hear({ type: 'ended', session: 18_000_000_000, generation: 18_000_000_000, reason: 'signed-out' });
    expect([await caughtUp, tab.shared.isSignedOut()]).toEqual([true, true]);
  });

  it('keeps its number after a reload, so that its sign-out reaches the other tabs', () => {
    const other = openTab();
    other.shared.signedIn(token, 300);
    const { session, generation } = other.shared.position();
    const reloaded = openTab();
    expect(reloaded.shared.restored(generation, session)).toBe(true);
    reloaded.shared.ended('signed-out');
    for (const message of reloaded.said) other.hear(message);
    expect(other.news).toEqual([{ type: 'ended', reason: 'signed-out' }]);
  });

  it('is news to the tabs that are still in a session of before', () => {
    const { first, next } = forgotten();
    next.shared.signedIn(token, 400);
    for (const message of next.said) first.hear(message);
    expect(first.news.map(({ type }) => type)).toEqual(['signed-in']);
    expect(first.shared.position()).toEqual(next.shared.position());
  });
});

describe('a refresh', () => {
  it('reaches all tabs, this one included', () => {
    const tab = openTabAt57();
    tab.shared.renewed(token, 200, tab.shared.position());
    expect(tab.said).toEqual([told(5, 8)]);
    expect(tab.news).toEqual([{ type: 'renewed', token, sentAt: 200, generation: 8 }]);
    expect(tab.written).toEqual(record(5, 8, { sentAt: 200 }));
  });

  it('keeps the user of the session', () => {
    const tab = openTab({ written: record(0, 0) });
    tab.shared.signedIn({ accessToken: 'first', userId: 'ann' }, 1);
    tab.shared.renewed(token, 2, tab.shared.position());
    expect(tab.written).toMatchObject({ generation: 2, userId: ann });
    tab.shared.signedIn({ accessToken: 'third' }, 3);
    expect(tab.written).toMatchObject({ generation: 3, userId: null });
  });

  it.each([
    ['the session', record(5, 7, { ended: true, reason: 'signed-out' })],
    ['a later session', record(9, 9, { ended: true, reason: 'signed-out' })],
  ])(
    'that ends after a sign-out from %s that this tab did not hear is dropped, and ends the session here',
    (_, written) => {
      const tab = openTabAt57();
      const asked = tab.shared.position();
      tab.store.set(KEY, JSON.stringify(written));
      tab.shared.renewed(token, 200, asked);
      expect(tab.news).toEqual([{ type: 'ended', reason: 'signed-out' }]);
      expect([tab.said, tab.written]).toEqual([[], written]);
    },
  );

  it('of a session that has ended is dropped', () => {
    const tab = openTabAt57();
    const asked = tab.shared.position();
    tab.shared.ended('signed-out');
    tab.said.length = 0;
    tab.shared.renewed(token, 200, asked);
    const next = openTabAt57();
    next.shared.renewed(token, 200, { session: 4, generation: 7 });
    expect([tab.said, tab.news, next.said, next.news]).toEqual([[], [], [], []]);
  });

  it('whose tab slept through the next one is dropped, and the tab requests the newer token', () => {
    const tab = openTabAt57();
    const asked = tab.shared.position();
    tab.store.set(KEY, JSON.stringify(record(5, 9, { sentAt: 500 })));
    tab.shared.renewed(token, 200, asked);
    expect(tab.news).toEqual([]);
    expect(tab.said).toEqual([{ type: 'ask', session: 5, generation: 7 }]);
  });

  it('that was requested after the next one is adopted, whatever the record says', () => {
    const tab = openTabAt57();
    const asked = tab.shared.position();
    tab.store.set(KEY, JSON.stringify(record(5, 9, { sentAt: 150 })));
    tab.shared.renewed(token, 200, asked);
    expect(tab.news).toMatchObject([{ type: 'renewed', generation: 10 }]);
  });

  it('is adopted when this tab was behind before its request, although a clock that was set back makes the record look later', () => {
    const tab = openTabAt57({ hasChannel: false });
    tab.store.set(KEY, JSON.stringify(record(5, 9, { sentAt: 500 })));
    tab.shared.renewed(token, 200, { session: 5, generation: tab.shared.newest() });
    expect(tab.news).toMatchObject([{ type: 'renewed', generation: 10 }]);
  });

  it('whose cookie belongs to a session that this tab has missed begins that session here', () => {
    const tab = openTabAt57({ hasChannel: false });
    tab.store.set(KEY, JSON.stringify(record(9, 9, { sentAt: 150, userId: 'bob' })));
    tab.shared.renewed(token, 200, tab.shared.position());
    expect(tab.news).toEqual([{ type: 'signed-in', token: { ...token, userId: 'bob' }, sentAt: 200, generation: 10 }]);
    expect(tab.shared.position()).toEqual({ session: 9, generation: 10 });
    expect(tab.written).toEqual(record(9, 10, { sentAt: 200, userId: identityOf('bob', null, 0) }));
  });

  it('prefers the user id of the token to that of the record', () => {
    const tab = openTabAt57({ hasChannel: false });
    tab.store.set(KEY, JSON.stringify(record(9, 9, { sentAt: 150, userId: 'bob' })));
    tab.shared.renewed({ ...token, userId: 'eve' }, 200, tab.shared.position());
    expect(tab.news).toMatchObject([{ token: { userId: 'eve' } }]);
  });
});

describe('the record', () => {
  it.each([
    ['a later session', record(6, 6)],
    ['a later token', record(5, 9)],
  ])('is not overwritten by a tab that is behind: %s', (_what, written) => {
    const tab = openTabAt57();
    tab.store.set(KEY, JSON.stringify(written));
    tab.shared.ended('rejected');
    expect(tab.written).toEqual(written);
  });

  it.each([
    ['a later session', record(6, 6, { userId: ann }), { session: 6, generation: 7 }],
    ['a later token', record(5, 9, { userId: ann }), { session: 5, generation: 9 }],
  ])('contains the sign-out of a tab that is behind: %s', (_what, written, position) => {
    const tab = openTabAt57();
    tab.store.set(KEY, JSON.stringify(written));
    tab.shared.ended('signed-out');
    expect(tab.written).toEqual({ ...position, ended: true, reason: 'signed-out', sentAt: 100, userId: null });
    expect(tab.said).toEqual([{ type: 'ended', ...position, reason: 'signed-out' }]);
    expect(openTab({ store: tab.store }).shared.isSignedOut()).toBe(true);
  });

  it('contains the end of a session', () => {
    const tab = openTabAt57();
    tab.shared.ended('rejected');
    expect(tab.written).toEqual(record(5, 7, { ended: true, reason: 'rejected' }));
    expect(tab.said).toEqual([{ type: 'ended', session: 5, generation: 7, reason: 'rejected' }]);
  });
});

describe('a message to a tab in session 5 with token 7', () => {
  const nothing = [[], { session: 5, generation: 7 }] as const;
  const renewed = (generation: number, sentAt = 200) => ({ type: 'renewed', token, sentAt, generation });
  const signedIn = (generation: number) => ({ type: 'signed-in', token, sentAt: 200, generation });

  it.each([
    ['the next token', told(5, 8), [renewed(8)], { session: 5, generation: 8 }],
    ['a token after the next', told(5, 11), [renewed(11)], { session: 5, generation: 11 }],
    [
      'another token of the same number, asked for later',
      told(5, 7, 101),
      [renewed(8, 101)],
      { session: 5, generation: 8 },
    ],
    ['another token of the same number, asked for at once', told(5, 7, 100), ...nothing],
    ['an older token, asked for later', told(5, 6, 500), ...nothing],
    ['a token of an earlier session', told(4, 9), ...nothing],
    ['a sign-in', told(8, 8), [signedIn(8)], { session: 8, generation: 8 }],
    ['a sign-in that does not know of us', told(6, 6), [signedIn(8)], { session: 6, generation: 8 }],
    [
      'the end of our session',
      { type: 'ended', session: 5, reason: 'signed-out' },
      [{ type: 'ended', reason: 'signed-out' }],
      { session: 5, generation: 7 },
    ],
    [
      'the end of a later one',
      { type: 'ended', session: 6, reason: 'rejected' },
      [{ type: 'ended', reason: 'rejected' }],
      { session: 6, generation: 7 },
    ],
    [
      'the rejection of our token',
      { type: 'ended', session: 5, generation: 7, reason: 'rejected' },
      [{ type: 'ended', reason: 'rejected' }],
      { session: 5, generation: 7 },
    ],
    ['the rejection of an older token', { type: 'ended', session: 5, generation: 6, reason: 'rejected' }, ...nothing],
    [
      'a sign-out in a tab with an older token',
      { type: 'ended', session: 5, generation: 6, reason: 'signed-out' },
      [{ type: 'ended', reason: 'signed-out' }],
      { session: 5, generation: 7 },
    ],
    ['the end of an earlier one', { type: 'ended', session: 4, reason: 'rejected' }, ...nothing],
    ['nothing', null, ...nothing],
    ['nonsense', { type: 'token', session: 'six' }, ...nothing],
    ['a token without a text', { ...told(5, 8), token: { accessToken: '' } }, ...nothing],
    ['something new', { type: 'hello' }, ...nothing],
  ])('%s', (_what, message, news, position) => {
    const tab = openTabAt57();
    tab.hear(message);
    expect(tab.news).toEqual(news);
    expect(tab.shared.position()).toEqual(position);
  });

  it('after the end: the tab follows only a sign-in, and reports the end once', () => {
    const tab = openTabAt57();
    tab.hear({ type: 'ended', session: 5, reason: 'signed-out' });
    tab.hear({ type: 'ended', session: 5, reason: 'signed-out' });
    tab.hear(told(5, 9));
    expect(tab.news).toHaveLength(1);
    tab.hear(told(9, 9));
    tab.hear(told(9, 10));
    expect(tab.news.map(({ type }) => type)).toEqual(['ended', 'signed-in', 'renewed']);
  });
});

describe('a tab that was reloaded', () => {
  it('follows another token of the same number only where it is later, and never the one that it has', () => {
    const tab = openTab({ written: { ...record(5, 7), sentAt: 300 } });
    tab.shared.restored(7);
    tab.hear({ ...told(5, 7, 200), token: { accessToken: 'earlier' } });
    expect(tab.news).toEqual([]);
    tab.shared.answerWith(() => ({ token, sentAt: 300 }));
    tab.hear(told(5, 7, 400));
    expect(tab.news).toEqual([]);
    tab.hear({ ...told(5, 7, 400), token: { accessToken: 'later' } });
    expect(tab.news).toMatchObject([{ type: 'renewed', token: { accessToken: 'later' } }]);
  });
});

describe('a request of another tab', () => {
  const ask = (session: number, generation: number) => ({ type: 'ask', session, generation });
  const answer = [{ type: 'token', session: 5, generation: 7, token, sentAt: 100, isOffered: true }];

  it.each([
    ['is behind', ask(5, 6), answer],
    ['is in an earlier session', ask(4, 9), answer],
    ['knows as much', ask(5, 7), []],
    ['knows more', ask(5, 8), []],
    ['is in a later session', ask(6, 1), []],
  ])('that %s', (_what, question, said) => {
    const tab = openTabAt57();
    tab.shared.answerWith(() => ({ token, sentAt: 100 }));
    tab.hear(question);
    expect(tab.said).toEqual(said);
  });

  it('is not answered without a token', () => {
    const tab = openTabAt57();
    tab.hear(ask(5, 6));
    tab.shared.answerWith(() => null);
    tab.hear(ask(5, 6));
    expect(tab.said).toEqual([]);
  });

  it('is answered with the end of the session, unless that tab is in a later session', () => {
    const tab = openTabAt57();
    tab.shared.answerWith(() => ({ token, sentAt: 100 }));
    tab.shared.ended('rejected');
    tab.said.length = 0;
    tab.hear(ask(6, 6));
    expect(tab.said).toEqual([]);
    tab.hear(ask(5, 7));
    expect(tab.said).toEqual([{ type: 'ended', session: 5, generation: 7, reason: 'rejected' }]);
  });
});

describe('a sign-out', () => {
  const signedOut = { ended: true, reason: 'signed-out' };

  it('stays after a reload: neither a token in the storage nor the cookie brings the user back', () => {
    const tab = openTab({ written: record(5, 7, signedOut) });
    expect([tab.shared.isSignedOut(), tab.shared.restored(9)]).toEqual([true, false]);
    tab.shared.renewed(token, 200, tab.shared.position());
    expect(tab.news).toEqual([]);
    tab.hear(told(9, 9));
    expect([tab.news.map(({ type }) => type), tab.shared.isSignedOut()]).toEqual([['signed-in'], false]);
  });

  it('is followed by a sign-in in this tab', () => {
    const tab = openTab({ written: record(5, 7, signedOut) });
    expect(tab.shared.signedIn(token, 300)).toBe(8);
    expect([tab.shared.isSignedOut(), tab.written]).toEqual([false, record(8, 8, { sentAt: 300 })]);
  });

  it('adds to a rejection, and not the other way round', () => {
    const tab = openTabAt57();
    tab.hear({ type: 'ended', session: 5, reason: 'rejected' });
    tab.hear({ type: 'ended', session: 5, reason: 'signed-out' });
    tab.hear({ type: 'ended', session: 5, reason: 'rejected' });
    expect(tab.news.map((it) => it.type === 'ended' && it.reason)).toEqual(['rejected', 'signed-out']);
  });

  it('removes the digest of the user from the record', () => {
    const tab = openTab();
    tab.shared.signedIn({ accessToken: 'first', userId: 'ann' }, 1);
    tab.shared.ended('signed-out');
    expect(tab.written).toMatchObject({ userId: null });
  });
});

describe('a tab that wakes', () => {
  it.each([
    ['nothing is written', null, [], []],
    ['what it knows', record(5, 7), [], []],
    ['less than it knows', record(5, 6), [], []],
    ['an earlier session', record(4, 9), [], []],
    ['a later token', record(5, 8), ['ask'], []],
    ['a later session', record(8, 8), ['ask'], []],
    ['that its session has ended', record(5, 7, { ended: true }), [], ['ended']],
    ['that a later session has ended', record(8, 8, { ended: true }), [], ['ended']],
    ['that an earlier session has ended', record(4, 4, { ended: true }), [], []],
  ])('and finds %s', (_what, written, said, news) => {
    const tab = openTabAt57();
    tab.store.set(KEY, JSON.stringify(written));
    tab.shared.look();
    expect(tab.said.map((it) => (it as { type: string }).type)).toEqual(said);
    expect(tab.news.map(({ type }) => type)).toEqual(news);
  });

  it('sends no request about an end that it knows', () => {
    const tab = openTabAt57();
    tab.shared.ended('signed-out');
    tab.said.length = 0;
    tab.shared.look();
    expect([tab.said, tab.news]).toEqual([[], []]);
  });
});

describe('catching up', () => {
  it('sends no message and does not wait when this tab is up to date', async () => {
    const tab = openTabAt57();
    expect(await tab.shared.catchUp()).toBe(false);
    expect([tab.said, tab.clock.armed()]).toEqual([[], 0]);
  });

  it('does not wait without a channel', async () => {
    const tab = openTab({ written: record(5, 7), hasChannel: false });
    expect(await tab.shared.catchUp()).toBe(false);
    expect(tab.clock.armed()).toBe(0);
  });

  it.each([true, false])('finds the end in the record, without a message (a channel: %s)', async (hasChannel) => {
    const tab = openTabAt57({ hasChannel });
    tab.store.set(KEY, JSON.stringify(record(5, 7, { ended: true, reason: 'signed-out' })));
    expect(await tab.shared.catchUp()).toBe(true);
    expect(tab.news).toEqual([{ type: 'ended', reason: 'signed-out' }]);
    expect([tab.said, tab.clock.armed()]).toEqual([[], 0]);
  });

  it('waits until the requested news arrives', async () => {
    const tab = openTab({ written: record(5, 7) });
    const caught = tab.shared.catchUp();
    expect(tab.said).toEqual([{ type: 'ask', session: 5, generation: 0 }]);
    tab.hear(told(5, 7));
    expect(await caught).toBe(true);
    expect(tab.clock.armed()).toBe(0);
  });

  it('gives up after 300 ms', async () => {
    const tab = openTab({ written: record(5, 7) });
    let caught: boolean | null = null;
    void tab.shared.catchUp().then((it) => (caught = it));
    await tab.clock.run(299);
    expect(caught).toBe(null);
    await tab.clock.run(1);
    expect(caught).toBe(false);
    expect(tab.clock.armed()).toBe(0);
  });
});

it('a tab whose channel is closed still delivers its own refresh to its listeners', () => {
  const tab = openTabAt57();
  tab.shared.close();
  expect(tab.isClosed).toBe(true);
  tab.shared.renewed(token, 200, tab.shared.position());
  expect(tab.news).toHaveLength(1);
});

it('a token of another tab that no header can carry changes nothing', () => {
  const tab = openTabAt57();
  tab.hear({ ...told(5, 8), token: { accessToken: 'fre\nsh' } });
  expect([tab.news, tab.shared.position()]).toEqual([[], { session: 5, generation: 7 }]);
});
