import type { World } from './story.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** A job as the server knows it. */
export interface ServerJob {
  jobId: string;
  resultId: string;
  userId: string;
  /** What was submitted: the judge tells assessments apart by it. */
  answers: string;
  acceptedAt: number;
  /** True time. */
  doneAt: number;
  /** The status route does not know it any more. */
  forgotten: boolean;
}

/** The jobs of the server, and what becomes of them with time. */
export function fakeJobs(world: World, clock: VirtualClock, announce: (job: ServerJob, what: 'started' | 'ended') => void) {
  const jobs: ServerJob[] = [];
  const byKey = new Map<string, ServerJob>();

  return {
    all: (): readonly ServerJob[] => jobs,
    /** The same key is the same job, where the server cares for keys. */
    accept(userId: string, answers: string, key: string | null): ServerJob {
      const known = key === null || !world.recognisesKeys ? undefined : byKey.get(`${userId} ${key}`);
      if (known) return known;
      const number = jobs.length + 1;
      const now = clock.time();
      const job: ServerJob = {
        jobId: `job-${number}`,
        resultId: `result-${number}`,
        userId,
        answers,
        acceptedAt: now,
        doneAt: now + world.jobMs,
        forgotten: false,
      };
      jobs.push(job);
      if (key !== null) byKey.set(`${userId} ${key}`, job);
      clock.outside.setTimeout(() => announce(job, 'started'), world.jobMs / 5);
      clock.outside.setTimeout(() => announce(job, 'ended'), world.jobMs);
      return job;
    },
    byJobId: (id: string) => jobs.find((it) => it.jobId === id),
    byResultId: (id: string) => jobs.find((it) => it.resultId === id),
    isDone: (job: ServerJob) => clock.time() >= job.doneAt,
    /** Status and result may lag behind what the events say. */
    isVisiblyDone: (job: ServerJob) => clock.time() >= job.doneAt + world.lagMs,
    forgetAll: () => jobs.forEach((job) => void (job.forgotten = true)),
  };
}
