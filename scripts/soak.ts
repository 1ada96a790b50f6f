/*
 * npm run --silent soak -- [--jobs 2000] [--concurrency 200] [--seed 1] [--json]
 *
 * Real clients over loopback against a server on which everything goes wrong, and a judge who compares what the server finished
 * with what the users were shown. Ends with 0 only if nothing was lost, doubled, sent twice or left open.
 */
import { parseArgs } from 'node:util';
import { runSoak } from '../e2e/soak/run-soak.ts';

const { values } = parseArgs({
  options: {
    jobs: { type: 'string', default: '2000' },
    concurrency: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean' },
  },
});
const [jobs, concurrency, seed] = [values.jobs, values.concurrency, values.seed].map(Number) as [
  number,
  number,
  number,
];
if (![jobs, concurrency, seed].every((it) => Number.isInteger(it) && it > 0)) {
  process.stderr.write(
    'usage: npm run --silent soak -- [--jobs N] [--concurrency N] [--seed N] [--json], each N above 0\n',
  );
  process.exit(2);
}
const report = await runSoak({
  jobs,
  concurrency,
  seed,
  onProgress: (text) => process.stderr.write(`${text}\n`),
});
if (values.json) process.stdout.write(`${JSON.stringify(report)}\n`);
else {
  for (const [name, value] of Object.entries(report)) {
    process.stdout.write(`${name.padEnd(26)} ${typeof value === 'object' ? JSON.stringify(value) : value}\n`);
  }
}
process.exitCode = report.ok ? 0 : 1;
