import { describe, expect, it } from 'vitest';
import { type AssessmentContext, PATIENCE } from '../../src/machines/assessment-setup.ts';
import { assessmentMachine } from '../../src/machines/assessment-machine.ts';

/* What each guard says, by table: expected from what it is called, not from what it does. */

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

type Row = [known: Partial<AssessmentContext>, said: unknown, answer: boolean];

const ours = { jobId: 'j1', resultId: 'r1' };
const byOneFact = (fact: keyof AssessmentContext): Row[] => [
  [{ [fact]: true }, undefined, true],
  [{ [fact]: false }, undefined, false],
];
const byType = (type: string): Row[] => [
  [{}, { type }, true],
  [{}, { type: 'something-else' }, false],
];
const anotherUser: Row[] = [
  [{ userId: 'ann' }, { userId: 'bob' }, true],
  [{ userId: 'ann' }, { userId: 'ann' }, false],
  [{ userId: 'ann' }, { userId: null }, false],
  [{ userId: null }, { userId: 'bob' }, false],
  [{ userId: null }, { userId: null }, false],
];
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
  isOutcomeUnknown: byOneFact('outcomeUnknown'),
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
  isOurJob: [
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
  ],
  isHint: [
    [ours, { jobId: null, resultId: null }, true],
    [ours, { jobId: null, resultId: 'r2' }, false],
    [{ jobId: 'j1' }, { jobId: null, resultId: 'r2' }, true],
    [ours, { jobId: 'j2', resultId: null }, false],
    [ours, { jobId: 'j1', resultId: null }, false],
    [{ ...ours, finished: true }, { jobId: null, resultId: null }, false],
    [{}, { jobId: null, resultId: null }, false],
  ],
  isAnotherUser: anotherUser,
  isSameUser: anotherUser.map(([known, said, answer]): Row => [known, said, !answer]),
  isAccepted: byType('accepted'),
  isUnauthorized: byType('unauthorized'),
  isRejected: byType('rejected'),
  isRunning: byType('running'),
  isCompleted: byType('completed'),
  isFailed: byType('failed'),
  isReady: byType('ready'),
  isRenewed: byType('renewed'),
  isStillGood: byType('holds'),
  isOutage: byType('outage'),
  isUnrepeatable: [
    [{ idempotent: false }, { type: 'unconfirmed' }, true],
    [{ idempotent: true }, { type: 'unconfirmed' }, false],
    [{ idempotent: false }, { type: 'transient' }, false],
  ],
  isRunningLate: [
    [{ overdue: true }, { type: 'running' }, true],
    [{ overdue: false }, { type: 'running' }, false],
    [{ overdue: true }, { type: 'completed' }, false],
  ],
  isInvalidForGood: [
    [{ failures: PATIENCE - 1 }, { type: 'invalid' }, true],
    [{ failures: PATIENCE }, { type: 'invalid' }, true],
    [{ failures: PATIENCE - 2 }, { type: 'invalid' }, false],
    [{ failures: PATIENCE }, { type: 'transient' }, false],
  ],
};

describe('the guards', () => {
  it('are all in the table', () => {
    expect(Object.keys(table).toSorted()).toEqual(Object.keys(guards).toSorted());
  });

  it.each(Object.entries(table).flatMap(([name, rows]) => rows.map((row) => [name, ...row] as [string, ...Row])))(
    '%s, knowing %j and told %j: %s',
    (name, known, said, answer) => {
      const context = { ...nothingKnown, ...known };
      const event = { type: 'xstate.done.actor.any', output: said };
      expect(guards[name]?.({ context, event })).toBe(answer);
      if (said) expect(guards[name]?.({ context, event: said })).toBe(answer);
    },
  );
});
