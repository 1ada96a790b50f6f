/*
 * npm start: PostgreSQL in a temporary folder, a watcher, and three watches to look at. Without API_URL it also starts an API, an
 * authorization server, an application and a push service on loopback; with API_URL it takes all of the variables that README.md lists.
 */
import { randomUUID } from 'node:crypto';
import { startPostgres } from './postgres.mjs';
import { startWorld, until } from './processes.mjs';
import { startWatcher } from './watcher-process.mjs';

const say = (text) => process.stdout.write(`${text}\n`);
const world = process.env.API_URL ? null : await startWorld({ JOB_MS: '15000' });
const postgres = process.env.DATABASE_URL ? null : await startPostgres();
const watcher = await startWatcher(process.env.EXECUTOR_ID ?? 'watcher-1', process.env.DATABASE_URL ?? postgres.url, {
  POLL_MS: '3000',
  ...(world?.env ?? process.env),
});
const end = () => {
  watcher.end();
  postgres?.end();
  world?.end();
  process.exit();
};
process.on('SIGINT', end);
process.on('SIGTERM', end);

say(`the watcher listens on ${watcher.url}`);
if (world) {
  const ids = Array.from({ length: 3 }, () => randomUUID());
  for (const id of ids) await watcher.watch(id);
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
