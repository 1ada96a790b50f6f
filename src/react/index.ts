'use client';

export { AssessmentProvider, useAssessmentClient } from './assessment-provider.tsx';
export type { AssessmentProviderProps } from './assessment-provider.tsx';
export type { AssessmentActions, UseAssessment } from './assessment-store.ts';
export { createAssessmentHooks } from './create-assessment-hooks.ts';
export type { AssessmentHooks, AssessmentHooksOptions } from './create-assessment-hooks.ts';
export { useAssessment } from './use-assessment.ts';
export { useAssessmentSelector } from './use-assessment-selector.ts';
export type { AssessmentSelectorOptions } from './use-assessment-selector.ts';
export { useAssessments } from './use-assessments.ts';
export { useBalance } from './use-balance.ts';
