import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

/* The page that says which test covers which failure: each test is where it says, and no failure is left out. */

const page = readFileSync('docs/failure-scenarios.md', 'utf8');
const rows = [...page.matchAll(/^\| +(\d+) +\| (.+?) +\| (.+?) +\| (\S+) +\|$/gm)].map(([, number, , test, file]) => ({
  number: Number(number),
  test: test ?? '',
  file: file ?? '',
}));

describe('the list of failures', () => {
  it('has every one of them', () => {
    const numbers = new Set(rows.map(({ number }) => number));
    expect([...numbers].toSorted((a, b) => a - b)).toEqual(Array.from({ length: 52 }, (_, index) => index + 1));
  });

  it.each(rows)('names the test of $number: "$test"', ({ test, file }) => {
    expect(existsSync(file), file).toBe(true);
    expect(readFileSync(file, 'utf8')).toContain(test);
  });
});
