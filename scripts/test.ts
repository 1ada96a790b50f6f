/*
 * npm test: everything that has to hold, in one command. Types, lint and the package's shape first, since they are quick; then the
 * tests. The last line counts what passed and what failed.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CHROMIUM_VARIABLE, ensureChromium } from './chromium.ts';

let passed = 0;
let failed = 0;

function check(name: string, command: string, ...args: string[]): void {
  const { status } = spawnSync(process.execPath, [join('node_modules', command), ...args], { stdio: 'inherit' });
  process.stdout.write(`${status === 0 ? 'passed' : 'FAILED'}: ${name}\n`);
  if (status === 0) passed += 1;
  else failed += 1;
}

try {
  process.env[CHROMIUM_VARIABLE] = ensureChromium();
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.stdout.write('0 passed, 1 failed\n');
  process.exit(1);
}

check('types', 'typescript/bin/tsc', '-p', '.');
check('lint', 'oxlint/bin/oxlint', '--deny-warnings');
check('format', 'prettier/bin/prettier.cjs', '--check', '--log-level', 'warn', '.');
check('no unused files, exports or dependencies', 'knip/bin/knip.js');
rmSync('dist', { recursive: true, force: true });
check('the package builds', 'typescript/bin/tsc', '-p', 'tsconfig.build.json');
check('its exports are sound', 'publint/src/cli.js', '--strict');
check('its types resolve', '@arethetypeswrong/cli/dist/index.js', '--pack', '.', '--profile', 'esm-only', '--quiet');

const folder = mkdtempSync(join(tmpdir(), 'assessment-monitor-'));
const report = join(folder, 'report.json');
spawnSync(
  process.execPath,
  [
    'node_modules/vitest/vitest.mjs',
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...process.argv.slice(2),
  ],
  { stdio: 'inherit' },
);
try {
  const { numPassedTests, numTotalTests, success } = JSON.parse(readFileSync(report, 'utf8')) as Record<
    string,
    unknown
  >;
  passed += Number(numPassedTests);
  // A file that does not load has no tests to fail: it still is a failure. What is skipped did not pass.
  failed += Math.max(Number(numTotalTests) - Number(numPassedTests), success === true ? 0 : 1);
} catch {
  failed += 1;
}
rmSync(folder, { recursive: true, force: true });

process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
