import type { SnapshotFrom } from 'xstate';
import { delayCodes, type ErrorCode, type Problem, type ProblemDetails } from '../lib/errors.ts';
import type { assessmentMachine } from '../machines/assessment-machine.ts';
import type { AssessmentOutput, Progress } from '../machines/assessment-setup.ts';
import { describeProblem, type Messages, type ProblemDescription } from '../messages/index.ts';

/** The top-level states of the chart; inside `active`, the ones below it. */
export type AssessmentStateName =
  | 'idle'
  | 'submitting'
  | 'ws-monitoring'
  | 'polling'
  | 'refreshing-token'
  | 'fetching-result'
  | 'auth-failed'
  | 'timed-out'
  | 'completed'
  | 'failed'
  | 'cancelled';

interface Common {
  /** The assessment's own id, stable over reloads. */
  readonly id: string;
  /** The server's id of the job, for support; null until the acceptance. */
  readonly jobId: string | null;
  readonly progress: Progress;
}

/**
 * An assessment as a page shows it. `phase` covers all that a user needs to know; a token refresh or a fallback to polling is
 * not part of it.
 */
export type AssessmentView<Result = unknown> =
  | (Common & { readonly phase: 'submitting' })
  /** The analysis runs on the server. */
  | (Common & { readonly phase: 'waiting' })
  /** Paused until the user signs in; it then resumes by itself. */
  | (Common & { readonly phase: 'sign-in-needed'; readonly error: ProblemDescription })
  /** The deadline has passed and the analysis still runs: offer `keepWaiting`. */
  | (Common & { readonly phase: 'delayed'; readonly error: ProblemDescription })
  /** The answers may not have arrived: offer `sendAgain` or `cancel`. Only without idempotency keys. */
  | (Common & { readonly phase: 'unconfirmed'; readonly error: ProblemDescription })
  | (Common & { readonly phase: 'completed'; readonly result: Result })
  | (Common & { readonly phase: 'failed'; readonly error: ProblemDescription })
  /** By the user; or its user is no longer signed in, and the assessment has left the client's snapshot. */
  | (Common & { readonly phase: 'cancelled' });

export type AssessmentPhase = AssessmentView['phase'];

/** A snapshot of the running machine, for XState users: `matches`, `hasTag`, `context`. */
export type AssessmentSnapshot = SnapshotFrom<typeof assessmentMachine>;

/** The name of the state that a snapshot is in, without its inner steps. */
export function stateNameOf({ value }: Pick<AssessmentSnapshot, 'value'>): AssessmentStateName {
  if (typeof value === 'string') return value as AssessmentStateName;
  const inner: unknown = value.active;
  return (typeof inner === 'string' ? inner : Object.keys(inner as object)[0]) as AssessmentStateName;
}

/** The phase of a snapshot: all that a user needs to know. */
function phaseOf(snapshot: AssessmentSnapshot): AssessmentPhase {
  // A defect of the package. The store keeps the job, and the next page resumes it.
  if (snapshot.status === 'error') return 'failed';
  const state = stateNameOf(snapshot);
  // The user knows of the delay; the calls that continue change nothing about that.
  const isTold = isDelayed(snapshot) && state !== 'auth-failed';
  if (isTold && !snapshot.matches({ active: { submitting: 'unconfirmed' } })) return 'delayed';
  switch (state) {
    case 'completed':
    case 'failed':
    case 'cancelled':
      return state;
    case 'auth-failed':
      return 'sign-in-needed';
    case 'timed-out':
      return 'delayed';
    case 'submitting':
      return snapshot.matches({ active: { submitting: 'unconfirmed' } }) ? 'unconfirmed' : 'submitting';
    default:
      return snapshot.context.jobId === null ? 'submitting' : 'waiting';
  }
}

/** Why an assessment is delayed: the latest problem, or the deadline. Before the acceptance there is no job that a text could be about. */
function reasonOf({ context: { jobId, problem } }: AssessmentSnapshot): Problem {
  const isTrue = (code: ErrorCode) => DELAYS.has(code) && (jobId !== null || !ABOUT_A_JOB.has(code));
  if (problem && isTrue(problem.code)) return problem;
  return { code: jobId === null ? 'unavailable' : 'timed-out', message: '' };
}

/** What these say is true of a job alone: a refused or missing list of jobs is no word about the submission. */
const ABOUT_A_JOB: ReadonlySet<ErrorCode> = new Set([
  'forbidden',
  'job-not-found',
  'unconfirmed-failure',
  'invalid-result',
  'timed-out',
]);
const DELAYS: ReadonlySet<ErrorCode> = new Set(delayCodes);
const isDelayed = ({ status, context }: AssessmentSnapshot): boolean => status === 'active' && context.timedOut;

/** Why the user was asked whether to wait longer, for the record; undefined while the user was not. */
export function delayOf(snapshot: AssessmentSnapshot): Pick<Problem, 'code' | 'retryAt'> | undefined {
  if (!isDelayed(snapshot)) return undefined;
  const { code, retryAt } = reasonOf(snapshot);
  return { code, ...(retryAt !== undefined && { retryAt }) };
}

/**
 * The view of a snapshot.
 *
 * @param details the messages for the fields of a refused submission
 * @param messages texts of the application
 * @param before the last view; returned unchanged when nothing has changed that a user can see
 */
export function toView<Result>(
  snapshot: AssessmentSnapshot,
  before?: AssessmentView<Result>,
  details?: ProblemDetails,
  messages?: Messages,
): AssessmentView<Result> {
  const { submissionId: id, jobId, progress, problem } = snapshot.context;
  const phase = phaseOf(snapshot);
  const delay = phase === 'delayed' ? reasonOf(snapshot) : null;
  const isSame = before?.phase === phase && before.jobId === jobId && before.progress === progress;
  const isSameReason =
    before?.phase !== 'delayed' || (before.error.code === delay?.code && before.error.retryAt === delay.retryAt);
  if (isSame && isSameReason) return before;
  const common = { id, jobId, progress };
  const because = (code: ErrorCode) => describeProblem({ code, message: '' }, messages);
  switch (phase) {
    case 'submitting':
    case 'waiting':
    case 'cancelled':
      return { ...common, phase };
    case 'sign-in-needed':
      return { ...common, phase, error: because('sign-in-required') };
    case 'delayed':
      return { ...common, phase, error: describeProblem(delay ?? reasonOf(snapshot), messages) };
    case 'unconfirmed':
      return { ...common, phase, error: because('outcome-unknown') };
    case 'failed':
      return {
        ...common,
        phase,
        error:
          snapshot.status !== 'error' && problem
            ? describeProblem({ ...problem, ...(details && { details }) }, messages)
            : because('unexpected'),
      };
    case 'completed': {
      const output = snapshot.output as Extract<AssessmentOutput<Result>, { outcome: 'completed' }>;
      return { ...common, phase, progress: { ...progress, percent: 100 }, result: output.result };
    }
  }
}
