import { useSyncExternalStore } from 'react';
import { useAssessmentClient } from './assessment-provider.tsx';

/** The user's credit as last heard from the server, or null before that. Brought up to date by each submission. */
export function useBalance(): number | null {
  const client = useAssessmentClient();
  return useSyncExternalStore(
    client.subscribe,
    () => client.getSnapshot().balance,
    () => null,
  );
}
