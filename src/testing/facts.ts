import { type AssessmentContext, PATIENCE } from '../machines/assessment-setup.ts';

/** How a fact of the context tells states of the model apart. */
interface Fact {
  /** Its part of `stateKey`: everything that a guard can read of it. */
  readonly key: (context: AssessmentContext) => string;
  /** Its part of `stateClass`: the same without ids and counts, so that fewer states stand for all. */
  readonly kind: (context: AssessmentContext) => string;
}

/** No guard reads it: states that differ only in this fact have the same future. */
const unread: Fact = { key: () => '', kind: () => '' };
const flag = (name: string, holds: (context: AssessmentContext) => boolean): Fact => {
  const read = (context: AssessmentContext) => (holds(context) ? name : '');
  return { key: read, kind: read };
};
const id = (name: 'jobId' | 'resultId' | 'userId'): Fact => ({
  key: (context) => `${name}=${context[name] ?? '-'}`,
  kind: () => '',
});
/** Before the job has finished, any failure of an assessment that is delayed already leads back to the delay. */
const isCounted = (it: AssessmentContext): boolean => it.finished || !it.timedOut;

/** Every fact of the context. A new fact does not compile until this list says whether a guard reads it. */
const facts = {
  submissionId: unread,
  // Whether the server recognises a repetition matters before the acceptance only. Too few states differ in it for a class of its own.
  idempotent: { ...flag('idempotent', (it) => it.idempotent || it.jobId !== null), kind: () => '' },
  userId: id('userId'),
  jobId: { ...id('jobId'), kind: flag('job', (it) => it.jobId !== null).kind },
  // Events are compared with it until the job has finished.
  resultId: { ...id('resultId'), key: (it) => (it.finished ? '' : id('resultId').key(it)) },
  deadlineAt: unread,
  progress: unread,
  refreshDue: flag('refreshDue', (it) => it.refreshDue),
  // A refusal matters until a refresh is due because of it, or the job has finished.
  refusedGeneration: flag('inDoubt', (it) => it.refusedGeneration !== null && !it.refreshDue && !it.finished),
  feedLive: flag('feedLive', (it) => it.feedLive),
  finished: flag('finished', (it) => it.finished),
  overdue: flag('overdue', (it) => it.overdue),
  timedOut: flag('timedOut', (it) => it.timedOut),
  outcomeUnknown: flag('outcomeUnknown', (it) => it.outcomeUnknown),
  hinted: unread,
  unhurried: flag('unhurried', (it) => it.unhurried),
  failures: {
    key: (it) => (isCounted(it) ? `failures=${it.failures}` : ''),
    kind: flag('impatient', (it) => isCounted(it) && it.failures >= PATIENCE - 1).kind,
  },
  // A long wait matters to a user who is asked whether to wait.
  retryAfterMs: flag('putOff', (it) => it.timedOut && it.failures > 0 && (it.retryAfterMs ?? 0) >= 60_000),
  problem: unread,
} satisfies Record<keyof AssessmentContext, Fact>;

const all: readonly Fact[] = Object.values(facts);
const joined = (parts: readonly string[]): string => parts.filter((part) => part !== '').join(' ');

/** Everything in a context that a guard can read. */
export const keyOfContext = (context: AssessmentContext): string => joined(all.map(({ key }) => key(context)));
/** The same without ids and counts. */
export const kindOfContext = (context: AssessmentContext): string => joined(all.map(({ kind }) => kind(context)));
