import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import type { Backend } from '../../backend/index.ts';
import { type HandmadeChromium, startChromium } from '../../e2e/tabs/chromium-by-hand.ts';
import { openTab, serveTabs } from '../../e2e/tabs/run-tabs.ts';

const HOUR = 3_600_000;

/** One Chromium for the tests of a file, and a backend and tabs for each test. */
export function chromiumTabs() {
  let chromium: HandmadeChromium;
  let backend: Backend;
  let pages: Page[] = [];
  beforeAll(async () => {
    chromium = await startChromium();
  });
  afterAll(() => chromium?.close());
  beforeEach(async () => {
    // Nothing dies by itself, and no job ends by itself: the tests say when.
    backend = await serveTabs({ accessTokenTtlMs: HOUR, jobDurationMs: HOUR });
    // Ports come round again, and with them what an earlier test wrote down.
    await chromium.forget(backend.url);
  });
  afterEach(async () => {
    await Promise.all(pages.map((page) => page.close()));
    pages = [];
    await backend.close();
  });
  const adopt = (page: Page): Page => {
    pages.push(page);
    return page;
  };
  return {
    get chromium() {
      return chromium;
    },
    get backend() {
      return backend;
    },
    open: async (settings: Record<string, string> = {}) => adopt(await openTab(chromium, backend.url, settings)),
    /** A page beside the tabs, in front of them. */
    openOther: async () => adopt(await chromium.context.newPage()),
  };
}
