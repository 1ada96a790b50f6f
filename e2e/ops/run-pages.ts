import type { Page } from 'playwright-core';
import type { Backend, ServerCounts } from '@assessment-monitor/backend';
import type { HandmadeChromium } from '../tabs/chromium-by-hand.ts';
import { until } from '../tabs/run-tabs.ts';
import { ANSWERS_IN_WINDOW, type Prometheus, startPrometheus } from './prometheus.ts';
import { inPage, isReady, openPage, servePage } from './serve-page.ts';

/*
 * Pages of a real Chromium that are closed, reloaded and navigated away, and what a real Prometheus knows of them in the end.
 */

const PAGES = 9;
/** Status calls before the pages leave, and again before the jobs end. Together they exceed the least number that the rules ask for. */
const CALLS = 100;
/** Of the status answers in the run with a fault. The rule fires above 1 % of all answers. */
const REFUSED = 0.1;
const NAMES = ['AssessmentInvalidToken', 'AssessmentRefreshFailing', 'AssessmentSuccessLow'];

export interface PagesReport {
  run: 'clean' | 'fault';
  ok: boolean;
  pages: number;
  /** Pages that came back from the back/forward cache: a fact, for the browser decides. */
  restored: number;
  /** What the backend counted, the collector shows, and Prometheus has scraped. */
  counted: Record<'backend' | 'collector' | 'prometheus', Record<string, number>>;
  firing: string[];
  expectations: Record<string, boolean>;
}

const routes = ['submit', 'status', 'result', 'job', 'jobs', 'balance'] as const;
const REQUESTS = 'assessment_monitor_request_duration_seconds_count';
const REFRESHES = 'assessment_monitor_token_refresh_duration_seconds_count';
const ASSESSMENTS = 'assessment_monitor_assessment_duration_seconds_count';

type Series = { name: string; labels: Record<string, string>; value: number };

/** @param results that the backend gave out. Each page shows all jobs of its user, so one job has several. */
function countsOf(server: ServerCounts, results: number): Record<string, number> {
  return {
    ...Object.fromEntries(routes.map((route) => [route, server[`${route}Calls`]])),
    refused: server.unauthorizedAnswers,
    refreshed: server.refreshes,
    completed: results,
  };
}

/** The same numbers from series. A request without an answer counts here, so that it shows as a difference. */
function countsIn(series: readonly Series[]): Record<string, number> {
  const total = (name: string, label: string, value: string): number =>
    series.filter((it) => it.name === name && it.labels[label] === value).reduce((sum, it) => sum + it.value, 0);
  return {
    ...Object.fromEntries(routes.map((route) => [route, total(REQUESTS, 'route', route)])),
    refused: total(REQUESTS, 'outcome', 'unauthorized'),
    refreshed: total(REFRESHES, 'outcome', 'refreshed'),
    completed: total(ASSESSMENTS, 'outcome', 'completed'),
  };
}

async function collected({ url }: Backend): Promise<Record<string, number>> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const lines = [...text.matchAll(/^(\w+)\{(.*)\} (\S+)$/gm)];
  return countsIn(
    lines.map(([, name = '', labels = '', value]) => ({
      name,
      labels: Object.fromEntries([...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, it]) => [key, it])),
      value: Number(value),
    })),
  );
}

async function scraped(prometheus: Prometheus): Promise<Record<string, number>> {
  const samples = await prometheus.query(`{__name__=~"assessment_monitor_.*_count"}`);
  return countsIn(
    samples.map(({ metric, value }) => ({ name: metric['__name__'] ?? '', labels: metric, value: Number(value[1]) })),
  );
}

const isSame = (one: object, other: object): boolean => JSON.stringify(one) === JSON.stringify(other);
/** Resolves with whether it came true in time. */
const comesTrue = (what: string, look: () => Promise<boolean>, withinMs = 30_000): Promise<boolean> =>
  until(what, async () => ((await look()) ? true : null), withinMs).catch(() => false);

/** The pages leave, each in its own way, and the user comes back to each. @returns the pages that are open then */
async function leaveAndReturn(browser: HandmadeChromium, url: string, pages: readonly Page[]): Promise<Page[]> {
  const back: Page[] = [];
  for (const [index, page] of pages.entries()) {
    await page.bringToFront();
    await inPage(page, (ops) => ops.settle());
    if (index % 3 === 0) {
      await page.close();
      back.push(await openPage(browser.context, url));
      continue;
    }
    if (index % 3 === 1) await page.reload();
    else {
      await page.goto(`${url}/metrics`);
      // A page from the back/forward cache does not load.
      await page.goBack({ waitUntil: 'commit' });
    }
    await isReady(page);
    back.push(page);
  }
  return back;
}

/** Plays it for real. */
export async function runPages(
  browser: HandmadeChromium,
  run: PagesReport['run'],
  tell: (text: string) => void,
): Promise<PagesReport> {
  const backend = await servePage({
    // A token of seconds is refused a hundred times as often as one of an hour: strict rotation ends it while other pages use it.
    accessTokenTtlMs: run === 'fault' ? 12_000 : 3_600_000,
    faults: run === 'fault' ? [{ route: 'status', kind: 'status', status: 401, share: REFUSED }] : [],
  });
  let results = 0;
  backend.onLog(({ route, status }) => {
    if (route === 'result' && status === 200) results += 1;
  });
  const prometheus = await startPrometheus(backend.url).catch(async (error: unknown) => {
    await backend.close();
    throw error;
  });
  let pages: Page[] = [];
  try {
    tell(`${run}: ${PAGES} pages open and submit`);
    for (let left = PAGES; left > 0; left -= 1) pages.push(await openPage(browser.context, backend.url));
    const [first] = pages as [Page, ...Page[]];
    await inPage(first, (ops) => ops.signIn());
    for (const page of pages) await inPage(page, (ops) => ops.submit(1));
    const called = async (count: number) =>
      until(`${count} status calls`, async () => (backend.counts().statusCalls >= count ? true : null));
    await called(CALLS);

    tell(`${run}: the pages are closed, reloaded and navigated away`);
    pages = await leaveAndReturn(browser, backend.url, pages);
    await called(backend.counts().statusCalls + CALLS);
    backend.configure({ faults: [] });
    backend.finishJobs();
    const isCompleted = async (page: Page) => (await inPage(page, (ops) => ops.phases())).includes('completed');
    const completed = await Promise.all(pages.map((page) => comesTrue('the result', () => isCompleted(page))));
    let restored = 0;
    for (const page of pages) {
      if (await inPage(page, (ops) => ops.isRestored())) restored += 1;
      await inPage(page, (ops) => ops.settle());
      await page.close();
    }
    pages = [];

    tell(`${run}: all pages are closed; Prometheus evaluates`);
    const counted = countsOf(backend.counts(), results);
    const isCollected = await comesTrue('the last beacon', async () => isSame(await collected(backend), counted));
    const isScraped = await comesTrue('the last scrape', async () => isSame(await scraped(prometheus), counted));
    const hasVolume = await comesTrue(
      'enough answers for the rules',
      async () => (await prometheus.query(`${ANSWERS_IN_WINDOW} >= 100`)).length > 0,
    );
    const enoughAt = Date.now();
    if (run === 'fault')
      await comesTrue('the alert', async () => (await prometheus.firing()).includes('AssessmentInvalidToken'));
    // Longer than the rules ask for a fault to last.
    const isEvaluated = await comesTrue(
      'an evaluation of the rules',
      async () => (await prometheus.rules()).evaluatedAt > enoughAt + 5_000,
    );
    const firing = await prometheus.firing();
    const announced = await prometheus.query('count by (alertname) (count_over_time(ALERTS[1h]))');
    const expectations: Record<string, boolean> = {
      'every page shows a result, and each job was submitted once':
        completed.every(Boolean) && backend.counts().submissionsAccepted === PAGES,
      'the collector shows what the backend counted': isCollected,
      'Prometheus has scraped what the backend counted': isScraped,
      'Prometheus has loaded the rules': isSame((await prometheus.rules()).names, NAMES),
      'the rules see enough answers, and are evaluated': hasVolume && isEvaluated,
      ...(run === 'fault'
        ? { 'the alert of the fault fires, and no other': isSame(firing, ['AssessmentInvalidToken']) }
        : { 'no alert was pending or fired': announced.length === 0 }),
    };
    return {
      run,
      ok: Object.values(expectations).every(Boolean),
      pages: PAGES,
      restored,
      counted: { backend: counted, collector: await collected(backend), prometheus: await scraped(prometheus) },
      firing,
      expectations,
    };
  } finally {
    await Promise.all(pages.map((page) => page.close()));
    await prometheus.close();
    await browser.forget(backend.url);
    await backend.close();
  }
}
