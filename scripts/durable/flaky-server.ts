import type { DurableCalls } from '../../src/durable/index.ts';
import type { Clock } from '../../src/lib/clock.ts';
import type { Problem } from '../../src/lib/errors.ts';

/** What makes one server different from another. */
export interface ServerPlan {
  /** From the acceptance to the end of the job, ms. */
  jobMs: number;
  ends: 'completed' | 'failed' | 'never';
  /** The answers are refused. */
  refuses: boolean;
  /** Whether a submission that is sent twice under one key is recognised. */
  recognisesKeys: boolean;
  /** How many credentials the watcher gets before its client is refused. */
  credentials: number;
  /** The share of calls that go wrong, 0 to 1. */
  flakiness: number;
}

/** What the server saw: it judges, and not the watch. */
export interface ServerSeen {
  accepted: number;
  repetitions: number;
  refusals: number;
  credentialsRefused: number;
  /** Calls that carried no valid token, for which the server did nothing. */
  unauthorized: number;
  resultsServed: number;
}

const TRANSIENT: Problem = { code: 'unavailable', message: 'try again' };
const LOST: Problem = { code: 'outcome-unknown', message: 'the answer was lost' };

/** A server with calls that go wrong, before or after their work, and the calls of a watch to it. */
export function flakyServer(plan: ServerPlan, random: () => number, clock: Clock & { hang(): Promise<never> }) {
  const seen: ServerSeen = {
    accepted: 0,
    repetitions: 0,
    refusals: 0,
    credentialsRefused: 0,
    unauthorized: 0,
    resultsServed: 0,
  };
  const jobs = new Map<string, { jobId: string; endsAt: number; misses: number }>();
  const valid = new Set<string>();
  let issued = 0;
  /** In the memory of the watcher's process. */
  let token: string | null = null;

  const isFlaky = (): boolean => random() < plan.flakiness;
  const retryAfterMs = (): number | null => (random() < 0.3 ? Math.round(random() * 20_000) : null);
  const transient = () => ({ type: 'transient' as const, retryAfterMs: retryAfterMs(), problem: TRANSIENT });
  /** Another token, unless the client is refused. */
  const isIssued = (): boolean => {
    if (issued >= plan.credentials) {
      seen.credentialsRefused += 1;
      return false;
    }
    issued += 1;
    token = `SECRET-token-${issued}`;
    valid.add(token);
    return true;
  };
  /** The caller resolves its credential inside the step. */
  const isAllowed = (): boolean => {
    if (token === null) isIssued();
    if (token !== null && valid.has(token)) return true;
    seen.unauthorized += 1;
    return false;
  };
  const unauthorized = () => ({ type: 'unauthorized' as const, generation: token === null ? null : issued });
  /** An accident that every call can have before its work: nothing happened, and the caller may know. */
  const accident = async (): Promise<ReturnType<typeof transient> | null> => {
    if (!isFlaky()) return null;
    const dice = random();
    if (dice < 0.2 && token !== null) valid.delete(token);
    if (dice < 0.3) throw new RangeError(`a defect, with ${token}`);
    if (dice < 0.4) await clock.hang();
    return transient();
  };
  const accept = (key: string) => {
    const known = plan.recognisesKeys ? jobs.get(key) : undefined;
    if (known) seen.repetitions += 1;
    else seen.accepted += 1;
    const job = known ?? { jobId: `job-${seen.accepted}`, endsAt: clock.now() + plan.jobMs, misses: 2 };
    jobs.set(key, job);
    return job;
  };

  const calls: DurableCalls = {
    async submitAssessment({ submissionId }) {
      if (!isAllowed()) return unauthorized();
      const failed = await accident();
      if (failed) return failed;
      if (plan.refuses) {
        seen.refusals += 1;
        return { type: 'rejected', problem: { code: 'validation', message: 'no', details: { email: 'SECRET' } } };
      }
      const { jobId } = accept(submissionId);
      if (isFlaky()) {
        if (random() < 0.3) await clock.hang();
        return { type: 'unconfirmed', retryAfterMs: retryAfterMs(), problem: LOST };
      }
      return { type: 'accepted', jobId, resultId: null, balance: 7, deadlineAt: clock.now() + 150_000 };
    },
    async checkStatus({ submissionId }) {
      if (!isAllowed()) return unauthorized();
      const failed = await accident();
      if (failed) return failed;
      const job = jobs.get(submissionId);
      if (!job) return { type: 'transient', retryAfterMs: null, problem: { code: 'job-not-found', message: 'no job' } };
      if (plan.ends === 'never' || clock.now() < job.endsAt)
        return {
          type: 'running',
          status: 'processing',
          percent: 50,
          queuePosition: null,
          retryAfterMs: retryAfterMs(),
        };
      if (plan.ends === 'completed') return { type: 'completed', resultId: `result-of-${job.jobId}` };
      job.misses -= 1;
      return { type: 'failed', problem: { code: 'job-failed', message: 'SECRET' }, isConfirmed: job.misses < 0 };
    },
    async fetchResult({ submissionId }) {
      if (!isAllowed()) return unauthorized();
      const failed = await accident();
      if (failed) return failed;
      const job = jobs.get(submissionId);
      if (!job || isFlaky()) return transient();
      seen.resultsServed += 1;
      return { type: 'ready', result: 'SECRET: the result' };
    },
    async refreshToken() {
      if (isFlaky())
        return random() < 0.5 ? { type: 'wait', retryAfterMs: 5_000 } : { type: 'outage', retryAfterMs: 9_000 };
      return isIssued() ? { type: 'renewed' } : { type: 'rejected' };
    },
  };
  return {
    calls,
    seen,
    /** A job that a page has submitted. */
    accept,
    /** Lets the token of the watcher's process be lost with the process. */
    loseToken: () => void (token = null),
  };
}
