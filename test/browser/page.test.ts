import type { Browser, BrowserContextOptions } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Backend } from '../../demo/backend/index.ts';
import { buildPage, serveDemo } from '../../demo/serve.ts';
import { barriers } from './accessibility.ts';
import { launchChromium } from './chromium.ts';

/* The demo page as people use it: by what they see, with what they have. */

let browser: Browser;
let demo: Backend;

beforeAll(async () => {
  await buildPage();
  [browser, demo] = await Promise.all([
    launchChromium(),
    serveDemo({ port: 0, accessTokenTtlMs: 60_000, jobDurationMs: 60_000 }),
  ]);
});
afterAll(async () => {
  await browser?.close();
  await demo?.close();
});

const screens: [name: string, BrowserContextOptions][] = [
  ['on a phone, light', { viewport: { width: 375, height: 740 }, colorScheme: 'light' }],
  ['on a desktop, dark', { viewport: { width: 1280, height: 900 }, colorScheme: 'dark' }],
];

describe.each(screens)('%s', (_, screen) => {
  it('keeps nobody out, and nothing is wider than the screen, from the questionnaire to the result', async () => {
    const page = await browser.newPage({ ...screen, locale: 'en-GB' });
    const looksWell = async () => {
      expect(await barriers(page)).toEqual([]);
      const { scrollWidth, clientWidth } = await page.evaluate(() => ({
        scrollWidth: document.documentElement.scrollWidth,
        clientWidth: document.documentElement.clientWidth,
      }));
      expect(scrollWidth).toBeLessThanOrEqual(clientWidth);
    };
    await page.goto(demo.url);
    await page.getByRole('heading', { name: 'Questionnaire' }).waitFor();
    await looksWell();
    await page.getByRole('button', { name: 'Sign in as a demo user' }).click();
    await page.getByRole('button', { name: 'Submit' }).click();
    await page.getByRole('progressbar', { name: 'Progress of the analysis' }).waitFor();
    await looksWell();
    demo.finishJobs();
    await page.getByRole('heading', { name: 'Your result' }).waitFor();
    await looksWell();
    await page.context().close();
  });
});
