/*
 * npm test: everything that has to hold, in one command. The package is packed first, because tests install it; types, lint and the
 * package's shape are checked beside the tests, many of which wait for a browser. The last line counts what passed and what failed.
 */
import { execFile, spawn } from 'node:child_process';
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

/** Runs a command of a dependency. @returns prints what it said: the report of the tests is not to be torn apart */
function check(name: string, command: string, ...args: string[]): Promise<() => void> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [join('node_modules', command), ...args],
      { maxBuffer: 2 ** 26 },
      (error, output, errors) =>
        resolve(() => {
          process.stdout.write(output);
          process.stderr.write(errors);
          note(name, error === null);
        }),
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

/** One at a time: the tests have the other cores. */
async function checkSources(): Promise<(() => void)[]> {
  return [
    await check('lint', 'oxlint/bin/oxlint', '--deny-warnings'),
    await check('format', 'oxfmt/bin/oxfmt', '--check'),
    await check('plain English', 'tsx/dist/cli.mjs', 'scripts/prose.ts'),
    await check('no unused files, exports or dependencies', 'knip/bin/knip.js'),
  ];
}

/** What was built, and the tarball. */
async function checkPackage(tarball: string): Promise<(() => void)[]> {
  return [
    await check('a bundle within its budgets', 'tsx/dist/cli.mjs', 'scripts/size.ts'),
    await check('its exports are sound', 'publint/src/cli.js', '--strict', tarball),
    await check(
      'its types resolve',
      '@arethetypeswrong/cli/dist/index.js',
      tarball,
      '--profile',
      'esm-only',
      '--quiet',
    ),
  ];
}

const report = join(folder, 'report.json');

function runTests(): Promise<void> {
  const options = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const tests = spawn(
    process.execPath,
    ['node_modules/vitest/vitest.mjs', 'run', ...options, ...leftOut, ...process.argv.slice(2)],
    { stdio: 'inherit' },
  );
  return new Promise((resolve) => tests.once('exit', () => resolve()));
}

const types = check('types', 'typescript-7/bin/tsc', '-p', '.');
const tarball = await pack();
const tests = runTests();
const checked = [...(await checkSources()), ...(tarball === null ? [] : await checkPackage(tarball)), await types];
await tests;
for (const print of checked) print();
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
