import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import puppeteer, { type Browser } from 'puppeteer-core';

/* A Firefox under WebDriver BiDi. Playwright drives only builds of its own, which cannot be had everywhere. */

/** The environment variable that names a Firefox, for machines where it is somewhere else. */
export const FIREFOX_VARIABLE = 'ASSESSMENT_MONITOR_FIREFOX';

const usualPlaces = ['/usr/bin/firefox-esr', '/usr/bin/firefox', '/Applications/Firefox.app/Contents/MacOS/firefox'];

/** What to do where there is none: one sentence, for a person. */
const NO_FIREFOX = `The tests in Firefox need one: install it (Debian: apt-get install firefox-esr), or set ${FIREFOX_VARIABLE} to the path of one.`;

function findFirefox(): string | undefined {
  const named = process.env[FIREFOX_VARIABLE];
  if (named) return existsSync(named) ? named : undefined;
  return usualPlaces.find((path) => existsSync(path));
}

/** Finds a Firefox, or installs one. @throws Error when neither works */
export function ensureFirefox(): string {
  const found = findFirefox();
  if (found) return found;
  if (!process.env[FIREFOX_VARIABLE] && process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    process.stderr.write('No Firefox here: installing one for the browser tests.\n');
    const commands = [
      ['update', '-qq'],
      ['install', '-y', '-qq', '--no-install-recommends', 'firefox-esr'],
    ];
    try {
      for (const args of commands) execFileSync('/usr/bin/apt-get', args, { stdio: ['ignore', 'ignore', 'inherit'] });
    } catch {
      // Said below.
    }
  }
  const installed = findFirefox();
  if (!installed) throw new Error(NO_FIREFOX);
  return installed;
}

/**
 * A headless Firefox that makes no requests of its own.
 *
 * @param preferences of `about:config`
 * @throws Error when there is no Firefox
 */
export function launchFirefox(preferences: Record<string, unknown> = {}): Promise<Browser> {
  const executablePath = findFirefox();
  if (!executablePath) throw new Error(NO_FIREFOX);
  return puppeteer.launch({ browser: 'firefox', executablePath, headless: true, extraPrefsFirefox: preferences });
}
