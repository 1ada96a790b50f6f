import type { Browser, BrowserContextOptions } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Backend } from '../../demo/backend/index.ts';
import { serveDemo } from '../../demo/serve.ts';
import { barriers } from './accessibility.ts';
import { launchChromium } from './chromium.ts';

/* The demo page as people use it: by what they see, with what they have. */

let browser: Browser;
let demo: Backend;

beforeAll(async () => {
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

it('shows the failure beside its cure, on a live chart, and asks nobody off this machine', async () => {
  const page = await browser.newPage({ locale: 'en-GB' });
  const asked: string[] = [];
  page.on('request', (request) => asked.push(new URL(request.url()).host));
  await page.goto(demo.url);
  await page.getByRole('button', { name: 'Sign in as a demo user' }).click();
  await page.getByRole('button', { name: 'Run the old way' }).click();
  await page.getByRole('button', { name: 'Submit' }).click();
  await page.getByRole('img', { name: 'State of the chart: ws-monitoring' }).waitFor();

  await page.getByRole('button', { name: 'End the token now' }).click();
  await page
    .getByRole('region', { name: 'The old way' })
    .getByRole('alert')
    .getByText(/INVALID_TOKEN/)
    .waitFor();
  await page.getByRole('list', { name: 'Requests, coloured by token' }).getByText('token 2').first().waitFor();
  demo.finishJobs();
  await page.getByRole('heading', { name: 'Your result' }).waitFor();
  await page.getByRole('img', { name: 'State of the chart: completed' }).waitFor();

  await page.getByText('Actors and events').click();
  const sequence = page.getByRole('list', { name: 'Actors and events' });
  expect(await sequence.innerText()).toContain('job.completed');
  expect(await sequence.innerText()).not.toMatch(/eyJ/);
  expect(await page.locator('.user').innerText()).not.toContain('INVALID_TOKEN');
  expect(new Set(asked)).toEqual(new Set([new URL(demo.url).host]));
  await page.context().close();
});

it('has switches that a keyboard reaches, and they act on the real server', async () => {
  const page = await browser.newPage({ locale: 'en-GB' });
  await page.goto(demo.url);
  const isInForce: [name: string, () => boolean][] = [
    ['Auth outage', () => demo.options.authOutage],
    ['Refuse WebSockets', () => demo.options.sockets === 'refuse'],
    ['Cut the network', () => demo.options.faults.some(({ kind }) => kind === 'reset')],
    ['Rate limit', () => demo.options.faults.some((fault) => 'status' in fault && fault.status === 429)],
    ['Next job is slow', () => demo.options.jobDurationMs > 60_000],
  ];
  for (const [name, isOn] of isInForce) {
    const lever = page.getByRole('button', { name });
    for (const pressed of [true, false]) {
      await lever.focus();
      await page.keyboard.press('Enter');
      await page.getByRole('button', { name, pressed }).waitFor();
      expect(isOn()).toBe(pressed);
    }
  }
  await page.context().close();
});
