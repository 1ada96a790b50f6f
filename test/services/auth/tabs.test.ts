import { describe, expect, it } from 'vitest';
import { SignInRequiredError } from '../../../src/lib/errors.ts';
import { openBrowser, type Tab } from '../../support/browser-with-tabs.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
/** How long a tab waits for a lock. */
const WAIT = 16 * SECOND;

/** A browser whose tabs all use the token that somebody signed in with just now. */
async function signedInBrowser(tabCount: number, options: Parameters<typeof openBrowser>[0] = {}) {
  const browser = openBrowser(options);
  const tabs = browser.openTabs(tabCount);
  const first = tabs[0] as Tab;
  browser.signIn(first);
  await browser.clock.advance(SECOND);
  return { browser, tabs, first, second: tabs[1] as Tab };
}

const held = (tabs: readonly Tab[]) => [...new Set(tabs.map((tab) => tab.held))];
const eventsOf = (tab: Tab) => tab.heard.map(({ type }) => type);

describe('the tabs of a browser', () => {
  it('share the token of a sign-in, whichever tab it was in', async () => {
    const { tabs, second } = await signedInBrowser(3);
    expect(held(tabs)).toEqual(['token-1']);
    expect(eventsOf(second)).toEqual(['session.restored']);
  });

  it('refresh once when their token expires: one asks, the others adopt what it got', async () => {
    const { browser, tabs } = await signedInBrowser(2);
    await browser.clock.advance(5 * MINUTE);
    expect([browser.seen.refreshes, browser.seen.reuses]).toEqual([1, 0]);
    expect(held(tabs)).toEqual(['token-2']);
    expect(tabs.map((tab) => tab.tokens.current()?.generation)).toEqual([2, 2]);
  });

  it.each([8, 50])('refresh once for each life of a token, %d tabs together', async (count) => {
    const { browser, tabs } = await signedInBrowser(count);
    for (let life = 1; life <= 3; life += 1) {
      await browser.clock.advance(4 * MINUTE);
      expect(held(tabs)).toHaveLength(1);
      expect(browser.accepts(held(tabs)[0] ?? null)).toBe(true);
    }
    expect(browser.seen.reuses + browser.seen.limited).toBe(0);
    // Refreshed ahead of time, in the second half of a life of five minutes.
    expect(browser.seen.refreshes).toBeLessThanOrEqual(12 / 2.5);
    expect(browser.queued()).toBe(0);
  });

  it('all ask at once, and there is still one request', async () => {
    const { browser, tabs } = await signedInBrowser(50);
    const renewals = tabs.map((tab) => tab.tokens.renew(1));
    await browser.clock.advance(10 * SECOND);
    expect(new Set((await Promise.all(renewals)).map(({ type }) => type))).toEqual(new Set(['renewed']));
    expect(browser.seen.refreshes).toBe(1);
  });

  it('do not refresh again when the lock comes before the news', async () => {
    // Slower than anybody has seen it, and still within the moment for which the lock is kept.
    const { browser, tabs } = await signedInBrowser(8, { messageMs: 400 });
    const renewals = tabs.map((tab) => tab.tokens.renew(1));
    await browser.clock.advance(10 * SECOND);
    await Promise.all(renewals);
    expect(browser.seen.refreshes).toBe(1);
    expect(held(tabs)).toEqual(['token-2']);
  });

  it('help a tab that is opened later to the token, without a refresh', async () => {
    const { browser, first } = await signedInBrowser(1);
    const late = browser.openTab();
    const token = late.tokens.ensureValidToken();
    await browser.clock.advance(SECOND);
    expect(await token).toBe(first.held);
    expect(browser.seen.refreshes).toBe(0);
  });

  it.each([
    ['of a known life', { expiresIn: 300 }],
    ['of which nobody knows how long it lives', {}],
  ])('pass a token on as it is, %s', async (_what, life) => {
    const { browser, first } = await signedInBrowser(1);
    first.tokens.signIn({ accessToken: 'opaque', userId: 'bob', refreshToken: 'in the body', ...life });
    await browser.clock.advance(MINUTE);
    const late = browser.openTab();
    void late.tokens.ensureValidToken();
    await browser.clock.advance(SECOND);
    expect(late.tokens.current()).toEqual(first.tokens.current());
    expect(late.tokens.userId()).toBe('bob');
    expect(browser.seen.refreshes).toBe(0);
  });

  it('do not pass on a token that is dead', async () => {
    const { browser, first } = await signedInBrowser(1);
    first.freeze();
    await browser.clock.advance(10 * MINUTE);
    const late = browser.openTab();
    const token = late.tokens.ensureValidToken();
    await browser.clock.advance(10);
    first.thaw();
    await browser.clock.advance(SECOND);
    expect(browser.accepts(await token)).toBe(true);
    expect(browser.seen.refreshes).toBe(1);
  });

  it('that is alone asks the cookie, when nobody answers', async () => {
    const { browser, first } = await signedInBrowser(1);
    first.close();
    const next = browser.openTab();
    const token = next.tokens.ensureValidToken();
    await browser.clock.advance(SECOND);
    expect(browser.accepts(await token)).toBe(true);
    expect(browser.seen.refreshes).toBe(1);
  });

  it('spend one budget: what one tab has spent, no other has', async () => {
    const { browser, tabs } = await signedInBrowser(5);
    browser.fates.push('lost');
    const renewals = tabs.map((tab) => tab.tokens.renew(1));
    await browser.clock.advance(WAIT + SECOND);
    await Promise.all(renewals);
    expect(browser.seen.refreshes).toBe(1);
    const again = tabs.map((tab) => tab.tokens.renew(1));
    await browser.clock.advance(SECOND);
    expect(new Set((await Promise.all(again)).map(({ type }) => type))).toEqual(new Set(['wait']));
    expect(browser.seen.refreshes).toBe(1);
  });
});

describe('a tab that waits for the lock', () => {
  it.each([
    ['signs in', ({ browser, first }: Awaited<ReturnType<typeof signedInBrowser>>) => browser.signIn(first)],
    ['signs out', ({ first }: Awaited<ReturnType<typeof signedInBrowser>>) => first.tokens.signOut()],
  ])('asks nothing when its user %s meanwhile', async (_what, act) => {
    const stage = await signedInBrowser(2);
    const { browser, first, second } = stage;
    void second.tokens.renew(1);
    await browser.clock.advance(10);
    second.freeze();
    await browser.clock.advance(SECOND);
    const asked = browser.seen.refreshes;
    const renewal = first.tokens.renew(1);
    await browser.clock.advance(10);
    act(stage);
    const { held } = first;
    await browser.clock.advance(2 * WAIT + SECOND);
    expect((await renewal).type).toBe(held === null ? 'rejected' : 'renewed');
    expect(first.held).toBe(held);
    expect(held === null || browser.accepts(held)).toBe(true);
    expect(browser.seen.refreshes).toBe(asked);
  });
});

describe('a tab that has the lock', () => {
  it('and freezes is waited for within a bound, and not stolen from', async () => {
    const { browser, tabs, first } = await signedInBrowser(8);
    const frozen = first.tokens.renew(1);
    await browser.clock.advance(60);
    first.freeze();
    const others = tabs.slice(1);
    const renewals = others.map((tab) => tab.tokens.renew(1));
    await browser.clock.advance(3 * WAIT);
    // Its request had left: the minute is spent, so nobody asks again yet, and nobody gives up either.
    expect(new Set((await Promise.all(renewals)).map(({ type }) => type))).toEqual(new Set(['wait']));
    await browser.clock.advance(MINUTE - 3 * WAIT);
    const second = others.map((tab) => tab.tokens.renew(1));
    await browser.clock.advance(3 * WAIT);
    expect(new Set((await Promise.all(second)).map(({ type }) => type))).toEqual(new Set(['renewed']));
    expect(held(others)).toHaveLength(1);
    expect(browser.accepts(others[0]?.held ?? null)).toBe(true);
    expect([browser.seen.refreshes, browser.seen.reuses]).toEqual([2, 0]);
    first.thaw();
    await browser.clock.advance(SECOND);
    expect((await frozen).type).toBe('renewed');
    expect(held(tabs)).toHaveLength(1);
    expect(browser.seen.refreshes).toBe(2);
  });

  it('and sleeps through the next refresh wakes with an answer that is old, and deceives nobody with it', async () => {
    const { browser, tabs, first, second } = await signedInBrowser(3);
    void first.tokens.renew(1);
    await browser.clock.advance(60);
    first.freeze();
    await browser.clock.advance(MINUTE);
    void second.tokens.renew(1);
    await browser.clock.advance(3 * WAIT);
    expect(browser.accepts(second.held)).toBe(true);
    first.thaw();
    await browser.clock.advance(SECOND);
    expect(held(tabs)).toEqual([second.held]);
    expect(browser.accepts(second.held)).toBe(true);
  });

  it('and is closed in the middle hands it over, and its minute stays spent', async () => {
    const { browser, tabs, first } = await signedInBrowser(4);
    void first.tokens.renew(1);
    await browser.clock.advance(60);
    first.close();
    const others = tabs.slice(1);
    const renewals = others.map((tab) => tab.tokens.renew(1));
    await browser.clock.advance(SECOND);
    expect(new Set((await Promise.all(renewals)).map(({ type }) => type))).toEqual(new Set(['wait']));
    await browser.clock.advance(MINUTE);
    const again = others.map((tab) => tab.tokens.renew(1));
    await browser.clock.advance(SECOND);
    await Promise.all(again);
    expect(browser.accepts(held(others)[0] ?? null)).toBe(true);
    expect([browser.seen.refreshes, browser.seen.reuses]).toEqual([2, 0]);
  });

  it('and loses the answer, but not the cookie, is followed by one attempt when the minute is over', async () => {
    const { browser, tabs } = await signedInBrowser(4);
    browser.fates.push('lost');
    await browser.clock.advance(6 * MINUTE);
    expect(browser.accepts(held(tabs)[0] ?? null)).toBe(true);
    expect([browser.seen.refreshes, browser.seen.reuses]).toEqual([2, 0]);
    expect(
      Math.min(...browser.seen.times.slice(1).map((at, index) => at - (browser.seen.times[index] ?? 0))),
    ).toBeGreaterThanOrEqual(MINUTE);
  });

  it('and loses the cookie with the answer costs the session at last, but no burst of calls', async () => {
    const { browser, tabs } = await signedInBrowser(4);
    browser.fates.push('lost with its cookie');
    await browser.clock.advance(10 * MINUTE);
    expect(held(tabs)).toEqual([null]);
    expect(browser.seen.refreshes).toBe(2);
    for (const tab of tabs) expect(eventsOf(tab).at(-1)).toBe('session.ended');
  });
});

describe('a call of another tab', () => {
  const { signal } = new AbortController();

  it.each([
    ['on its way', 10],
    ['on its way back', 60],
  ])('while a refresh is %s waits for its token: the one of before is about to die', async (_where, ms) => {
    const { browser, first, second } = await signedInBrowser(2);
    void first.tokens.renew(1);
    await browser.clock.advance(ms);
    expect(browser.accepts('token-1')).toBe(ms < 50);
    const call = second.tokens.forCall(signal);
    await browser.clock.advance(200);
    expect(await call).toMatchObject({ value: 'token-2', inDoubt: false });
  });

  it.each([
    ['is closed', (tab: Tab) => tab.close()],
    ['freezes', (tab: Tab) => tab.freeze()],
  ])(
    'waits for a moment when the tab that refreshes %s, and then knows that the token is in doubt',
    async (_what, act) => {
      const { browser, first, second } = await signedInBrowser(2);
      void first.tokens.renew(1);
      await browser.clock.advance(10);
      act(first);
      const call = second.tokens.forCall(signal);
      await browser.clock.advance(2 * SECOND);
      expect(await call).toMatchObject({ value: 'token-1', inDoubt: true });
    },
  );
});

describe('a refusal', () => {
  it('that was given to a race is not believed: the token of the other tab counts', async () => {
    const { browser, first, second } = await signedInBrowser(2, { locks: false });
    browser.fates.push('refused');
    const refused = first.tokens.renew(1);
    await browser.clock.advance(10);
    browser.storage.remove('assessment-monitor:refresh-budget');
    const renewed = second.tokens.renew(1);
    await browser.clock.advance(SECOND);
    expect((await refused).type).toBe('renewed');
    expect((await renewed).type).toBe('renewed');
    expect(held([first, second])).toHaveLength(1);
    expect(browser.seen.reuses).toBe(0);
  });

  it('is not tried again when the token of the other tab came before it', async () => {
    const { browser, first, second } = await signedInBrowser(2, { locks: false });
    browser.fates.push('refused');
    const refused = first.tokens.renew(1);
    await browser.clock.advance(10);
    browser.signIn(second, 'bob');
    await browser.clock.advance(10 * SECOND);
    expect((await refused).type).toBe('renewed');
    expect(held([first, second])).toEqual([second.held]);
    expect(browser.seen.refreshes).toBe(0);
  });

  it('is tried once more with the cookie of now, when the other tab cannot be asked', async () => {
    const { browser, first, second } = await signedInBrowser(2, { locks: false, channel: false });
    browser.signIn(second);
    browser.fates.push('refused');
    const refused = first.tokens.renew(1);
    await browser.clock.advance(10);
    // Another tab asks meanwhile.
    browser.storage.set(
      'assessment-monitor:refresh-budget',
      JSON.stringify({ attemptedAt: browser.clock.now() - 1, availableAt: browser.clock.now() }),
    );
    await browser.clock.advance(5 * SECOND);
    expect((await refused).type).toBe('renewed');
    expect(browser.accepts(first.held)).toBe(true);
  });

  it('that nobody raced is believed at once, and told to all tabs', async () => {
    const { browser, tabs, first } = await signedInBrowser(3);
    browser.fates.push('refused');
    const refused = first.tokens.renew(1);
    await browser.clock.advance(SECOND);
    expect((await refused).type).toBe('rejected');
    for (const tab of tabs) expect(eventsOf(tab).at(-1)).toBe('session.ended');
    await browser.clock.advance(10 * MINUTE);
    expect(browser.seen.refreshes).toBe(0);
  });

  it('is believed at once by a tab that was behind before it asked: that is no race', async () => {
    const { browser, first, second } = await signedInBrowser(2, { channel: false, locks: false });
    const elsewhere = second.tokens.renew(1);
    await browser.clock.advance(2 * MINUTE);
    expect((await elsewhere).type).toBe('renewed');
    browser.fates.push('refused');
    const refused = first.tokens.renew(1);
    await browser.clock.advance(SECOND);
    expect((await refused).type).toBe('rejected');
    expect(browser.seen.refreshes).toBe(1);
  });
});

describe('sessions', () => {
  it('a sign-out in one tab parks the others, without a refresh', async () => {
    const { browser, tabs, second } = await signedInBrowser(3);
    second.tokens.signOut();
    await browser.clock.advance(10 * MINUTE);
    for (const tab of tabs) expect([tab.held, eventsOf(tab).at(-1)]).toEqual([null, 'session.ended']);
    expect(browser.seen.refreshes).toBe(0);
  });

  it('a sign-in as somebody else is told as such, and no tab keeps the token of the user before', async () => {
    const { browser, tabs, second } = await signedInBrowser(3);
    browser.signIn(second, 'bob');
    await browser.clock.advance(SECOND);
    expect(held(tabs)).toEqual(['token-2']);
    for (const tab of tabs) {
      expect(tab.heard.at(-1)).toEqual({ type: 'session.restored', userId: 'bob' });
      expect(tab.tokens.userId()).toBe('bob');
    }
  });

  it('a refresh that lands after a sign-out in another tab brings nobody back to life', async () => {
    const { browser, tabs, first, second } = await signedInBrowser(2);
    const renewal = first.tokens.renew(1);
    await browser.clock.advance(60);
    second.tokens.signOut();
    await browser.clock.advance(SECOND);
    expect((await renewal).type).toBe('rejected');
    expect(held(tabs)).toEqual([null]);
  });

  it('a tab that slept through a sign-out is signed out when it wakes', async () => {
    const { browser, first, second } = await signedInBrowser(2, { channel: false });
    browser.signIn(second);
    first.tokens.recheck();
    second.tokens.signOut();
    first.tokens.recheck();
    expect(first.held).toBeNull();
    await expect(first.tokens.ensureValidToken()).rejects.toBeInstanceOf(SignInRequiredError);
    expect(browser.seen.refreshes).toBe(0);
  });

  it('a sign-in without us, after a sign-out with us, is found by the cookie', async () => {
    const { browser, first } = await signedInBrowser(1);
    first.tokens.signOut();
    first.close();
    const page = browser.openTab();
    const token = page.tokens.ensureValidToken();
    await browser.clock.advance(SECOND);
    expect(browser.accepts(await token)).toBe(true);
  });

  it('ensureValidToken may be called by whoever hears that a token was renewed', async () => {
    const { browser, first, second } = await signedInBrowser(2);
    const tokens: Promise<string>[] = [];
    second.tokens.events$.subscribe((event) => {
      if (event.type === 'token.renewed')
        tokens.push(second.tokens.ensureValidToken(), second.tokens.ensureValidToken(true));
    });
    void first.tokens.renew(1);
    void second.tokens.renew(1);
    await browser.clock.advance(WAIT);
    expect(await Promise.all(tokens)).toEqual(['token-2', 'token-2']);
  });
});

describe('a page that slept', () => {
  it('through a refresh of another tab has the new token when it wakes, and refreshes nothing', async () => {
    const { browser, first, second } = await signedInBrowser(2);
    second.freeze();
    await browser.clock.advance(4 * MINUTE);
    second.thaw();
    await browser.clock.advance(SECOND);
    expect(second.held).toBe(first.held);
    expect(browser.seen.refreshes).toBe(1);
  });

  it('for ten minutes past the death of its token refreshes once', async () => {
    const { browser, first } = await signedInBrowser(1);
    first.freeze();
    await browser.clock.advance(15 * MINUTE);
    first.thaw();
    await browser.clock.advance(SECOND);
    expect(browser.accepts(first.held)).toBe(true);
    expect(browser.seen.refreshes).toBe(1);
  });
});

describe('a browser that lacks', () => {
  it.each([
    ['locks', { locks: false }],
    ['a channel', { channel: false }],
    ['both', { locks: false, channel: false }],
  ])('%s still has at most one refresh a minute, and no stolen cookie', async (_what, options) => {
    const { browser, tabs, first } = await signedInBrowser(4, options);
    for (const tab of tabs.slice(1)) void tab.tokens.renew(null);
    void first.tokens.renew(1);
    await browser.clock.advance(12 * MINUTE);
    expect(browser.seen.reuses).toBe(0);
    const gaps = browser.seen.times.slice(1).map((at, index) => at - (browser.seen.times[index] ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(MINUTE);
    expect(tabs.some((tab) => browser.accepts(tab.held))).toBe(true);
  });
});
