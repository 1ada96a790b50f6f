export { AssessmentProvider, useAssessmentClient } from './assessment-provider.tsx';
export type { AssessmentProviderProps } from './assessment-provider.tsx';
export type { AssessmentActions, UseAssessment } from './assessment-store.ts';
export { useAssessment } from './use-assessment.ts';
export { useAssessmentSelector } from './use-assessment-selector.ts';
export type { AssessmentSelectorOptions } from './use-assessment-selector.ts';
export { useAssessments } from './use-assessments.ts';
export { useBalance } from './use-balance.ts';
