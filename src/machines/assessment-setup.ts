import { EMPTY } from 'rxjs';
import { assign, cancel, emit, enqueueActions, fromEventObservable, fromPromise, setup } from 'xstate';
import { type Problem, toProblem } from '../errors.ts';
import type { JobFeedEvent } from '../services/job-feed.ts';
import type { PageEvent } from '../services/page-signals.ts';
import type { TokenEvent } from '../services/token-service.ts';
import type {
  ProgressReport,
  RefreshOutcome,
  ResultOutcome,
  StatusOutcome,
  SubmitOutcome,
} from './assessment-outcomes.ts';

/** What the machine is started with. A resumed assessment brings what the job store remembered of it. */
export interface AssessmentInput {
  /** Identifies the assessment; also its idempotency key. */
  submissionId: string;
  /** Until when to wait before the user is asked, ms since the epoch. */
  deadlineAt: number;
  /** Whether the server recognises a submission that is sent twice. Default true. */
  idempotent?: boolean;
  userId?: string | null;
  jobId?: string | null;
  resultId?: string | null;
  /** The answer to an earlier submission was lost, and the server cannot recognise a second one. */
  outcomeUnknown?: boolean;
  /** There is no usable token yet, or one that expires soon. */
  refreshDue?: boolean;
}

/** Shown while the job runs. The percentage never goes back. */
export interface Progress {
  status: 'queued' | 'processing';
  /** 0 to 100 */
  percent: number;
  queuePosition: number | null;
}

/** What is known of the assessment. Serialisable; no secret, clock, request or storage in it. */
export interface AssessmentContext {
  submissionId: string;
  idempotent: boolean;
  userId: string | null;
  jobId: string | null;
  resultId: string | null;
  deadlineAt: number;
  progress: Progress;

  // The facts that `deciding` reads.
  /** The token should be renewed before anything else is asked. */
  refreshDue: boolean;
  /** The generation of the token that the server refused, if it refused one. */
  refusedGeneration: number | null;
  /** The feed is connected and authenticated. */
  feedLive: boolean;
  /** The server has finished the job. */
  finished: boolean;
  /** The deadline has passed. */
  overdue: boolean;
  /** The deadline has passed and we have looked: the user was told. */
  timedOut: boolean;
  /** The submission may or may not have arrived, and only the user may send it again. */
  outcomeUnknown: boolean;

  /** A terminal event that names no job was heard. It may be ours: look again soon. */
  hinted: boolean;
  /** Failures since the last good answer, counted up to `PATIENCE`. */
  failures: number;
  /** What the server asked us to wait, ms. */
  retryAfterMs: number | null;
  /** The latest problem, until something goes well again. */
  problem: Problem | null;
}

export type AssessmentEvent =
  | { type: 'assessment.submit' }
  | { type: 'assessment.resume' }
  | { type: 'assessment.cancel' }
  /** The user wants to wait longer: until `deadlineAt`, ms since the epoch. */
  | { type: 'assessment.keepWaiting'; deadlineAt: number }
  /** The user decides that a submission of unknown outcome is sent once more. */
  | { type: 'assessment.sendAgain' }
  | { type: 'deadline.passed' }
  | JobFeedEvent
  | TokenEvent
  | PageEvent;

/** How an assessment ended. */
export type AssessmentOutput<Result = unknown> =
  | { outcome: 'completed'; jobId: string | null; result: Result }
  | { outcome: 'failed'; jobId: string | null; problem: Problem }
  | { outcome: 'cancelled'; jobId: string | null; reason: 'cancelled' | 'another-user' };

/** What the machine tells the world, each with the event that caused it. */
export type AssessmentEmitted =
  | { type: 'progress.changed'; progress: Progress; cause: string }
  | { type: 'balance.changed'; balance: number; cause: string }
  | { type: 'token.refreshed'; cause: string }
  | { type: 'feed.changed'; live: boolean; cause: string }
  | { type: 'assessment.settled'; outcome: AssessmentOutput['outcome']; cause: string };

/** Failures in a row after which an overdue assessment is parked although nobody could be asked. Also the counter's cap. */
export const PATIENCE = 5;

/** The outcome of a call, as the parameter of a guard or an action. */
export const outcomeOf = <T>({ event }: { event: { output: T } }): T => event.output;
/** A thrown defect as a failure: nothing that throws may end an assessment. */
export const defectOf = ({ event }: { event: { error: unknown } }) => ({
  retryAfterMs: null,
  problem: toProblem(event.error),
});
/** The job that a call is about, and whether nobody misses the answer for a while: the feed would tell as well. */
export const jobOf = ({ context }: { context: AssessmentContext }): Job => ({
  submissionId: context.submissionId,
  jobId: context.jobId ?? '',
  resultId: context.resultId,
  canWait: context.feedLive && !context.hinted && !context.overdue,
});
/** The event itself, as the parameter of a guard or an action. */
export const eventOf = <T>({ event }: { event: T }): T => event;

type Outcome<Type extends string = string> = { type: Type };
type Job = { submissionId: string; jobId: string; resultId: string | null; canWait: boolean };
type JobIds = { jobId: string | null; resultId: string | null };
type Failure = { retryAfterMs: number | null; problem: Problem };

const unprovided = (actor: string) => () =>
  Promise.reject(
    new Error(`assessmentMachine needs the actor "${actor}": use createAssessmentClient, or provide your own`),
  );

/** Everything that the chart names. The chart itself is in `assessment-machine.ts`. */
export const assessmentSetup = setup({
  types: {} as {
    input: AssessmentInput;
    context: AssessmentContext;
    events: AssessmentEvent;
    output: AssessmentOutput;
    emitted: AssessmentEmitted;
    tags: 'busy' | 'monitoring' | 'parked' | 'needs-sign-in';
  },

  actors: {
    submitAssessment: fromPromise<SubmitOutcome, { submissionId: string }>(unprovided('submitAssessment')),
    checkStatus: fromPromise<StatusOutcome, Job>(unprovided('checkStatus')),
    fetchResult: fromPromise<ResultOutcome, Job>(unprovided('fetchResult')),
    refreshToken: fromPromise<RefreshOutcome, { refusedGeneration: number | null }>(unprovided('refreshToken')),
    jobFeed: fromEventObservable<JobFeedEvent, undefined>(() => EMPTY),
    tokenWatch: fromEventObservable<TokenEvent, undefined>(() => EMPTY),
    pageSignals: fromEventObservable<PageEvent, undefined>(() => EMPTY),
  },

  guards: {
    // What is known.
    isRefreshDue: ({ context }) => context.refreshDue,
    hasNoJob: ({ context }) => context.jobId === null,
    hasJob: ({ context }) => context.jobId !== null,
    isFinished: ({ context }) => context.finished,
    isTimedOut: ({ context }) => context.timedOut,
    /** What there is to do does not need another look at the status. */
    isReadyToDecide: ({ context }) => context.refreshDue || context.finished,
    isFeedLive: ({ context }) => context.feedLive,
    isOutcomeUnknown: ({ context }) => context.outcomeUnknown,
    /** Listening makes sense with a live feed and a good token only. */
    canListenNoMore: ({ context }) => !context.feedLive || context.refreshDue,
    /** Polling makes sense without a feed and with a good token only. */
    canPollNoMore: ({ context }) => context.feedLive || context.refreshDue,
    /** This failure is one too many for an assessment whose deadline has passed. */
    isGivingUp: ({ context }) => context.timedOut || (context.overdue && context.failures >= PATIENCE - 1),
    /** The latest failure, counted already, was one too many. */
    isOutOfPatience: ({ context }) => context.timedOut || (context.overdue && context.failures >= PATIENCE),

    // What an event says.
    isOurJob: ({ context }, { jobId, resultId }: JobIds) =>
      context.jobId !== null &&
      !context.finished &&
      (jobId !== null ? jobId === context.jobId : resultId !== null && resultId === context.resultId),
    /** It names no job that we could compare: it may be ours, and it may not. */
    isHint: ({ context }, { jobId, resultId }: JobIds) =>
      context.jobId !== null && !context.finished && jobId === null && (resultId === null || context.resultId === null),
    isSameUser: ({ context }, { userId }: { userId: string | null }) =>
      context.userId === null || userId === null || userId === context.userId,
    isAnotherUser: ({ context }, { userId }: { userId: string | null }) =>
      context.userId !== null && userId !== null && userId !== context.userId,

    // What a call came to.
    isAccepted: (_, outcome: Outcome) => outcome.type === 'accepted',
    isUnauthorized: (_, outcome: Outcome) => outcome.type === 'unauthorized',
    isRejected: (_, outcome: Outcome) => outcome.type === 'rejected',
    /** It may have arrived, and sending it again might do it twice. */
    isUnrepeatable: ({ context }, outcome: Outcome) => outcome.type === 'unconfirmed' && !context.idempotent,
    isRunning: (_, outcome: Outcome) => outcome.type === 'running',
    isRunningLate: ({ context }, outcome: Outcome) => outcome.type === 'running' && context.overdue,
    isCompleted: (_, outcome: Outcome) => outcome.type === 'completed',
    isFailed: (_, outcome: Outcome) => outcome.type === 'failed',
    isReady: (_, outcome: Outcome) => outcome.type === 'ready',
    isInvalidForGood: ({ context }, outcome: Outcome) => outcome.type === 'invalid' && context.failures >= PATIENCE - 1,
    isRenewed: (_, outcome: Outcome) => outcome.type === 'renewed',
    isStillGood: (_, outcome: Outcome) => outcome.type === 'holds',
    isOutage: (_, outcome: Outcome) => outcome.type === 'outage',
  },

  actions: {
    noteAccepted: assign((_, outcome: SubmitOutcome) =>
      outcome.type === 'accepted'
        ? {
            jobId: outcome.jobId,
            resultId: outcome.resultId,
            deadlineAt: outcome.deadlineAt,
            overdue: false,
            timedOut: false,
            failures: 0,
            retryAfterMs: null,
            problem: null,
          }
        : {},
    ),
    noteOutcomeUnknown: assign({ outcomeUnknown: true }),
    noteSendAgain: assign({ outcomeUnknown: false }),

    noteProgress: enqueueActions(({ context, event, enqueue }, report: Outcome | ProgressReport) => {
      if (!('percent' in report)) return;
      const before = context.progress;
      const status = before.status === 'processing' ? 'processing' : report.status;
      const progress: Progress = {
        status,
        percent: Math.max(before.percent, report.percent ?? 0),
        // A stale report does not bring back a place in a queue that was left.
        queuePosition: status === 'queued' ? report.queuePosition : null,
      };
      const isSame =
        progress.status === before.status &&
        progress.percent === before.percent &&
        progress.queuePosition === before.queuePosition;
      if (isSame) return;
      enqueue.assign({ progress });
      enqueue.emit({ type: 'progress.changed', progress, cause: event.type });
    }),
    noteAnswered: assign({ failures: 0, retryAfterMs: null, problem: null }),
    noteFinished: assign(({ context }, said: Outcome | JobIds) => ({
      finished: true,
      resultId: ('resultId' in said ? said.resultId : null) ?? context.resultId,
      failures: 0,
      retryAfterMs: null,
      problem: null,
    })),
    noteHint: assign({ hinted: true }),
    forgetHint: assign({ hinted: false }),

    noteFailure: assign(({ context }, outcome: Outcome | Failure) => ({
      failures: Math.min(PATIENCE, context.failures + 1),
      retryAfterMs: 'retryAfterMs' in outcome ? outcome.retryAfterMs : null,
      problem: 'problem' in outcome ? outcome.problem : context.problem,
    })),
    noteProblem: assign(({ context }, outcome: Outcome | { problem: Problem }) => ({
      problem: 'problem' in outcome ? outcome.problem : context.problem,
    })),
    noteJobFailed: assign((_, event: { message: string }) => ({
      problem: { code: 'job-failed' as const, message: event.message },
    })),

    noteRefused: assign((_, outcome: Outcome | { generation: number | null }) => ({
      refreshDue: true,
      refusedGeneration: 'generation' in outcome ? outcome.generation : null,
    })),
    noteRefreshDue: assign({ refreshDue: true }),
    noteTokenGood: assign({ refreshDue: false, refusedGeneration: null }),
    noteUser: assign(({ context }, { userId }: { userId: string | null }) => ({ userId: context.userId ?? userId })),
    noteSignInNeeded: assign({
      problem: {
        code: 'sign-in-required',
        message: 'the session has ended; the job is kept and goes on after a sign-in',
      },
    }),

    noteFeedLive: assign({ feedLive: true }),
    noteFeedLost: assign({ feedLive: false }),

    noteOverdue: assign({ overdue: true }),
    noteTimedOut: assign(({ context }) => ({
      timedOut: true,
      problem: context.problem ?? { code: 'timed-out', message: 'the deadline passed and the analysis still runs' },
    })),
    /** After a sign-in the deadline must not win unseen: the job may have finished meanwhile. */
    lookAgain: assign({ timedOut: false, failures: 0, problem: null }),
    extendDeadline: assign((_, { deadlineAt }: { deadlineAt: number }) => ({
      deadlineAt,
      overdue: false,
      timedOut: false,
      failures: 0,
      problem: null,
    })),
    /** Sets the timer anew: a sleep, a jump of the clock or a new deadline has made the old one wrong. */
    armDeadline: enqueueActions(({ context, enqueue }) => {
      enqueue.cancel('deadline');
      if (!context.overdue) enqueue.raise({ type: 'deadline.passed' }, { id: 'deadline', delay: 'untilDeadline' });
    }),
    disarmDeadline: cancel('deadline'),

    tellBalance: enqueueActions(({ event, enqueue }, said: Outcome | { balance: number | null }) => {
      const balance = 'balance' in said ? said.balance : null;
      if (balance !== null) enqueue.emit({ type: 'balance.changed', balance, cause: event.type });
    }),
    tellRefreshed: emit(({ event }) => ({ type: 'token.refreshed', cause: event.type })),
    tellFeed: emit(({ context, event }) => ({ type: 'feed.changed', live: context.feedLive, cause: event.type })),
    tellSettled: emit(({ event }, { outcome }: { outcome: AssessmentOutput['outcome'] }) => ({
      type: 'assessment.settled',
      outcome,
      cause: event.type,
    })),
  },

  // Only here so that the chart works as it is; the client provides adaptive, jittered ones.
  delays: {
    /** Between two polls. */
    pollDelay: 5_000,
    /** Between two status calls while the feed is quiet. */
    heartbeat: 45_000,
    /** Before a failed submission or result fetch is repeated. */
    retryDelay: 2_000,
    /** Before a refresh is tried again, or a refused fresh token. */
    refreshDelay: 5_000,
    /** Between two looks at a job whose deadline has passed. */
    slowCheck: 60_000,
    /** From now to `deadlineAt`. Wall-clock time is the client's business: the chart has no clock. */
    untilDeadline: 1_800_000,
  },
});
