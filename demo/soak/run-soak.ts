import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { seededRandom } from '../../src/testing/worlds/fake-backend.ts';
import type { ServerReport } from './server.ts';
import { createUser, type Told } from './user.ts';

/*
 * Many users for a long time on a server that has one bad day after the other. What the server finished is held against what
 * the users were shown; the server counts, and the clients are not asked.
 */

export interface SoakOptions {
  jobs: number;
  concurrency: number;
  seed: number;
  onProgress?: (text: string) => void;
}

export interface SoakReport {
  jobs: number;
  /** Jobs that ended on the server, whichever way. */
  finished: number;
  /** … and their users were shown exactly that, once, with their own result. */
  shown: number;
  /** Assessments that ended without their user being shown how. */
  lost: number;
  /** Shown as completed more than once. */
  doubled: number;
  submittedTwice: number;
  invalidTokenShown: number;
  /** Tokens past the life that was announced with them. One that the server ended early does not count: nobody could know. */
  requestsWithExpiredToken: number;
  leftOpen: { timers: number; sockets: number; requests: number };
  /** Live heap at the end against the one after warm-up, minus one; null without `--expose-gc`. */
  heapGrowth: number | null;
  seconds: number;
  seed: number;
  /** How often each of them hit. */
  faults: Record<string, number>;
  /** What went wrong, in a word each: the first few. */
  complaints: string[];
  ok: boolean;
}

/** The most that the heap may grow from the end of the warm-up to the end. */
const MAX_HEAP_GROWTH = 0.1;

export async function runSoak({ jobs, concurrency, seed, onProgress = () => {} }: SoakOptions): Promise<SoakReport> {
  const startedAt = performance.now();
  const server = fork(fileURLToPath(new URL('server.ts', import.meta.url)), [String(seed)], {
    execArgv: process.execArgv,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const [url] = (await once(server, 'message')) as [string];
  const ask = async (): Promise<ServerReport> => {
    server.send('report');
    const [report] = (await once(server, 'message')) as [ServerReport];
    return report;
  };

  const heap = createHeapWatch();
  const told: Told[] = [];
  let begun = 0;
  const users = Array.from({ length: Math.min(concurrency, jobs) }, (_, number) =>
    createUser(url, number, seededRandom(seed * 1_000 + number)),
  );
  const live = async (user: (typeof users)[number]): Promise<void> => {
    await user.signIn();
    while (begun < jobs) {
      begun += 1;
      told.push(await user.play(`soak ${begun}`));
      if (told.length % Math.max(1, Math.round(jobs / 20)) !== 0) continue;
      // While everybody is at work: the heap of an emptying house says nothing.
      if (begun < jobs) heap.measure();
      onProgress(`${told.length} of ${jobs} after ${Math.round((performance.now() - startedAt) / 1_000)} s`);
    }
  };
  await Promise.all(users.map(live));
  for (const user of users) user.dispose();
  const leftOpen = await settle(users, ask);
  const report = await ask();
  server.disconnect();
  await once(server, 'exit');
  return judge({ jobs, seed, told, report, leftOpen, heapGrowth: heap.growth(), startedAt });
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

/** Takes the size of the live heap now and then. The first fifth is warm-up. */
function createHeapWatch() {
  const samples: number[] = [];
  const mean = (values: number[]) => values.reduce((sum, it) => sum + it, 0) / values.length;
  return {
    measure(): void {
      if (!globalThis.gc) return;
      globalThis.gc();
      samples.push(process.memoryUsage().heapUsed);
    },
    growth(): number | null {
      const warm = samples.slice(Math.ceil(samples.length / 5));
      if (warm.length < 4) return null;
      const third = Math.floor(warm.length / 3) || 1;
      return round(mean(warm.slice(-third)) / mean(warm.slice(0, third)) - 1);
    },
  };
}

const round = (value: number) => Math.round(value * 10_000) / 10_000;

function judge({
  jobs,
  seed,
  told,
  report,
  leftOpen,
  heapGrowth,
  startedAt,
}: {
  jobs: number;
  seed: number;
  told: readonly Told[];
  report: ServerReport;
  leftOpen: SoakReport['leftOpen'];
  heapGrowth: number | null;
  startedAt: number;
}): SoakReport {
  const byName = new Map(report.jobs.map((job) => [job.name, job]));
  const complaints: string[] = [];
  const isShown = (it: Told): boolean => {
    const job = byName.get(it.name);
    const isRight =
      job?.status === 'completed'
        ? it.phase === 'completed' && it.jobId === job.jobId && it.isOwnResult
        : job?.status === 'failed' && it.phase === 'failed' && it.jobId === job.jobId && it.code === 'job-failed';
    if (!isRight) complaints.push(`${it.name}: ${job?.status ?? 'unknown'} on the server, ${JSON.stringify(it)}`);
    return isRight;
  };
  const shown = told.filter(isShown).length;
  const sum = (count: (it: Told) => number) => told.reduce((total, it) => total + count(it), 0);
  const figures = {
    lost: jobs - shown,
    doubled: told.filter(({ completions }) => completions > 1).length,
    submittedTwice: report.jobs.length - byName.size,
    invalidTokenShown: sum(({ invalidToken }) => invalidToken),
    requestsWithExpiredToken: report.counts.requestsWithExpiredToken,
  };
  return {
    jobs,
    finished: report.jobs.filter(({ endedAt }) => endedAt !== null).length,
    shown,
    ...figures,
    leftOpen,
    heapGrowth,
    seconds: Math.round((performance.now() - startedAt) / 100) / 10,
    seed,
    faults: report.faults,
    complaints: [...report.lateTokens, ...complaints].slice(0, 10),
    ok:
      [...Object.values(figures), ...Object.values(leftOpen)].every((count) => count === 0) &&
      (heapGrowth === null || heapGrowth < MAX_HEAP_GROWTH),
  };
}
