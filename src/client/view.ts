import type { SnapshotFrom } from 'xstate';
import type { ErrorCode } from '../lib/errors.ts';
import type { assessmentMachine } from '../machines/assessment-machine.ts';
import type { AssessmentOutput, Progress } from '../machines/assessment-setup.ts';
import { describeProblem, type ProblemDescription } from '../messages/index.ts';

/** The states of the chart in which an assessment can be found, without their inner steps. */
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
  /** The server's id of the job, for support; null until it was accepted. */
  readonly jobId: string | null;
  readonly progress: Progress;
}

/**
 * An assessment as a page sees it. `phase` says everything that a user needs to know: a refresh of the token or a fallback to
 * polling is none of it.
 */
export type AssessmentView<Result = unknown> =
  | (Common & { readonly phase: 'submitting' })
  /** The server works on it. */
  | (Common & { readonly phase: 'waiting' })
  /** Parked until the user signs in; it then goes on by itself. */
  | (Common & { readonly phase: 'sign-in-needed'; readonly error: ProblemDescription })
  /** Past its deadline and still running: offer `keepWaiting`. */
  | (Common & { readonly phase: 'delayed'; readonly error: ProblemDescription })
  /** Nobody knows whether the answers arrived: offer `sendAgain` or `cancel`. Only without idempotency keys. */
  | (Common & { readonly phase: 'unconfirmed'; readonly error: ProblemDescription })
  | (Common & { readonly phase: 'completed'; readonly result: Result })
  | (Common & { readonly phase: 'failed'; readonly error: ProblemDescription })
  | (Common & { readonly phase: 'cancelled' });

export type AssessmentPhase = AssessmentView['phase'];

/** A moment of the running machine, for XState users: `matches`, `hasTag`, `context`. */
export type AssessmentSnapshot = SnapshotFrom<typeof assessmentMachine>;

/** The state of the chart, by the name that the mission gives it. */
export function stateNameOf({ value }: Pick<AssessmentSnapshot, 'value'>): AssessmentStateName {
  if (typeof value === 'string') return value as AssessmentStateName;
  const inner: unknown = value.active;
  return (typeof inner === 'string' ? inner : Object.keys(inner as object)[0]) as AssessmentStateName;
}

/** What the user needs to know of where an assessment stands. */
function phaseOf(snapshot: AssessmentSnapshot): AssessmentPhase {
  // A defect of ours. The job is kept in the store: the next page goes on with it.
  if (snapshot.status === 'error') return 'failed';
  const state = stateNameOf(snapshot);
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

/**
 * What a page shows of a snapshot.
 *
 * @param before what it showed last; returned as it is where nothing has changed that a user can see
 */
export function toView<Result>(snapshot: AssessmentSnapshot, before?: AssessmentView<Result>): AssessmentView<Result> {
  const { submissionId: id, jobId, progress, problem } = snapshot.context;
  const phase = phaseOf(snapshot);
  if (before?.phase === phase && before.jobId === jobId && before.progress === progress) return before;
  const common = { id, jobId, progress };
  const because = (code: ErrorCode) => describeProblem({ code, message: '' });
  switch (phase) {
    case 'submitting':
    case 'waiting':
    case 'cancelled':
      return { id, jobId, progress, phase };
    case 'sign-in-needed':
      return { ...common, phase, error: because('sign-in-required') };
    case 'delayed':
      // Without a job nothing runs on the server yet: it could not be reached, and is tried again now and then.
      return { ...common, phase, error: because(jobId === null ? 'unavailable' : 'timed-out') };
    case 'unconfirmed':
      return { ...common, phase, error: because('outcome-unknown') };
    case 'failed':
      return {
        ...common,
        phase,
        error: snapshot.status !== 'error' && problem ? describeProblem(problem) : because('unexpected'),
      };
    case 'completed': {
      const output = snapshot.output as Extract<AssessmentOutput<Result>, { outcome: 'completed' }>;
      return { ...common, phase, progress: { ...progress, percent: 100 }, result: output.result };
    }
  }
}
