import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Backend } from '../../backend/index.ts';
import { launchFirefox } from '../../e2e/tabs/firefox.ts';
import { addressOf, type AnyTab, bookOf, inTab, serveTabs, until } from '../../e2e/tabs/run-tabs.ts';
import { fillQuota, loseRequest } from './keepalive-quota.ts';

/* What tabs, storage and keepalive do in a real Firefox. `tabs.test.ts` is the longer list, in Chromium. */

const HOUR = 3_600_000;
type Firefox = Awaited<ReturnType<typeof launchFirefox>>;
interface Tab extends AnyTab {
  close(): Promise<void>;
}

let backend: Backend;
let tabs: Tab[] = [];

beforeEach(async () => {
  backend = await serveTabs({ accessTokenTtlMs: HOUR, jobDurationMs: HOUR });
});
afterEach(async () => {
  await Promise.all(tabs.map((tab) => tab.close().catch(() => {})));
  tabs = [];
  await backend.close();
});

/** Ports differ, and with them the storage; cookies are shared by ports, and each test signs in. */
const open = async (firefox: Firefox, settings: Record<string, string> = {}): Promise<Tab> => {
  const page = await firefox.newPage();
  tabs.push(page);
  await page.goto(addressOf(backend.url, settings));
  await until('the page of a tab', async () => ((await page.evaluate(`'tab' in window`)) ? true : null));
  return page;
};
const shows = (phase: string, tab: AnyTab) =>
  until(`the phase ${phase}`, async () => ((await bookOf(tab)).phase === phase ? true : null), 15_000);
const openBusyTabs = async (firefox: Firefox, count: number): Promise<[Tab, ...Tab[]]> => {
  const first = await open(firefox);
  const all: [Tab, ...Tab[]] = [first];
  while (all.length < count) all.push(await open(firefox));
  await inTab(first, (tab) => tab.signIn());
  for (const tab of all) await inTab(tab, (it) => it.submit());
  for (const tab of all) await shows('waiting', tab);
  return all;
};

describe('in a real Firefox', () => {
  let firefox: Firefox;
  beforeAll(async () => {
    firefox = await launchFirefox();
  });
  afterAll(() => firefox?.close());

  it('tabs that all find their token dead refresh once between them, and all show their results', async () => {
    const busy = await openBusyTabs(firefox, 3);
    backend.endTokens();
    backend.finishJobs();
    for (const tab of busy) await shows('completed', tab);
    const { refreshes, refreshCalls, reuseDetections, submissionsAccepted, logins } = backend.counts();
    expect({ refreshes, refreshCalls, reuseDetections, submissionsAccepted, logins }).toEqual({
      refreshes: 1,
      refreshCalls: 1,
      reuseDetections: 0,
      submissionsAccepted: 3,
      logins: 1,
    });
  });

  it('tabs continue when the one that refreshes is closed in the middle of it', async () => {
    const busy = await openBusyTabs(firefox, 3);
    backend.configure({ faults: [{ route: 'refresh', kind: 'dribble', ms: 5, times: 1 }] });
    backend.endTokens();
    backend.dropSockets();
    const leading = await until('a tab that refreshes', async () => {
      const books = await Promise.all(busy.map(bookOf));
      return busy[books.findIndex(({ isRefreshing }) => isRefreshing)] ?? null;
    });
    await leading.close();
    backend.finishJobs();
    for (const tab of busy) if (tab !== leading) await shows('completed', tab);
    expect(backend.counts().reuseDetections).toBe(0);
    expect(backend.counts().refreshesRejected).toBe(0);
  });

  it('tabs are signed out together, without a refresh', async () => {
    const [first, second] = await openBusyTabs(firefox, 2);
    await inTab(first, (tab) => tab.signOut());
    await shows('nothing', first);
    await shows('nothing', second as Tab);
    expect(backend.counts().refreshCalls).toBe(0);
  });

  it('a page that is loaded again resumes its assessment and submits nothing', async () => {
    const [tab] = await openBusyTabs(firefox, 1);
    await tab.close();
    const next = await open(firefox);
    await shows('waiting', next);
    backend.finishJobs();
    await shows('completed', next);
    expect(backend.counts().submissionsAccepted).toBe(1);
  });

  it('a refresh is sent while other requests have taken the keepalive quota of the page', async () => {
    const tab = await open(firefox, { fetch: 'page', socket: 'none' });
    await inTab(tab, (it) => it.signIn());
    expect(await fillQuota(tab, backend)).toBe('refused');
    await inTab(tab, (it) => it.refresh());
    expect(backend.counts()).toMatchObject({ refreshCalls: 1, refreshes: 1, reuseDetections: 0 });
  });

  it('a page learns of a lost request later than of one that the full quota refuses', async () => {
    expect(await loseRequest(await open(firefox), backend)).toBe('later');
  });
});

describe('in a real Firefox with cookies blocked', () => {
  let firefox: Firefox;
  beforeAll(async () => {
    firefox = await launchFirefox({ 'network.cookie.cookieBehavior': 2 });
  });
  afterAll(() => firefox?.close());

  it('a page opens, signs in, submits and shows the result, and the log names what is missing', async () => {
    const tab = await open(firefox);
    expect(
      await tab.evaluate('(() => { try { return typeof localStorage; } catch (error) { return error.name; } })()'),
    ).toBe('SecurityError');
    await inTab(tab, (it) => it.signIn());
    await inTab(tab, (it) => it.submit());
    await shows('waiting', tab);
    backend.finishJobs();
    await shows('completed', tab);
    const { events } = await bookOf(tab);
    expect(events.filter(({ type }) => type === 'storage.unavailable').length).toBeGreaterThan(0);
    expect(backend.counts().submissionsAccepted).toBe(1);
  });
});
