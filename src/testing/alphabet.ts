import type { assessmentMachine } from '../machines/assessment-machine.ts';
import type {
  RefreshOutcome,
  ResultOutcome,
  StatusOutcome,
  SubmitOutcome,
  Transient,
  Unauthorized,
} from '../machines/assessment-outcomes.ts';
import type { AssessmentEvent } from '../machines/assessment-events.ts';

/*
 * The alphabet of the model: one case for each payload that is worth telling apart. The types make sure that no event and no
 * outcome is forgotten: an author who adds one to the chart has to add its cases here.
 */

export type AssessmentMachine = typeof assessmentMachine;
export type { AssessmentSnapshot } from '../client/view.ts';

/** What can happen to an assessment in one step: an event of the world, the answer to a call, the end of a port, a timer. */
export type ModelEvent =
  | AssessmentEvent
  | { type: `xstate.done.actor.${string}`; actorId: string; output?: unknown }
  | { type: `xstate.error.actor.${string}`; actorId: string; error: Error }
  | { type: `xstate.after.${string}` };

/** The calls of the chart, each with all that it can come to. */
interface Outcomes {
  submitAssessment: SubmitOutcome;
  checkStatus: StatusOutcome;
  fetchResult: ResultOutcome;
  refreshToken: RefreshOutcome;
}

/** Some cases for each member of a union of types with a `type`. */
type CasesOf<Union extends { type: string }> = {
  readonly [Type in Union['type']]: readonly Extract<Union, { type: Type }>[];
};

/** The ids that the model speaks of. Every other id belongs to another assessment or user. */
export const ids = {
  submission: 'submission-1',
  job: 'job-1',
  result: 'result-1',
  user: 'user-1',
  otherJob: 'job-2',
  otherResult: 'result-2',
  otherUser: 'user-2',
} as const;

/** Deadlines of the model, ms since the epoch. No clock is compared with them. */
export const deadlines = { first: 1_000_000, accepted: 2_000_000, extended: 3_000_000 } as const;

const transient: Transient = {
  type: 'transient',
  retryAfterMs: 3_000,
  problem: { code: 'unavailable', message: 'the server cannot answer now' },
};
const longWait: Transient = {
  type: 'transient',
  retryAfterMs: 3_600_000,
  problem: { code: 'rate-limited', message: 'the server asks for fewer requests', retryAt: 4_600_000 },
};
/** Something in front of the API refuses every call. */
const blocked: Transient = {
  type: 'transient',
  retryAfterMs: null,
  problem: { code: 'forbidden', message: 'a page answered that is not of the API' },
};
/** An answer that a retry within the minute hardly changes. */
const unknown: Transient = {
  type: 'transient',
  retryAfterMs: null,
  problem: { code: 'job-not-found', message: 'neither route knows the job' },
};
/** What comes in place of a result is not of the API: the route is asked again much later. */
const noResult: Transient = {
  type: 'transient',
  retryAfterMs: 160_000,
  problem: { code: 'invalid-response', message: 'the answer is not a result of the API', retryAt: 1_160_000 },
};
/** A token of the first generation was refused; or there was none, and nothing was sent. */
const unauthorized: readonly Unauthorized[] = [
  { type: 'unauthorized', generation: 1 },
  { type: 'unauthorized', generation: null },
];

const outcomes: { readonly [Call in keyof Outcomes]: CasesOf<Outcomes[Call]> } = {
  submitAssessment: {
    accepted: [
      { type: 'accepted', jobId: ids.job, resultId: ids.result, balance: 3, deadlineAt: deadlines.accepted },
      { type: 'accepted', jobId: ids.job, resultId: null, balance: null, deadlineAt: deadlines.accepted },
    ],
    unauthorized,
    transient: [transient, longWait, blocked],
    unconfirmed: [
      { type: 'unconfirmed', retryAfterMs: null, problem: { code: 'network', message: 'the answer was lost' } },
      {
        type: 'unconfirmed',
        retryAfterMs: null,
        problem: { code: 'invalid-response', message: 'the answer cannot be read' },
        isFinal: true,
      },
    ],
    rejected: [{ type: 'rejected', problem: { code: 'validation', message: 'an answer is missing' } }],
  },
  checkStatus: {
    running: [
      { type: 'running', status: 'processing', percent: 40, queuePosition: null, retryAfterMs: 3_000 },
      { type: 'running', status: 'queued', percent: null, queuePosition: 4 },
    ],
    completed: [
      { type: 'completed', resultId: ids.result },
      { type: 'completed', resultId: null },
    ],
    failed: [
      { type: 'failed', problem: { code: 'job-failed', message: 'the analysis failed' } },
      {
        type: 'failed',
        problem: { code: 'unconfirmed-failure', message: 'a failure that may be taken back' },
        isConfirmed: false,
      },
    ],
    unauthorized,
    transient: [transient, unknown],
    rejected: [{ type: 'rejected', problem: { code: 'forbidden', message: 'this is not your job' } }],
  },
  fetchResult: {
    ready: [{ type: 'ready', result: { persona: 'the analyst' } }],
    invalid: [
      { type: 'invalid', problem: { code: 'invalid-result', message: 'it does not fit its schema' } },
      {
        type: 'invalid',
        problem: { code: 'invalid-result', message: 'it does not fit its schema, and is fetched again' },
        isConfirmed: false,
      },
    ],
    unauthorized,
    transient: [transient, noResult],
    rejected: [{ type: 'rejected', problem: { code: 'forbidden', message: 'this is not your result' } }],
  },
  refreshToken: {
    renewed: [{ type: 'renewed' }],
    holds: [{ type: 'holds' }],
    wait: [{ type: 'wait', retryAfterMs: 60_000 }],
    outage: [{ type: 'outage', retryAfterMs: 30_000 }],
    rejected: [{ type: 'rejected' }],
  },
};

/** By its job, by its result, another assessment's by either, and by nothing at all. */
const jobIds = [
  { jobId: ids.job, resultId: ids.result },
  { jobId: null, resultId: ids.result },
  { jobId: ids.otherJob, resultId: ids.otherResult },
  { jobId: null, resultId: ids.otherResult },
  { jobId: null, resultId: null },
] as const;
const userIds = [ids.user, null, ids.otherUser] as const;

const ofTheUser: CasesOf<Extract<AssessmentEvent, { type: `assessment.${string}` }>> = {
  'assessment.submit': [{ type: 'assessment.submit' }],
  'assessment.resume': [{ type: 'assessment.resume' }],
  'assessment.keepWaiting': [{ type: 'assessment.keepWaiting', deadlineAt: deadlines.extended }],
  'assessment.sendAgain': [{ type: 'assessment.sendAgain' }],
  'assessment.cancel': [{ type: 'assessment.cancel' }],
};

const ofTheWorld: CasesOf<Exclude<AssessmentEvent, { type: `assessment.${string}` }>> = {
  'feed.live': [{ type: 'feed.live' }],
  'feed.lost': [{ type: 'feed.lost' }],
  // A feed that does not name the job does not say how far it is, either.
  'job.progressed': [
    ...jobIds.map((job) => ({
      type: 'job.progressed' as const,
      ...job,
      status: 'processing' as const,
      percent: job.jobId === null ? null : 60,
    })),
    // A real server announces the start of the analysis without a percentage.
    { type: 'job.progressed', jobId: ids.job, resultId: null, status: 'processing', percent: null },
  ],
  'job.completed': jobIds.map((job) => ({ type: 'job.completed', ...job })),
  'job.failed': jobIds.map((job) => ({ type: 'job.failed', ...job, message: 'the analysis failed' })),
  'balance.changed': [{ type: 'balance.changed', balance: 2 }],
  'token.expiring': [{ type: 'token.expiring' }],
  'token.recovered': [{ type: 'token.recovered' }],
  'token.renewed': userIds.map((userId) => ({ type: 'token.renewed', generation: 2, userId })),
  'session.ended': [{ type: 'session.ended', reason: 'rejected' }],
  'session.restored': userIds.map((userId) => ({ type: 'session.restored', userId })),
  'page.resumed': [{ type: 'page.resumed', reason: 'visible' }],
  'submission.known': [{ type: 'submission.known', jobId: ids.job, resultId: ids.result }],
  'deadline.moved': [{ type: 'deadline.moved', byMs: 60_000 }],
  'deadline.passed': [{ type: 'deadline.passed' }],
};

/** The event types of the chart that a user sends. */
export const userEventTypes = Object.keys(ofTheUser);
/** The event types of the chart that the feed, the token, the page and the deadline send. */
export const worldEventTypes = Object.keys(ofTheWorld);

/** The ports that speak as long as an assessment is active. */
export const portIds = ['jobFeed', 'tokenWatch', 'pageSignals'] as const;
export type PortId = (typeof portIds)[number];

/** A call is answered, or a port completes. */
export const answered = (actorId: string, output?: unknown): ModelEvent => ({
  type: `xstate.done.actor.${actorId}`,
  actorId,
  output,
});
/** A call, or a port, throws. */
export const broken = (actorId: string): ModelEvent => ({
  type: `xstate.error.actor.${actorId}`,
  actorId,
  error: new TypeError(`a defect in ${actorId}`),
});

/** All that each call can come to, defects last. */
export const answers: Readonly<Record<string, readonly ModelEvent[]>> = Object.fromEntries(
  Object.entries<Readonly<Record<string, readonly object[]>>>(outcomes).map(([call, cases]) => [
    call,
    [...Object.values(cases).flatMap((some) => some.map((outcome) => answered(call, outcome))), broken(call)],
  ]),
);
export const userEvents: readonly ModelEvent[] = Object.values(ofTheUser).flat();
export const worldEvents: readonly ModelEvent[] = Object.values(ofTheWorld).flat();
export const portEnds: readonly ModelEvent[] = portIds.flatMap((port) => [answered(port), broken(port)]);

/** Whether this event ends a port for good: nothing comes from it afterwards. */
export const endsPort = ({ type }: ModelEvent): boolean => portIds.some((port) => type.endsWith(`.actor.${port}`));

/** Which port an event of the world comes through; null where it is the user's, a timer's or a call's. */
export function portOf({ type }: { type: string }): PortId | null {
  const sender = type.split('.')[0];
  if (sender === 'feed' || sender === 'job' || sender === 'balance') return 'jobFeed';
  if (sender === 'token' || sender === 'session') return 'tokenWatch';
  return sender === 'page' ? 'pageSignals' : null;
}

/** A text that tells events of the model apart. */
export function eventKey(event: ModelEvent): string {
  const known = eventKeys.get(event) ?? computeKey(event);
  eventKeys.set(event, known);
  return known;
}

const eventKeys = new WeakMap<ModelEvent, string>();

function computeKey({ type, ...payload }: ModelEvent): string {
  if ('error' in payload) return `${type}(defect)`;
  const said = 'actorId' in payload ? payload.output : payload;
  return said === undefined || Object.keys(said as object).length === 0 ? type : `${type}(${JSON.stringify(said)})`;
}
