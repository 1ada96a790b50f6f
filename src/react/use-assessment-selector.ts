import { useEffect, useMemo, useRef, useSyncExternalStore } from 'react';
import { useAssessmentClient } from './assessment-provider.tsx';
import { createAssessmentStore, type UseAssessment } from './assessment-store.ts';

export interface AssessmentSelectorOptions<Selected> {
  /** Which assessment. Default: the newest. */
  id?: string | undefined;
  /** Whether two selections are the same. Default `Object.is`; a selector that builds an object needs one that looks inside. */
  isEqual?: (a: Selected, b: Selected) => boolean;
}

/**
 * A part of what {@link useAssessment} returns. Re-renders only when the selected part changes: what shows the phase does not
 * render with each step of the progress.
 *
 * @example
 * const phase = useAssessmentSelector((it) => it.phase);
 * const submit = useAssessmentSelector((it: UseAssessment<Answers>) => it.submit);
 */
export function useAssessmentSelector<Selected, Submission = unknown, Result = unknown>(
  selector: (assessment: UseAssessment<Submission, Result>) => Selected,
  { id, isEqual = Object.is }: AssessmentSelectorOptions<Selected> = {},
): Selected {
  const client = useAssessmentClient<Submission, Result>();
  const find = () => {
    const { assessments } = client.getSnapshot();
    return id === undefined ? assessments.at(-1) : assessments.find((it) => it.id === id);
  };
  const assessment = useSyncExternalStore(client.subscribe, find, nobody);
  const store = useMemo(() => createAssessmentStore(client, assessment), [client, assessment]);
  /** What is on the screen. Not what was rendered last: React may throw that away. */
  const shown = useRef<{ selected: Selected }>(null);
  // eslint-disable-next-line react/refs -- it decides which of two equal selections is rendered, and nothing else
  const select = useMemo(() => createSelection(store, selector, isEqual, shown), [store, selector, isEqual]);
  const selected = useSyncExternalStore(store.subscribe, select, select);
  useEffect(() => void (shown.current = { selected }), [selected]);
  return selected;
}

/** The very same selection while nothing has changed, or what has is equal: else React would render again, and for ever. */
function createSelection<Snapshot, Selected>(
  store: { getSnapshot(): Snapshot },
  selector: (snapshot: Snapshot) => Selected,
  isEqual: (a: Selected, b: Selected) => boolean,
  shown: { readonly current: { selected: Selected } | null },
): () => Selected {
  let last: { from: Snapshot; selected: Selected } | null = null;
  return () => {
    const from = store.getSnapshot();
    if (last?.from === from) return last.selected;
    const before = last ?? shown.current;
    const now = selector(from);
    last = { from, selected: before && isEqual(before.selected, now) ? before.selected : now };
    return last.selected;
  };
}

/** The server has none, so the first render in the browser shows none either. */
const nobody = () => undefined;
