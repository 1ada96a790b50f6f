import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { failureScenarios, untested } from '../../scripts/failure-scenarios.ts';

/* The page that names the test of each failure. `npm test` compares it with the tests that ran. */

const row = '| 7 | a failure | survives a failure of %s | test/a.test.ts |';

const reportOf = (fullName: string, status = 'passed', name = '/project/test/a.test.ts') => ({
  numPassedTests: 1,
  numTotalTests: 1,
  success: true,
  testResults: [{ name, assertionResults: [{ fullName, status }] }],
});

describe('the list of failure scenarios', () => {
  it('has a row for each of the failures, of both lists', () => {
    const numbered = (count: number, list = '') => Array.from({ length: count }, (_, index) => `${list}${index + 1}`);
    const lists = { A: 17, B: 6, C: 4, D: 8, E: 11 };
    const all = [...numbered(73), ...Object.entries(lists).flatMap(([list, count]) => numbered(count, list))];
    const rows = failureScenarios(readFileSync('docs/failure-scenarios.md', 'utf8'));
    const found = new Set(rows.flatMap((it) => it.numbers));
    expect(all.filter((it) => !found.has(it))).toEqual([]);
  });

  it('accepts a row whose test ran and passed', () => {
    expect(untested(failureScenarios(row), reportOf('the client survives a failure of the network'))).toEqual([]);
  });

  it.each([
    ['failed', reportOf('the client survives a failure of the network', 'failed')],
    ['was skipped', reportOf('the client survives a failure of the network', 'skipped')],
    ['has another name', reportOf('the client survives the network')],
    ['is in another file', reportOf('the client survives a failure of it', 'passed', '/project/test/b.test.ts')],
  ])('reports a row whose test %s', (_, report) => {
    expect(untested(failureScenarios(row), report)).toMatchObject([{ numbers: ['7'], file: 'test/a.test.ts' }]);
  });
});
