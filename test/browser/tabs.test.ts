import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import type { TabBook } from '../../e2e/tabs/tab.ts';
import { bookOf, inTab, until } from '../../e2e/tabs/run-tabs.ts';
import { chromiumTabs } from './chromium-tabs.ts';
import { fillQuota, loseRequest } from './keepalive-quota.ts';

/*
 * Real tabs of a real Chromium, against strict rotation. The long story is the scenario `tabs`; these are its turns, each short enough
 * to be repeated: REPEAT=200 npx vitest run test/browser/tabs.test.ts
 */

const repeats = Number(process.env.REPEAT ?? 1);

const real = chromiumTabs();
const { open } = real;
const untilBook = (what: string, page: Page, isTrue: (book: TabBook) => boolean) =>
  until(what, async () => (isTrue(await bookOf(page)) ? true : null), 15_000);
/** It knows its job and looks whether it has ended. */
const isWatching = (page: Page) =>
  untilBook(
    'a job that is watched',
    page,
    ({ phase: now, events }) =>
      now === 'waiting' && events.some((event) => event.type === 'request.finished' && event.route === 'status'),
  );
const shows = (wanted: string, page: Page) => untilBook(wanted, page, ({ phase: now }) => now === wanted);

/** Tabs that each watch a job of their own. The first one signed in; the others heard of it. */
async function openBusyTabs(count: number, settings: Record<string, string> = {}): Promise<Page[]> {
  const tabs: Page[] = [];
  for (let index = 0; index < count; index += 1) tabs.push(await open(settings));
  await inTab(tabs[0] as Page, (tab) => tab.signIn());
  for (const tab of tabs) await inTab(tab, (it) => it.submit());
  await Promise.all(tabs.map(isWatching));
  return tabs;
}

describe.each(Array.from({ length: repeats }, (_, index) => index + 1))('real tabs, time %d', () => {
  it('that all find their token dead refresh once between them, and all show their results', async () => {
    const tabs = await openBusyTabs(4);
    real.backend.endTokens();
    real.backend.finishJobs();
    await Promise.all(tabs.map((tab) => shows('completed', tab)));
    const { refreshes, refreshCalls, reuseDetections, submissionsAccepted, logins } = real.backend.counts();
    expect({ refreshes, refreshCalls, reuseDetections, submissionsAccepted, logins }).toEqual({
      refreshes: 1,
      refreshCalls: 1,
      reuseDetections: 0,
      submissionsAccepted: 4,
      logins: 1,
    });
  });

  it('continue when the one that refreshes is closed in the middle of it', async () => {
    const tabs = await openBusyTabs(3);
    real.backend.configure({ faults: [{ route: 'refresh', kind: 'dribble', ms: 5, times: 1 }] });
    real.backend.endTokens();
    // Each of them finds out at its next look at the job.
    real.backend.dropSockets();
    const leading = await until('a tab that refreshes', async () => {
      const books = await Promise.all(tabs.map(bookOf));
      return tabs[books.findIndex(({ isRefreshing }) => isRefreshing)] ?? null;
    });
    await leading.close();
    real.backend.finishJobs();
    await Promise.all(tabs.filter((tab) => tab !== leading).map((tab) => shows('completed', tab)));
    expect(real.backend.counts().reuseDetections).toBe(0);
    expect(real.backend.counts().refreshesRejected).toBe(0);
  });

  it('are signed out together, without a refresh', async () => {
    const tabs = await openBusyTabs(3);
    await inTab(tabs[1] as Page, (tab) => tab.signOut());
    await Promise.all(tabs.map((tab) => shows('nothing', tab)));
    expect(real.backend.counts().refreshCalls).toBe(0);
    await inTab(tabs[2] as Page, (tab) => tab.signIn());
    await Promise.all(tabs.map((tab) => shows('waiting', tab)));
    real.backend.finishJobs();
    await Promise.all(tabs.map((tab) => shows('completed', tab)));
    expect(real.backend.counts().submissionsAccepted).toBe(3);
  });

  it('that slept through the end of their token and of their job show the result when they wake, after one refresh', async () => {
    const [tab] = (await openBusyTabs(1)) as [Page];
    await real.openOther();
    await real.chromium.freeze(tab);
    real.backend.endTokens();
    real.backend.finishJobs();
    real.backend.dropSockets();
    await real.chromium.thaw(tab);
    await shows('completed', tab);
    expect(real.backend.counts()).toMatchObject({ refreshCalls: 1, submissionsAccepted: 1 });
  });

  it.each(['none', 'websocket'])(
    'that come back to a page show the result, after one refresh (socket: %s)',
    async (socket) => {
      const [tab] = (await openBusyTabs(1, { socket })) as [Page];
      await tab.evaluate(() => {
        window.addEventListener('pageshow', ({ persisted }) => Object.assign(window, { persisted }));
      });
      await tab.goto('about:blank');
      real.backend.endTokens();
      real.backend.finishJobs();
      await tab.goBack({ waitUntil: 'commit' });
      // A page with an open socket may not be kept: it is loaded again then, and finds its job in the storage.
      if (socket === 'none') expect(await tab.evaluate('window.persisted')).toBe(true);
      await tab.waitForFunction(() => 'tab' in window);
      await shows('completed', tab);
      expect(real.backend.counts()).toMatchObject({ refreshCalls: 1, submissionsAccepted: 1 });
    },
  );

  it('without a network continue when it is back', async () => {
    const [tab] = (await openBusyTabs(1, { socket: 'none' })) as [Page];
    await real.chromium.context.setOffline(true);
    const isCutOff = ({ events }: TabBook) =>
      events.some((event) => event.type === 'request.finished' && event.outcome === 'transient');
    await untilBook('a call that fails', tab, isCutOff);
    real.backend.endTokens();
    real.backend.finishJobs();
    await real.chromium.context.setOffline(false);
    await shows('completed', tab);
    expect(real.backend.counts()).toMatchObject({ submissionsAccepted: 1, refreshCalls: 1, reuseDetections: 0 });
  });

  it('refresh once while other requests have taken the keepalive quota of the page', async () => {
    const tab = await open({ fetch: 'page', socket: 'none' });
    await inTab(tab, (it) => it.signIn());
    expect(await fillQuota(tab, real.backend)).toBe('refused');
    await inTab(tab, (it) => it.refresh());
    expect(real.backend.counts()).toMatchObject({ refreshCalls: 1, refreshes: 1, reuseDetections: 0 });
  });

  it('learn of a lost request later than of one that the full quota refuses', async () => {
    expect(await loseRequest(await open(), real.backend)).toBe('later');
  });
});
