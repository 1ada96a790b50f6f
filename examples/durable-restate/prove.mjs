/*
 * npm run prove -- [--jobs 50] [--rounds 3]
 *
 * In each round: the watcher is killed with SIGKILL, then the server of Restate, then the watcher for good, and a second one takes over at
 * another address. The API's own count decides: each job is accepted once and finished once. The store holds no token, no answers and no
 * result.
 */
import { parseArgs } from 'node:util';
import { pause, startWorld, until } from './processes.mjs';
import { startRestate } from './restate.mjs';
import { startWatcher } from './watcher-process.mjs';

const { values } = parseArgs({
  options: { jobs: { type: 'string', default: '50' }, rounds: { type: 'string', default: '3' } },
});
const [jobs, rounds] = [Number(values.jobs), Number(values.rounds)];

async function prove(round) {
  const world = await startWorld({ JOB_MS: '25000', FLAKY: '1' });
  const restate = await startRestate();
  const env = { ...world.env, POLL_MS: '3000' };
  const first = await startWatcher(env);
  const running = [first];
  try {
    await restate.deploy(first.url);
    const ids = Array.from({ length: jobs }, (_, index) => `round-${round}-job-${index}`);
    const input = { deadlineAt: Date.now() + 1_800_000 };
    const watchAll = () => Promise.all(ids.map((id) => restate.watch(id, input)));
    await watchAll();
    await pause(4_000);
    first.kill();
    // Once more, each of them: nothing is started twice.
    await watchAll();
    await pause(5_000);
    restate.kill();
    await pause(2_000);
    await restate.start();
    await pause(6_000);
    first.end();
    const second = await startWatcher(env);
    running.push(second);
    await restate.deploy(second.url);

    const finished = async () => {
      const rows = await restate.query(
        "select count(*) as n from sys_invocation where target_service_name = 'watch' and status = 'completed'",
      );
      return Number(rows[0].n);
    };
    const ended = await until(async () => (await finished()) === jobs && jobs, 300_000);
    const seen = await (await fetch(`${world.env.APPLICATION_URL}/seen`)).json();
    const journal = JSON.stringify(await restate.query('select * from sys_journal'));
    const stored = [journal, ...restate.dump()];
    const secrets = [...seen.tokens, seen.marker, env.CLIENT_SECRET, 'test_result'];
    // Journals hold bytes: in the query they are hexadecimal, in the files as they are.
    const hexadecimal = (text) => Buffer.from(text).toString('hex');
    const isStored = (text) => stored.some((it) => it.includes(text) || it.includes(hexadecimal(text)));
    const secretsStored = secrets.filter(isStored).length;
    const idsStored = seen.jobs.filter(({ jobId }) => isStored(jobId)).length;
    // A watch that a page cancels says nothing, whatever it was doing.
    const shown = `round-${round}-shown`;
    const { invocationId } = await restate.watch(shown, input);
    await restate.cancel(invocationId);
    await pause(10_000);
    const later = await (await fetch(`${world.env.APPLICATION_URL}/seen`)).json();
    return {
      round,
      accepted: seen.counts.submissionsAccepted,
      repetitionsRecognised: seen.counts.submissionReplays,
      completed: seen.jobs.filter(({ status }) => status === 'completed').length,
      finished: ended,
      notified: Object.keys(seen.webhooks).length,
      deliveries: Object.values(seen.webhooks).flat().length,
      pushed: Object.keys(seen.pushes).length,
      forged: seen.forged,
      restarts: first.starts() - 1,
      idsStored,
      secretsStored,
      isTrue:
        seen.counts.submissionsAccepted === jobs &&
        seen.jobs.every(({ status }) => status === 'completed') &&
        ids.every((id) => seen.webhooks[id]?.every((type) => type === 'assessment.completed')) &&
        ids.every((id) => seen.pushes[id]?.length > 0) &&
        seen.forged === 0 &&
        seen.tokens.length > 0 &&
        // The ids of the jobs show that the store can be read.
        idsStored > 0 &&
        secretsStored === 0 &&
        !later.webhooks[shown],
    };
  } finally {
    for (const watcher of running) watcher.end();
    restate.end();
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
