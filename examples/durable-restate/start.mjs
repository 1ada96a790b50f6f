/*
 * npm start: the server of Restate in a temporary folder, a watcher, and three watches to look at. Without API_URL it also starts an API, an
 * authorization server, an application and a push service on loopback; with API_URL it takes all of the variables that README.md lists.
 */
import { randomUUID } from 'node:crypto';
import { startWorld, until } from './processes.mjs';
import { startRestate } from './restate.mjs';
import { startWatcher } from './watcher-process.mjs';

const say = (text) => process.stdout.write(`${text}\n`);
const world = process.env.API_URL ? null : await startWorld({ JOB_MS: '15000' });
const restate = await startRestate();
const watcher = await startWatcher({ POLL_MS: '3000', ...(world?.env ?? process.env) });
const end = () => {
  watcher.end();
  restate.end();
  world?.end();
  process.exit();
};
process.on('SIGINT', end);
process.on('SIGTERM', end);

await restate.deploy(watcher.url);
say(`the watcher is called at ${watcher.url}; start watches at ${restate.ingress}/watch/<submissionId>/run/send`);
if (world) {
  const ids = Array.from({ length: 3 }, () => randomUUID());
  for (const id of ids) await restate.watch(id, { deadlineAt: Date.now() + 1_800_000 });
  say(`watches ${ids.join(', ')}`);
  const seen = async () => (await fetch(`${world.env.APPLICATION_URL}/seen`)).json();
  await until(async () => {
    const { webhooks } = await seen();
    return ids.every((id) => webhooks[id]);
  }, 120_000);
  const { webhooks, pushes } = await seen();
  for (const id of ids) say(`${id}: webhook ${webhooks[id].join(', ')}; ${pushes[id]?.length ?? 0} push`);
}
say('press Ctrl+C to end');
