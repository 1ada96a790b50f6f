/*
 * npm run prove -- [--jobs 50] [--rounds 3]
 *
 * In each round: the watcher is killed with SIGKILL, then PostgreSQL, then the watcher for good, and a second one takes over. The API's own
 * count decides: each job is accepted once and finished once. A dump of the database holds no token, no answers and no result.
 */
import { parseArgs } from 'node:util';
import { startPostgres } from './postgres.mjs';
import { pause, startWorld, until } from './processes.mjs';
import { startWatcher } from './watcher-process.mjs';

const { values } = parseArgs({
  options: { jobs: { type: 'string', default: '50' }, rounds: { type: 'string', default: '3' } },
});
const [jobs, rounds] = [Number(values.jobs), Number(values.rounds)];

async function prove(round) {
  const world = await startWorld({ JOB_MS: '25000', FLAKY: '1' });
  const postgres = await startPostgres();
  const env = { ...world.env, POLL_MS: '3000' };
  const running = [await startWatcher('watcher-1', postgres.url, env)];
  try {
    const [first] = running;
    const ids = Array.from({ length: jobs }, (_, index) => `round-${round}-job-${index}`);
    const started = Promise.all(ids.map((id) => first.watch(id)));
    await pause(4_000);
    first.kill();
    await started;
    // Once more, each of them: nothing is started twice.
    await Promise.all(ids.map((id) => first.watch(id)));
    await pause(5_000);
    postgres.kill();
    await pause(2_000);
    await postgres.start();
    await pause(6_000);
    first.end();
    const second = await startWatcher('watcher-2', postgres.url, { ...env, TAKE_OVER: 'watcher-1' });
    running.push(second);

    const ended = () => Number(postgres.query("select count(*) from dbos.workflow_status where status = 'SUCCESS'"));
    await until(() => ended() === jobs, 300_000);
    const seen = await (await fetch(`${world.env.APPLICATION_URL}/seen`)).json();
    const dump = postgres.dump();
    const secrets = [...seen.tokens, seen.marker, env.CLIENT_SECRET, 'test_result'];
    const secretsStored = secrets.filter((secret) => dump.includes(secret)).length;
    // A watch that a page cancels says nothing, whatever it was doing.
    const shown = `round-${round}-shown`;
    await second.watch(shown);
    await second.cancel(shown);
    await pause(10_000);
    const later = await (await fetch(`${world.env.APPLICATION_URL}/seen`)).json();
    const results = seen.jobs.map(({ resultId }) => resultId);
    const deliveries = Object.values(seen.webhooks).flat();
    return {
      round,
      accepted: seen.counts.submissionsAccepted,
      repetitionsRecognised: seen.counts.submissionReplays,
      completed: seen.jobs.filter(({ status }) => status === 'completed').length,
      finished: ended(),
      notified: Object.keys(seen.webhooks).length,
      deliveries: deliveries.length,
      pushed: Object.keys(seen.pushes).length,
      forged: seen.forged,
      restarts: first.starts() - 1,
      stepsStored: Number(postgres.query('select count(*) from dbos.operation_outputs')),
      idsStored: results.filter((id) => dump.includes(id)).length,
      secretsStored,
      isTrue:
        seen.counts.submissionsAccepted === jobs &&
        seen.jobs.every(({ status }) => status === 'completed') &&
        ids.every((id) => seen.webhooks[id]?.every((type) => type === 'assessment.completed')) &&
        ids.every((id) => seen.pushes[id]?.length > 0) &&
        seen.forged === 0 &&
        seen.tokens.length > 0 &&
        // The ids of the results show that the dump can be read.
        results.some((id) => dump.includes(id)) &&
        secretsStored === 0 &&
        !later.webhooks[shown],
    };
  } finally {
    for (const watcher of running) watcher.end();
    postgres.end();
    world.end();
  }
}

let isTrue = true;
for (let round = 1; round <= rounds; round += 1) {
  const verdict = await prove(round);
  isTrue &&= verdict.isTrue;
  process.stdout.write(`${JSON.stringify(verdict)}\n`);
}
process.stdout.write(isTrue ? 'proved\n' : 'NOT proved\n');
process.exit(isTrue ? 0 : 1);
