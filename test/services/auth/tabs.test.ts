import { identityOf } from '../../../src/lib/identity.ts';
import { describe, expect, it } from 'vitest';
import { SignInRequiredError } from '../../../src/lib/errors.ts';
import { openBrowser, type Tab } from '../../support/browser-with-tabs.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
/** How long a tab waits for a lock. */
const WAIT = 16 * SECOND;

/** A browser whose tabs all use the token of a sign-in that has just happened. */
async function signedInBrowser(tabCount: number, options: Parameters<typeof openBrowser>[0] = {}) {
  const browser = openBrowser(options);
  const tabs = browser.openTabs(tabCount);
  const first = tabs[0] as Tab;
  browser.signIn(first);
  await browser.clock.run(SECOND);
  return { browser, tabs, first, second: tabs[1] as Tab };
}

const held = (tabs: readonly Tab[]) => [...new Set(tabs.map((tab) => tab.held))];
const eventsOf = (tab: Tab) => tab.heard.map(({ type }) => type);

describe('the tabs of a browser', () => {
  it('share the token of a sign-in in any tab', async () => {
    const { tabs, second } = await signedInBrowser(3);
    expect(held(tabs)).toEqual(['token-1']);
    expect(eventsOf(second)).toEqual(['session.restored']);
  });

  it('refresh once when their token expires: one tab sends the request, the others adopt its token', async () => {
    const { browser, tabs } = await signedInBrowser(2);
    await browser.clock.run(5 * MINUTE);
    expect([browser.seen.refreshes, browser.seen.reuses]).toEqual([1, 0]);
    expect(held(tabs)).toEqual(['token-2']);
    expect(tabs.map((tab) => tab.tokens.current()?.generation)).toEqual([2, 2]);
  });

  it.each([8, 50])('refresh once per lifetime of a token, with %d tabs', async (count) => {
    const { browser, tabs } = await signedInBrowser(count);
    for (let life = 1; life <= 3; life += 1) {
      await browser.clock.run(4 * MINUTE);
      expect(held(tabs)).toHaveLength(1);
      expect(browser.accepts(held(tabs)[0] ?? null)).toBe(true);
    }
    expect(browser.seen.reuses + browser.seen.limited).toBe(0);
    // Refreshed ahead of time, in the second half of a life of five minutes.
    expect(browser.seen.refreshes).toBeLessThanOrEqual(12 / 2.5);
    expect(browser.queued()).toBe(0);
  });

  it('send one request when all of them start a refresh at the same time', async () => {
    const { browser, tabs } = await signedInBrowser(50);
    const renewals = tabs.map((tab) => tab.tokens.renew(1));
    await browser.clock.run(10 * SECOND);
    expect(new Set((await Promise.all(renewals)).map(({ type }) => type))).toEqual(new Set(['renewed']));
    expect(browser.seen.refreshes).toBe(1);
  });

  it('do not refresh again when the lock arrives before the message about the new token', async () => {
    // An unusually slow message, still within the time for which the lock is held.
    const { browser, tabs } = await signedInBrowser(8, { messageMs: 400 });
    const renewals = tabs.map((tab) => tab.tokens.renew(1));
    await browser.clock.run(10 * SECOND);
    await Promise.all(renewals);
    expect(browser.seen.refreshes).toBe(1);
    expect(held(tabs)).toEqual(['token-2']);
  });

  it('send the token to a tab that opens later, without a refresh', async () => {
    const { browser, first } = await signedInBrowser(1);
    const late = browser.openTab();
    const token = late.tokens.ensureValidToken();
    await browser.clock.run(SECOND);
    expect(await token).toBe(first.held);
    expect(browser.seen.refreshes).toBe(0);
  });

  it.each([
    ['of a known life', { expiresIn: 300 }],
    ['whose lifetime is unknown', {}],
  ])('pass a token on unchanged, %s', async (_what, life) => {
    const { browser, first } = await signedInBrowser(1);
    first.tokens.signIn({ accessToken: 'opaque', userId: 'bob', refreshToken: 'in the body', ...life });
    await browser.clock.run(MINUTE);
    const late = browser.openTab();
    void late.tokens.ensureValidToken();
    await browser.clock.run(SECOND);
    expect(late.tokens.current()).toEqual({ ...first.tokens.current(), userId: identityOf('bob', null, 0) });
    expect(late.tokens.identity()).toBe(first.tokens.identity());
    expect(browser.seen.refreshes).toBe(0);
  });

  it('do not pass on an expired token', async () => {
    const { browser, first } = await signedInBrowser(1);
    first.freeze();
    await browser.clock.run(10 * MINUTE);
    const late = browser.openTab();
    const token = late.tokens.ensureValidToken();
    await browser.clock.run(10);
    first.thaw();
    await browser.clock.run(SECOND);
    expect(browser.accepts(await token)).toBe(true);
    expect(browser.seen.refreshes).toBe(1);
  });

  it('refresh with the cookie when no other tab answers', async () => {
    const { browser, first } = await signedInBrowser(1);
    first.close();
    const next = browser.openTab();
    const token = next.tokens.ensureValidToken();
    await browser.clock.run(SECOND);
    expect(browser.accepts(await token)).toBe(true);
    expect(browser.seen.refreshes).toBe(1);
  });

  it('share one budget of refreshes', async () => {
    const { browser, tabs } = await signedInBrowser(5);
    browser.fates.push('lost');
    const renewals = tabs.map((tab) => tab.tokens.renew(1));
    await browser.clock.run(WAIT + SECOND);
    await Promise.all(renewals);
    expect(browser.seen.refreshes).toBe(1);
    const again = tabs.map((tab) => tab.tokens.renew(1));
    await browser.clock.run(SECOND);
    expect(new Set((await Promise.all(again)).map(({ type }) => type))).toEqual(new Set(['wait']));
    expect(browser.seen.refreshes).toBe(1);
  });
});

describe('a tab that waits for the lock', () => {
  it.each([
    ['signs in', ({ browser, first }: Awaited<ReturnType<typeof signedInBrowser>>) => browser.signIn(first)],
    ['signs out', ({ first }: Awaited<ReturnType<typeof signedInBrowser>>) => first.tokens.signOut()],
  ])('sends no request when its user %s during the wait', async (_what, act) => {
    const stage = await signedInBrowser(2);
    const { browser, first, second } = stage;
    void second.tokens.renew(1);
    await browser.clock.run(10);
    second.freeze();
    await browser.clock.run(SECOND);
    const asked = browser.seen.refreshes;
    const renewal = first.tokens.renew(1);
    await browser.clock.run(10);
    act(stage);
    const { held } = first;
    await browser.clock.run(2 * WAIT + SECOND);
    expect((await renewal).type).toBe(held === null ? 'rejected' : 'renewed');
    expect(first.held).toBe(held);
    expect(held === null || browser.accepts(held)).toBe(true);
    expect(browser.seen.refreshes).toBe(asked);
  });
});

describe('a tab that has the lock', () => {
  it('and freezes delays the others for a limited time, and keeps its lock', async () => {
    const { browser, tabs, first } = await signedInBrowser(8);
    const frozen = first.tokens.renew(1);
    await browser.clock.run(60);
    first.freeze();
    const others = tabs.slice(1);
    const renewals = others.map((tab) => tab.tokens.renew(1));
    await browser.clock.run(3 * WAIT);
    // The frozen tab has sent its request, so the minute is spent: the others neither retry yet nor give up.
    expect(new Set((await Promise.all(renewals)).map(({ type }) => type))).toEqual(new Set(['wait']));
    await browser.clock.run(MINUTE - 3 * WAIT);
    const second = others.map((tab) => tab.tokens.renew(1));
    await browser.clock.run(3 * WAIT);
    expect(new Set((await Promise.all(second)).map(({ type }) => type))).toEqual(new Set(['renewed']));
    expect(held(others)).toHaveLength(1);
    expect(browser.accepts(others[0]?.held ?? null)).toBe(true);
    expect([browser.seen.refreshes, browser.seen.reuses]).toEqual([2, 0]);
    first.thaw();
    await browser.clock.run(SECOND);
    expect((await frozen).type).toBe('renewed');
    expect(held(tabs)).toHaveLength(1);
    expect(browser.seen.refreshes).toBe(2);
  });

  it('and sleeps through the next refresh does not publish its stale answer when it wakes', async () => {
    const { browser, tabs, first, second } = await signedInBrowser(3);
    void first.tokens.renew(1);
    await browser.clock.run(60);
    first.freeze();
    await browser.clock.run(MINUTE);
    void second.tokens.renew(1);
    await browser.clock.run(3 * WAIT);
    expect(browser.accepts(second.held)).toBe(true);
    first.thaw();
    await browser.clock.run(SECOND);
    expect(held(tabs)).toEqual([second.held]);
    expect(browser.accepts(second.held)).toBe(true);
  });

  it('and is closed during the request releases it, and its attempt still counts', async () => {
    const { browser, tabs, first } = await signedInBrowser(4);
    void first.tokens.renew(1);
    await browser.clock.run(60);
    first.close();
    const others = tabs.slice(1);
    const renewals = others.map((tab) => tab.tokens.renew(1));
    await browser.clock.run(SECOND);
    expect(new Set((await Promise.all(renewals)).map(({ type }) => type))).toEqual(new Set(['wait']));
    await browser.clock.run(MINUTE);
    const again = others.map((tab) => tab.tokens.renew(1));
    await browser.clock.run(SECOND);
    await Promise.all(again);
    expect(browser.accepts(held(others)[0] ?? null)).toBe(true);
    expect([browser.seen.refreshes, browser.seen.reuses]).toEqual([2, 0]);
  });

  it('and loses the answer but not the cookie is followed by one attempt after a minute', async () => {
    const { browser, tabs } = await signedInBrowser(4);
    browser.fates.push('lost');
    await browser.clock.run(6 * MINUTE);
    expect(browser.accepts(held(tabs)[0] ?? null)).toBe(true);
    expect([browser.seen.refreshes, browser.seen.reuses]).toEqual([2, 0]);
    expect(
      Math.min(...browser.seen.times.slice(1).map((at, index) => at - (browser.seen.times[index] ?? 0))),
    ).toBeGreaterThanOrEqual(MINUTE);
  });

  it('and loses the cookie with the answer loses the session, without a burst of calls', async () => {
    const { browser, tabs } = await signedInBrowser(4);
    browser.fates.push('lost with its cookie');
    await browser.clock.run(10 * MINUTE);
    expect(held(tabs)).toEqual([null]);
    expect(browser.seen.refreshes).toBe(2);
    for (const tab of tabs) expect(eventsOf(tab).at(-1)).toBe('session.ended');
  });
});

describe('a call of another tab', () => {
  const { signal } = new AbortController();

  it.each([
    ['on its way to the server', 10],
    ['on its way back', 60],
  ])(
    'while a refresh is %s waits for the new token, because the previous one is about to be invalidated',
    async (_where, ms) => {
      const { browser, first, second } = await signedInBrowser(2);
      void first.tokens.renew(1);
      await browser.clock.run(ms);
      expect(browser.accepts('token-1')).toBe(ms < 50);
      const call = second.tokens.forCall(signal);
      await browser.clock.run(200);
      expect(await call).toMatchObject({ value: 'token-2', inDoubt: false });
    },
  );

  it.each([
    ['is closed', (tab: Tab) => tab.close()],
    ['freezes', (tab: Tab) => tab.freeze()],
  ])('waits up to 2 s when the refreshing tab %s, and then gets the token marked as in doubt', async (_what, act) => {
    const { browser, first, second } = await signedInBrowser(2);
    void first.tokens.renew(1);
    await browser.clock.run(10);
    act(first);
    const call = second.tokens.forCall(signal);
    await browser.clock.run(2 * SECOND);
    expect(await call).toMatchObject({ value: 'token-1', inDoubt: true });
  });
});

describe('a rejected refresh', () => {
  it('after a lost race is ignored in favour of the token of the other tab', async () => {
    const { browser, first, second } = await signedInBrowser(2, { locks: false });
    browser.fates.push('refused');
    const refused = first.tokens.renew(1);
    await browser.clock.run(10);
    browser.storage.remove('refresh-budget');
    const renewed = second.tokens.renew(1);
    await browser.clock.run(SECOND);
    expect((await refused).type).toBe('renewed');
    expect((await renewed).type).toBe('renewed');
    expect(held([first, second])).toHaveLength(1);
    expect(browser.seen.reuses).toBe(0);
  });

  it('causes no retry when the token of the other tab arrived first', async () => {
    const { browser, first, second } = await signedInBrowser(2, { locks: false });
    browser.fates.push('refused');
    const refused = first.tokens.renew(1);
    await browser.clock.run(10);
    browser.signIn(second, 'bob');
    await browser.clock.run(10 * SECOND);
    expect((await refused).type).toBe('renewed');
    expect(held([first, second])).toEqual([second.held]);
    expect(browser.seen.refreshes).toBe(0);
  });

  it('causes one retry with the current cookie when the other tab is unreachable', async () => {
    const { browser, first, second } = await signedInBrowser(2, { locks: false, channel: false });
    browser.signIn(second);
    browser.fates.push('refused');
    const refused = first.tokens.renew(1);
    await browser.clock.run(10);
    // Another tab starts a refresh during the request.
    browser.storage.set(
      'refresh-budget',
      JSON.stringify({ attemptedAt: browser.clock.now() - 1, availableAt: browser.clock.now() }),
    );
    await browser.clock.run(5 * SECOND);
    expect((await refused).type).toBe('renewed');
    expect(browser.accepts(first.held)).toBe(true);
  });

  it('without a race ends the session immediately in all tabs', async () => {
    const { browser, tabs, first } = await signedInBrowser(3);
    browser.fates.push('refused');
    const refused = first.tokens.renew(1);
    await browser.clock.run(SECOND);
    expect((await refused).type).toBe('rejected');
    for (const tab of tabs) expect(eventsOf(tab).at(-1)).toBe('session.ended');
    await browser.clock.run(10 * MINUTE);
    expect(browser.seen.refreshes).toBe(0);
  });

  it('ends the session immediately in a tab that was behind before its request, because that is no race', async () => {
    const { browser, first, second } = await signedInBrowser(2, { channel: false, locks: false });
    const elsewhere = second.tokens.renew(1);
    await browser.clock.run(2 * MINUTE);
    expect((await elsewhere).type).toBe('renewed');
    browser.fates.push('refused');
    const refused = first.tokens.renew(1);
    await browser.clock.run(SECOND);
    expect((await refused).type).toBe('rejected');
    expect(browser.seen.refreshes).toBe(1);
  });
});

describe('a rejection in a tab that never had a token', () => {
  it('leaves the good session of the other tabs alone', async () => {
    const { browser, first } = await signedInBrowser(1);
    first.freeze();
    const late = browser.openTab();
    browser.fates.push('refused');
    const refused = late.tokens.renew(null);
    await browser.clock.run(SECOND);
    expect((await refused).type).toBe('rejected');
    first.thaw();
    await browser.clock.run(SECOND);
    expect(browser.accepts(first.held)).toBe(true);
    expect(eventsOf(first)).not.toContain('session.ended');
  });
});

describe('sessions', () => {
  it('a sign-out in one tab ends the session in the others, without a refresh', async () => {
    const { browser, tabs, second } = await signedInBrowser(3);
    second.tokens.signOut();
    await browser.clock.run(10 * MINUTE);
    for (const tab of tabs) expect([tab.held, eventsOf(tab).at(-1)]).toEqual([null, 'session.ended']);
    expect(browser.seen.refreshes).toBe(0);
  });

  it('a sign-in as another user reaches all tabs, and none keeps the token of the previous user', async () => {
    const { browser, tabs, second } = await signedInBrowser(3);
    browser.signIn(second, 'bob');
    await browser.clock.run(SECOND);
    expect(held(tabs)).toEqual(['token-2']);
    for (const tab of tabs) {
      expect(tab.heard.at(-1)).toEqual({ type: 'session.restored', userId: 'bob' });
      expect(tab.tokens.userId()).toBe('bob');
    }
  });

  it('a refresh that finishes after a sign-out in another tab does not restore the session', async () => {
    const { browser, tabs, first, second } = await signedInBrowser(2);
    const renewal = first.tokens.renew(1);
    await browser.clock.run(60);
    second.tokens.signOut();
    await browser.clock.run(SECOND);
    expect((await renewal).type).toBe('rejected');
    expect(held(tabs)).toEqual([null]);
  });

  it('a tab that slept through a sign-out ends its session when it wakes', async () => {
    const { browser, first, second } = await signedInBrowser(2, { channel: false });
    browser.signIn(second);
    first.tokens.recheck();
    second.tokens.signOut();
    first.tokens.recheck();
    expect(first.held).toBeNull();
    await expect(first.tokens.ensureValidToken()).rejects.toBeInstanceOf(SignInRequiredError);
    expect(browser.seen.refreshes).toBe(0);
  });

  it('a sign-in on a page without this package, after a rejected session, is found through the cookie', async () => {
    const { browser, first } = await signedInBrowser(1);
    browser.fates.push('refused');
    void first.tokens.renew(1);
    await browser.clock.run(MINUTE);
    expect(first.heard.at(-1)).toEqual({ type: 'session.ended', reason: 'rejected' });
    first.close();
    const page = browser.openTab();
    const token = page.tokens.ensureValidToken();
    await browser.clock.run(SECOND);
    expect(browser.accepts(await token)).toBe(true);
  });

  it('a cookie that is still good brings nothing back after a sign-out, until the next sign-in', async () => {
    const { browser, first } = await signedInBrowser(1);
    first.tokens.signOut();
    first.close();
    const page = browser.openTab();
    await expect(page.tokens.ensureValidToken()).rejects.toBeInstanceOf(SignInRequiredError);
    expect([await page.tokens.renew(null), page.tokens.identity()]).toEqual([{ type: 'rejected' }, null]);
    await browser.clock.run(60 * MINUTE);
    expect(browser.seen.refreshes).toBe(0);
    browser.signIn(page);
    expect(await page.tokens.ensureValidToken()).toBe(page.held);
  });

  it('a sign-out in a tab that has no token yet is final too, in all tabs and after a reload', async () => {
    const { browser, tabs, first } = await signedInBrowser(2);
    await browser.clock.run(5 * MINUTE);
    const late = browser.openTab();
    late.tokens.signOut();
    await browser.clock.run(SECOND);
    expect(held(tabs)).toEqual([null]);
    expect(first.heard.at(-1)).toEqual({ type: 'session.ended', reason: 'signed-out' });
    for (const tab of [...tabs, late]) tab.close();
    const page = browser.openTab();
    await expect(page.tokens.ensureValidToken()).rejects.toBeInstanceOf(SignInRequiredError);
    expect(browser.seen.refreshes).toBe(1);
  });

  it('the sign-in of a token that is in use already is no event, in any tab', async () => {
    const { browser, first, second } = await signedInBrowser(2);
    const renewal = first.tokens.renew(1);
    await browser.clock.run(10);
    const heard = [first.heard.length, second.heard.length];
    first.tokens.signIn({ accessToken: first.held ?? '', expiresIn: 300 });
    await browser.clock.run(10);
    expect([first.heard.length, second.heard.length]).toEqual(heard);
    await browser.clock.run(SECOND);
    expect([(await renewal).type, first.held === second.held]).toEqual(['renewed', true]);
    const before = first.heard.length;
    browser.openTab().tokens.signIn({ accessToken: first.held ?? '', expiresIn: 300 });
    await browser.clock.run(SECOND);
    expect(first.heard).toHaveLength(before);
  });

  it('a listener may call ensureValidToken when it receives token.renewed', async () => {
    const { browser, first, second } = await signedInBrowser(2);
    const tokens: Promise<string>[] = [];
    second.tokens.events$.subscribe((event) => {
      if (event.type === 'token.renewed')
        tokens.push(second.tokens.ensureValidToken(), second.tokens.ensureValidToken(true));
    });
    void first.tokens.renew(1);
    void second.tokens.renew(1);
    await browser.clock.run(WAIT);
    expect(await Promise.all(tokens)).toEqual(['token-2', 'token-2']);
  });
});

describe('a page that slept', () => {
  it('through a refresh of another tab adopts the new token when it wakes, without a refresh', async () => {
    const { browser, first, second } = await signedInBrowser(2);
    second.freeze();
    await browser.clock.run(4 * MINUTE);
    second.thaw();
    await browser.clock.run(SECOND);
    expect(second.held).toBe(first.held);
    expect(browser.seen.refreshes).toBe(1);
  });

  it('for ten minutes past the expiry of its token refreshes once', async () => {
    const { browser, first } = await signedInBrowser(1);
    first.freeze();
    await browser.clock.run(15 * MINUTE);
    first.thaw();
    await browser.clock.run(SECOND);
    expect(browser.accepts(first.held)).toBe(true);
    expect(browser.seen.refreshes).toBe(1);
  });
});

describe('a browser that lacks', () => {
  it.each([
    ['locks', { locks: false }],
    ['a channel', { channel: false }],
    ['both', { locks: false, channel: false }],
  ])('%s sends at most one refresh a minute and reuses no cookie', async (_what, options) => {
    const { browser, tabs, first } = await signedInBrowser(4, options);
    for (const tab of tabs.slice(1)) void tab.tokens.renew(null);
    void first.tokens.renew(1);
    await browser.clock.run(12 * MINUTE);
    expect(browser.seen.reuses).toBe(0);
    const gaps = browser.seen.times.slice(1).map((at, index) => at - (browser.seen.times[index] ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(MINUTE);
    expect(tabs.some((tab) => browser.accepts(tab.held))).toBe(true);
  });
});
