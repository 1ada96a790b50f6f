import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Backend } from '../../backend/index.ts';
import { serveDemo } from '../../demo/serve.ts';
import { launchChromium } from './chromium.ts';

/* The switches of the demo page: each lets something go wrong on the real server, and nothing is lost by it. */

let browser: Browser;
let demo: Backend;

beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser?.close());
beforeEach(async () => {
  // Nothing dies by itself, and no job ends by itself: the tests say when.
  demo = await serveDemo({ port: 0, accessTokenTtlMs: 3_600_000, jobDurationMs: 60_000 });
});
afterEach(async () => {
  await Promise.all(browser.contexts().map((context) => context.close()));
  await demo.close();
});

const open = async (): Promise<Page> => {
  const page = await browser.newPage({ locale: 'en-GB' });
  await page.goto(demo.url);
  return page;
};
const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();
const faultNames = () => new Set(demo.options.faults.map(({ name }) => name));
const isIn = (page: Page, state: string) => page.getByRole('img', { name: `State of the chart: ${state}` }).waitFor();
const tells = (page: Page, text: string) => page.getByRole('list', { name: 'Timeline' }).getByText(text).waitFor();
const showsResult = (page: Page) => page.getByRole('heading', { name: 'Your result' }).waitFor();

/** A page that watches its job over the WebSocket. */
async function openWaiting(): Promise<Page> {
  const page = await open();
  await press(page, 'Sign in as a demo user');
  await press(page, 'Submit');
  await isIn(page, 'ws-monitoring');
  return page;
}

describe('nothing is lost', () => {
  it('when the WebSocket breaks', async () => {
    const page = await openWaiting();
    await press(page, 'Break the WebSocket');
    await tells(page, 'the WebSocket was lost');
    await isIn(page, 'ws-monitoring');
    demo.finishJobs();
    await showsResult(page);
    expect(demo.counts().submissionsAccepted).toBe(1);
  });

  it('when the session is revoked: the page asks for a sign-in, and then continues', async () => {
    const page = await openWaiting();
    await press(page, 'Revoke the session');
    await press(page, 'Break the WebSocket');
    await page.getByRole('alert').getByText('Please sign in again.').waitFor();
    demo.finishJobs();
    await press(page, 'Sign in again');
    await showsResult(page);
    expect(demo.counts().submissionsAccepted).toBe(1);
  });

  it('when the page is reloaded, its token included', async () => {
    const page = await openWaiting();
    await Promise.all([page.waitForEvent('load'), press(page, 'Reload')]);
    await isIn(page, 'ws-monitoring');
    demo.finishJobs();
    await showsResult(page);
    expect(demo.counts()).toMatchObject({ logins: 1, refreshes: 0, submissionsAccepted: 1 });
  });

  it('in a second tab, which shows the same job and shares its token', async () => {
    const page = await openWaiting();
    const opened = page.waitForEvent('popup');
    await press(page, 'Second tab');
    const second = await opened;
    await isIn(second, 'ws-monitoring');
    demo.endTokens();
    demo.finishJobs();
    await Promise.all([showsResult(page), showsResult(second)]);
    expect(demo.counts()).toMatchObject({ logins: 1, refreshCalls: 1, reuseDetections: 0, submissionsAccepted: 1 });
  });

  it('when the verifier is down and the server limits requests', async () => {
    const page = await openWaiting();
    await press(page, 'Auth outage');
    await press(page, 'Rate limit');
    await press(page, 'Break the WebSocket');
    await tells(page, 'no useful answer to a poll (429)');
    await press(page, 'Rate limit');
    await page
      .getByRole('list', { name: 'Timeline' })
      .getByText(/token \d+ was refused during a poll/)
      .first()
      .waitFor();
    demo.finishJobs();
    await press(page, 'Auth outage');
    await showsResult(page);
    expect(demo.counts().submissionsAccepted).toBe(1);
  });

  it('when the network is cut and comes back', async () => {
    const page = await openWaiting();
    await press(page, 'Cut the network');
    await tells(page, 'no useful answer to a poll');
    demo.finishJobs();
    await press(page, 'Cut the network');
    await showsResult(page);
    expect(demo.counts().submissionsAccepted).toBe(1);
  });
});

it('a keyboard reaches each, and it acts on the real server', async () => {
  const page = await open();
  const isInForce: [name: string, () => boolean][] = [
    ['Auth outage', () => demo.options.authOutage],
    ['Refuse WebSockets', () => demo.options.sockets === 'refuse'],
    ['Cut the network', () => faultNames().has('cut')],
    ['Rate limit', () => faultNames().has('limit')],
    ['Next job is slow', () => demo.options.jobDurationMs > 60_000],
  ];
  const turn = async (name: string, pressed: boolean) => {
    await page.getByRole('button', { name }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name, pressed }).waitFor();
  };
  // Each is turned on while the earlier ones are in force, and off while the later ones are: none replaces another.
  for (const [index, [name]] of isInForce.entries()) {
    await turn(name, true);
    expect(isInForce.map(([, isOn]) => isOn())).toEqual(isInForce.map((_, other) => other <= index));
  }
  for (const [index, [name]] of isInForce.entries()) {
    await turn(name, false);
    expect(isInForce.map(([, isOn]) => isOn())).toEqual(isInForce.map((_, other) => other > index));
  }
});

it('pressed in one breath they all count', async () => {
  const page = await open();
  await page.getByRole('button', { name: 'Rate limit' }).waitFor();
  await page.evaluate(() => {
    for (const button of document.querySelectorAll<HTMLButtonElement>('.levers button'))
      if (['Cut the network', 'Rate limit'].includes(button.innerText)) button.click();
  });
  await expect.poll(faultNames).toEqual(new Set(['cut', 'limit']));
});
