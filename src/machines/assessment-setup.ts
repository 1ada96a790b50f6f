import { NEVER } from 'rxjs';
import { assertEvent, assign, cancel, emit, enqueueActions, fromEventObservable, fromPromise, setup } from 'xstate';
import { MAX_TIMEOUT_MS } from '../lib/clock.ts';
import type { ErrorCode, Problem } from '../lib/errors.ts';
import { isSameUser as isOneUser, mergeIdentities } from '../lib/identity.ts';
import { isPartOf } from '../lib/is-part-of.ts';
import {
  type AssessmentEvent,
  assertOutcome,
  type FeedEvent,
  outcomeIn,
  type PageEvent,
  problemIn,
  retryAfterIn,
  type TokenEvent,
} from './assessment-events.ts';
import type {
  ProgressReport,
  RefreshOutcome,
  ResultOutcome,
  StatusOutcome,
  SubmitOutcome,
} from './assessment-outcomes.ts';

/** The input of the machine. A resumed assessment brings what the job store has recorded of it. */
export interface AssessmentInput {
  /** Identifies the assessment; also its idempotency key. */
  submissionId: string;
  /** When the wait ends and the user is asked, ms since the epoch. */
  deadlineAt: number;
  /** Whether the server recognises a submission that is sent twice. @default true */
  idempotent?: boolean;
  /** The identity of the user, see `lib/identity.ts`; null while no session has begun. */
  userId?: string | null;
  jobId?: string | null;
  resultId?: string | null;
  /** The answer to an earlier submission was lost, and the server would not recognise a second one. @default false */
  outcomeUnknown?: boolean;
  /** There is no usable token, or one that expires soon. @default false */
  refreshDue?: boolean;
  /** How far the job was when it was last watched. @default queued, 0 % */
  progress?: Progress;
  /** Why the user was asked whether to wait longer; null where the user was not. @default null */
  delay?: Problem | null;
  /** The deadline had passed by then. @default false */
  overdue?: boolean;
  /** The server has finished the job. @default false */
  finished?: boolean;
}

/** Shown while the job runs. The percentage never goes back. */
export interface Progress {
  status: 'queued' | 'processing';
  /** 0 to 100 */
  percent: number;
  queuePosition: number | null;
}

/** The facts about the assessment. Serialisable; they hold no secret, clock, request or storage. */
export interface AssessmentContext {
  submissionId: string;
  idempotent: boolean;
  userId: string | null;
  jobId: string | null;
  resultId: string | null;
  deadlineAt: number;
  progress: Progress;

  // The facts that `deciding` reads.
  /** The token must be renewed before the next call. */
  refreshDue: boolean;
  /** The generation of the token that the server refused; null when it refused none. */
  refusedGeneration: number | null;
  /** The feed is connected and authenticated. */
  feedLive: boolean;
  /** The server has finished the job. */
  finished: boolean;
  /** The deadline has passed. */
  overdue: boolean;
  /** The deadline has passed, a status call has followed, and the user is asked. */
  timedOut: boolean;
  /** The submission may have arrived, and only the user may send it again. */
  outcomeUnknown: boolean;

  /** A terminal event named no job. It may be about this one: the next status call comes soon. */
  hinted: boolean;
  /** The feed broke without a reason to hurry, perhaps for every client: status calls are spread over time until it is back. */
  unhurried: boolean;
  /** Failures since the last good answer, counted up to {@link PATIENCE}. */
  failures: number;
  /** The wait that the server asked for in its latest answer, ms. */
  retryAfterMs: number | null;
  /** The latest problem, until a call succeeds. */
  problem: Problem | null;
}

/** How an assessment ended. */
export type AssessmentOutput<Result = unknown> =
  | { outcome: 'completed'; jobId: string | null; result: Result }
  | { outcome: 'failed'; jobId: string | null; problem: Problem }
  | { outcome: 'cancelled'; jobId: string | null; reason: 'cancelled' | 'another-user' };

/** What the machine emits, each with the type of the event that caused it. */
export type AssessmentEmitted =
  | { type: 'progress.changed'; progress: Progress; cause: string }
  | { type: 'balance.changed'; balance: number; cause: string }
  | { type: 'token.refreshed'; cause: string }
  | { type: 'feed.changed'; live: boolean; cause: string }
  | { type: 'assessment.settled'; outcome: AssessmentOutput['outcome']; cause: string };

/** The view shows a wait of this length, ms. */
const LONG_WAIT_MS = 60_000;
/** Problems that a retry within the minute hardly changes: the view shows them after {@link PATIENCE} of them. */
const persistent: ReadonlySet<ErrorCode> = new Set(['forbidden', 'job-not-found', 'invalid-response']);

/** Failures in a row after which an overdue assessment pauses without a status answer. Also the cap of the counter. */
export const PATIENCE = 5;

/** The job that a call is about, and whether its answer can wait because the feed would report the same. */
export const jobOf = ({ context }: { context: AssessmentContext }): JobInput => ({
  submissionId: context.submissionId,
  jobId: context.jobId ?? '',
  resultId: context.resultId,
  canWait: context.feedLive && !context.hinted && !context.overdue,
});
/** The input of a submission. `isSearch`: the answers are not sent; the call only finds out whether an earlier attempt arrived. */
export type SubmitInput = { submissionId: string; isSearch: boolean };
/** The input of the calls about a job. */
export type JobInput = { submissionId: string; jobId: string; resultId: string | null; canWait: boolean };

/** The input of a refresh. `isUrgent`: a finished result waits for it. */
export type RefreshInput = { refusedGeneration: number | null; isUrgent: boolean };

type Known = { context: AssessmentContext; event: AssessmentEvent };

/** The call ended with an outcome of this type. */
const answers =
  (type: NonNullable<ReturnType<typeof outcomeIn>>['type']) =>
  ({ event }: Known): boolean =>
    outcomeIn(event)?.type === type;

/** An assessment that began without a session belongs to the first one. */
function isSameUser({ context, event }: Known): boolean {
  assertEvent(event, ['token.renewed', 'session.restored']);
  return isOneUser(context.userId, event.userId);
}

function isOurJob({ context, event }: Known): boolean {
  assertEvent(event, 'job.*');
  if (context.jobId === null || context.finished) return false;
  if (event.jobId !== null) return event.jobId === context.jobId;
  return event.resultId !== null && event.resultId === context.resultId;
}

/** What any good answer resets. */
const fine = { failures: 0, retryAfterMs: null, problem: null, unhurried: false };
/** What a good answer to a status call resets: the server has accepted the token as well. */
const answered = { ...fine, refusedGeneration: null };
/** What a new deadline resets. */
const inTime = { overdue: false, timedOut: false, failures: 0, problem: null };

/** The same object where a report adds nothing. */
function progressAfter(before: Progress, report: ProgressReport): Progress {
  const status = before.status === 'processing' ? 'processing' : report.status;
  // Whole percent: a server may report every fraction, and each change renders.
  const percent = Math.max(before.percent, Math.floor(report.percent ?? 0));
  // A stale report does not bring back a place in a queue that the job has left.
  const queuePosition = status === 'queued' ? report.queuePosition : null;
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
    submitAssessment: fromPromise<SubmitOutcome, SubmitInput>(unprovided('submitAssessment')),
    checkStatus: fromPromise<StatusOutcome, JobInput>(unprovided('checkStatus')),
    fetchResult: fromPromise<ResultOutcome, JobInput>(unprovided('fetchResult')),
    refreshToken: fromPromise<RefreshOutcome, RefreshInput>(unprovided('refreshToken')),
    jobFeed: fromEventObservable<FeedEvent, { submissionId: string }>(() => NEVER),
    tokenWatch: fromEventObservable<TokenEvent, undefined>(() => NEVER),
    pageSignals: fromEventObservable<PageEvent, undefined>(() => NEVER),
  },

  guards: {
    // The facts.
    isRefreshDue: ({ context }) => context.refreshDue,
    hasNoJob: ({ context }) => context.jobId === null,
    hasJob: ({ context }) => context.jobId !== null,
    isFinished: ({ context }) => context.finished,
    isTimedOut: ({ context }) => context.timedOut,
    /** The next step needs no further status call. */
    isReadyToDecide: ({ context }) => context.refreshDue || context.finished,
    isFeedLive: ({ context }) => context.feedLive,
    isUnhurried: ({ context }) => context.unhurried,
    /** The feed is back after it broke without a reason to hurry: the status call can wait for a moment. */
    isFeedBack: ({ context }) => context.feedLive && context.unhurried,
    /** The server refused a token, and no refresh has followed yet. */
    isInDoubt: ({ context }) => context.refusedGeneration !== null,
    /** Listening needs a live feed and a good token. */
    canListenNoMore: ({ context }) => !context.feedLive || context.refreshDue,
    /** Polling needs a good token, and no feed. */
    canPollNoMore: ({ context }) => context.feedLive || context.refreshDue,
    /** This failure is one too many for an assessment whose deadline has passed. */
    isGivingUp: ({ context }) => context.timedOut || (context.overdue && context.failures >= PATIENCE - 1),
    /** The same kind of answer came too often in a row to hope for another one soon. */
    isPersistent: ({ context, event }) => {
      const problem = problemIn(event);
      return problem !== null && persistent.has(problem.code) && context.failures >= PATIENCE - 1;
    },
    /** The server asks for a wait that the user should know about. */
    isLongWait: ({ event }) => (retryAfterIn(event) ?? 0) >= LONG_WAIT_MS,
    /** The server has asked for such a wait, and nothing has been asked since. */
    isPutOff: ({ context }) => context.failures > 0 && (context.retryAfterMs ?? 0) >= LONG_WAIT_MS,
    /** The latest failure, counted already, was one too many. */
    isOutOfPatience: ({ context }) => context.timedOut || (context.overdue && context.failures >= PATIENCE),

    // The events.
    /** The event is about the watched job, by the job's id or by the result's. */
    isOurJob,
    /** … and its result has to wait for a refresh. */
    isOurJobDelayed: (it) => isOurJob(it) && it.context.refreshDue,
    /** The event names no job and no known result. It may be about the watched job: equal answers share the result of the first. */
    isHint: ({ context, event }) => {
      assertEvent(event, 'job.*');
      if (context.jobId === null || context.finished) return false;
      return event.jobId === null && (event.resultId === null || event.resultId !== context.resultId);
    },
    /** A failure that is, or may be, of the watched job. Only the status confirms it: a worker may try again. */
    isFailureReport: ({ context, event }) => {
      assertEvent(event, 'job.failed');
      if (context.jobId === null || context.finished) return false;
      return event.jobId === null || event.jobId === context.jobId;
    },
    /** The job has started, and only the status knows how far it is. The distance between status calls bounds a flood of these. */
    isUnmeasuredStart: ({ context, event }) => {
      assertEvent(event, 'job.progressed');
      return event.percent === null && event.jobId !== null && event.jobId === context.jobId && !context.finished;
    },
    isSameUser,
    isAnotherUser: (it) => !isSameUser(it),

    // The outcomes of calls.
    isAccepted: answers('accepted'),
    isUnauthorized: answers('unauthorized'),
    /** The first refusal of a token that seemed good may be the verifier's fault, and the feed reports the job all the same. */
    isDoubtful: ({ context, event }) => {
      const outcome = outcomeIn(event);
      const isRefused = outcome?.type === 'unauthorized' && outcome.generation !== null;
      return isRefused && context.feedLive && context.refusedGeneration === null;
    },
    isRejected: answers('rejected'),
    /** The submission may have arrived, and sending it again might start a second job. */
    isUnrepeatable: ({ context, event }) => {
      const outcome = outcomeIn(event);
      return outcome?.type === 'unconfirmed' && (!context.idempotent || outcome.isFinal === true);
    },
    isRunning: answers('running'),
    isRunningLate: (it) => answers('running')(it) && it.context.overdue,
    isCompleted: answers('completed'),
    isFailed: answers('failed'),
    isFailedForGood: ({ event }) => {
      const outcome = outcomeIn(event);
      return outcome?.type === 'failed' && outcome.isConfirmed !== false;
    },
    isReady: answers('ready'),
    isInvalidForGood: ({ event }) => {
      const outcome = outcomeIn(event);
      return outcome?.type === 'invalid' && outcome.isConfirmed !== false;
    },
    isRenewed: answers('renewed'),
    isStillGood: answers('holds'),
    isOutage: answers('outage'),
  },

  actions: {
    noteAccepted: assign(({ event }) => {
      const { jobId, resultId, deadlineAt } = assertOutcome(event, 'accepted');
      return { ...inTime, ...fine, outcomeUnknown: false, jobId, resultId, deadlineAt };
    }),
    noteKnown: assign(({ event }) => {
      assertEvent(event, 'submission.known');
      // The deadline stays: a status call comes before it counts.
      return { ...fine, timedOut: false, outcomeUnknown: false, jobId: event.jobId, resultId: event.resultId };
    }),
    noteOutcomeUnknown: assign({ outcomeUnknown: true }),
    noteSendAgain: assign({ outcomeUnknown: false }),

    noteProgress: enqueueActions(({ context, event, enqueue }) => {
      const isPushed = event.type === 'job.progressed';
      const report = isPushed ? { ...event, queuePosition: null } : assertOutcome(event, 'running');
      const progress = progressAfter(context.progress, report);
      const news: Partial<AssessmentContext> = {
        progress,
        ...(!isPushed && {
          ...answered,
          retryAfterMs: retryAfterIn(event),
          // The polls of a fleet stay spread until its feeds are back.
          unhurried: context.unhurried && !context.feedLive,
        }),
      };
      // Most polls report nothing new: they then leave the context as it is.
      if (isPartOf(news, context)) return;
      enqueue.assign(news);
      if (progress !== context.progress) enqueue.emit({ type: 'progress.changed', progress, cause: event.type });
    }),
    noteFinished: assign(({ context, event }) => {
      const isPushed = event.type === 'job.completed';
      const { resultId } = isPushed ? event : assertOutcome(event, 'completed');
      // The feed needs no token, and the result does. A server that answered has accepted the token.
      const isInDoubt = isPushed && context.refusedGeneration !== null;
      return {
        ...fine,
        finished: true,
        resultId: resultId ?? context.resultId,
        refreshDue: context.refreshDue || isInDoubt,
        refusedGeneration: isInDoubt ? context.refusedGeneration : null,
      };
    }),
    noteHint: assign({ hinted: true }),
    /** The reasons for a sooner or a later status call end with the call. */
    noteLook: assign({ hinted: false, unhurried: false }),
    noteUnhurried: assign({ unhurried: true }),
    hurry: assign({ unhurried: false }),

    noteFailure: assign(({ context, event }) => ({
      failures: Math.min(PATIENCE, context.failures + 1),
      retryAfterMs: retryAfterIn(event),
      problem: problemIn(event) ?? context.problem,
    })),
    noteProblem: assign(({ context, event }) => ({
      retryAfterMs: retryAfterIn(event),
      problem: problemIn(event) ?? context.problem,
    })),

    noteDoubt: assign(({ event }) => ({
      refusedGeneration: assertOutcome(event, 'unauthorized').generation,
      unhurried: false,
    })),
    noteRefused: assign(({ event }) => ({
      refreshDue: true,
      refusedGeneration: assertOutcome(event, 'unauthorized').generation,
      unhurried: false,
    })),
    noteRefreshDue: assign({ refreshDue: true }),
    noteTokenGood: assign({ refreshDue: false, refusedGeneration: null }),
    /** The refusal is over. A refresh that is due stays due. */
    noteTrusted: assign({ refusedGeneration: null }),
    /** The waits for the auth service say nothing about the calls that follow. */
    noteRecovered: assign({ failures: 0, retryAfterMs: null }),
    noteUser: assign(({ context, event }) => {
      assertEvent(event, ['token.renewed', 'session.restored']);
      return { userId: event.userId === null ? context.userId : mergeIdentities(context.userId, event.userId) };
    }),
    noteSignInNeeded: assign({
      problem: {
        code: 'sign-in-required',
        message: 'the session has ended; the assessment is kept and resumes after a sign-in',
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
    /** The job runs within its deadline after all. */
    noteInTime: assign({ timedOut: false }),
    /** After a sign-in a status call comes before the deadline counts: the job may have finished in between. */
    lookAgain: assign({ timedOut: false, failures: 0, problem: null }),
    extendDeadline: assign(({ event }) => {
      assertEvent(event, 'assessment.keepWaiting');
      return { ...inTime, deadlineAt: event.deadlineAt };
    }),
    moveDeadline: assign(({ context, event }) => {
      assertEvent(event, 'deadline.moved');
      return { overdue: false, deadlineAt: context.deadlineAt + event.byMs };
    }),
    postponeDeadline: assign(({ event }) => {
      assertEvent(event, 'assessment.keepWaiting');
      return { overdue: false, deadlineAt: event.deadlineAt };
    }),
    /** Replaces the timer: a sleep, a jump of the clock or a new deadline has made the old one wrong. */
    armDeadline: enqueueActions(({ context, enqueue }) => {
      enqueue.cancel('deadline');
      if (!context.overdue) enqueue.raise({ type: 'deadline.passed' }, { id: 'deadline', delay: 'untilDeadline' });
    }),
    disarmDeadline: cancel('deadline'),

    tellBalance: enqueueActions(({ event, enqueue }) => {
      const { balance } = event.type === 'balance.changed' ? event : assertOutcome(event, 'accepted');
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

  // Plain delays, so that the chart works without a client. The client provides adaptive, jittered ones: `actors/delays.ts`.
  delays: {
    /** Between two polls. */
    pollDelay: ({ context }) => context.retryAfterMs ?? 5_000,
    /** Between two status calls while the feed is quiet. */
    heartbeat: ({ context }) => Math.max(45_000, context.retryAfterMs ?? 0),
    /** Before a failed submission or result fetch is repeated. */
    retryDelay: ({ context }) => context.retryAfterMs ?? 2_000,
    /** Before the next refresh attempt, or the next use of a fresh token that the server refused. */
    refreshDelay: ({ context }) => context.retryAfterMs ?? 5_000,
    /** Between two status calls for a job whose deadline has passed. */
    slowCheck: ({ context }) => Math.max(60_000, context.retryAfterMs ?? 0),
    /** From now to `deadlineAt`. The one place where the chart reads a clock; the client provides its own. */
    untilDeadline: ({ context }) => Math.min(MAX_TIMEOUT_MS, Math.max(0, context.deadlineAt - Date.now())),
  },
});
