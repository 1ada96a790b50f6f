import type { BrowserContext, Page } from 'playwright-core';
import { type Backend, type BackendOptions, startBackend } from '@assessment-monitor/backend';
import { buildSite } from '@assessment-monitor/demo/build-site';
import { BEACON_PATH, withMetrics } from '@assessment-monitor/demo/serve';
import type { Site } from '@assessment-monitor/demo/site';
import type { OpsHandle } from './page.ts';

const HOUR_MS = 3_600_000;
let site: Promise<Site> | undefined;

/** The reference backend, the page and a collector, on one port. No job ends by itself. */
export async function servePage(options: Partial<BackendOptions>): Promise<Backend> {
  site ??= buildSite(new URL('./', import.meta.url));
  return startBackend({
    jobDurationMs: HOUR_MS,
    refreshIntervalMs: 1_000,
    initialBalance: 1_000,
    ...options,
    fallback: withMetrics(await site),
    fallbackBodies: [BEACON_PATH],
  });
}

type OpsWindow = Window & { ops: OpsHandle };
/** Calls what the page offers. The call travels as text, so it refers to nothing outside of it. */
export const inPage = <T>(page: Page, call: (ops: OpsHandle) => T | Promise<T>): Promise<T> =>
  page.evaluate(`(${call.toString()})(window.ops)`) as Promise<T>;

export const isReady = (page: Page) => page.waitForFunction(() => 'ops' in (window as unknown as OpsWindow));

export async function openPage(context: BrowserContext, url: string): Promise<Page> {
  const page = await context.newPage();
  await page.goto(url);
  await isReady(page);
  return page;
}
