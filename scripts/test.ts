/*
 * npm test: everything that has to hold, in one command. Types, lint and the package's shape first, since they are quick; then the
 * tests. The last line counts what passed and what failed.
 */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CHROMIUM_VARIABLE, ensureChromium } from '../e2e/chromium.ts';
import { ensureFirefox, FIREFOX_VARIABLE } from '../e2e/tabs/firefox.ts';
import { failureScenarios, untested, type VitestReport } from './failure-scenarios.ts';
import { packPackage, TARBALL_VARIABLE } from './pack.ts';

let passed = 0;
let failed = 0;

function note(name: string, isGood: boolean): void {
  process.stdout.write(`${isGood ? 'passed' : 'FAILED'}: ${name}\n`);
  if (isGood) passed += 1;
  else failed += 1;
}

/** Runs a command of a dependency, and prints what it said once it has ended. */
function check(name: string, command: string, ...args: string[]): Promise<void> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [join('node_modules', command), ...args],
      { maxBuffer: 2 ** 26 },
      (error, output, errors) => {
        process.stdout.write(output);
        process.stderr.write(errors);
        note(name, error === null);
        resolve();
      },
    );
  });
}

try {
  process.env[CHROMIUM_VARIABLE] = ensureChromium();
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.stdout.write('0 passed, 1 failed\n');
  process.exit(1);
}

/** Firefox is the second browser: where none can be installed, its tests are left out, and the output says so. */
const leftOut: string[] = [];
try {
  process.env[FIREFOX_VARIABLE] = ensureFirefox();
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.stdout.write('left out: test/browser/firefox.test.ts\n');
  leftOut.push('--exclude', 'test/browser/firefox.test.ts');
}

const folder = mkdtempSync(join(tmpdir(), 'assessment-monitor-'));

/** One tarball: it is checked here, and tests install it into new projects. */
async function pack(): Promise<string | null> {
  try {
    const tarball = await packPackage(folder);
    process.env[TARBALL_VARIABLE] = tarball;
    note('the package builds', true);
    return tarball;
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    note('the package builds', false);
    return null;
  }
}

// Two at a time: each of them uses one core.
const types = check('types', 'typescript-7/bin/tsc', '-p', '.');
await check('lint', 'oxlint/bin/oxlint', '--deny-warnings');
await check('format', 'oxfmt/bin/oxfmt', '--check');
await check('plain English', 'tsx/dist/cli.mjs', 'scripts/prose.ts');
await check('no unused files, exports or dependencies', 'knip/bin/knip.js');
const tarball = await pack();
await types;
if (tarball !== null) {
  // The bundle is made of what was built.
  const size = check('a bundle within its budgets', 'tsx/dist/cli.mjs', 'scripts/size.ts');
  await check('its exports are sound', 'publint/src/cli.js', '--strict', tarball);
  await check('its types resolve', '@arethetypeswrong/cli/dist/index.js', tarball, '--profile', 'esm-only', '--quiet');
  await size;
}

const report = join(folder, 'report.json');
spawnSync(
  process.execPath,
  [
    'node_modules/vitest/vitest.mjs',
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...leftOut,
    ...process.argv.slice(2),
  ],
  { stdio: 'inherit' },
);
try {
  const results = JSON.parse(readFileSync(report, 'utf8')) as VitestReport;
  passed += results.numPassedTests;
  // A file that does not load has no tests to fail: it still is a failure. What is skipped did not pass.
  failed += Math.max(results.numTotalTests - results.numPassedTests, results.success ? 0 : 1);
  // With arguments only some of the tests run.
  if (process.argv.length === 2) {
    const missing = untested(failureScenarios(readFileSync('docs/failure-scenarios.md', 'utf8')), results);
    for (const { numbers, test, file } of missing)
      process.stderr.write(
        `docs/failure-scenarios.md, ${numbers.join(' ')}: no test of ${file} passed that is called "${test}"\n`,
      );
    note('each failure scenario names a test that passed', missing.length === 0);
  }
} catch {
  failed += 1;
}
rmSync(folder, { recursive: true, force: true });

process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
