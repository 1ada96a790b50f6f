/* One process of measure.mjs: starts the watches, waits until all of them sleep, and prints its memory before and then. */
import { DBOS } from '@dbos-inc/dbos-sdk';
import { watchDurably } from 'assessment-monitor/durable';
import { createCalls } from './calls.mjs';
import { createCredential } from './credential.mjs';

const [, , kind, count] = process.argv;
const { API_URL, DATABASE_URL } = process.env;
const POLL_MS = 600_000;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const print = async () => {
  for (let round = 0; round < 5; round += 1) {
    globalThis.gc();
    await pause(200);
  }
  const { rss, heapUsed } = process.memoryUsage();
  process.stdout.write(`${JSON.stringify({ rss, heap: heapUsed })}\n`);
};

const credential = createCredential({ tokenUrl: `${API_URL}/token`, clientId: 'watcher', clientSecret: 'secret' });
const calls = createCalls({ apiUrl: API_URL, credential, answersOf: async () => ({}) });
/** How many watches sleep. */
const seen = { asleep: 0 };
const engine = {
  step: (name, run) => DBOS.runStep(run, { name }),
  sleep: (_name, ms) => {
    seen.asleep += 1;
    return DBOS.sleep(ms);
  },
};
const watch = DBOS.registerWorkflow(
  (input) => watchDurably(input, calls, engine, { pacing: { pollMinMs: POLL_MS, pollMaxMs: POLL_MS } }),
  { name: 'watch' },
);
const starts = {
  async dbos(index) {
    const submissionId = `submission-${index}`;
    const input = { submissionId, jobId: `job-${index}`, deadlineAt: Date.now() + 3_600_000 };
    await DBOS.startWorkflow(watch, { workflowID: submissionId })(input);
  },
  async loop(index) {
    const ask = async () => {
      const { token } = await credential.get();
      const response = await fetch(`${API_URL}/api/assessment/status/job-${index}`, {
        headers: { Authorization: `Bearer ${token}` },
      });
      const { data } = await response.json();
      seen.asleep += 1;
      if (data.status === 'processing') setTimeout(ask, POLL_MS);
    };
    await ask();
  },
};

if (kind === 'dbos') {
  DBOS.setConfig({
    name: 'sleeper',
    systemDatabaseUrl: DATABASE_URL,
    executorID: 'sleeper',
    applicationVersion: 'sleeper-1',
    logLevel: 'error',
  });
  await DBOS.launch();
}
// What is loaded on the first use belongs to the process, and not to a watch.
const WARM = 20;
for (let index = 0; index < WARM; index += 1) await starts[kind](`warm-${index}`);
while (seen.asleep < WARM) await pause(100);
await print();
const BATCH = 20;
for (let index = 0; index < Number(count); index += BATCH) {
  await Promise.all(Array.from({ length: Math.min(BATCH, count - index) }, (_, at) => starts[kind](index + at)));
}
while (seen.asleep < Number(count) + WARM) await pause(100);
await pause(1_000);
await print();
setInterval(() => {}, 60_000);
