import { assign, cancel, emit, enqueueActions, fromEventObservable, fromPromise, setup } from 'xstate';
import { type Problem, toProblem } from '../lib/errors.ts';
import { isPartOf } from '../lib/is-part-of.ts';
import type { JobFeedEvent } from '../services/feed/vocabulary.ts';
import type { PageEvent } from '../services/page-signals.ts';
import { createSubject } from '../lib/subject.ts';
import type { TokenEvent } from '../services/auth/token-service.ts';
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
  /** The feed broke while all was quiet, and perhaps everybody's did: the next look at the job takes its time. */
  unhurried: boolean;
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

/** The job that a call is about, and whether nobody misses the answer for a while: the feed would tell as well. */
export const jobOf = ({ context }: { context: AssessmentContext }): Job => ({
  submissionId: context.submissionId,
  jobId: context.jobId ?? '',
  resultId: context.resultId,
  canWait: context.feedLive && !context.hinted && !context.overdue,
});
type Job = { submissionId: string; jobId: string; resultId: string | null; canWait: boolean };

/** All that an event or an answer may tell. A guard makes sure of what an action takes from it. */
interface Said extends Partial<ProgressReport> {
  type?: string;
  jobId?: string | null;
  resultId?: string | null;
  userId?: string | null;
  generation?: number | null;
  balance?: number | null;
  deadlineAt?: number;
  message?: string;
  retryAfterMs?: number | null;
  problem?: Problem;
}

/** What an event tells: the answer of a call, a defect as a failure (nothing that throws may end an assessment), or the event itself. */
function said(event: object): Said {
  if ('error' in event) return { problem: toProblem(event.error) };
  return 'output' in event ? (event.output as Said) : event;
}

type Known = { context: AssessmentContext; event: AssessmentEvent };

/** The answer of a call is of this kind. */
const answers =
  (type: string) =>
  ({ event }: Known): boolean =>
    said(event).type === type;

const isSameUser = ({ context, event }: Known): boolean => {
  const { userId = null } = said(event);
  return context.userId === null || userId === null || userId === context.userId;
};

/** The event is about the job that is watched, by its id or by that of its result. */
export function isOurJob({ context, event }: Known): boolean {
  const { jobId = null, resultId = null } = said(event);
  if (context.jobId === null || context.finished) return false;
  return jobId === null ? resultId !== null && resultId === context.resultId : jobId === context.jobId;
}

/** What a good answer means, whatever it says. */
const fine = { failures: 0, retryAfterMs: null, problem: null, unhurried: false };
/** What the answer of a status call means: the token was taken as well. */
const answered = { ...fine, refusedGeneration: null };
/** What a new deadline means. */
const inTime = { overdue: false, timedOut: false, failures: 0, problem: null };

/** The same object where a report tells nothing new. */
function progressAfter(before: Progress, report: Said): Progress {
  const status = before.status === 'processing' ? 'processing' : (report.status ?? 'queued');
  const percent = Math.max(before.percent, report.percent ?? 0);
  // A stale report does not bring back a place in a queue that was left.
  const queuePosition = status === 'queued' ? (report.queuePosition ?? null) : null;
  const isSame = status === before.status && percent === before.percent && queuePosition === before.queuePosition;
  return isSame ? before : { status, percent, queuePosition };
}

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
    jobFeed: fromEventObservable<JobFeedEvent, undefined>(() => createSubject<JobFeedEvent>()),
    tokenWatch: fromEventObservable<TokenEvent, undefined>(() => createSubject<TokenEvent>()),
    pageSignals: fromEventObservable<PageEvent, undefined>(() => createSubject<PageEvent>()),
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
    isUnhurried: ({ context }) => context.unhurried,
    /** Whatever happened while it was away can wait for a moment. */
    isFeedBack: ({ context }) => context.feedLive && context.unhurried,
    /** A token was refused, and nothing is done about it yet. */
    isInDoubt: ({ context }) => context.refusedGeneration !== null,
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
    isOurJob,
    /** It names no job that we could compare: it may be ours, and it may not. */
    isHint: ({ context, event }) => {
      const { jobId = null, resultId = null } = said(event);
      if (context.jobId === null || context.finished) return false;
      return jobId === null && (resultId === null || context.resultId === null);
    },
    isSameUser,
    isAnotherUser: (it) => !isSameUser(it),

    // What a call came to.
    isAccepted: answers('accepted'),
    isUnauthorized: answers('unauthorized'),
    /** The first refusal of a token that seemed good may be the verifier's fault, and the feed tells of the job meanwhile. */
    isDoubtful: ({ context, event }) =>
      context.feedLive && context.refusedGeneration === null && said(event).generation != null,
    isRejected: answers('rejected'),
    /** It may have arrived, and sending it again might do it twice. */
    isUnrepeatable: (it) => answers('unconfirmed')(it) && !it.context.idempotent,
    isRunning: answers('running'),
    isRunningLate: (it) => answers('running')(it) && it.context.overdue,
    isCompleted: answers('completed'),
    isFailed: answers('failed'),
    isReady: answers('ready'),
    isInvalidForGood: (it) => answers('invalid')(it) && it.context.failures >= PATIENCE - 1,
    isRenewed: answers('renewed'),
    isStillGood: answers('holds'),
    isOutage: answers('outage'),
  },

  actions: {
    noteAccepted: assign(({ event }) => {
      const { jobId = null, resultId = null, deadlineAt = 0 } = said(event);
      return { ...inTime, ...fine, jobId, resultId, deadlineAt };
    }),
    noteOutcomeUnknown: assign({ outcomeUnknown: true }),
    noteSendAgain: assign({ outcomeUnknown: false }),

    noteProgress: enqueueActions(({ context, event, enqueue }) => {
      const progress = progressAfter(context.progress, said(event));
      const news: Partial<AssessmentContext> = { progress, ...('output' in event && answered) };
      // Most answers say what is known. A copy of the snapshot for nothing would be the dearest part of a poll.
      if (isPartOf(news, context)) return;
      enqueue.assign(news);
      if (progress !== context.progress) enqueue.emit({ type: 'progress.changed', progress, cause: event.type });
    }),
    noteFinished: assign(({ context, event }) => {
      const isInDoubt = 'jobId' in event && context.refusedGeneration !== null;
      return {
        ...fine,
        finished: true,
        resultId: said(event).resultId ?? context.resultId,
        // The feed needs no token, and the result does. A server that answered has taken it.
        refreshDue: context.refreshDue || isInDoubt,
        refusedGeneration: isInDoubt ? context.refusedGeneration : null,
      };
    }),
    noteHint: assign({ hinted: true }),
    /** The reasons to look sooner, or later, than usual end with the look. */
    noteLook: assign({ hinted: false, unhurried: false }),
    noteUnhurried: assign({ unhurried: true }),
    hurry: assign({ unhurried: false }),

    noteFailure: assign(({ context, event }) => {
      const { retryAfterMs = null, problem = context.problem } = said(event);
      return { failures: Math.min(PATIENCE, context.failures + 1), retryAfterMs, problem };
    }),
    noteProblem: assign(({ context, event }) => ({ problem: said(event).problem ?? context.problem })),
    noteJobFailed: assign(({ event }) => ({ problem: { code: 'job-failed', message: said(event).message ?? '' } })),

    noteDoubt: assign(({ event }) => ({ refusedGeneration: said(event).generation ?? null, unhurried: false })),
    noteRefused: assign(({ event }) => ({
      refreshDue: true,
      refusedGeneration: said(event).generation ?? null,
      unhurried: false,
    })),
    noteRefreshDue: assign({ refreshDue: true }),
    noteTokenGood: assign({ refreshDue: false, refusedGeneration: null }),
    noteUser: assign(({ context, event }) => ({ userId: context.userId ?? said(event).userId ?? null })),
    noteSignInNeeded: assign({
      problem: {
        code: 'sign-in-required',
        message: 'the session has ended; the job is kept and goes on after a sign-in',
      },
      unhurried: false,
    }),

    noteFeedLive: assign({ feedLive: true }),
    noteFeedLost: assign({ feedLive: false }),

    noteOverdue: assign({ overdue: true }),
    noteTimedOut: assign(({ context }) => ({
      timedOut: true,
      unhurried: false,
      problem: context.problem ?? { code: 'timed-out', message: 'the deadline passed and the analysis still runs' },
    })),
    /** After a sign-in the deadline must not win unseen: the job may have finished meanwhile. */
    lookAgain: assign({ timedOut: false, failures: 0, problem: null }),
    extendDeadline: assign(({ event }) => ({ ...inTime, deadlineAt: said(event).deadlineAt ?? 0 })),
    /** Sets the timer anew: a sleep, a jump of the clock or a new deadline has made the old one wrong. */
    armDeadline: enqueueActions(({ context, enqueue }) => {
      enqueue.cancel('deadline');
      if (!context.overdue) enqueue.raise({ type: 'deadline.passed' }, { id: 'deadline', delay: 'untilDeadline' });
    }),
    disarmDeadline: cancel('deadline'),

    tellBalance: enqueueActions(({ event, enqueue }) => {
      const { balance = null } = said(event);
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
