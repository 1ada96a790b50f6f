export { createAssessmentClient } from './client/client.ts';
export type { AssessmentClient, ClientSnapshot } from './client/client.ts';
export type { Assessment } from './client/assessment.ts';
export type {
  AssessmentClientOptions,
  AuthVersion,
  RuntimeSettings,
  ServicePaths,
  SettingsSource,
} from './client/options.ts';
export { settingsFrom } from './client/settings-from.ts';
export type { FlagClient, FlagDetails, FlagEvent } from './client/settings-from.ts';
export { stateNameOf } from './client/view.ts';
export type { AssessmentPhase, AssessmentSnapshot, AssessmentStateName, AssessmentView } from './client/view.ts';
export { describeProblem } from './messages/index.ts';
export type { Language, Messages, ProblemDescription, Remedy } from './messages/index.ts';
export {
  AssessmentMonitorError,
  RejectedError,
  SignInRequiredError,
  TokenUnavailableError,
  TransientError,
} from './lib/errors.ts';
export type { ErrorCode, Problem } from './lib/errors.ts';
export { isTokenRefused } from './services/api/answer.ts';
export type { RefusalHint } from './services/api/answer.ts';
export type { JobStatus, StatusWords } from './services/api/status-words.ts';
export type { ProgressScale } from './services/job-report.ts';
export type { IssuedToken } from './services/auth/access-token.ts';
export type { Metrics } from './services/metrics.ts';
export type { MonitorEvent, RefusalCause } from './lib/log.ts';
export type { Schema } from './lib/schema.ts';

// The three ports: a backend, a token source and a feed of your own.
export type {
  ApiJobState,
  ApiListedJob,
  ApiResultState,
  ApiSubmission,
  Call,
  CallAnswer,
  CallInit,
  ConnectFeed,
  FeedConnection,
  FeedMessage,
  JobApi,
  RefreshCall,
  RefreshTokens,
  TokenSource,
} from './ports.ts';

// The types of the options, and the defaults that an application may want to share.
export type { Pacing } from './actors/delays.ts';
export type { Random } from './lib/backoff.ts';
export { systemClock } from './lib/clock.ts';
export type { Clock } from './lib/clock.ts';
export { memoryStore } from './lib/storage.ts';
export type { KeyValueStore } from './lib/storage.ts';
export type { ApiPaths, ApiTimeouts } from './services/api/assessment-api.ts';
export type { TabChannel } from './services/auth/shared-session.ts';
export type { TabLocks } from './services/auth/tab-lock.ts';
export type { FeedSocket, LoadSocketIo } from './services/feed/socket-io.ts';
export type { PageTarget } from './services/page-signals.ts';

// For XState users: the chart itself, to run with actors of their own.
export { assessmentMachine } from './machines/assessment-machine.ts';
export { createDelays, defaultPacing } from './actors/delays.ts';
export type { DelayServices } from './actors/delays.ts';
export { createPacer } from './services/pacer.ts';
export type { Pacer } from './services/pacer.ts';
export type { AssessmentEvent } from './machines/assessment-events.ts';
export type {
  AssessmentContext,
  AssessmentEmitted,
  AssessmentInput,
  AssessmentOutput,
  Progress,
} from './machines/assessment-setup.ts';
export type { RefreshOutcome, ResultOutcome, StatusOutcome, SubmitOutcome } from './machines/assessment-outcomes.ts';
