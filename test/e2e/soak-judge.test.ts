import { describe, expect, it } from 'vitest';
import { noCounts } from '../../backend/counts.ts';
import type { JobSummary } from '../../backend/index.ts';
import { judge } from '../../e2e/soak/judge.ts';
import type { Told } from '../../e2e/soak/user.ts';

/* A soak that finds nothing is worth what its judge is worth. */

const job: JobSummary = {
  jobId: 'job-1',
  resultId: 'result-1',
  userId: 'user-1',
  name: 'soak 1',
  status: 'completed',
  acceptedAt: 1,
  endedAt: 2,
};
const told: Told = {
  name: 'soak 1',
  phase: 'completed',
  jobId: 'job-1',
  code: null,
  isOwnResult: true,
  completions: 1,
  invalidToken: 0,
  trail: [],
  sending: new TextEncoder().encode('submitted'),
};
const failedJob = { ...job, status: 'failed' } as const;
const toldOfFailure = { ...told, phase: 'failed', code: 'job-failed', completions: 0 } as const;
const none = { timers: 0, sockets: 0, requests: 0 };

interface Seen {
  told?: Partial<Told>;
  jobs?: JobSummary[];
  leftOpen?: Partial<typeof none>;
  heapGrowth?: number | null;
  expired?: number;
}
const judged = ({ told: change, jobs = [job], leftOpen, heapGrowth = 0.02, expired = 0 }: Seen = {}) =>
  judge({
    jobs: 1,
    seed: 1,
    seconds: 1,
    told: [{ ...told, ...change }],
    report: {
      jobs,
      counts: { ...noCounts(), requestsWithExpiredToken: expired },
      faults: { hang: 3 },
      open: { sockets: 0, requests: 0 },
      lateTokens: [],
    },
    leftOpen: { ...none, ...leftOpen },
    heapGrowth,
  });

describe('the judge of the soak', () => {
  it.each<[string, Seen]>([
    ['a result that was shown', {}],
    ['a failure that was shown as one', { jobs: [failedJob], told: toldOfFailure }],
    ['a heap that could not be measured', { heapGrowth: null }],
  ])('has nothing against %s', (_, seen) => {
    expect(judged(seen)).toMatchObject({
      ok: true,
      finished: 1,
      shown: 1,
      lost: 0,
      complaints: [],
      faults: { hang: 3 },
    });
  });

  it.each<[string, string, Seen, object]>([
    ['lost', 'a result that was never shown', { told: { phase: 'waiting' } }, { lost: 1, shown: 0 }],
    ['lost', 'an assessment that no page knew of any more', { told: { phase: 'nothing', jobId: null } }, { lost: 1 }],
    ['lost', 'the result of another user', { told: { isOwnResult: false } }, { lost: 1 }],
    ['lost', 'the result of another job', { told: { jobId: 'job-2' } }, { lost: 1 }],
    ['lost', 'a job that completed and was shown as failed', { told: toldOfFailure }, { lost: 1 }],
    ['lost', 'a job that failed and was shown as completed', { jobs: [failedJob] }, { lost: 1 }],
    [
      'lost',
      'a failure for another reason',
      { jobs: [failedJob], told: { ...toldOfFailure, code: 'forbidden' } },
      { lost: 1 },
    ],
    ['lost', 'a job that the server never got', { jobs: [] }, { lost: 1, finished: 0 }],
    ['doubled', 'a result that was shown twice', { told: { completions: 2 } }, { doubled: 1 }],
    [
      'submitted twice',
      'two jobs for one assessment',
      { jobs: [{ ...job, jobId: 'job-0' }, job] },
      { submittedTwice: 1 },
    ],
    ['shown', 'the forbidden word', { told: { invalidToken: 2 } }, { invalidTokenShown: 2 }],
    ['sent', 'a token past its life', { expired: 1 }, { requestsWithExpiredToken: 1 }],
    ['left open', 'a timer', { leftOpen: { timers: 1 } }, { leftOpen: { timers: 1 } }],
    ['left open', 'a socket', { leftOpen: { sockets: 1 } }, { leftOpen: { sockets: 1 } }],
    ['left open', 'a request', { leftOpen: { requests: 1 } }, { leftOpen: { requests: 1 } }],
    ['grown', 'a heap that grew by a tenth', { heapGrowth: 0.1 }, { heapGrowth: 0.1 }],
  ])('counts as %s: %s', (_, __, seen, figures) => {
    expect(judged(seen)).toMatchObject({ ok: false, ...figures });
  });
});
