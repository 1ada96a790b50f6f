'use client';

import { useSyncExternalStore } from 'react';
import type { Assessment } from '../client/assessment.ts';
import type { AssessmentClient } from '../client/client.ts';
import { useAssessmentClient } from './assessment-provider.tsx';

/**
 * All assessments of the client in the order of their submission, those from before a reload included. Re-renders only when
 * an assessment is added or removed; each row reads its own assessment by id. The `actor` of each is for XState users: read it
 * with `useSelector` of `@xstate/react`.
 *
 * @example
 * return useAssessments().map(({ id }) => <Row key={id} id={id} />); // Row: useAssessment(id)
 */
export function useAssessments<Result = unknown>(): readonly Assessment<Result>[] {
  return useAssessmentsOf(useAssessmentClient<unknown, Result>());
}

/** {@link useAssessments} of a given client. */
export function useAssessmentsOf<Submission, Result>(
  client: AssessmentClient<Submission, Result>,
): readonly Assessment<Result>[] {
  return useSyncExternalStore(
    client.subscribe,
    () => client.getSnapshot().assessments,
    () => none,
  );
}

const none: readonly Assessment<never>[] = [];
