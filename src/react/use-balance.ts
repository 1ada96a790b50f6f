'use client';

import { useSyncExternalStore } from 'react';
import type { AssessmentClient } from '../client/client.ts';
import { useAssessmentClient } from './assessment-provider.tsx';

/**
 * The user's credit as the server last reported it, or null before the first report. Each submission updates it.
 *
 * @example
 * const balance = useBalance();
 * return <p>{balance ?? '…'} credits</p>;
 */
export function useBalance(): number | null {
  return useBalanceOf(useAssessmentClient());
}

/** {@link useBalance} of a given client. */
export function useBalanceOf<Submission, Result>(client: AssessmentClient<Submission, Result>): number | null {
  return useSyncExternalStore(
    client.subscribe,
    () => client.getSnapshot().balance,
    () => null,
  );
}
