'use client';

import { useSelector } from '@xstate/react';
import { useMemo, useSyncExternalStore } from 'react';
import type { Assessment } from '../client/assessment.ts';
import type { AssessmentClient } from '../client/client.ts';
import { useAssessmentClient } from './assessment-provider.tsx';
import { createAssessmentStore, type UseAssessment } from './assessment-store.ts';

export interface AssessmentSelectorOptions<Selected> {
  /**
   * The id of the assessment to read.
   *
   * @default the newest assessment
   */
  id?: string | undefined;
  /**
   * Whether two selections are the same. A selector that builds an object needs one that compares its parts, such as
   * `shallowEqual` of `@xstate/react`.
   *
   * @default Object.is
   */
  isEqual?: (a: Selected, b: Selected) => boolean;
}

/**
 * A part of what `useAssessment` returns. Re-renders only when the selected part changes: a component that shows the phase
 * does not render with each step of the progress.
 *
 * @example
 * const phase = useAssessmentSelector((it) => it.phase);
 * const submit = useAssessmentSelector((it: UseAssessment<Answers>) => it.submit);
 */
export function useAssessmentSelector<Selected, Submission = unknown, Result = unknown>(
  selector: (assessment: UseAssessment<Submission, Result>) => Selected,
  options?: AssessmentSelectorOptions<Selected>,
): Selected {
  return useSelectionOf(useAssessmentClient<Submission, Result>(), selector, options);
}

/** {@link useAssessmentSelector} of a given client. */
export function useSelectionOf<Selected, Submission, Result>(
  client: AssessmentClient<Submission, Result>,
  selector: (assessment: UseAssessment<Submission, Result>) => Selected,
  { id, isEqual = Object.is }: AssessmentSelectorOptions<Selected> = {},
): Selected {
  const find = () => {
    const { assessments } = client.getSnapshot();
    return id === undefined ? assessments.at(-1) : findIn(assessments, id);
  };
  // React's own hook and not `useSelector`, which has no separate snapshot for the server.
  const assessment = useSyncExternalStore(client.subscribe, find, findOnServer);
  const store = useMemo(() => createAssessmentStore(client, assessment), [client, assessment]);
  return useSelector(store, selector, isEqual);
}

const positions = new WeakMap<readonly Assessment[], ReadonlyMap<string, number>>();

/** One index serves all rows of a page: each of them looks its assessment up whenever one is added or removed. */
function findIn<Result>(assessments: readonly Assessment<Result>[], id: string): Assessment<Result> | undefined {
  const index = positions.get(assessments) ?? new Map(assessments.map((it, position) => [it.id, position]));
  positions.set(assessments, index);
  return assessments[index.get(id) ?? -1];
}

/** The server renders the idle view, so hydration must start with it too. */
const findOnServer = () => undefined;
