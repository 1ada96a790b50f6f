import type { Assessment } from '../client/assessment.ts';
import type { AssessmentClient } from '../client/client.ts';
import type { AssessmentView } from '../client/view.ts';

/** What a component can do. None of these changes as long as it is about the same assessment, `submit` and `resume` never. */
export interface AssessmentActions<Submission = unknown, Result = unknown> {
  /**
   * Submits answers. While the same answers are under way this changes nothing, so a double click is harmless.
   *
   * @returns the assessment, whose `id` tells it from others
   * @throws TypeError when the answers are not JSON; nothing was submitted
   */
  submit(submission: Submission): Assessment<Result>;
  /** Looks again for assessments from before a reload; the provider does so by itself when it mounts. */
  resume(): readonly Assessment<Result>[];
  /** Nobody wants the result any more. */
  cancel(): void;
  /** In phase `delayed`: waits for another monitoring timeout. */
  keepWaiting(): void;
  /** In phase `unconfirmed`: sends the answers once more. */
  sendAgain(): void;
  /** After the end: back to `idle`. */
  reset(): void;
}

/** Nothing was submitted yet. */
interface Idle {
  readonly phase: 'idle';
}

/** What to show, told apart by `phase`, and what can be done. */
export type UseAssessment<Submission = unknown, Result = unknown> = (Idle | AssessmentView<Result>) &
  AssessmentActions<Submission, Result>;

/** What the hooks read: of one assessment, or of none. `getSnapshot` returns the same object until something changes. */
export interface AssessmentStore<Submission, Result> {
  getSnapshot(): UseAssessment<Submission, Result>;
  /** Returns its unsubscription. */
  subscribe(listener: () => void): () => void;
}

const idle: Idle = { phase: 'idle' };

/** Puts the view of an assessment and what can be done with it together, in the shape that `useSyncExternalStore` reads. */
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
  return {
    getSnapshot() {
      if (view !== read()) {
        view = read();
        snapshot = { ...view, ...actions };
      }
      return snapshot;
    },
    subscribe: (listener) => assessment?.subscribe(listener) ?? (() => {}),
  };
}
