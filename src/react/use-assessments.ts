import { useSyncExternalStore } from 'react';
import type { Assessment } from '../client/assessment.ts';
import { useAssessmentClient } from './assessment-provider.tsx';

/**
 * All assessments of the client in the order of their submission, those from before a reload included. Re-renders only when
 * one comes or goes; each one's own component follows it by its id. XState users find each one's `actor` here, for the
 * `useSelector` of `@xstate/react`, which does not come with this package.
 *
 * @example
 * return useAssessments().map(({ id }) => <Row key={id} id={id} />); // Row: useAssessment(id)
 */
export function useAssessments<Result = unknown>(): readonly Assessment<Result>[] {
  const client = useAssessmentClient<unknown, Result>();
  return useSyncExternalStore(
    client.subscribe,
    () => client.getSnapshot().assessments,
    () => none,
  );
}

const none: readonly Assessment<never>[] = [];
