import { type Browser, chromium } from 'playwright-core';
import { findChromium, NO_CHROMIUM } from '../../e2e/chromium.ts';

/** A headless Chromium that makes no requests of its own. @param args for the command line, after the usual ones */
export async function launchChromium(args: readonly string[] = []): Promise<Browser> {
  const executablePath = findChromium();
  if (!executablePath) throw new Error(NO_CHROMIUM);
  const quiet = [
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ];
  // Chromium's sandbox refuses to start as root, which is what containers are.
  const asRoot = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  return chromium.launch({ executablePath, args: [...quiet, ...asRoot, ...args] });
}
