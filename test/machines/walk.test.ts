import { answered, explore, ids, liveStage, modelInputs, type ModelEvent, walk } from 'assessment-monitor/testing';
import { assign } from 'xstate';
import { describe, expect, it } from 'vitest';
import { assessmentMachine } from '../../src/machines/assessment-machine.ts';
import { breakMachine } from '../support/broken-machine.ts';

describe('a walk notices', () => {
  const walkOf = (machine: typeof assessmentMachine, start: keyof typeof modelInputs, ...events: ModelEvent[]) =>
    walk(liveStage(machine), { start, input: modelInputs[start], events });

  it('a deadline that goes by unheard while the user is asked', async () => {
    const machine = breakMachine((state) => {
      state('active.submitting.unconfirmed').on['deadline.passed'] = {};
    });
    await expect(
      walkOf(
        machine,
        'a resumed submission of unknown outcome',
        { type: 'assessment.resume' },
        answered('submitAssessment', {
          type: 'unconfirmed',
          retryAfterMs: null,
          problem: { code: 'outcome-unknown', message: 'no job was found' },
          isFinal: true,
        }),
        { type: 'deadline.passed' },
      ),
    ).rejects.toThrow('the timers: is [], should be ["untilDeadline"]');
  });

  it('a page that comes back and keeps the timer that a sleep has made wrong', async () => {
    const machine = breakMachine((state) => {
      state('active.submitting.waiting').on['page.resumed'] = { target: 'sending' };
    });
    const failed = answered('submitAssessment', {
      type: 'transient',
      retryAfterMs: null,
      problem: { code: 'network', message: 'no network' },
    });
    await expect(
      walkOf(machine, 'a fresh assessment', { type: 'assessment.submit' }, failed, {
        type: 'page.resumed',
        reason: 'resume',
      }),
    ).rejects.toThrow('whether the deadline was set again: is false, should be true');
  });

  it('a refresh that closes the feed to open it again', async () => {
    const machine = breakMachine((state) => {
      state('active').on['token.expiring'] = { actions: 'noteRefreshDue', target: 'active', reenter: true };
    });
    await expect(
      walkOf(machine, 'a resumed job', { type: 'assessment.resume' }, { type: 'token.expiring' }),
    ).rejects.toThrow('the ports that were ever listened to');
  });

  it('a transition that is never taken, by its name', async () => {
    const stage = liveStage(assessmentMachine);
    const declared = stage.untaken().length;
    await stage.begin({ submissionId: ids.submission, deadlineAt: 0 }).take({ type: 'assessment.cancel' });
    const untaken = stage.untaken();
    expect(untaken).toHaveLength(declared - 1);
    expect(untaken.find(({ from }) => from === 'idle')).toMatchObject({
      event: 'assessment.submit',
      guard: '',
      target: 'active',
    });
  });
});

it('a counter without an end is noticed, and not counted for ever', () => {
  const endless = assessmentMachine.provide({
    actions: { noteFailure: assign(({ context }) => ({ failures: context.failures + 1 })) },
  }) as typeof assessmentMachine;
  const inputs = { resumed: modelInputs['a resumed job'] };
  expect(() => explore(endless, { inputs, limit: 10_000 })).toThrow('Traversal limit exceeded');
});
