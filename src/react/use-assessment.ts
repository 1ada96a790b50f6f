import { useMemo, useSyncExternalStore } from 'react';
import type { Assessment } from '../assessment.ts';
import type { AssessmentClient } from '../client.ts';
import type { AssessmentView } from '../view.ts';
import { useAssessmentClient } from './assessment-provider.tsx';

/** What a component can do. Stable over renders as long as it is about the same assessment. */
export interface AssessmentActions<Submission> {
  /** Submits answers. While the same answers are under way this changes nothing, so a double click is harmless. */
  submit(submission: Submission): void;
  /** Nobody wants the result any more. */
  cancel(): void;
  /** In phase `delayed`: waits for another monitoring timeout. */
  keepWaiting(): void;
  /** In phase `unconfirmed`: sends the answers once more. */
  sendAgain(): void;
  /** Looks again for assessments from before a reload; the provider does so by itself when it mounts. */
  resume(): void;
  /** After the end: back to `idle`. */
  reset(): void;
}

/** Nothing was submitted yet. */
interface Idle {
  readonly phase: 'idle';
}

export type UseAssessment<Submission = unknown, Result = unknown> = (Idle | AssessmentView<Result>) &
  AssessmentActions<Submission>;

const idle: Idle = { phase: 'idle' };
const nothing = () => () => {};
const isIdle = () => idle;

/**
 * The newest assessment of the client, or the one with this id: what to show, and what can be done. Re-renders only when
 * something visible changes; a token refresh or a fallback to polling is not visible.
 *
 * @example
 * const assessment = useAssessment<Answers, Result>();
 * switch (assessment.phase) {
 *   case 'idle': return <Form onSubmit={assessment.submit} />;
 *   case 'completed': return <Report result={assessment.result} />;
 *   case 'waiting': return <progress value={assessment.progress.percent} max={100} />;
 *   // …
 * }
 */
export function useAssessment<Submission = unknown, Result = unknown>(id?: string): UseAssessment<Submission, Result> {
  const client = useAssessmentClient<Submission, Result>();
  const assessment = useSyncExternalStore(client.subscribe, () => find(client, id), nobody);
  const view = useSyncExternalStore<Idle | AssessmentView<Result>>(
    assessment?.subscribe ?? nothing,
    assessment?.getSnapshot ?? isIdle,
    isIdle,
  );
  const actions = useMemo(() => actionsOf(client, assessment), [client, assessment]);
  return useMemo(() => ({ ...view, ...actions }), [view, actions]);
}

const nobody = () => undefined;

function find<Submission, Result>(client: AssessmentClient<Submission, Result>, id: string | undefined) {
  const { assessments } = client.getSnapshot();
  return id === undefined ? assessments.at(-1) : assessments.find((it) => it.id === id);
}

function actionsOf<Submission, Result>(
  client: AssessmentClient<Submission, Result>,
  assessment: Assessment<Result> | undefined,
): AssessmentActions<Submission> {
  return {
    submit: (submission) => void client.submit(submission),
    resume: () => void client.resume(),
    cancel: () => assessment?.cancel(),
    keepWaiting: () => assessment?.keepWaiting(),
    sendAgain: () => assessment?.sendAgain(),
    reset: () => assessment && client.dismiss(assessment.id),
  };
}
