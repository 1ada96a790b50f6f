/* One watcher process, kept alive. */
import { join } from 'node:path';
import webpush from 'web-push';
import { freePort, supervise, until } from './processes.mjs';

/** A process that mostly sleeps needs no large young generation: the default keeps tens of MB of garbage. */
export const SLEEPY = ['--max-semi-space-size=4'];

const keys = webpush.generateVAPIDKeys();
const vapid = {
  VAPID_SUBJECT: 'mailto:user@example.test',
  VAPID_PUBLIC_KEY: keys.publicKey,
  VAPID_PRIVATE_KEY: keys.privateKey,
};

export async function startWatcher(executorId, databaseUrl, env) {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const watcher = supervise(process.execPath, [...SLEEPY, join(import.meta.dirname, 'watcher.mjs')], {
    env: { ...process.env, ...vapid, ...env, DATABASE_URL: databaseUrl, EXECUTOR_ID: executorId, PORT: String(port) },
    stdio: ['ignore', 'inherit', process.env.VERBOSE ? 'inherit' : 'ignore'],
  });
  /** Repeated until the watcher has taken it: starting twice is starting once. */
  const ask = (method, path, body) =>
    until(
      async () => (await fetch(url + path, { method, ...(body && { body: JSON.stringify(body) }) })).status < 300,
      120_000,
    );
  return {
    ...watcher,
    url,
    watch: (submissionId) => ask('POST', '/watches', { submissionId }),
    cancel: (submissionId) => ask('DELETE', `/watches/${submissionId}`),
  };
}
