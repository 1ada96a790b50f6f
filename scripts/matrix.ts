/*
 * npm run matrix: packs the package and uses it as its consumers do: bundlers, frameworks, test runners, versions of Node and of
 * TypeScript. Arguments choose consumers by a part of their names; `--json` prints one line. The exit code is 1 when one fails.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { consumers } from './matrix/consumers.ts';
import { type Outcome, tryConsumer } from './matrix/try-consumer.ts';
import { packPackage, TARBALL_VARIABLE } from './pack.ts';

/** Each of them installs, which is mostly waiting. */
const AT_ONCE = 3;

const isJson = process.argv.includes('--json');
const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const chosen = consumers.filter(
  ({ name }) => wanted.length === 0 || wanted.some((part) => name.toLowerCase().includes(part.toLowerCase())),
);

const folder = mkdtempSync(join(tmpdir(), 'assessment-monitor-matrix-'));
try {
  const tarball = process.env[TARBALL_VARIABLE] ?? (await packPackage(folder));
  const outcomes = new Map<string, Outcome>();
  const waiting = [...chosen];
  const lane = async (): Promise<void> => {
    for (let consumer = waiting.shift(); consumer; consumer = waiting.shift()) {
      const outcome = await tryConsumer(consumer, tarball, folder);
      outcomes.set(outcome.name, outcome);
      if (!isJson) process.stderr.write(`${outcome.passed ? 'passed' : 'FAILED'}: ${outcome.name}\n`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  const rows = chosen.flatMap(({ name }) => outcomes.get(name) ?? []);
  const failed = rows.filter(({ passed }) => !passed).length;
  if (isJson) process.stdout.write(`${JSON.stringify({ passed: rows.length - failed, failed, consumers: rows })}\n`);
  else process.stdout.write(`${table(rows)}\n${rows.length - failed} passed, ${failed} failed\n`);
  process.exitCode = failed === 0 && rows.length > 0 ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

function table(rows: readonly Outcome[]): string {
  const width = Math.max(0, ...rows.map(({ name }) => name.length));
  return rows
    .map(({ name, passed, reason }) => `${name.padEnd(width)}  ${passed ? 'passed' : `FAILED ${reason}`}`)
    .join('\n');
}
