import { useSelector } from '@xstate/react';
import { useSyncExternalStore } from 'react';
import type { SnapshotFrom } from 'xstate';
import type { assessmentMachine } from '../machines/assessment-machine.ts';
import { useAssessmentClient } from './assessment-provider.tsx';

/**
 * A part of the newest assessment's machine snapshot, for those who render finely or show the chart itself. Re-renders only
 * when the selected part changes.
 *
 * @param selector gets undefined while there is no assessment
 * @param isEqual default `Object.is`
 *
 * @example
 * const isParked = useAssessmentSelector((snapshot) => snapshot?.hasTag('parked') ?? false);
 */
export function useAssessmentSelector<Selected>(
  selector: (snapshot: SnapshotFrom<typeof assessmentMachine> | undefined) => Selected,
  isEqual: (a: Selected, b: Selected) => boolean = Object.is,
): Selected {
  const client = useAssessmentClient();
  const newest = useSyncExternalStore(
    client.subscribe,
    () => client.getSnapshot().assessments.at(-1),
    () => undefined,
  );
  return useSelector(newest?.actor, selector, isEqual);
}
