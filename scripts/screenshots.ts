/* npm run screenshots: plays the demo in Chromium and writes pictures of its main states to docs/images. */
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createInspector } from 'assessment-monitor/inspect';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { openStage } from '../e2e/scenarios/stage.ts';
import { serveDemo } from '../demo/serve.ts';
import { serveViewer } from '../demo/viewer/serve.ts';
import { launchChromium } from '../test/browser/chromium.ts';

const folder = fileURLToPath(new URL('../docs/images/', import.meta.url));
mkdirSync(folder, { recursive: true });
const desktop: BrowserContextOptions = {
  viewport: { width: 1280, height: 800 },
  locale: 'en-GB',
  colorScheme: 'light',
};
const phone: BrowserContextOptions = {
  viewport: { width: 390, height: 844 },
  deviceScaleFactor: 2,
  locale: 'id-ID',
  colorScheme: 'dark',
};

const [browser, demo] = await Promise.all([launchChromium(), serveDemo({ port: 0, jobDurationMs: 60_000 })]);
const open = async (options: BrowserContextOptions): Promise<Page> => {
  const page = await (await browser.newContext(options)).newPage();
  await page.goto(demo.url);
  return page;
};
const picture = (page: Page, name: string) => page.screenshot({ path: `${folder}${name}.png`, animations: 'disabled' });

const page = await open(desktop);
await page.getByRole('button', { name: 'Sign in as a demo user' }).click();
await page.getByRole('button', { name: 'Compare with the old way' }).click();
await page.getByRole('img', { name: /ws-monitoring/ }).waitFor();
await page.getByRole('button', { name: 'End the token now' }).click();
await page.getByText(/INVALID_TOKEN:/).waitFor();
await page.getByText('was repeated with token 2').first().waitFor();
await picture(page, 'waiting');
demo.finishJobs();
await page.getByRole('heading', { name: 'Your result' }).waitFor();
await picture(page, 'result');

const small = await open(phone);
await small.getByRole('button', { name: 'Masuk sebagai pengguna demo' }).click();
await small.getByRole('button', { name: 'Kirim', exact: true }).waitFor();
await small.evaluate(() => window.scrollTo(0, 0));
await picture(small, 'phone-questionnaire');
await small.getByRole('button', { name: 'Kirim', exact: true }).click();
await small.getByRole('img', { name: /ws-monitoring/ }).waitFor();
await small.getByRole('button', { name: 'Akhiri token sekarang' }).click();
await small.getByText('diulang dengan token 2').first().waitFor();
await small.getByText('Jawaban Anda sedang dianalisis.').waitFor();
await small.evaluate(() => window.scrollTo(0, 0));
await picture(small, 'phone-waiting');

const viewer = await serveViewer({ port: 0 });
const opened = await (await browser.newContext({ ...desktop, viewport: { width: 1280, height: 760 } })).newPage();
await opened.goto(viewer.url);
const inspector = createInspector({ url: viewer.url.replace('http', 'ws'), enabled: true });
const stage = await openStage({ backend: { jobDurationMs: 60_000 }, client: { inspect: inspector.inspect } });
await stage.signIn();
stage.submit();
await opened.getByRole('img', { name: /ws-monitoring/ }).waitFor();
stage.backend.finishJobs();
await opened.getByRole('img', { name: /completed/ }).waitFor();
await picture(opened, 'inspector');
inspector.stop();
await stage.close();

await browser.close();
await Promise.all([demo.close(), viewer.close()]);
process.stdout.write(`docs/images: waiting, result, phone-questionnaire, phone-waiting, inspector\n`);
