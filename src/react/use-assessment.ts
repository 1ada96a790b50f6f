import type { UseAssessment } from './assessment-store.ts';
import { useAssessmentSelector } from './use-assessment-selector.ts';

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
  return useAssessmentSelector<UseAssessment<Submission, Result>, Submission, Result>(everything, { id });
}

const everything = <T>(assessment: T): T => assessment;
