import { describe, expect, it } from 'vitest';
import { type AssessmentContext, PATIENCE } from '../../src/machines/assessment-setup.ts';
import { assessmentMachine } from '../../src/machines/assessment-machine.ts';

/* A table for each guard: the expected answers follow from its name, not from its code. */

const nothingKnown: AssessmentContext = {
  submissionId: 's1',
  idempotent: true,
  userId: null,
  jobId: null,
  resultId: null,
  deadlineAt: 0,
  progress: { status: 'queued', percent: 0, queuePosition: null },
  refreshDue: false,
  refusedGeneration: null,
  feedLive: false,
  finished: false,
  overdue: false,
  timedOut: false,
  outcomeUnknown: false,
  hinted: false,
  unhurried: false,
  failures: 0,
  retryAfterMs: null,
  problem: null,
};

type Guard = (known: { context: AssessmentContext; event: unknown }) => boolean;
const guards = assessmentMachine.implementations.guards as unknown as Record<string, Guard>;

/** `told` is the outcome of a call, or an event; undefined where the guard reads the facts only. */
type Row = [known: Partial<AssessmentContext>, told: object | undefined, answer: boolean];

const ours = { jobId: 'j1', resultId: 'r1' };
const byOneFact = (fact: keyof AssessmentContext): Row[] => [
  [{ [fact]: true }, undefined, true],
  [{ [fact]: false }, undefined, false],
];
const byType = (type: string): Row[] => [
  [{}, { type }, true],
  [{}, { type: 'something-else' }, false],
];
/** The same rows for each event that names a job. */
const ofAJob = (rows: Row[]): Row[] =>
  ['job.progressed', 'job.completed', 'job.failed'].flatMap((type) =>
    rows.map(([known, job, answer]): Row => [known, { type, ...job }, answer]),
  );
/** Rows of one event type. */
const ofType =
  (type: string) =>
  (rows: Row[]): Row[] =>
    rows.map(([known, event, answer]): Row => [known, { type, ...event }, answer]);
const reported = ofType('job.failed');
const started = ofType('job.progressed');
const unreadable = { code: 'invalid-result', message: '' } as const;
/** The same rows for each event that names a user. */
const anotherUser: Row[] = ['token.renewed', 'session.restored'].flatMap((type): Row[] => [
  [{ userId: 'ann' }, { type, userId: 'bob' }, true],
  [{ userId: 'ann' }, { type, userId: 'ann' }, false],
  [{ userId: 'ann' }, { type, userId: null }, false],
  [{ userId: null }, { type, userId: 'bob' }, false],
  [{ userId: null }, { type, userId: null }, false],
]);
const spent = (failures: number): Row[] => [
  [{ overdue: true, failures }, undefined, true],
  [{ overdue: true, failures: failures - 1 }, undefined, false],
  [{ overdue: false, failures: PATIENCE }, undefined, false],
  [{ timedOut: true }, undefined, true],
  [{}, undefined, false],
];

const table: Record<string, Row[]> = {
  isRefreshDue: byOneFact('refreshDue'),
  isFinished: byOneFact('finished'),
  isTimedOut: byOneFact('timedOut'),
  isFeedLive: byOneFact('feedLive'),
  isUnhurried: byOneFact('unhurried'),
  isFeedBack: [
    [{ feedLive: true, unhurried: true }, undefined, true],
    [{ feedLive: false, unhurried: true }, undefined, false],
    [{ feedLive: true, unhurried: false }, undefined, false],
  ],
  isInDoubt: [
    [{ refusedGeneration: 1 }, undefined, true],
    [{ refusedGeneration: null }, undefined, false],
  ],
  isDoubtful: [
    [{ feedLive: true }, { type: 'unauthorized', generation: 1 }, true],
    [{ feedLive: true }, { type: 'unauthorized', generation: null }, false],
    [{ feedLive: true }, { type: 'transient' }, false],
    [{ feedLive: false }, { type: 'unauthorized', generation: 1 }, false],
    [{ feedLive: true, refusedGeneration: 1 }, { type: 'unauthorized', generation: 1 }, false],
  ],
  hasJob: [
    [{ jobId: 'j1' }, undefined, true],
    [{}, undefined, false],
  ],
  hasNoJob: [
    [{ jobId: 'j1' }, undefined, false],
    [{}, undefined, true],
  ],
  isReadyToDecide: [...byOneFact('refreshDue'), ...byOneFact('finished')],
  canListenNoMore: [
    [{ feedLive: true }, undefined, false],
    [{ feedLive: false }, undefined, true],
    [{ feedLive: true, refreshDue: true }, undefined, true],
  ],
  canPollNoMore: [
    [{ feedLive: false }, undefined, false],
    [{ feedLive: true }, undefined, true],
    [{ feedLive: false, refreshDue: true }, undefined, true],
  ],
  isGivingUp: spent(PATIENCE - 1),
  isOutOfPatience: spent(PATIENCE),
  isOurJob: ofAJob([
    [ours, { jobId: 'j1', resultId: 'r1' }, true],
    [ours, { jobId: 'j1', resultId: null }, true],
    [ours, { jobId: 'j2', resultId: 'r1' }, false],
    [ours, { jobId: null, resultId: 'r1' }, true],
    [ours, { jobId: null, resultId: 'r2' }, false],
    [ours, { jobId: null, resultId: null }, false],
    [{ jobId: 'j1' }, { jobId: null, resultId: null }, false],
    [{ jobId: 'j1' }, { jobId: null, resultId: 'r1' }, false],
    [{ ...ours, finished: true }, { jobId: 'j1', resultId: 'r1' }, false],
    [{}, { jobId: 'j1', resultId: null }, false],
    [{}, { jobId: null, resultId: null }, false],
    [{ resultId: 'r1' }, { jobId: null, resultId: 'r1' }, false],
  ]),
  isOurJobDelayed: ofAJob([
    [{ ...ours, refreshDue: true }, { jobId: 'j1', resultId: 'r1' }, true],
    [ours, { jobId: 'j1', resultId: 'r1' }, false],
    [{ ...ours, refreshDue: true }, { jobId: 'j2', resultId: 'r1' }, false],
    [{ ...ours, refreshDue: true, finished: true }, { jobId: 'j1', resultId: 'r1' }, false],
  ]),
  isHint: ofAJob([
    [ours, { jobId: null, resultId: null }, true],
    // The server recognises equal answers and reports the result of the first job.
    [ours, { jobId: null, resultId: 'r2' }, true],
    [ours, { jobId: null, resultId: 'r1' }, false],
    [{ jobId: 'j1' }, { jobId: null, resultId: 'r2' }, true],
    [ours, { jobId: 'j2', resultId: null }, false],
    [ours, { jobId: 'j2', resultId: 'r2' }, false],
    [ours, { jobId: 'j1', resultId: null }, false],
    [{ ...ours, finished: true }, { jobId: null, resultId: null }, false],
    [{}, { jobId: null, resultId: null }, false],
  ]),
  isFailureReport: reported([
    [ours, { jobId: 'j1', resultId: null }, true],
    [ours, { jobId: 'j1', resultId: 'r2' }, true],
    [ours, { jobId: null, resultId: 'r1' }, true],
    [ours, { jobId: null, resultId: 'r2' }, true],
    [ours, { jobId: null, resultId: null }, true],
    [ours, { jobId: 'j2', resultId: 'r1' }, false],
    [{ ...ours, finished: true }, { jobId: 'j1', resultId: null }, false],
    [{}, { jobId: 'j1', resultId: null }, false],
    [{}, { jobId: null, resultId: null }, false],
  ]),
  isUnmeasuredStart: started([
    [ours, { jobId: 'j1', percent: null }, true],
    [ours, { jobId: 'j1', percent: 0 }, false],
    [ours, { jobId: 'j1', percent: 25 }, false],
    [ours, { jobId: 'j2', percent: null }, false],
    [ours, { jobId: null, percent: null }, false],
    [{}, { jobId: null, percent: null }, false],
    [{}, { jobId: 'j1', percent: null }, false],
    [{ ...ours, finished: true }, { jobId: 'j1', percent: null }, false],
  ]),
  isAnotherUser: anotherUser,
  isSameUser: anotherUser.map(([known, event, answer]): Row => [known, event, !answer]),
  isAccepted: byType('accepted'),
  isUnauthorized: byType('unauthorized'),
  isRejected: byType('rejected'),
  isRunning: byType('running'),
  isCompleted: byType('completed'),
  isFailed: byType('failed'),
  isFailedForGood: [
    [{}, { type: 'failed' }, true],
    [{}, { type: 'failed', isConfirmed: true }, true],
    [{}, { type: 'failed', isConfirmed: false }, false],
    [{}, { type: 'rejected' }, false],
    [{}, { type: 'transient', isConfirmed: true }, false],
  ],
  isReady: byType('ready'),
  isRenewed: byType('renewed'),
  isStillGood: byType('holds'),
  isOutage: byType('outage'),
  isUnrepeatable: [
    [{ idempotent: false }, { type: 'unconfirmed' }, true],
    [{ idempotent: true }, { type: 'unconfirmed' }, false],
    [{ idempotent: false }, { type: 'transient' }, false],
    // The server has taken the answers, or does not recognise keys after all.
    [{ idempotent: true }, { type: 'unconfirmed', isFinal: true }, true],
    [{ idempotent: true }, { type: 'unconfirmed', isFinal: false }, false],
    [{ idempotent: true }, { type: 'transient', isFinal: true }, false],
  ],
  isPersistent: [
    ...(['forbidden', 'job-not-found', 'invalid-response'] as const).flatMap((code): Row[] => [
      [{ failures: PATIENCE - 1 }, { type: 'transient', problem: { code } }, true],
      [{ failures: PATIENCE }, { type: 'transient', problem: { code } }, true],
      [{ failures: PATIENCE - 2 }, { type: 'transient', problem: { code } }, false],
    ]),
    [{ failures: PATIENCE }, { type: 'rejected', problem: { code: 'forbidden' } }, true],
    [{ failures: PATIENCE }, { type: 'transient', problem: { code: 'unavailable' } }, false],
    [{ failures: PATIENCE }, { type: 'transient', problem: { code: 'network' } }, false],
    [{ failures: PATIENCE }, { type: 'wait', retryAfterMs: 60_000 }, false],
    // The latest answer counts, not the one before it.
    [{ failures: PATIENCE, problem: { code: 'forbidden', message: '' } }, { type: 'wait' }, false],
  ],
  isLongWait: [
    [{}, { type: 'transient', retryAfterMs: 60_000 }, true],
    [{}, { type: 'transient', retryAfterMs: 3_588_000 }, true],
    [{}, { type: 'transient', retryAfterMs: 59_999 }, false],
    [{}, { type: 'transient', retryAfterMs: null }, false],
    [{}, { type: 'transient' }, false],
  ],
  isRunningLate: [
    [{ overdue: true }, { type: 'running' }, true],
    [{ overdue: false }, { type: 'running' }, false],
    [{ overdue: true }, { type: 'completed' }, false],
  ],
  isInvalidForGood: [
    [{}, { type: 'invalid' }, true],
    [{}, { type: 'invalid', isConfirmed: true }, true],
    // Failures of other kinds before it do not make it the last.
    [{ failures: PATIENCE, problem: unreadable }, { type: 'invalid', isConfirmed: false }, false],
    [{ failures: PATIENCE, problem: unreadable }, { type: 'transient', isConfirmed: true }, false],
  ],
  isPutOff: [
    [{ failures: 1, retryAfterMs: 60_000 }, undefined, true],
    // A job that runs may be asked for rarely: that is no failure.
    [{ retryAfterMs: 60_000 }, undefined, false],
    [{ failures: 1, retryAfterMs: 59_999 }, undefined, false],
    [{ retryAfterMs: null }, undefined, false],
  ],
};

/** Events are named in dot.case, outcomes are not. */
const isEvent = (told: object | undefined): boolean =>
  told !== undefined && 'type' in told && /\./.test(String(told.type));

describe('the table of guards', () => {
  it('has rows for every guard', () => {
    expect(Object.keys(table).toSorted()).toEqual(Object.keys(guards).toSorted());
  });

  it.each(Object.entries(table).flatMap(([name, rows]) => rows.map((row) => [name, ...row] as [string, ...Row])))(
    'says that %s, with the facts %j and the answer or event %j, is %s',
    (name, known, told, answer) => {
      const context = { ...nothingKnown, ...known };
      const event = isEvent(told) ? told : { type: 'xstate.done.actor.any', output: told };
      expect(guards[name]?.({ context, event })).toBe(answer);
    },
  );
});

describe('a guard that reads an event', () => {
  it('throws on an event that it is not for, so that a mistake in the chart does not pass for an answer', () => {
    expect(() => guards['isOurJob']?.({ context: nothingKnown, event: { type: 'feed.live' } })).toThrow('job.*');
    expect(() => guards['isSameUser']?.({ context: nothingKnown, event: { type: 'feed.live' } })).toThrow();
    expect(() => guards['isFailureReport']?.({ context: nothingKnown, event: { type: 'job.completed' } })).toThrow();
    expect(() => guards['isUnmeasuredStart']?.({ context: nothingKnown, event: { type: 'job.failed' } })).toThrow();
  });
});
