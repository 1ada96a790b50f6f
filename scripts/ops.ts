/*
 * npm run --silent ops -- [pages] [switches] [--json]     without a name: both
 *
 * pages: pages of a real Chromium are closed, reloaded and navigated away; the collector and a real Prometheus are to know what the backend
 * counted, the alert of a planted fault is to fire, and a clean run is to be silent. switches: 50 running assessments while refresh is
 * switched off, on, off and on. Exit 1 when an expectation is not met.
 */
import { parseArgs } from 'node:util';
import { CHROMIUM_VARIABLE, ensureChromium } from '../e2e/chromium.ts';
import { type PagesReport, runPages } from '../e2e/ops/run-pages.ts';
import { runSwitches, type SwitchesReport } from '../e2e/ops/run-switches.ts';
import { startChromium } from '../e2e/tabs/chromium-by-hand.ts';

const PROOFS = new Set(['pages', 'switches']);
const { values, positionals } = parseArgs({ allowPositionals: true, options: { json: { type: 'boolean' } } });
if (!positionals.every((name) => PROOFS.has(name))) {
  process.stderr.write('usage: npm run --silent ops -- [pages] [switches] [--json]\n');
  process.exit(2);
}
const isWanted = (name: string): boolean => positionals.length === 0 || positionals.includes(name);

process.env[CHROMIUM_VARIABLE] = ensureChromium();
const startedAt = performance.now();
const tell = (text: string): void =>
  void process.stderr.write(`${((performance.now() - startedAt) / 1_000).toFixed(1).padStart(6)} s  ${text}\n`);
const runs: (PagesReport | SwitchesReport)[] = [];
const browser = await startChromium();
try {
  if (isWanted('pages')) for (const run of ['clean', 'fault'] as const) runs.push(await runPages(browser, run, tell));
  if (isWanted('switches')) runs.push(await runSwitches(browser, tell));
} finally {
  await browser.close();
}

const ok = runs.every((run) => run.ok);
const seconds = Math.round((performance.now() - startedAt) / 100) / 10;
if (values.json) process.stdout.write(`${JSON.stringify({ ok, seconds, runs })}\n`);
else
  for (const { run, expectations, ...report } of runs) {
    const checks = Object.entries(expectations).map(([name, met]) => `  ${met ? 'yes' : 'NO '}  ${name}`);
    const facts = 'counted' in report ? report.counted : report.phases;
    process.stdout.write(`${run}\n${checks.join('\n')}\n  ${JSON.stringify(facts)}\n`);
  }
process.exitCode = ok ? 0 : 1;
