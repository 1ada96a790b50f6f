import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import react from 'react-18/package.json' with { type: 'json' };
import reactDom from 'react-dom-18/package.json' with { type: 'json' };
import { expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');

it('passes every test of this folder with React 18 too', { timeout: 300_000 }, async () => {
  expect([react.version, reactDom.version]).toEqual([expect.stringMatching(/^18\./), expect.stringMatching(/^18\./)]);
  const folder = mkdtempSync(join(root, 'node_modules/.react-18-'));
  const report = join(folder, 'report.json');
  const config = join(import.meta.dirname, 'react-18.config.ts');
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  try {
    await promisify(execFile)(
      process.execPath,
      [vitest, 'run', '--config', config, '--reporter=json', `--outputFile=${report}`],
      { cwd: root, env: { ...process.env, REACT_18_BUNDLE: join(folder, 'bundle') }, maxBuffer: 2 ** 26 },
    ).catch(() => {}); // the report names the failures
    const { numTotalTests, testResults } = JSON.parse(readFileSync(report, 'utf8')) as Report;
    const failed = testResults.flatMap(({ name, message, assertionResults }) => [
      ...(assertionResults.length === 0 ? [`${name}: ${message}`] : []),
      ...assertionResults
        .filter(({ status }) => status !== 'passed')
        .map(({ fullName, failureMessages }) => `${fullName}: ${failureMessages.join('\n')}`),
    ]);
    expect(failed).toEqual([]);
    expect(numTotalTests).toBeGreaterThan(50);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

interface Report {
  numTotalTests: number;
  testResults: {
    name: string;
    message: string;
    assertionResults: { fullName: string; status: string; failureMessages: string[] }[];
  }[];
}
