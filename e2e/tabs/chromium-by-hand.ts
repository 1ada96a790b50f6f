import { spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { chromiumArguments, findChromium, NO_CHROMIUM } from '../chromium.ts';

/*
 * A Chromium whose tabs can be hidden, frozen and put into the back/forward cache. One that Playwright launches cannot: it keeps every
 * page focused and visible. So it is started by hand, and Playwright is connected to it without its defaults.
 */

export interface HandmadeChromium {
  /** The default context: one cookie jar, one storage, one set of locks, as in a person's browser. */
  readonly context: BrowserContext;
  /** Nothing runs in a frozen tab, and it keeps what it holds. */
  freeze(page: Page): Promise<void>;
  thaw(page: Page): Promise<void>;
  /** Cookies, storage and all else that the browser knows of an origin. */
  forget(origin: string): Promise<void>;
  close(): Promise<void>;
}

/** @throws Error when there is no Chromium, or when it does not start */
export async function startChromium(): Promise<HandmadeChromium> {
  const executablePath = findChromium();
  if (!executablePath) throw new Error(NO_CHROMIUM);
  const profile = mkdtempSync(join(tmpdir(), 'assessment-monitor-profile-'));
  const child = spawn(
    executablePath,
    [
      '--headless=new',
      '--remote-debugging-port=0',
      `--user-data-dir=${profile}`,
      '--no-default-browser-check',
      ...chromiumArguments(),
      'about:blank',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const address = await new Promise<string>((resolve, reject) => {
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      const found = /DevTools listening on (ws:\S+)/.exec(said)?.[1];
      if (found) resolve(found);
    });
    child.once('exit', () => reject(new Error(`Chromium did not start: ${said.slice(-300)}`)));
  });
  const browser = await chromium.connectOverCDP(address, { noDefaults: true });
  const [context] = browser.contexts();
  if (!context) throw new Error('Chromium started without a context');
  const setState = async (page: Page, state: 'frozen' | 'active'): Promise<void> => {
    const session = await context.newCDPSession(page);
    await session.send('Page.setWebLifecycleState', { state });
    await session.detach();
  };
  return {
    context,
    freeze: (page) => setState(page, 'frozen'),
    thaw: (page) => setState(page, 'active'),
    async forget(origin) {
      const session = await context.newCDPSession(context.pages()[0] ?? (await context.newPage()));
      await session.send('Storage.clearDataForOrigin', { origin, storageTypes: 'all' });
      await session.detach();
    },
    async close() {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      await browser.close().catch(() => {});
      child.kill();
      await gone;
      // Its helpers may still write for a moment; what stays behind then is a temporary folder.
      await rm(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 }).catch(() => {});
    },
  };
}
