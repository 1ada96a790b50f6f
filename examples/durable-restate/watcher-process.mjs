/* One watcher process, kept alive. */
import { join } from 'node:path';
import webpush from 'web-push';
import { freePort, supervise } from './processes.mjs';

const keys = webpush.generateVAPIDKeys();
const vapid = {
  VAPID_SUBJECT: 'mailto:user@example.test',
  VAPID_PUBLIC_KEY: keys.publicKey,
  VAPID_PRIVATE_KEY: keys.privateKey,
};

export async function startWatcher(env) {
  const port = await freePort();
  const watcher = supervise(process.execPath, [join(import.meta.dirname, 'watcher.mjs')], {
    env: { ...process.env, ...vapid, ...env, PORT: String(port) },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  return { ...watcher, url: `http://127.0.0.1:${port}` };
}
