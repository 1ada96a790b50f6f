import type { Browser, BrowserContextOptions } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Backend } from '../../backend/index.ts';
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
  it('has no barrier, and nothing is wider than the screen, from the questionnaire to the result', async () => {
    const page = await browser.newPage({ ...screen, locale: 'en-GB' });
    const looksWell = async () => expect(await barriers(page)).toEqual([]);
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

it('shows the failure beside its cure, on a live chart, and makes no external request', async () => {
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

it('has no barrier in Indonesian, in the dark, on a phone, when it asks for a sign-in or has failed', async () => {
  const phone = { viewport: { width: 375, height: 740 }, colorScheme: 'dark', locale: 'id-ID' } as const;
  const page = await browser.newPage(phone);
  await page.goto(demo.url);
  await page.getByRole('heading', { name: 'Kuesioner' }).waitFor();
  expect(await barriers(page)).toEqual([]);
  await page.getByRole('button', { name: 'Masuk sebagai pengguna demo' }).click();
  await page.getByRole('button', { name: 'Kirim' }).click();
  await page.getByRole('img', { name: 'Keadaan mesin: ws-monitoring' }).waitFor();

  await page.getByRole('button', { name: 'Cabut sesi' }).click();
  await page.getByRole('button', { name: 'Putuskan WebSocket' }).click();
  await page.getByRole('alert').getByText('Silakan masuk kembali.').waitFor();
  expect(await barriers(page)).toEqual([]);
  await page.getByRole('button', { name: 'Masuk kembali' }).click();
  await page.getByRole('progressbar', { name: 'Kemajuan analisis' }).waitFor();

  demo.finishJobs('failed');
  await page.getByRole('alert').getByText('Analisis gagal.').waitFor();
  expect(await barriers(page)).toEqual([]);
  await page.context().close();
});

it('is walked through from the questionnaire to the result with a keyboard alone', async () => {
  const page = await browser.newPage({ locale: 'en-GB' });
  await page.goto(demo.url);
  await page.getByRole('heading', { name: 'Questionnaire' }).waitFor();
  /** As a user does who cannot use a mouse: on and on, until it is there. */
  const tabTo = async (role: 'button' | 'slider', name: string) => {
    const wanted = page.getByRole(role, { name });
    await wanted.waitFor();
    const isThere = () => wanted.evaluate((it) => it === document.activeElement);
    for (let steps = 0; !(await isThere()); steps += 1) {
      expect(steps, `tabs to ${name}`).toBeLessThan(40);
      await page.keyboard.press('Tab');
    }
    // It can be seen where one is.
    expect(await wanted.evaluate((it) => getComputedStyle(it).outlineStyle)).toBe('solid');
  };
  const press = async (name: string) => {
    await tabTo('button', name);
    await page.keyboard.press('Enter');
  };
  await tabTo('slider', 'I like to help others to learn');
  const before = await page.getByRole('slider', { name: 'I like to help others to learn' }).inputValue();
  await page.keyboard.press('ArrowLeft');
  expect(await page.getByRole('slider', { name: 'I like to help others to learn' }).inputValue()).not.toBe(before);
  await press('Sign in as a demo user');
  // One stays where one was.
  await page.locator('button:focus', { hasText: 'Submit' }).waitFor();
  await page.keyboard.press('Enter');
  await page.getByRole('progressbar', { name: 'Progress of the analysis' }).waitFor();
  await expect.poll(() => demo.jobs().some(({ status }) => status === 'processing')).toBe(true);
  demo.finishJobs();
  await page.getByRole('heading', { name: 'Your result' }).waitFor();
  await press('New assessment');
  await page.getByRole('heading', { name: 'Questionnaire' }).waitFor();
  await page.context().close();
});
