import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

/** The environment variable that names a Chromium, for machines where it is somewhere else. */
export const CHROMIUM_VARIABLE = 'ASSESSMENT_MONITOR_CHROMIUM';

const usualPlaces = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** What to do where there is none: one sentence, for a person. */
export const NO_CHROMIUM = `The browser tests need Chromium: install it (Debian: apt-get install chromium; elsewhere: npx playwright-core install chromium), or set ${CHROMIUM_VARIABLE} to the path of one.`;

/** The suggestions below the address bar are pages of their own, which each window loads, headless too: 1.5 s of CPU time. */
const addressBar = ['WebUIOmniboxPopup', 'WebUIOmniboxAimPopup', 'WebUIOmniboxFullPopup'];

/**
 * The arguments of a Chromium that makes no requests of its own, and that a test waits for no longer than it has to.
 *
 * @param features more features to do without: Chromium obeys the last `--disable-features` only
 */
export const chromiumArguments = (features: readonly string[] = []): string[] => [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  `--disable-features=${[...addressBar, ...features].join(',')}`,
  // Chromium's sandbox refuses to start as root, which is what containers are.
  ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
];

/** The path of a Chromium on this machine, or undefined. */
export function findChromium(): string | undefined {
  const named = process.env[CHROMIUM_VARIABLE];
  if (named) return existsSync(named) ? named : undefined;
  return [...usualPlaces, chromium.executablePath()].find((path) => path && existsSync(path));
}

/** Finds a Chromium, or installs one. @throws Error with {@link NO_CHROMIUM} when neither works */
export function ensureChromium(): string {
  const found = findChromium();
  if (found) return found;
  // A path that was named and is not there is a mistake to tell, not one to work around.
  if (process.env[CHROMIUM_VARIABLE]) throw new Error(NO_CHROMIUM);
  process.stderr.write('No Chromium here: installing one for the browser tests.\n');
  const attempts: [command: string, args: string[]][][] = [];
  if (process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    attempts.push([
      ['apt-get', ['update', '-qq']],
      ['apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'chromium']],
    ]);
  }
  attempts.push([[process.execPath, ['node_modules/playwright-core/cli.js', 'install', 'chromium']]]);
  for (const commands of attempts) {
    try {
      for (const [command, args] of commands) execFileSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    } catch {
      continue; // the next way may work
    }
    const installed = findChromium();
    if (installed) return installed;
  }
  throw new Error(NO_CHROMIUM);
}
