import { type AnyStateNode, fromEventObservable, fromPromise } from 'xstate';
import type { Observable } from 'rxjs';
import { RejectedError, toProblem, TransientError, UnauthorizedError } from './errors.ts';
import { assessmentMachine } from './machines/assessment-machine.ts';
import type {
  Rejected,
  ResultOutcome,
  StatusOutcome,
  SubmitOutcome,
  Transient,
  Unauthorized,
} from './machines/assessment-outcomes.ts';
import type { AssessmentContext } from './machines/assessment-setup.ts';
import type { AssessmentApi, JobState } from './services/assessment-api.ts';
import { backoff, jitter, type Random } from './services/backoff.ts';
import type { Clock } from './services/clock.ts';
import type { JobFeed } from './services/job-feed.ts';
import { createPacer, type Pacer } from './services/pacer.ts';
import type { PageEvent } from './services/page-signals.ts';
import type { TokenService } from './services/token-service.ts';

/** The waits of the chart, in ms. */
export interface Pacing {
  /** A young job is polled this often … */
  pollMinMs: number;
  /** … and an old one this often. */
  pollMaxMs: number;
  /** Between two status calls while the feed is live and quiet. */
  heartbeatMs: number;
  /** Between two looks at a job whose deadline has passed. */
  slowCheckMs: number;
  /** No two status calls of one assessment come closer than this, whatever the reason to call. */
  minDistanceMs: number;
  /** The archive is asked as well about a job that is older than this and still runs. */
  archiveAfterMs: number;
}

export interface AssessmentActorsOptions<Submission, Result> {
  api: AssessmentApi<Submission, Result>;
  tokens: TokenService;
  feed: JobFeed;
  resumed$: Observable<PageEvent>;
  clock: Clock;
  random: Random;
  pacing: Pacing;
  /** Read when a submission is accepted, ms. */
  monitoringTimeoutMs: () => number;
}

/** What the actors need to know of one assessment and the machine must not: answers do not belong into a snapshot. */
export interface Particulars<Submission> {
  submission: Submission | undefined;
  /** When the user pressed submit, ms since the epoch. */
  submittedAt: number;
}

/** The machine with real parts behind it, bound once for all assessments of a client. */
export interface BoundMachine<Submission> {
  machine: typeof assessmentMachine;
  /** Makes an assessment known to the actors. Returns how to forget it. */
  enrol(submissionId: string, particulars: Particulars<Submission>): () => void;
}

const RETRY = { minMs: 300, baseMs: 1_000, capMs: 15_000 };
const POLL_RETRY = { minMs: 1_000, baseMs: 2_000, capMs: 30_000 };
/** After a hint the status may lag behind the event by a moment. */
const HINT_MS = 3_000;
/** A job counts as old after this time, and is polled least often. */
const OLD_MS = 240_000;

/** Binds each port of the chart to a service. */
export function bindMachine<Submission, Result>(
  options: AssessmentActorsOptions<Submission, Result>,
): BoundMachine<Submission> {
  const { api, tokens, feed, resumed$, clock, random, pacing } = options;
  const enrolled = new Map<string, Particulars<Submission> & { pacer: Pacer }>();
  const particularsOf = (submissionId: string) => {
    const particulars = enrolled.get(submissionId);
    if (!particulars) throw new Error('this assessment was not enrolled');
    return particulars;
  };

  /** Whatever the chart's reason to call: status calls keep their distance, and every call obeys Retry-After. */
  const paced = async <T extends { type: string; retryAfterMs?: number | null }>(
    kind: 'submit' | 'status' | 'result',
    { submissionId }: { submissionId: string },
    signal: AbortSignal,
    call: (signal: AbortSignal) => Promise<T>,
  ): Promise<T | Failed> => {
    const { pacer } = particularsOf(submissionId);
    await pacer.turn(kind, kind === 'status' ? pacing.minDistanceMs : 0, signal);
    // What was sent to change something is never broken off for a sleep: it may have arrived.
    const asked = kind === 'submit' ? call(signal) : unlessAsleep(signal, call);
    const outcome = await asked.catch((error: unknown) => {
      signal.throwIfAborted();
      return failureOf(error);
    });
    if ('retryAfterMs' in outcome && outcome.retryAfterMs) pacer.postpone(kind, outcome.retryAfterMs);
    return outcome;
  };

  /** An answer that the page slept through may never come, and its timeout is long: on waking it counts as lost. */
  const unlessAsleep = async <T>(signal: AbortSignal, call: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    signal.throwIfAborted();
    const controller = new AbortController();
    const abort = () => controller.abort(signal.reason);
    signal.addEventListener('abort', abort);
    const waking = resumed$.subscribe(({ reason }) => {
      // A tab that was only hidden has its answers.
      if (reason !== 'visible')
        controller.abort(new TransientError('network', 'the page slept, and the answer is lost'));
    });
    try {
      return await call(controller.signal);
    } finally {
      waking.unsubscribe();
      signal.removeEventListener('abort', abort);
    }
  };

  const submit = (input: { submissionId: string }, wanted: AbortSignal): Promise<SubmitOutcome> =>
    paced<SubmitOutcome>('submit', input, wanted, async (signal) => {
      const { submission } = particularsOf(input.submissionId);
      if (submission === undefined) throw new TypeError('a resumed assessment has no answers to submit');
      try {
        const { retryAfterMs, ...accepted } = await api.submit(submission, input.submissionId, signal);
        if (retryAfterMs !== null) particularsOf(input.submissionId).pacer.postpone('status', retryAfterMs);
        return { type: 'accepted', ...accepted, deadlineAt: clock.now() + options.monitoringTimeoutMs() };
      } catch (error) {
        if (!(error instanceof TransientError && error.maybeDone)) throw error;
        return { type: 'unconfirmed', retryAfterMs: error.retryAfterMs, problem: toProblem(error) };
      }
    });

  const checkStatus = (input: JobInput, wanted: AbortSignal): Promise<StatusOutcome> =>
    paced('status', input, wanted, async (signal) => {
      const state = await stateOf(input.jobId, signal);
      const isOld = clock.now() - particularsOf(input.submissionId).submittedAt >= pacing.archiveAfterMs;
      return statusOf(state.type === 'running' && isOld ? await newerOf(state, input.jobId, signal) : state);
    });

  /** A sweeper that gives up on a job tells the archive, and nobody else: the status would say "processing" for ever. */
  const newerOf = async (state: JobState, jobId: string, signal: AbortSignal): Promise<JobState> => {
    const archived = await api.job(jobId, signal).catch((error: unknown) => {
      signal.throwIfAborted();
      if (error instanceof UnauthorizedError) throw error;
      return state; // it was only asked to make sure
    });
    return archived.type === 'running' ? state : archived;
  };

  /** After a restart the status route has forgotten jobs that still run; the archive has not. */
  const stateOf = async (jobId: string, signal: AbortSignal): Promise<JobState> => {
    try {
      return await api.status(jobId, signal);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      return await api.job(jobId, signal).catch((inner: unknown) => {
        throw isNotFound(inner)
          ? new TransientError('unavailable', 'the server does not know the job at the moment')
          : inner;
      });
    }
  };

  const fetchResult = (input: JobInput, wanted: AbortSignal): Promise<ResultOutcome<Result>> =>
    paced<ResultOutcome<Result>>('result', input, wanted, async (signal) => {
      const id = input.resultId ?? (await resultIdOf(input.jobId, signal));
      if (id === null) throw notThereYet();
      const state = await api.result(id, signal).catch((error: unknown) => {
        throw isNotFound(error) ? notThereYet() : error;
      });
      if (state.type === 'not-ready') throw notThereYet(state.retryAfterMs);
      if (state.type === 'ready') return state;
      return { type: 'invalid', problem: { code: 'invalid-result', message: `result ${id} does not fit its schema` } };
    });

  const resultIdOf = async (jobId: string, signal: AbortSignal): Promise<string | null> => {
    const state = await api.job(jobId, signal);
    return state.type === 'completed' ? state.resultId : null;
  };

  const waitAfter = ({ retryAfterMs, failures }: AssessmentContext, bounds: typeof RETRY): number =>
    retryAfterMs ?? backoff(Math.max(0, failures - 1), bounds, random);

  const machine = assessmentMachine.provide({
    actors: {
      submitAssessment: fromPromise(({ input, signal }) => submit(input, signal)),
      checkStatus: fromPromise(({ input, signal }) => checkStatus(input, signal)),
      fetchResult: fromPromise(({ input, signal }) => fetchResult(input, signal)),
      // No signal: a refresh that has begun is not broken off, whoever loses interest in it.
      refreshToken: fromPromise(({ input }) => tokens.renew(input.refusedGeneration)),
      jobFeed: fromEventObservable(() => feed.events$),
      tokenWatch: fromEventObservable(() => tokens.events$),
      pageSignals: fromEventObservable(() => resumed$),
    },
    delays: {
      pollDelay: ({ context }) => {
        if (context.failures > 0) return waitAfter(context, POLL_RETRY);
        const { submittedAt } = particularsOf(context.submissionId);
        const age = Math.min(1, Math.max(0, (clock.now() - submittedAt) / OLD_MS));
        return jitter(pacing.pollMinMs + (pacing.pollMaxMs - pacing.pollMinMs) * age, 0.2, random);
      },
      heartbeat: ({ context }) => {
        if (context.failures > 0) return waitAfter(context, POLL_RETRY);
        return context.hinted ? HINT_MS : jitter(pacing.heartbeatMs, 0.2, random);
      },
      retryDelay: ({ context }) => waitAfter(context, RETRY),
      // A little more than the limit says, so that a client whose timer is early does not ask in vain.
      refreshDelay: ({ context }) => waitAfter(context, RETRY) + Math.round(50 + random() * 200),
      slowCheck: () => jitter(pacing.slowCheckMs, 0.2, random),
      untilDeadline: ({ context }) => Math.max(0, context.deadlineAt - clock.now()),
    },
  });
  warmUp(machine.root);
  return {
    machine,
    enrol(submissionId, particulars) {
      enrolled.set(submissionId, { ...particulars, pacer: createPacer(clock) });
      return () => void enrolled.delete(submissionId);
    },
  };
}

type JobInput = { submissionId: string; jobId: string; resultId: string | null };

/** XState works out a state's transitions when it is first entered. Done ahead, so that it is not done while a user waits. */
function warmUp(node: AnyStateNode): void {
  void [node.transitions, node.always, node.invoke, node.ownEvents];
  for (const child of Object.values(node.states)) warmUp(child);
}

type Failed = Unauthorized | Transient | Rejected;

/** An error of a service as an outcome of the chart. Defects stay errors. */
function failureOf(error: unknown): Failed {
  if (error instanceof UnauthorizedError) return { type: 'unauthorized', generation: error.generation };
  if (error instanceof TransientError) {
    return { type: 'transient', retryAfterMs: error.retryAfterMs, problem: toProblem(error) };
  }
  if (error instanceof RejectedError) return { type: 'rejected', problem: toProblem(error) };
  throw error;
}

function statusOf(state: JobState): StatusOutcome {
  return state.type === 'failed' ? { type: 'failed', problem: { code: 'job-failed', message: state.message } } : state;
}

const notThereYet = (retryAfterMs: number | null = null) =>
  new TransientError('unavailable', 'the result is not there yet', { retryAfterMs });
const isNotFound = (error: unknown) => error instanceof RejectedError && error.status === 404;
