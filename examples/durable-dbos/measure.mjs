/*
 * npm run measure -- [--watches 1000]
 *
 * What watches cost while they sleep: the resident memory and the heap of the process, in MB, beside a bare loop that polls with a timer and
 * survives nothing. Both ask the same API for jobs that run; the process collects its garbage before it is measured.
 */
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { startPostgres } from './postgres.mjs';
import { SLEEPY } from './watcher-process.mjs';

const { values } = parseArgs({ options: { watches: { type: 'string', default: '1000' }, json: { type: 'boolean' } } });
const watches = Number(values.watches);

/** An API whose jobs run. */
const api = createServer((request, response) => {
  const body = request.url.startsWith('/token')
    ? { access_token: 'a-token', expires_in: 3_600 }
    : { success: true, data: { jobId: 'job', status: 'processing', progress: 25 } };
  response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
});
await once(api.listen(0, '127.0.0.1'), 'listening');
const apiUrl = `http://127.0.0.1:${api.address().port}`;
const postgres = await startPostgres();

/** Memory of a process before and while the watches sleep. */
async function measure(kind) {
  const child = spawn(
    process.execPath,
    ['--expose-gc', ...SLEEPY, join(import.meta.dirname, 'sleeper.mjs'), kind, String(watches)],
    {
      env: { ...process.env, DATABASE_URL: postgres.url, API_URL: apiUrl },
      stdio: ['ignore', 'pipe', process.env.VERBOSE ? 'inherit' : 'ignore'],
    },
  );
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const next = async () => {
    for (;;) {
      const { value, done } = await lines.next();
      if (done) throw new Error(`the ${kind} process has ended`);
      if (value.startsWith('{"rss')) return JSON.parse(value);
    }
  };
  const [before, asleep] = [await next(), await next()];
  child.kill('SIGKILL');
  const mb = (bytes) => Math.round(bytes / 100_000) / 10;
  return { rssMB: mb(asleep.rss - before.rss), heapMB: mb(asleep.heap - before.heap), processMB: mb(asleep.rss) };
}

const report = { watches, dbos: await measure('dbos'), loop: await measure('loop') };
process.stdout.write(`${JSON.stringify(report)}\n`);
postgres.end();
process.exit(report.dbos.rssMB < 0.06 * watches ? 0 : 1);
