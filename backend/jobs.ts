import { randomUUID } from 'node:crypto';
import type { ServerCounts, ServerLog } from './counts.ts';
import type { BackendOptions } from './options.ts';
import { analyse } from './sample-result.ts';

export type JobStatus = 'queued' | 'processing' | 'completed' | 'failed';

export interface Job {
  jobId: string;
  resultId: string;
  userId: string;
  name: string;
  answers: Record<string, unknown>;
  status: JobStatus;
  /** ms since the epoch */
  acceptedAt: number;
  updatedAt: number;
  endedAt: number | null;
  result: unknown;
  /** The job whose result it was answered with, where the worker recognised the answers. */
  duplicateOf: Job | null;
  /** Attempts of the worker that have failed. */
  failures: number;
  /** Whether the status route still knows it: that forgets everything in a restart. */
  tracked: boolean;
  /** The sweeper took it for stuck: failed in the archive, and no event was sent. */
  swept: boolean;
}

/** How the world hears of a job. */
export type JobEvent =
  | { type: 'started' | 'completed' | 'failed'; job: Job }
  | { type: 'balance'; userId: string; balance: number };

const STATUS_LAG_MS = 1_000;
const HOUR_MS = 3_600_000;
/** The answers as the worker compares them: the name of the assessment does not count. */
const contentOf = ({ answers }: Job): string => JSON.stringify(answers.assessment_data ?? answers);
export const FAILURE_TEXT = 'The analysis model could not interpret the answers.';

/** Jobs, their results and the credit that they cost. */
export function createJobs(options: () => BackendOptions, counts: ServerCounts, log: ServerLog) {
  const jobs = new Map<string, Job>();
  const balances = new Map<string, number>();
  const timers = new Map<string, NodeJS.Timeout>();
  const listeners = new Set<(event: JobEvent) => void>();
  const tell = (event: JobEvent): void => {
    for (const listener of listeners) listener(event);
  };
  const balanceOf = (userId: string) => balances.get(userId) ?? options().initialBalance;
  const pay = (userId: string, amount: number): void => {
    balances.set(userId, balanceOf(userId) + amount);
    tell({ type: 'balance', userId, balance: balanceOf(userId) });
  };

  const isQueueDown = () => options().quirks.includes('queue-down');

  const begin = (job: Job): void => {
    job.status = 'processing';
    job.updatedAt = Date.now();
    log.write({ kind: 'job', text: 'a job is being worked on' });
    tell({ type: 'started', job });
  };
  /** An attempt that failed, published and refunded as such; the worker tries again. */
  const failForNow = (job: Job, retryMs: number): void => {
    job.status = 'failed';
    job.failures += 1;
    job.updatedAt = Date.now();
    log.write({ kind: 'job', text: 'an attempt failed, and will be repeated' });
    tell({ type: 'failed', job });
    pay(job.userId, 1);
    timers.set(
      job.jobId,
      setTimeout(() => work(job), retryMs),
    );
  };
  const end = (job: Job, outcome: 'completed' | 'failed'): void => {
    if (job.endedAt !== null) return;
    clearTimeout(timers.get(job.jobId));
    timers.delete(job.jobId);
    job.endedAt = job.updatedAt = Date.now();
    // The real worker's order: the result is written, the event sent, and only then the status brought up to date.
    if (outcome === 'completed' && !job.duplicateOf) job.result = analyse(job.answers);
    log.write({ kind: 'job', text: `a job ${outcome}` });
    tell({ type: outcome, job });
    const follow = () => void (job.status = outcome);
    if (options().quirks.includes('status-lags')) timers.set(job.jobId, setTimeout(follow, STATUS_LAG_MS));
    else follow();
    if (outcome === 'failed') pay(job.userId, 1);
  };

  const queue = (job: Job): void => {
    if (isQueueDown()) return;
    const { jobDurationMs } = options();
    const queuedMs = Math.min(1_000, jobDurationMs / 10);
    timers.set(
      job.jobId,
      setTimeout(() => work(job, jobDurationMs - queuedMs), queuedMs),
    );
  };
  const work = (job: Job, ms = options().jobDurationMs): void => {
    begin(job);
    timers.set(
      job.jobId,
      setTimeout(() => finishAttempt(job), ms),
    );
  };
  const finishAttempt = (job: Job): void => {
    const { jobOutcome, failedAttempts, retryDelaysMs } = options();
    const first = firstWithSameAnswers(job);
    if (first?.status === 'completed') job.duplicateOf = first;
    const isRefused = isOneTooMany(job) || (first !== undefined && first.endedAt === null);
    const isFailed = isRefused || (!job.duplicateOf && (job.failures < failedAttempts || jobOutcome === 'failed'));
    const retryMs = retryDelaysMs[job.failures];
    if (isFailed && retryMs !== undefined) failForNow(job, retryMs);
    else end(job, isFailed ? 'failed' : 'completed');
  };
  const firstWithSameAnswers = (job: Job): Job | undefined => {
    const { dedupWindowMs } = options();
    if (dedupWindowMs === 0) return undefined;
    const content = contentOf(job);
    return [...jobs.values()].find(
      (it) =>
        it !== job &&
        it.userId === job.userId &&
        it.acceptedAt <= job.acceptedAt &&
        job.acceptedAt - it.acceptedAt < dedupWindowMs &&
        contentOf(it) === content,
    );
  };
  const isOneTooMany = (job: Job): boolean => {
    const own = [...jobs.values()].filter((it) => it.userId === job.userId && job.acceptedAt - it.acceptedAt < HOUR_MS);
    return own.indexOf(job) >= options().jobsPerHour;
  };

  return {
    balanceOf,
    isQueueDown,
    all: () => [...jobs.values()],
    get: (jobId: string) => jobs.get(jobId),
    /** What the status route knows of. */
    tracked: (jobId: string) => (jobs.get(jobId)?.tracked ? jobs.get(jobId) : undefined),
    archivedStatus: (job: Job): JobStatus => (job.swept ? 'failed' : job.status),
    byResult: (resultId: string) => [...jobs.values()].find((job) => job.resultId === resultId),
    queuePosition(job: Job): number {
      const all = [...jobs.values()];
      const isIdle = !all.some((it) => it.status === 'processing');
      const first = isIdle && options().quirks.includes('queue-position-zero') ? 0 : 1;
      return all.filter((it) => it.status === 'queued').indexOf(job) + first;
    },
    /** Newest first. */
    of: (userId: string) => [...jobs.values()].filter((job) => job.userId === userId).toReversed(),
    /** The id of the result that the status and the events name. */
    shownResultId: (job: Job) => (job.duplicateOf ?? job).resultId,
    /** Whether the archive shows what the job has become. */
    isArchived: (job: Job) => job.endedAt === null || Date.now() >= job.endedAt + options().archiveLagMs,

    accept(userId: string, name: string, answers: Record<string, unknown>): Job {
      const now = Date.now();
      const ids = { jobId: randomUUID(), resultId: randomUUID() };
      const job: Job = {
        ...ids,
        userId,
        name,
        answers,
        status: 'queued',
        acceptedAt: now,
        updatedAt: now,
        endedAt: null,
        result: null,
        duplicateOf: null,
        failures: 0,
        tracked: true,
        swept: false,
      };
      jobs.set(job.jobId, job);
      counts.submissionsAccepted += 1;
      log.write({ kind: 'job', text: 'a submission was accepted' });
      pay(userId, -1);
      queue(job);
      return job;
    },
    /** Once more, under the same ids. */
    retry(job: Job): void {
      clearTimeout(timers.get(job.jobId));
      Object.assign(job, {
        status: 'queued',
        updatedAt: Date.now(),
        endedAt: null,
        result: null,
        duplicateOf: null,
        failures: 0,
        tracked: true,
        swept: false,
      });
      pay(job.userId, -1);
      queue(job);
    },
    /** How many jobs there are of each status. */
    statistics() {
      const all = [...jobs.values()];
      const count = (status: JobStatus) => all.filter((job) => job.status === status).length;
      return {
        total: all.length,
        queued: count('queued'),
        processing: count('processing'),
        completed: count('completed'),
        failed: count('failed'),
      };
    },
    finishAll(outcome: 'completed' | 'failed'): void {
      for (const job of jobs.values()) end(job, outcome);
    },
    /** The status route forgets its jobs; the work continues, and the archive has it. */
    forget(): void {
      for (const job of jobs.values()) job.tracked = false;
    },
    /** Gives up on the running jobs: the archive says failed, the credit is back, and the status route does not change. */
    sweep(): void {
      for (const job of jobs.values()) {
        if (job.endedAt !== null) continue;
        clearTimeout(timers.get(job.jobId));
        timers.delete(job.jobId);
        job.swept = true;
        job.endedAt = Date.now();
        log.write({ kind: 'job', text: 'the sweeper took a job for stuck' });
        pay(job.userId, 1);
        const { redeliveryMs } = options();
        if (redeliveryMs === null) continue;
        const takeUp = (): void => {
          Object.assign(job, { swept: false, endedAt: null });
          work(job);
        };
        timers.set(job.jobId, setTimeout(takeUp, redeliveryMs));
      }
    },
    listen(listener: (event: JobEvent) => void): void {
      listeners.add(listener);
    },
    close(): void {
      for (const timer of timers.values()) clearTimeout(timer);
    },
  };
}

export type Jobs = ReturnType<typeof createJobs>;
