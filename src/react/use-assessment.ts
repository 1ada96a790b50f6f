'use client';

import { shallowEqual } from '@xstate/react';
import type { AssessmentClient } from '../client/client.ts';
import { useAssessmentClient } from './assessment-provider.tsx';
import type { UseAssessment } from './assessment-store.ts';
import { useSelectionOf } from './use-assessment-selector.ts';

/**
 * The newest assessment of the client, or the one with this id: what to show, and the actions. Re-renders only when something
 * visible changes; a token refresh or a fallback to polling is not visible. Its type arguments are not checked against the
 * client; the hooks of `createAssessmentHooks` know the client's types.
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
  return useAssessmentOf(useAssessmentClient<Submission, Result>(), id);
}

/** {@link useAssessment} of a given client. */
export function useAssessmentOf<Submission, Result>(
  client: AssessmentClient<Submission, Result>,
  id?: string,
): UseAssessment<Submission, Result> {
  return useSelectionOf<UseAssessment<Submission, Result>, Submission, Result>(client, everything, {
    id,
    isEqual: shallowEqual,
  });
}

const everything = <T>(assessment: T): T => assessment;
