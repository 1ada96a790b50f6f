import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const root = join(import.meta.dirname, '../..');

interface Report {
  numPassedTests: number;
  testResults: {
    name: string;
    message: string;
    assertionResults: { fullName: string; status: string; failureMessages: string[] }[];
  }[];
}

/** Runs Vitest with another configuration, in a process of its own. */
export async function runVitest(config: string): Promise<{ failed: string[]; passed: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'assessment-monitor-vitest-'));
  const report = join(folder, 'report.json');
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  try {
    await promisify(execFile)(
      process.execPath,
      [vitest, 'run', '--config', config, '--reporter=json', `--outputFile=${report}`],
      { cwd: root, maxBuffer: 2 ** 26 },
    ).catch(() => {}); // the report names the failures
    const { numPassedTests, testResults } = JSON.parse(readFileSync(report, 'utf8')) as Report;
    const failed = testResults.flatMap(({ name, message, assertionResults }) => [
      ...(assertionResults.length === 0 ? [`${name}: ${message}`] : []),
      ...assertionResults
        .filter(({ status }) => status === 'failed')
        .map(({ fullName, failureMessages }) => `${fullName}: ${failureMessages.join('\n')}`),
    ]);
    return { failed, passed: numPassedTests };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
