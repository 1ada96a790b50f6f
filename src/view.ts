import type { SnapshotFrom } from 'xstate';
import type { assessmentMachine } from './machines/assessment-machine.ts';
import type { AssessmentOutput, Progress } from './machines/assessment-setup.ts';
import { describeProblem, type ProblemDescription } from './messages.ts';

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

/** What a page shows of a snapshot. */
export function toView<Result>(snapshot: AssessmentSnapshot): AssessmentView<Result> {
  const { submissionId: id, jobId, progress, problem } = snapshot.context;
  const common = { id, jobId, progress };
  // A defect of ours. The job is kept in the store: the next page goes on with it.
  if (snapshot.status === 'error')
    return { ...common, phase: 'failed', error: describeProblem({ code: 'unexpected', message: '' }) };
  switch (stateNameOf(snapshot)) {
    case 'completed': {
      const output = snapshot.output as Extract<AssessmentOutput<Result>, { outcome: 'completed' }>;
      return { ...common, phase: 'completed', progress: { ...progress, percent: 100 }, result: output.result };
    }
    case 'failed':
      return { ...common, phase: 'failed', error: describeProblem(problem ?? { code: 'unexpected', message: '' }) };
    case 'cancelled':
      return { ...common, phase: 'cancelled' };
    case 'auth-failed':
      return { ...common, phase: 'sign-in-needed', error: describeProblem({ code: 'sign-in-required', message: '' }) };
    case 'timed-out':
      // Without a job nothing runs on the server yet: it could not be reached, and is tried again now and then.
      return {
        ...common,
        phase: 'delayed',
        error: describeProblem({ code: jobId === null ? 'unavailable' : 'timed-out', message: '' }),
      };
    default:
      if (snapshot.matches({ active: { submitting: 'unconfirmed' } })) {
        return { ...common, phase: 'unconfirmed', error: describeProblem({ code: 'outcome-unknown', message: '' }) };
      }
      return { ...common, phase: jobId === null ? 'submitting' : 'waiting' };
  }
}

/** Whether two views show the same, so that a page is not told of changes that it cannot see. */
export function isSameView(a: AssessmentView, b: AssessmentView): boolean {
  return (
    a.phase === b.phase &&
    a.jobId === b.jobId &&
    a.progress.status === b.progress.status &&
    a.progress.percent === b.progress.percent &&
    a.progress.queuePosition === b.progress.queuePosition
  );
}
