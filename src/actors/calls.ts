import { throwIfAborted } from '../lib/abort.ts';
import { fromEventObservable, fromPromise, type Subscribable } from 'xstate';
import type { Clock } from '../lib/clock.ts';
import { RejectedError, toProblem, TransientError, UnauthorizedError } from '../lib/errors.ts';
import type { FeedEvent, PageEvent, TokenEvent } from '../machines/assessment-events.ts';
import type {
  RefreshOutcome,
  Rejected,
  ResultOutcome,
  StatusOutcome,
  SubmitOutcome,
  Transient,
  Unauthorized,
} from '../machines/assessment-outcomes.ts';
import type { JobInput } from '../machines/assessment-setup.ts';
import type { AssessmentApi, JobState } from '../services/api/assessment-api.ts';
import type { TokenService } from '../services/auth/token-service.ts';
import type { JobFeed } from '../services/feed/job-feed.ts';
import type { Pacer } from '../services/pacer.ts';
import type { PageEvent as PageSignal } from '../services/page-signals.ts';
import type { Pacing } from './delays.ts';

/*
 * The actors of the chart: each call, from the wait for its turn to an outcome that the chart understands, and the three event
 * sources.
 */

/** The services behind the actors, shared by all assessments of a client. */
export interface CallServices<Submission, Result> {
  api: AssessmentApi<Submission, Result>;
  tokens: Pick<TokenService, 'renew' | 'events$'>;
  feed: Pick<JobFeed, 'events$'>;
  resumed$: Subscribable<PageSignal>;
  clock: Clock;
  pacing: Pacing;
  /** Read when a submission is accepted, ms. */
  monitoringTimeoutMs: () => number;
}

/** What the calls of one assessment need and the machine must not hold: answers do not belong into a snapshot. */
export interface Particulars<Submission> {
  /** Undefined for an assessment that was resumed after its acceptance. */
  submission: Submission | undefined;
  /** When the user submitted, ms since the epoch. */
  submittedAt: number;
  pacer: Pacer;
}

type Api = AssessmentApi<unknown, unknown>;
type Failed = Unauthorized | Transient | Rejected;

/**
 * The actors of the chart, for `assessmentMachine.provide`.
 *
 * @param particularsOf the particulars of an assessment, by submission id
 */
export function createCalls<Submission, Result>(
  services: CallServices<Submission, Result>,
  particularsOf: (submissionId: string) => Particulars<Submission>,
) {
  const { api, tokens, feed, resumed$, clock, pacing, monitoringTimeoutMs } = services;

  const submit = (submissionId: string, signal: AbortSignal): Promise<SubmitOutcome> => {
    const { submission, pacer } = particularsOf(submissionId);
    return paced<SubmitOutcome>(pacer, 'submit', 0, signal, async () => {
      if (submission === undefined) throw new TypeError('a resumed assessment has no answers to submit');
      try {
        const { retryAfterMs, ...accepted } = await api.submit(submission, submissionId, signal);
        if (retryAfterMs !== null) pacer.postpone('status', retryAfterMs);
        return { type: 'accepted', ...accepted, deadlineAt: clock.now() + monitoringTimeoutMs() };
      } catch (error) {
        if (!(error instanceof TransientError && error.maybeDone)) throw error;
        return { type: 'unconfirmed', retryAfterMs: error.retryAfterMs, problem: toProblem(error) };
      }
    });
  };

  const checkStatus = ({ submissionId, jobId, canWait }: JobInput, signal: AbortSignal): Promise<StatusOutcome> => {
    const { submittedAt, pacer } = particularsOf(submissionId);
    return paced<StatusOutcome>(pacer, 'status', pacing.minDistanceMs, signal, async () => {
      const state = await stateOf(api, jobId, canWait, signal);
      const isOld = clock.now() - submittedAt >= pacing.archiveAfterMs;
      return statusOf(state.type === 'running' && isOld ? await newerOf(api, state, jobId, signal) : state);
    });
  };

  const fetchResult = ({ submissionId, jobId, resultId }: JobInput, signal: AbortSignal): Promise<ResultOutcome> =>
    paced<ResultOutcome>(particularsOf(submissionId).pacer, 'result', 0, signal, async () => {
      const id = resultId ?? (await resultIdOf(api, jobId, signal));
      if (id === null) throw notThereYet();
      const state = await api.result(id, signal).catch((error: unknown) => {
        throw isNotFound(error) ? notThereYet() : error;
      });
      if (state.type === 'not-ready') throw notThereYet(state.retryAfterMs);
      if (state.type === 'ready') return state;
      return { type: 'invalid', problem: { code: 'invalid-result', message: `result ${id} does not fit its schema` } };
    });

  return {
    submitAssessment: fromPromise<SubmitOutcome, { submissionId: string }>(({ input, signal }) =>
      submit(input.submissionId, signal),
    ),
    checkStatus: fromPromise<StatusOutcome, JobInput>(({ input, signal }) => checkStatus(input, signal)),
    fetchResult: fromPromise<ResultOutcome, JobInput>(({ input, signal }) => fetchResult(input, signal)),
    // No signal: a refresh in flight may have rotated the token already, so nothing aborts it.
    refreshToken: fromPromise<RefreshOutcome, { refusedGeneration: number | null }>(({ input }) =>
      tokens.renew(input.refusedGeneration),
    ),
    // The type arguments check that the services' events are the ones that the chart hears.
    jobFeed: fromEventObservable<FeedEvent, undefined>(() => feed.events$),
    tokenWatch: fromEventObservable<TokenEvent, undefined>(() => tokens.events$),
    pageSignals: fromEventObservable<PageEvent, undefined>(() => resumed$),
  };
}

/** Status calls keep their distance whatever the chart's reason for them, and every kind of call obeys Retry-After. */
async function paced<T extends { type: string; retryAfterMs?: number | null }>(
  pacer: Pacer,
  kind: 'submit' | 'status' | 'result',
  minDistanceMs: number,
  signal: AbortSignal,
  call: () => Promise<T>,
): Promise<T | Failed> {
  await pacer.turn(kind, minDistanceMs, signal);
  // The chart may have left the state in the same moment.
  throwIfAborted(signal);
  const outcome = await call().catch((error: unknown) => {
    throwIfAborted(signal);
    return failureOf(error);
  });
  if ('retryAfterMs' in outcome && outcome.retryAfterMs) pacer.postpone(kind, outcome.retryAfterMs);
  return outcome;
}

/** The archive's state of a job that the status route reports as running: a sweeper that gives up on a job updates only the archive. */
async function newerOf(api: Api, state: JobState, jobId: string, signal: AbortSignal): Promise<JobState> {
  const archived = await api.job(jobId, signal).catch((error: unknown) => {
    throwIfAborted(signal);
    if (error instanceof UnauthorizedError) throw error;
    return state; // the archive is only a second opinion
  });
  return archived.type === 'running' ? state : archived;
}

/** The state of a job. After a restart the status route has lost jobs that still run; the archive has not. */
async function stateOf(api: Api, jobId: string, canWait: boolean, signal: AbortSignal): Promise<JobState> {
  try {
    return await api.status(jobId, signal, canWait);
  } catch (error) {
    if (!isNotFound(error)) throw error;
    return await api.job(jobId, signal).catch((inner: unknown) => {
      throw isNotFound(inner)
        ? new TransientError('unavailable', 'the server does not know the job at the moment')
        : inner;
    });
  }
}

async function resultIdOf(api: Api, jobId: string, signal: AbortSignal): Promise<string | null> {
  const state = await api.job(jobId, signal);
  return state.type === 'completed' ? state.resultId : null;
}

/** An error of a service as an outcome of the chart. Defects stay errors. */
function failureOf(error: unknown): Failed {
  if (error instanceof UnauthorizedError) return { type: 'unauthorized', generation: error.generation };
  if (error instanceof TransientError) {
    return { type: 'transient', retryAfterMs: error.retryAfterMs, problem: toProblem(error) };
  }
  if (error instanceof RejectedError) return { type: 'rejected', problem: toProblem(error) };
  throw error;
}

const statusOf = (state: JobState): StatusOutcome =>
  state.type === 'failed' ? { type: 'failed', problem: { code: 'job-failed', message: state.message } } : state;

const notThereYet = (retryAfterMs: number | null = null) =>
  new TransientError('unavailable', 'the result is not there yet', { retryAfterMs });
const isNotFound = (error: unknown) => error instanceof RejectedError && error.status === 404;
