import type { Assessment } from '../client/assessment.ts';
import type { AssessmentClient } from '../client/client.ts';
import type { AssessmentView } from '../client/view.ts';

/** What a component can do. `submit` and `resume` never change; the others stay the same functions for one assessment. */
export interface AssessmentActions<Submission = unknown, Result = unknown> {
  /**
   * Submits answers. While the same answers are under way this changes nothing, so a double click is harmless.
   *
   * @returns the assessment, with its `id`
   * @throws TypeError when the answers are not JSON; nothing was submitted
   */
  submit(submission: Submission): Assessment<Result>;
  /** Looks again for assessments from before a reload. The provider does this when it mounts. */
  resume(): readonly Assessment<Result>[];
  /** Stops watching: the user no longer wants the result. */
  cancel(): void;
  /** In phase `delayed`: waits for another monitoring timeout. */
  keepWaiting(): void;
  /** In phase `unconfirmed`: sends the answers once more. */
  sendAgain(): void;
  /** After the end: back to `idle`. */
  reset(): void;
}

/** No assessment was submitted yet. */
interface Idle {
  readonly phase: 'idle';
}

/** What to show, told apart by `phase`, and the actions. */
export type UseAssessment<Submission = unknown, Result = unknown> = (Idle | AssessmentView<Result>) &
  AssessmentActions<Submission, Result>;

/** The view of one assessment, or the idle view, in the shape of an XState actor. That is what `useSelector` reads. */
export interface AssessmentStore<Submission, Result> {
  /** The same object until something changes. */
  getSnapshot(): UseAssessment<Submission, Result>;
  /** Accepts both forms of XState's overloaded `subscribe`: an observer, or a listener. */
  subscribe(observer: { next?: Listener } | Listener): { unsubscribe(): void };
}

type Listener = (snapshot?: unknown) => void;

const idle: Idle = { phase: 'idle' };

/** Combines the view of an assessment with its actions. */
export function createAssessmentStore<Submission, Result>(
  client: AssessmentClient<Submission, Result>,
  assessment: Assessment<Result> | undefined,
): AssessmentStore<Submission, Result> {
  const actions: AssessmentActions<Submission, Result> = {
    submit: client.submit,
    resume: client.resume,
    cancel: () => assessment?.cancel(),
    keepWaiting: () => assessment?.keepWaiting(),
    sendAgain: () => assessment?.sendAgain(),
    reset: () => assessment && client.dismiss(assessment.id),
  };
  const read = () => assessment?.getSnapshot() ?? idle;
  let view = read();
  let snapshot = { ...view, ...actions };
  const getSnapshot = () => {
    if (view !== read()) {
      view = read();
      snapshot = { ...view, ...actions };
    }
    return snapshot;
  };
  return {
    getSnapshot,
    subscribe(observer) {
      const next = typeof observer === 'function' ? observer : observer.next;
      return { unsubscribe: assessment?.subscribe(() => next?.(getSnapshot())) ?? (() => {}) };
    },
  };
}
