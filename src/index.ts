export { createAssessmentClient } from './client.ts';
export type { AssessmentClient, ClientSnapshot } from './client.ts';
export type { Assessment } from './assessment.ts';
export type { AssessmentClientOptions, RuntimeSettings } from './options.ts';
export { stateNameOf } from './view.ts';
export type { AssessmentPhase, AssessmentSnapshot, AssessmentStateName, AssessmentView } from './view.ts';
export { describeProblem } from './messages.ts';
export type { Language, ProblemDescription, Remedy } from './messages.ts';
export {
  AssessmentMonitorError,
  RejectedError,
  SignInRequiredError,
  TokenUnavailableError,
  TransientError,
} from './errors.ts';
export type { ErrorCode, Problem } from './errors.ts';
export type { IssuedToken } from './services/access-token.ts';
export type { Metrics } from './services/metrics.ts';
export type { MonitorEvent } from './services/log.ts';
export type { Schema } from './services/schema.ts';

// For XState users: the chart itself, to run with actors of their own.
export { assessmentMachine } from './machines/assessment-machine.ts';
export type {
  AssessmentContext,
  AssessmentEmitted,
  AssessmentEvent,
  AssessmentInput,
  AssessmentOutput,
  Progress,
} from './machines/assessment-setup.ts';
export type { RefreshOutcome, ResultOutcome, StatusOutcome, SubmitOutcome } from './machines/assessment-outcomes.ts';
