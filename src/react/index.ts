export { AssessmentProvider, useAssessmentClient } from './assessment-provider.tsx';
export type { AssessmentProviderProps } from './assessment-provider.tsx';
export { useAssessment } from './use-assessment.ts';
export type { AssessmentActions, UseAssessment } from './use-assessment.ts';
export { useAssessmentSelector } from './use-assessment-selector.ts';
export { useBalance } from './use-balance.ts';
