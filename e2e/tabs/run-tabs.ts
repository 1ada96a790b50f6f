import type { Page } from 'playwright-core';
import { type Backend, type BackendOptions, type ServerCounts, startBackend } from '@assessment-monitor/backend';
import { buildSite } from '@assessment-monitor/demo/build-site';
import type { Site } from '@assessment-monitor/demo/site';
import { type HandmadeChromium, startChromium } from './chromium-by-hand.ts';
import type { TabBook, TabHandle } from './tab.ts';

/*
 * Many tabs of one real browser, each with an assessment of its own, through three lives of a token, against strict rotation.
 */

export interface TabsStory {
  name: string;
  about: string;
  /** What goes wrong with the tab that refreshes first. Default: nothing. */
  leader?: 'is frozen' | 'is closed' | 'loses the answer';
}

export const tabsStories: readonly TabsStory[] = [
  { name: 'tabs', about: 'many tabs of one browser, each with a job that outlives three tokens' },
  {
    name: 'tabs-leader-frozen',
    about: 'the same, and the tab that refreshes is frozen while it holds the lock',
    leader: 'is frozen',
  },
  {
    name: 'tabs-leader-closed',
    about: 'the same, and the tab that refreshes is closed in the middle of it; a new tab continues with its job',
    leader: 'is closed',
  },
  {
    name: 'tabs-answer-dropped',
    about: 'the same, and the answer to the first refresh breaks off after its headers',
    leader: 'loses the answer',
  },
];

export interface TabsReport {
  scenario: string;
  ok: boolean;
  outcome: string;
  tabs: number;
  states: string[];
  shownToUser: { invalidToken: number; errors: string[] };
  server: ServerCounts;
  /** Between two granted refreshes: the shortest time, and what is allowed; ms. */
  refreshGaps: { shortestMs: number | null; allowedMs: number };
  /** Sessions that ended in some tab. */
  logouts: number;
  leftOpen: { timers: number; sockets: number; requests: number };
  expectations: Record<string, boolean>;
  timeline: { seconds: number; text: string; tone: 'plain' | 'good' | 'trouble' }[];
}

const TOKEN_MS = 8_000;
const INTERVAL_MS = 3_000;
/** Three lives of a token and a little more. */
const JOB_MS = 3 * TOKEN_MS + 1_500;
const TIMEOUT_MS = 3_000;

let site: Promise<Site> | undefined;

/** The backend with the page of a tab in front of it. */
export async function serveTabs(options: Partial<BackendOptions> = {}): Promise<Backend> {
  site ??= buildSite(new URL('./', import.meta.url));
  return startBackend({
    accessTokenTtlMs: TOKEN_MS,
    refreshIntervalMs: INTERVAL_MS,
    jobDurationMs: JOB_MS,
    initialBalance: 1_000,
    ...options,
    fallback: await site,
  });
}

/** What a tab of any browser can do here. */
export interface AnyTab {
  evaluate(script: string): Promise<unknown>;
}

type TabWindow = Window & { tab: TabHandle };
/** Calls what the tab offers to those who watch from outside. */
export const inTab = <T>(page: AnyTab, call: (tab: TabHandle) => T | Promise<T>): Promise<T> =>
  page.evaluate(`(${call.toString()})(window.tab)`) as Promise<T>;
export const bookOf = (page: AnyTab): Promise<TabBook> => inTab(page, (tab) => tab.book());
/** The address of the page of a tab. */
export const addressOf = (url: string, settings: Record<string, string> = {}): string => {
  const search = { refreshIntervalMs: String(INTERVAL_MS), refreshTimeoutMs: String(TIMEOUT_MS), ...settings };
  return `${url}/?${new URLSearchParams(search).toString()}`;
};

/** Opens the page of a tab, ready to be used. */
export async function openTab(
  { context }: HandmadeChromium,
  url: string,
  settings: Record<string, string> = {},
): Promise<Page> {
  const page = await context.newPage();
  await page.goto(addressOf(url, settings));
  await page.waitForFunction(() => 'tab' in (window as unknown as TabWindow));
  return page;
}

/** Resolves with the first value that is not null; looks again whenever the browser has drawn breath. Rejects after `withinMs`. */
export async function until<T>(what: string, look: () => Promise<T | null>, withinMs = 40_000): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const found = await look();
    if (found !== null) return found;
    if (performance.now() > deadline) throw new Error(`waited in vain for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Plays the story for real. What goes wrong is in the report. */
export async function runTabs({ name, leader }: TabsStory, tabs: number): Promise<TabsReport> {
  const startedAt = performance.now();
  const timeline: TabsReport['timeline'] = [];
  const tell = (text: string, tone: 'plain' | 'good' | 'trouble' = 'plain'): void => {
    timeline.push({ seconds: Math.round((performance.now() - startedAt) / 100) / 10, text, tone });
  };
  const [browser, backend] = await Promise.all([startChromium(), serveTabs()]);
  const refreshedAt: number[] = [];
  backend.onLog(({ at, kind, text, status, generation }) => {
    if (status === 401) tell(`server: 401, ${text} (token ${generation})`, 'trouble');
    if (kind === 'auth') tell(`server: ${text}`, text.includes('refreshed') ? 'good' : 'plain');
    if (text.startsWith('a token was refreshed')) refreshedAt.push(at);
  });
  const books: TabBook[] = [];
  let isPlayed = false;
  try {
    const pages = await Promise.all(Array.from({ length: tabs }, () => openTab(browser, backend.url)));
    const [first] = pages as [Page, ...Page[]];
    await inTab(first, (tab) => tab.signIn());
    tell(`${tabs} tabs are open; the user signs in on one of them`);
    await Promise.all(pages.map((page) => inTab(page, (tab) => tab.submit())));
    tell('each tab submits an assessment of its own');
    // After the headers, and with them the cookie, the body comes byte by byte, or not at all.
    if (leader === 'loses the answer')
      backend.configure({ faults: [{ route: 'refresh', kind: 'truncate', times: 1 }] });
    else if (leader) backend.configure({ faults: [{ route: 'refresh', kind: 'dribble', ms: 10, times: 1 }] });

    let absent: Page | null = null;
    if (leader === 'is frozen' || leader === 'is closed') {
      const leading = await until('a tab that refreshes', async () => {
        const all = await Promise.all(pages.map(bookOf));
        return pages[all.findIndex(({ isRefreshing }) => isRefreshing)] ?? null;
      });
      absent = leading;
      if (leader === 'is frozen') {
        // Only a hidden tab freezes.
        await pages.find((page) => page !== leading)?.bringToFront();
        await browser.freeze(leading);
      } else {
        books.push(await bookOf(leading));
        await leading.close();
      }
      tell(`the tab that refreshes ${leader} in the middle of it`, 'trouble');
    }
    const others = pages.filter((page) => page !== absent);
    const completed = async (page: Page) => ((await bookOf(page)).phase === 'completed' ? true : null);
    await Promise.all(others.map((page) => until('the result in every tab', () => completed(page))));
    tell('all the other tabs show their results', 'good');
    if (absent && leader === 'is frozen') {
      await browser.thaw(absent);
      tell('the frozen tab wakes');
      await until('the result in the tab that was frozen', () => completed(absent as Page));
      tell('it shows its result', 'good');
    } else if (absent) {
      const successor = await openTab(browser, backend.url);
      await until('the result of the tab that was closed', () => completed(successor));
      tell('a new tab shows the result of the one that was closed', 'good');
      pages[pages.indexOf(absent)] = successor;
    }
    for (const page of pages) {
      await inTab(page, (tab) => tab.dispose());
      const isClosed = async () =>
        Object.values((await bookOf(page)).open).every((count) => count === 0) ? true : null;
      await until('an end of all timers and requests', isClosed, 2_000).catch(() => {});
      books.push(await bookOf(page));
    }
    isPlayed = true;
  } catch (error) {
    tell(error instanceof Error ? error.message : 'the story broke off', 'trouble');
  }
  await until('closed sockets', async () => (backend.openConnections().sockets === 0 ? true : null), 3_000).catch(
    () => {},
  );
  const { sockets } = backend.openConnections();
  await browser.close();
  const server = backend.counts();
  await backend.close();

  const shown = books.flatMap((book) => book.shown);
  const open = (what: 'timers' | 'requests') =>
    books.reduce((sum, book) => sum + (book.phase === 'completed' ? book.open[what] : 0), 0);
  const events = books.flatMap((book) => book.events);
  const gaps = refreshedAt.slice(1).map((at, index) => at - (refreshedAt[index] ?? 0));
  const shortestMs = gaps.length === 0 ? null : Math.min(...gaps);
  const logouts = events.filter(({ type }) => type === 'session.ended').length;
  const invalidToken = shown.filter((text) => /INVALID_TOKEN|invalid or expired token/i.test(text)).length;
  const leftOpen = { timers: open('timers'), sockets, requests: open('requests') };
  const expectations = {
    'played to the end: every tab shows its result': isPlayed,
    'INVALID_TOKEN was never shown': invalidToken === 0,
    'each assessment was submitted exactly once': server.submissionsAccepted === tabs,
    // What a frozen tab sends, Chromium keeps back until it thaws: the token was good when the request was made.
    'no request carried a token known to be expired':
      server.requestsWithExpiredToken <= (leader === 'is frozen' ? 1 : 0),
    'the token lived at least three lives': server.refreshes >= 3,
    // The server answers 429 to an early refresh: no tab even tried.
    'at most one refresh in each budget': server.refreshesLimited === 0 && server.refreshCalls === server.refreshes,
    'no two refreshes at a time': server.maxConcurrentRefreshes <= 1,
    'no refresh token was used twice': server.reuseDetections === 0,
    'no user was signed out': logouts === 0,
    'nothing was left open': Object.values(leftOpen).every((count) => count === 0),
  };
  const states = events.flatMap((event) => (event.type === 'state.changed' ? [event.from, event.to] : []));
  return {
    scenario: name,
    ok: Object.values(expectations).every(Boolean),
    outcome: isPlayed ? 'completed' : 'unfinished',
    tabs,
    states: [...new Set(states)],
    shownToUser: { invalidToken, errors: [...new Set(shown.filter((text) => text.includes('"error"')))] },
    server,
    refreshGaps: { shortestMs, allowedMs: INTERVAL_MS },
    logouts,
    leftOpen,
    expectations,
    timeline,
  };
}
