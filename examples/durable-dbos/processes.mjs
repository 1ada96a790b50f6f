/* Processes of the recipe on this machine: started, waited for, killed. All of them listen on 127.0.0.1 only. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Tries until it succeeds. @throws the last error, after `ms` */
export async function until(attempt, ms = 60_000) {
  const end = Date.now() + ms;
  for (;;) {
    try {
      const result = await attempt();
      if (result) return result;
      if (Date.now() > end) throw new Error(`still not true after ${ms} ms: ${attempt}`);
    } catch (error) {
      if (Date.now() > end) throw error;
    }
    await pause(200);
  }
}

export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return port;
}

/** Starts the world around the watcher. @returns the environment of a watcher in it */
export async function startWorld(env = {}) {
  const root = join(import.meta.dirname, '../..');
  const world = spawn(
    process.execPath,
    ['--import', join(root, 'node_modules/tsx/dist/esm/index.mjs'), join(import.meta.dirname, 'world.mjs')],
    { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit', 'ipc'] },
  );
  const [line] = await once(createInterface(world.stdout), 'line');
  return { env: JSON.parse(line), end: () => world.kill('SIGKILL') };
}

/** A process that is started again whenever it dies, until `end()`. Engines die with their database. */
export function supervise(command, args, options) {
  let child;
  let isOver = false;
  let starts = 0;
  const start = () => {
    starts += 1;
    child = spawn(command, args, options);
    child.once('exit', () => {
      if (!isOver) setTimeout(() => isOver || start(), 500);
    });
  };
  start();
  return {
    starts: () => starts,
    kill: () => child.kill('SIGKILL'),
    end() {
      isOver = true;
      child.kill('SIGKILL');
    },
  };
}
