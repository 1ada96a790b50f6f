import { type Clock, sleep } from '../lib/clock.ts';
import type { Problem } from '../lib/errors.ts';
import type { CallOutcome } from '../machines/assessment-events.ts';
import type { JobInput, SubmitInput } from '../machines/assessment-setup.ts';
import type { DurableCalls, WatchResult } from './ports.ts';

/*
 * What a step stores. Engines keep it in clear, and for days: each outcome is copied field by field, so that nothing which a call happens to
 * return beside it is stored.
 */

/** One call, as it is stored: when it ended, ms since the epoch, and how. A defect is stored by the name of its error. */
export type Recorded = { at: number; outcome: CallOutcome } | { at: number; defect: string };

export type CallName = keyof DurableCalls;
const names = {
  submitAssessment: true,
  checkStatus: true,
  fetchResult: true,
  refreshToken: true,
} satisfies Record<CallName, true>;
export const isCallName = (name: string): name is CallName => Object.hasOwn(names, name);

/** Makes one call, bounded in time, and returns what may be stored of it. It never rejects. */
export async function recordCall(
  calls: DurableCalls,
  { name, input }: { name: CallName; input: unknown },
  { callTimeoutMs, clock }: { callTimeoutMs: number; clock: Clock },
): Promise<Recorded> {
  const over = new AbortController();
  const call = async (): Promise<CallOutcome> => {
    // The chart's types say which input belongs to which call; here they are one.
    if (name === 'submitAssessment') return calls.submitAssessment(input as SubmitInput, over.signal);
    if (name === 'refreshToken') return calls.refreshToken(input as { refusedGeneration: number | null }, over.signal);
    if (name === 'checkStatus') return calls.checkStatus(input as JobInput, over.signal);
    return calls.fetchResult(input as JobInput, over.signal);
  };
  const timer = new AbortController();
  const tooLate = async (): Promise<CallOutcome> => {
    await sleep(clock, callTimeoutMs, timer.signal);
    return name === 'submitAssessment'
      ? { type: 'unconfirmed', retryAfterMs: null, problem: NO_ANSWER }
      : name === 'refreshToken'
        ? { type: 'wait', retryAfterMs: MINUTE_MS }
        : { type: 'transient', retryAfterMs: null, problem: NO_ANSWER };
  };
  try {
    const outcome = await Promise.race([call(), tooLate()]);
    return { at: clock.now(), outcome: storable(outcome, input) };
  } catch (error) {
    return { at: clock.now(), defect: error instanceof Error ? error.name : typeof error };
  } finally {
    over.abort();
    timer.abort();
  }
}

const MINUTE_MS = 60_000;
const NO_ANSWER: Problem = { code: 'network', message: 'the call was not answered in time' };

/** The words of a server stay out, `details` included. */
const problemOf = ({ code, retryAt }: Problem): Problem => ({
  code,
  message: `a call of the watch ended with ${code}`,
  ...(retryAt !== undefined && { retryAt }),
});

function storable(outcome: CallOutcome, input: unknown): CallOutcome {
  switch (outcome.type) {
    case 'accepted': {
      const { type, jobId, resultId, deadlineAt } = outcome;
      return { type, jobId, resultId, balance: null, deadlineAt };
    }
    case 'running': {
      const { type, status, percent, queuePosition, retryAfterMs = null } = outcome;
      return { type, status, percent, queuePosition, retryAfterMs };
    }
    case 'completed':
      return { type: 'completed', resultId: outcome.resultId };
    case 'ready': {
      const { jobId, resultId } = input as JobInput;
      return { type: 'ready', result: { jobId, resultId } satisfies WatchResult };
    }
    case 'unauthorized':
      return { type: 'unauthorized', generation: outcome.generation };
    case 'transient':
      return { type: 'transient', retryAfterMs: outcome.retryAfterMs, problem: problemOf(outcome.problem) };
    case 'unconfirmed': {
      const { type, retryAfterMs, problem, isFinal = false } = outcome;
      return { type, retryAfterMs, problem: problemOf(problem), isFinal };
    }
    case 'failed':
    case 'invalid':
      return { type: outcome.type, problem: problemOf(outcome.problem), isConfirmed: outcome.isConfirmed ?? true };
    case 'rejected':
      return 'problem' in outcome ? { type: 'rejected', problem: problemOf(outcome.problem) } : { type: 'rejected' };
    case 'wait':
    case 'outage':
      return { type: outcome.type, retryAfterMs: outcome.retryAfterMs };
    case 'renewed':
    case 'holds':
      return { type: outcome.type };
    default:
      throw new TypeError('a call of the watch returned something that is no outcome');
  }
}
