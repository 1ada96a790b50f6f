import { type Browser, chromium } from 'playwright-core';
import { chromiumArguments, findChromium, NO_CHROMIUM } from '../../e2e/chromium.ts';

/** What Playwright itself turns off: an own `--disable-features` replaces that of Playwright. */
const disabledByPlaywright = [
  'AvoidUnnecessaryBeforeUnloadCheckSync',
  'DestroyProfileOnBrowserClose',
  'HttpsUpgrades',
  'HttpsFirstBalancedModeAutoEnable',
  'LensOverlay',
  'MediaRouter',
  'PaintHolding',
  'ThirdPartyStoragePartitioning',
  'AvoidCorsURLLoaderRestartOnRedirect',
  'OptimizationHints',
  'NetworkTimeServiceQuerying',
  'AimEnabled',
  'PreconnectToSearch',
];

/** A headless Chromium that makes no requests of its own. @param args for the command line, after the usual ones */
export async function launchChromium(args: readonly string[] = []): Promise<Browser> {
  const executablePath = findChromium();
  if (!executablePath) throw new Error(NO_CHROMIUM);
  return chromium.launch({ executablePath, args: [...chromiumArguments(disabledByPlaywright), ...args] });
}
