import { describe, expect, it } from 'vitest';
import { createActor } from 'xstate';
import { toView } from '../../src/client/view.ts';
import { delayCodes, type ErrorCode } from '../../src/lib/errors.ts';
import { assessmentMachine } from '../../src/machines/assessment-machine.ts';

/* Each text that explains a delay is true of what the client knows: before the acceptance there is no job. */

const input = { submissionId: 'submission-1', deadlineAt: 0 };
const { context } = createActor(assessmentMachine, { input }).getSnapshot();
const delayedBy = (code: ErrorCode | null, jobId: string | null) => {
  const problem = code === null ? null : { code, message: '' };
  const delayed = { ...context, timedOut: true, jobId, problem };
  const snapshot = assessmentMachine.resolveState({ value: { active: { 'timed-out': 'resting' } }, context: delayed });
  const view = toView(snapshot);
  return view.phase === 'delayed' ? view.error.code : view.phase;
};
const beforeAcceptance: ReadonlySet<ErrorCode> = new Set([
  'network',
  'unavailable',
  'rate-limited',
  'invalid-response',
]);

describe('a delay', () => {
  it.each(delayCodes)('by %s is explained by it where the server has a job', (code) => {
    expect(delayedBy(code, 'job-1')).toBe(code);
  });

  it.each(delayCodes)('by %s says nothing about a job before the acceptance', (code) => {
    expect(delayedBy(code, null)).toBe(beforeAcceptance.has(code) ? code : 'unavailable');
  });

  it.each(['validation', 'job-failed', 'sign-in-required', null] as const)(
    'is explained by the deadline, or by the service, where the last problem was %s',
    (code) => {
      expect([delayedBy(code, 'job-1'), delayedBy(code, null)]).toEqual(['timed-out', 'unavailable']);
    },
  );
});
