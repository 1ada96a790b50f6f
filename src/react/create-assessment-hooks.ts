'use client';

import { useEffect } from 'react';
import type { Assessment } from '../client/assessment.ts';
import type { AssessmentClient } from '../client/client.ts';
import type { UseAssessment } from './assessment-store.ts';
import { type AssessmentSelectorOptions, useSelectionOf } from './use-assessment-selector.ts';
import { useAssessmentOf } from './use-assessment.ts';
import { useAssessmentsOf } from './use-assessments.ts';
import { useBalanceOf } from './use-balance.ts';

export interface AssessmentHooksOptions {
  /**
   * Whether assessments from before a reload resume when the first component with one of the hooks mounts.
   *
   * @default true
   */
  resume?: boolean;
}

/** The hooks of one client, with its types. */
export interface AssessmentHooks<Submission, Result> {
  /** The newest assessment, or the one with this id: what to show, and the actions. */
  readonly useAssessment: (id?: string) => UseAssessment<Submission, Result>;
  /** A part of what `useAssessment` returns. Re-renders only when the selected part changes. */
  readonly useAssessmentSelector: <Selected>(
    selector: (assessment: UseAssessment<Submission, Result>) => Selected,
    options?: AssessmentSelectorOptions<Selected>,
  ) => Selected;
  /** All assessments in the order of their submission. */
  readonly useAssessments: () => readonly Assessment<Result>[];
  /** The user's credit as the server last reported it, or null before the first report. */
  readonly useBalance: () => number | null;
}

/**
 * Makes the hooks of one client. The types of the answers and the result come from the client, so the hooks take no type
 * arguments, and no provider is needed. The first hook that mounts resumes the assessments from before a reload.
 *
 * Call it once per client, in a module of its own. With React Server Components that module starts with `'use client'`.
 *
 * @example
 * const client = createAssessmentClient<Answers, Report>({ baseUrl: 'https://api.example.test', resultSchema });
 * export const { useAssessment, useAssessments, useBalance } = createAssessmentHooks(client);
 *
 * // in a component
 * const assessment = useAssessment();
 * if (assessment.phase === 'completed') return <Profile report={assessment.result} />; // a Report
 */
export function createAssessmentHooks<Submission, Result>(
  client: AssessmentClient<Submission, Result>,
  { resume = true }: AssessmentHooksOptions = {},
): AssessmentHooks<Submission, Result> {
  let isResumeDue = resume;
  const useClient = () => {
    useEffect(() => {
      if (!isResumeDue) return;
      isResumeDue = false;
      client.resume();
    }, []);
    return client;
  };
  return {
    useAssessment: (id) => useAssessmentOf(useClient(), id),
    useAssessmentSelector: (selector, options) => useSelectionOf(useClient(), selector, options),
    useAssessments: () => useAssessmentsOf(useClient()),
    useBalance: () => useBalanceOf(useClient()),
  };
}
