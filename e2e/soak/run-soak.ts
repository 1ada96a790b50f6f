import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { seededRandom } from 'assessment-monitor/testing';
import { judge, type SoakReport } from './judge.ts';
import type { ServerAddress, ServerReport } from './server.ts';
import { createUser, type Told } from './user.ts';

/*
 * Many users for a long time on servers that have one bad day after the other. What the servers finished is held against what
 * the users were shown; the servers count, and the clients are not asked.
 */

/** The share of the jobs after which everything is loaded, connected and grown to its size. */
const WARM_UP = 0.25;
const KEEP_ALIVE_MS = 6_000;

export interface SoakOptions {
  jobs: number;
  concurrency: number;
  seed: number;
  onProgress?: (text: string) => void;
}

export async function runSoak({ jobs, concurrency, seed, onProgress = () => {} }: SoakOptions): Promise<SoakReport> {
  const startedAt = performance.now();
  const server = fork(fileURLToPath(new URL('server.ts', import.meta.url)), [String(seed)], {
    execArgv: process.execArgv,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  let isWanted = true;
  const died = once(server, 'exit').then(() => {
    if (isWanted)
      throw new Error(
        'the servers of the soak died: what they had seen is lost; run it again and read their last words',
      );
    return [];
  });
  const hear = async () => (await Promise.race([once(server, 'message'), died])) as unknown[];
  const [servers] = (await hear()) as [ServerAddress[]];
  const ask = async (): Promise<ServerReport> => {
    server.send('report');
    const [report] = (await hear()) as [ServerReport];
    return report;
  };

  const told: Told[] = [];
  let begun = 0;
  const users = Array.from({ length: Math.min(concurrency, jobs) }, (_, number) =>
    createUser(servers[number % servers.length]!, number, seededRandom(seed * 1_000 + number)),
  );
  const live = async (user: (typeof users)[number], until: number): Promise<void> => {
    while (begun < until) {
      begun += 1;
      told.push(await user.play(`soak ${begun}`));
      if (told.length % Math.max(1, Math.round(jobs / 20)) !== 0) continue;
      onProgress(`${told.length} of ${jobs} after ${Math.round((performance.now() - startedAt) / 1_000)} s`);
    }
  };
  /** Everybody at work until so many jobs are done, and then the heap of the house at rest, pages open. */
  const liveUntil = async (until: number): Promise<number | null> => {
    await Promise.race([Promise.all(users.map((user) => live(user, until))), died]);
    await settle(users, ask);
    // Unused connections are kept for five seconds, more of them after a bad moment than after a good one.
    await new Promise((resolve) => setTimeout(resolve, KEEP_ALIVE_MS));
    return liveHeap();
  };
  await Promise.all(users.map((user) => user.signIn()));
  const warm = await liveUntil(Math.ceil(jobs * WARM_UP));
  const atLast = await liveUntil(jobs);
  for (const user of users) user.dispose();
  const leftOpen = await settle(users, ask);
  const report = await ask();
  isWanted = false;
  server.disconnect();
  await died;
  const seconds = Math.round((performance.now() - startedAt) / 100) / 10;
  return judge({ jobs, seed, told, report, leftOpen, heapGrowth: growth(warm, atLast), seconds });
}

type User = ReturnType<typeof createUser>;

/** The server hears of the end of a socket a moment later, and a refresh that has begun is never broken off. */
async function settle(users: readonly User[], ask: () => Promise<ServerReport>): Promise<SoakReport['leftOpen']> {
  for (let patience = 50; ; patience -= 1) {
    const { sockets } = (await ask()).open;
    const open = users.map((user) => user.open());
    const sum = (pick: (it: { timers: number; requests: number }) => number) =>
      open.reduce((total, it) => total + pick(it), 0);
    const leftOpen = { timers: sum((it) => it.timers), sockets, requests: sum((it) => it.requests) };
    if (patience === 0 || Object.values(leftOpen).every((count) => count === 0)) return leftOpen;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** In bytes; null where the garbage collector cannot be started. */
async function liveHeap(): Promise<number | null> {
  if (!globalThis.gc) return null;
  globalThis.gc();
  // Finalizers run after the first collection; the second frees what they held.
  await new Promise(setImmediate);
  globalThis.gc();
  return process.memoryUsage().heapUsed;
}

const growth = (before: number | null, after: number | null): number | null =>
  before === null || after === null ? null : Math.round((after / before - 1) * 10_000) / 10_000;
