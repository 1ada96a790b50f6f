import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
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
    serveDemo({ port: 0, accessTokenTtlMs: 60_000, jobDurationMs: 60_000, refreshIntervalMs: 100 }),
  ]);
});
afterAll(async () => {
  await browser?.close();
  await demo?.close();
});

const screens: [name: string, BrowserContextOptions][] = [
  ['on a phone, light', { viewport: { width: 390, height: 844 }, colorScheme: 'light' }],
  ['on a desktop, dark', { viewport: { width: 1280, height: 800 }, colorScheme: 'dark' }],
];

/** Whether the user's page, the chart, the switches and what follows from them are seen without scrolling. */
const isOnOneScreen = (page: Page): Promise<boolean> =>
  page.evaluate(() => {
    window.scrollTo(0, 0);
    const bottoms = ['.user', '.live-chart svg', '.main-lever', '.story'].map(
      (part) => document.querySelector(part)?.getBoundingClientRect().bottom ?? Number.POSITIVE_INFINITY,
    );
    return Math.max(...bottoms) <= window.innerHeight;
  });

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
    await page.getByRole('button', { name: 'End the token now' }).click();
    // Where two calls were refused, the repetition is the fourth consequence, and three are shown.
    await page
      .getByRole('region', { name: 'What you did, and what follows' })
      .getByText('was refused')
      .first()
      .waitFor();
    await looksWell();
    expect(await isOnOneScreen(page)).toBe(true);
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
  await page.getByRole('button', { name: 'Compare with the old way' }).click();
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

describe('the demo', () => {
  const open = async (): Promise<Page> => {
    const page = await browser.newPage({ locale: 'en-GB' });
    await page.goto(demo.url);
    await page.getByRole('button', { name: 'Sign in as a demo user' }).click();
    await page.getByRole('button', { name: 'Submit' }).waitFor();
    return page;
  };
  const story = (page: Page) => page.getByRole('region', { name: 'What you did, and what follows' });

  it('shows a refused call at the press of "End the token now", ten times of ten', async () => {
    const page = await open();
    await page.getByRole('button', { name: 'Submit' }).click();
    await page.getByRole('img', { name: 'State of the chart: ws-monitoring' }).waitFor();
    for (let token = 1; token <= 10; token += 1) {
      await page.getByText(new RegExp(`^token ${token}: [1-9]`)).waitFor();
      await page.getByRole('button', { name: 'End the token now' }).click();
      await story(page).getByText(`You ended token ${token}.`).waitFor();
      await story(page).getByText(`token ${token} was refused during a balance call`).waitFor();
    }
    expect(await page.locator('.user').innerText()).not.toContain('INVALID_TOKEN');
    await page.context().close();
  });

  it('says that there is no token to end before the sign-in', async () => {
    const page = await browser.newPage({ locale: 'en-GB' });
    await page.goto(demo.url);
    await page.getByRole('button', { name: 'End the token now' }).click();
    await story(page).getByText('There is no token to end: sign in first.').waitFor();
    expect(await page.getByRole('alert').count()).toBe(0);
    await page.context().close();
  });

  it('counts what the server saw of this visit, and nothing of other visitors or of the old way', async () => {
    const other = await open();
    await other.getByRole('button', { name: 'Compare with the old way' }).click();
    await other.getByRole('region', { name: 'The old way' }).getByText('It waits for the same analysis').waitFor();
    const page = await open();
    const counts = (name: string, count: number) =>
      page
        .getByRole('region', { name: 'What the server saw of this visit' })
        .locator('dl div')
        .filter({ hasText: new RegExp(`^${name}${count}$`) })
        .waitFor();
    await counts('submissions accepted', 0);
    await page.getByRole('button', { name: 'End the token now' }).click();
    await counts('INVALID_TOKEN answers', 1);
    await page.getByRole('button', { name: 'Submit' }).click();
    await counts('submissions accepted', 1);
    await page.reload();
    await counts('submissions accepted', 1);
    expect(demo.counts().submissionsAccepted).toBeGreaterThanOrEqual(3);
    await Promise.all([page.context().close(), other.context().close()]);
  });

  it('shows the same progress after a reload, and the result after another one', async () => {
    const page = await open();
    const phrases: string[] = [];
    await page.exposeFunction('heard', (text: string) => phrases.push(text));
    await page.addInitScript(() => {
      new MutationObserver(() => {
        const text = document.querySelector('.user')?.textContent;
        if (text) (window as unknown as { heard(it: string): void }).heard(text);
      }).observe(document, { childList: true, subtree: true, characterData: true });
    });
    await page.getByRole('button', { name: 'Submit' }).click();
    await page
      .locator('.percent')
      .filter({ hasText: /[1-9]\d? %/ })
      .waitFor();
    await page.reload();
    await page.getByRole('progressbar', { name: 'Progress of the analysis' }).waitFor();
    const afterReload = phrases.filter((it) => !it.includes('Questionnaire'));
    expect(afterReload.filter((it) => it.includes('about to begin') || / 0 %/.test(it))).toEqual([]);
    demo.finishJobs();
    await page.getByRole('heading', { name: 'Your result' }).waitFor();
    await page.reload();
    await page.getByRole('heading', { name: 'Your result' }).waitFor();
    await page.context().close();
  });

  it('says so when there is no connection, and continues by itself', async () => {
    const page = await open();
    await page.getByRole('button', { name: 'Submit' }).click();
    await page.getByRole('img', { name: 'State of the chart: ws-monitoring' }).waitFor();
    await page.getByRole('button', { name: 'Cut the network' }).click();
    await story(page).getByText('You cut the network.').waitFor();
    await page.locator('.user').getByText('No connection at the moment.').waitFor();
    await page.getByRole('button', { name: 'Cut the network', pressed: true }).click();
    await page.locator('.user').getByText('No connection at the moment.').waitFor({ state: 'detached' });
    demo.finishJobs();
    await page.getByRole('heading', { name: 'Your result' }).waitFor();
    expect(await page.locator('.user').innerText()).not.toContain('No connection');
    await page.context().close();
  });
});
