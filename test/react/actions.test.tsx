// @vitest-environment jsdom
import { act, cleanup, renderHook } from '@testing-library/react';
import { type AssessmentClientOptions, type Remedy } from 'assessment-monitor';
import { AssessmentProvider, useAssessment, type UseAssessment, useBalance } from 'assessment-monitor/react';
import type { ReactNode } from 'react';
import { afterEach, describe, expect, it } from 'vitest';
import { sampleAnswers } from '../../demo/sample-answers.ts';
import { describeEachMode } from './support/modes.ts';
import type { Answers, Report } from './support/page.tsx';
import { nested, ok } from '../support/scripted-world.ts';
import { openWorld, type World } from './support/world.tsx';

/* The actions of the hooks, and the errors that they show. */

let world: World;
let hook: { current: UseAssessment<Answers, Report> & { balance: number | null } };
const open = (options?: Partial<AssessmentClientOptions<Report>>) => {
  world = openWorld(options);
  const wrapper = ({ children }: { children: ReactNode }) => (
    <AssessmentProvider client={world.client}>{children}</AssessmentProvider>
  );
  hook = renderHook(() => ({ ...useAssessment<Answers, Report>(), balance: useBalance() }), { wrapper }).result;
};
const does = (what: (it: UseAssessment<Answers, Report>) => unknown, phase: string) =>
  world.happens(
    () => void what(hook.current),
    () => hook.current.phase === phase,
  );
const submits = (phase = 'waiting') => does((it) => it.submit(sampleAnswers), phase);
const goesBy = (ms: number) => act(() => world.clock.run(ms));

afterEach(() => {
  cleanup();
  world.client.dispose();
  expect(world.clock.armed()).toBe(0);
});

const breaks = () => null;
const refuses = (status: number, code: string) => () => nested(status, code, {}, 'said by the server');

describeEachMode(() => {
  describe('submit', () => {
    it('submits once on a double click and returns the same assessment twice', async () => {
      open();
      let ids: string[] = [];
      await does(
        (it) => (ids = [it.submit(sampleAnswers).id, it.submit(structuredClone(sampleAnswers)).id]),
        'waiting',
      );
      expect(ids).toEqual(['assessment-1', 'assessment-1']);
      expect(world.count('submit')).toBe(1);
    });

    it('submits two different questionnaires as two assessments', async () => {
      open();
      await does((it) => {
        it.submit(sampleAnswers);
        it.submit({ ...sampleAnswers, assessment_name: 'Another one' });
      }, 'waiting');
      await world.happens(
        () => {},
        () => world.count('submit') === 2,
      );
      expect(hook.current).toMatchObject({ id: 'assessment-2' });
    });

    it('works in a callback that was made by an old render', async () => {
      open();
      const { submit } = hook.current;
      await submits();
      await does((it) => it.cancel(), 'cancelled');
      await does(() => submit(sampleAnswers), 'waiting');
      expect(world.count('submit')).toBe(2);
      expect(hook.current.submit).toBe(submit);
    });
  });

  it('cancel ends the assessment, and reset goes back to the idle view', async () => {
    open();
    await submits();
    await does((it) => it.cancel(), 'cancelled');
    await does((it) => it.reset(), 'idle');
    expect(world.client.getSnapshot().assessments).toEqual([]);
    await submits();
    expect(hook.current).toMatchObject({ id: 'assessment-2' });
  });

  it('reset does not remove an assessment that is under way', async () => {
    open();
    await submits();
    await does((it) => it.reset(), 'waiting');
    expect(world.client.getSnapshot().assessments).toHaveLength(1);
  });

  it('the actions do nothing and send nothing while there is no assessment', () => {
    open();
    act(() => {
      hook.current.cancel();
      hook.current.keepWaiting();
      hook.current.sendAgain();
      hook.current.reset();
      hook.current.resume();
    });
    expect(hook.current.phase).toBe('idle');
    expect(world.calls).toEqual([]);
  });

  it('keepWaiting extends the deadline of a delayed assessment, which can still complete', async () => {
    open({ settings: () => ({ monitoringTimeoutMs: 120_000 }) });
    await submits();
    await world.goLive();
    await goesBy(121_000);
    expect(hook.current.phase).toBe('delayed');
    await does((it) => it.keepWaiting(), 'waiting');
    await goesBy(115_000);
    expect(hook.current.phase).toBe('waiting');
    await does(() => world.complete(), 'completed');
    expect(hook.current).toMatchObject({ result: { archetype: 'The Explorer' } });
  });

  it('sendAgain repeats a submission whose outcome is unknown', async () => {
    open({ idempotencyHeader: null });
    world.faults.submit = breaks;
    await submits('unconfirmed');
    delete world.faults.submit;
    await does((it) => it.sendAgain(), 'waiting');
    expect(world.count('submit')).toBe(2);
  });

  it('resumes without an action after a sign-in', async () => {
    open();
    world.client.signedIn({ accessToken: 'a-token-with-a-name', expiresIn: 3_600, userId: 'ann' });
    await submits();
    await does(() => world.client.signedOut(), 'idle');
    await does(
      () => world.client.signedIn({ accessToken: 'another-token', expiresIn: 3_600, userId: 'ann' }),
      'waiting',
    );
    expect(world.count('submit')).toBe(1);
  });

  describe('the balance', () => {
    it('is null at first and changes with each submission', async () => {
      open();
      expect(hook.current.balance).toBeNull();
      await submits();
      expect(hook.current.balance).toBe(4);
    });

    it('changes when the application calls refreshBalance', async () => {
      open();
      await act(() => world.client.refreshBalance());
      expect(hook.current.balance).toBe(5);
    });
  });

  describe('an error', () => {
    const remedies: readonly Remedy[] = ['retry', 'sign-in', 'keep-waiting', 'contact-support'];
    const ways: Record<string, { into: () => Promise<void>; phase: string; code: string }> = {
      'a session that has ended': {
        into: () => {
          world.client.signedOut();
          return submits('sign-in-needed');
        },
        phase: 'sign-in-needed',
        code: 'sign-in-required',
      },
      'a job that takes long': {
        into: async () => {
          await submits();
          await world.goLive();
          await goesBy(30 * 60_000 + 1_000);
        },
        phase: 'delayed',
        code: 'timed-out',
      },
      'a submission that got no answer': {
        into: () => {
          world.faults.submit = breaks;
          return submits('unconfirmed');
        },
        phase: 'unconfirmed',
        code: 'outcome-unknown',
      },
      'answers that were refused': {
        into: () => {
          world.faults.submit = refuses(400, 'VALIDATION_ERROR');
          return submits('failed');
        },
        phase: 'failed',
        code: 'validation',
      },
      'too little credit': {
        into: () => {
          world.faults.submit = refuses(402, 'INSUFFICIENT_TOKENS');
          return submits('failed');
        },
        phase: 'failed',
        code: 'insufficient-credit',
      },
      'an analysis that failed': {
        into: async () => {
          world.faults.status = () => ok({ status: 'failed', error: 'said by the server' });
          await submits('failed');
        },
        phase: 'failed',
        code: 'job-failed',
      },
    };

    it.each(Object.entries(ways))('has a text in English and Indonesian and a remedy for %s', async (_, way) => {
      open({ idempotencyHeader: null });
      await way.into();
      expect(hook.current.phase).toBe(way.phase);
      if (!('error' in hook.current)) throw new Error('this phase must have an error');
      const { code, message, remedies: offered } = hook.current.error;
      expect(code).toBe(way.code);
      expect(message.en).toMatch(/\w{3}.*\.$/);
      expect(message.id).toMatch(/\w{3}.*\.$/);
      expect(message.id).not.toBe(message.en);
      expect(offered.length).toBeGreaterThan(0);
      expect(remedies).toEqual(expect.arrayContaining([...offered]));
      expect(JSON.stringify(hook.current.error)).not.toMatch(/said by the server|[A-Z]_[A-Z]/);
    });
  });
});
