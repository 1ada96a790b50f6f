import { describe, expect, it } from 'vitest';
import { createActor, fromPromise, getNextSnapshot } from 'xstate';
import { type AssessmentContext, jobOf, PATIENCE } from '../../src/machines/assessment-setup.ts';
import { assessmentMachine } from '../../src/machines/assessment-machine.ts';

/* What is known after an answer or an event, by table: which facts change, and that no other does. */

const input = { submissionId: 's1', deadlineAt: 1_000 };
/** Made anew by each test, so that each one sees what the machine starts with. */
const fresh = () => createActor(assessmentMachine, { input }).getSnapshot().context;
const problem = { code: 'unavailable', message: 'down' } as const;

type Value = Parameters<typeof assessmentMachine.resolveState>[0]['value'];

/** One step of the chart from a state and what is known there. */
function step(value: Value, known: Partial<AssessmentContext>, event: object) {
  const before = assessmentMachine.resolveState({ value, context: { ...fresh(), ...known } });
  const after = getNextSnapshot(assessmentMachine, before, event as never);
  const context: Partial<AssessmentContext> = {};
  for (const key of Object.keys(after.context) as (keyof AssessmentContext)[]) {
    if (JSON.stringify(after.context[key]) !== JSON.stringify(before.context[key]))
      Object.assign(context, { [key]: after.context[key] });
  }
  return { value: after.value, changed: context, output: after.output as unknown };
}

const answer = (actor: string, output: object) => ({ type: `xstate.done.actor.${actor}`, output });
const sending: Value = { active: { submitting: 'sending' } };
const checking: Value = { active: { polling: 'checking' } };
const waiting: Value = { active: { polling: 'waiting' } };
const requesting: Value = { active: { 'fetching-result': 'requesting' } };
const refreshing: Value = { active: { 'refreshing-token': 'requesting' } };
const job = { jobId: 'j1' };

describe('what the machine starts with', () => {
  it('is what its input says', () => {
    const all = {
      ...input,
      idempotent: false,
      userId: 'ann',
      jobId: 'j1',
      resultId: 'r1',
      outcomeUnknown: true,
      refreshDue: true,
    };
    expect(createActor(assessmentMachine, { input: all }).getSnapshot().context).toMatchObject(all);
  });

  it('is nothing where it says nothing', () => {
    expect(fresh()).toEqual({
      submissionId: 's1',
      deadlineAt: 1_000,
      idempotent: true,
      userId: null,
      jobId: null,
      resultId: null,
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
    });
  });
});

describe('what is noted of', () => {
  it('an acceptance', () => {
    const accepted = { type: 'accepted', jobId: 'j1', resultId: 'r1', deadlineAt: 5_000, balance: null };
    const known = { overdue: true, timedOut: false, failures: 2, retryAfterMs: 7, problem };
    expect(step(sending, known, answer('submitAssessment', accepted)).changed).toEqual({
      jobId: 'j1',
      resultId: 'r1',
      deadlineAt: 5_000,
      overdue: false,
      failures: 0,
      retryAfterMs: null,
      problem: null,
    });
  });

  it('a failure, counted up to the end of patience', () => {
    const failed = answer('checkStatus', { type: 'transient', retryAfterMs: 9_000, problem });
    expect(step(checking, job, failed).changed).toEqual({ failures: 1, retryAfterMs: 9_000, problem });
    expect(step(checking, { ...job, failures: PATIENCE }, failed).changed).toEqual({ retryAfterMs: 9_000, problem });
  });

  it('an outage: no patience of the server, and the problem that was there', () => {
    const outage = answer('refreshToken', { type: 'outage', retryAfterMs: 500 });
    const known = { ...job, problem, refreshDue: true, refusedGeneration: 3 };
    expect(step(refreshing, known, outage).changed).toEqual({
      failures: 1,
      retryAfterMs: 500,
      refreshDue: false,
      refusedGeneration: null,
    });
  });

  it('a defect', () => {
    const defect = { type: 'xstate.error.actor.checkStatus', error: new Error('oops') };
    const { failures, retryAfterMs, problem: noted } = step(checking, { ...job, retryAfterMs: 5 }, defect).changed;
    expect([failures, retryAfterMs, noted?.code]).toEqual([1, null, 'unexpected']);
  });

  it('an answer that goes on', () => {
    const running = { type: 'running', status: 'processing', percent: 40, queuePosition: 2, retryAfterMs: null };
    const known = { ...job, failures: 3, retryAfterMs: 5, problem };
    expect(step(checking, known, answer('checkStatus', running)).changed).toEqual({
      failures: 0,
      retryAfterMs: null,
      problem: null,
      progress: { status: 'processing', percent: 40, queuePosition: null },
    });
  });

  it.each([
    [
      'a place in the queue',
      { status: 'queued', percent: null, queuePosition: 4 },
      { status: 'queued', percent: 0, queuePosition: 4 },
    ],
    [
      'the beginning',
      { status: 'processing', percent: null, queuePosition: null },
      { status: 'processing', percent: 0, queuePosition: null },
    ],
    [
      'a percentage',
      { status: 'queued', percent: 7, queuePosition: null },
      { status: 'queued', percent: 7, queuePosition: null },
    ],
  ])('progress: %s', (_what, report, progress) => {
    expect(
      step(checking, job, answer('checkStatus', { type: 'running', retryAfterMs: null, ...report })).changed,
    ).toEqual({ progress });
  });

  it('progress that goes back: nothing', () => {
    const progress = { status: 'processing', percent: 50, queuePosition: null } as const;
    const stale = { type: 'running', status: 'queued', percent: 20, queuePosition: 3, retryAfterMs: null };
    expect(step(checking, { ...job, progress }, answer('checkStatus', stale)).changed).toEqual({});
  });

  it('the end of a job, with the id of its result or without', () => {
    const known = { ...job, failures: 2, retryAfterMs: 5, problem };
    const good = { finished: true, failures: 0, retryAfterMs: null, problem: null };
    expect(step(checking, known, answer('checkStatus', { type: 'completed', resultId: 'r9' }))).toMatchObject({
      value: { active: { 'fetching-result': 'requesting' } },
      changed: { ...good, resultId: 'r9' },
    });
    const without = step(
      checking,
      { ...known, resultId: 'r1' },
      answer('checkStatus', { type: 'completed', resultId: null }),
    );
    expect(without.changed).toEqual(good);
    const told = step(waiting, { ...known, resultId: 'r1' }, { type: 'job.completed', jobId: 'j1', resultId: null });
    expect(told.changed).toEqual(good);
  });

  it('a job that failed, by an answer and by an event', () => {
    const failed = answer('checkStatus', { type: 'failed', problem: { code: 'job-failed', message: 'no' } });
    const byAnswer = step(checking, job, failed);
    expect(byAnswer.changed).toEqual({ problem: { code: 'job-failed', message: 'no' } });
    const byEvent = step(waiting, job, { type: 'job.failed', jobId: 'j1', resultId: null, message: 'no' });
    expect(byEvent.changed).toEqual({ problem: { code: 'job-failed', message: 'no' } });
    for (const { output } of [byAnswer, byEvent])
      expect(output).toEqual({ outcome: 'failed', jobId: 'j1', problem: { code: 'job-failed', message: 'no' } });
  });

  it('a refusal of the server', () => {
    const refused = answer('submitAssessment', { type: 'rejected', problem: { code: 'validation', message: 'no' } });
    expect(step(sending, {}, refused).output).toEqual({
      outcome: 'failed',
      jobId: null,
      problem: { code: 'validation', message: 'no' },
    });
  });

  it('a token that was refused, and one that there never was', () => {
    const known = { ...job, refusedGeneration: 1 };
    expect(step(checking, known, answer('checkStatus', { type: 'unauthorized', generation: 4 })).changed).toEqual({
      refreshDue: true,
      refusedGeneration: 4,
    });
    expect(step(checking, known, answer('checkStatus', { type: 'unauthorized', generation: null })).changed).toEqual({
      refreshDue: true,
      refusedGeneration: null,
    });
  });

  it('who somebody is, once', () => {
    const renewed = { type: 'token.renewed', generation: 2, userId: 'ann' };
    expect(step(waiting, job, renewed).changed).toEqual({ userId: 'ann' });
    expect(step(waiting, { ...job, userId: 'ann' }, { ...renewed, userId: null }).changed).toEqual({});
  });

  it('a session that ended', () => {
    expect(step(waiting, job, { type: 'session.ended', reason: 'rejected' }).changed).toEqual({
      problem: { code: 'sign-in-required', message: expect.stringContaining('resumes after a sign-in') as string },
    });
  });

  it('a deadline that passed: why it takes so long, or that nobody knows', () => {
    const late = { ...job, overdue: true };
    const running = { type: 'running', status: 'queued', percent: null, queuePosition: null, retryAfterMs: null };
    expect(step(checking, late, answer('checkStatus', running)).changed).toEqual({
      timedOut: true,
      problem: { code: 'timed-out', message: 'the deadline passed and the analysis still runs' },
    });
    const failed = answer('checkStatus', { type: 'transient', retryAfterMs: null, problem });
    expect(step(checking, { ...late, failures: PATIENCE - 1 }, failed).changed).toEqual({
      timedOut: true,
      failures: PATIENCE,
      problem,
    });
  });

  it('the wish to wait longer', () => {
    const known = { ...job, overdue: true, timedOut: true, failures: 3, problem };
    const wish = { type: 'assessment.keepWaiting', deadlineAt: 9_000 };
    expect(step({ active: { 'timed-out': 'resting' } }, known, wish).changed).toEqual({
      deadlineAt: 9_000,
      overdue: false,
      timedOut: false,
      failures: 0,
      problem: null,
    });
  });

  it('a result that does not fit, in the end', () => {
    const invalid = { type: 'invalid', problem: { code: 'invalid-result', message: 'no' } };
    const known = { ...job, finished: true, failures: PATIENCE - 1 };
    expect(step(requesting, known, answer('fetchResult', invalid)).output).toMatchObject({
      problem: { code: 'invalid-result' },
    });
  });

  it('a cancellation: by the user, or by somebody else who signed in', () => {
    expect(step(waiting, job, { type: 'assessment.cancel' }).output).toEqual({
      outcome: 'cancelled',
      jobId: 'j1',
      reason: 'cancelled',
    });
    const other = { type: 'session.restored', userId: 'bob' };
    expect(step(waiting, { ...job, userId: 'ann' }, other).output).toEqual({
      outcome: 'cancelled',
      jobId: 'j1',
      reason: 'another-user',
    });
  });

  it('a result', () => {
    const ready = answer('fetchResult', { type: 'ready', result: { kind: 'early-bird' } });
    expect(step(requesting, { ...job, finished: true }, ready).output).toEqual({
      outcome: 'completed',
      jobId: 'j1',
      result: { kind: 'early-bird' },
    });
  });
});

describe('what a call is told', () => {
  /** The input of the first call of this actor, from this state on. */
  const inputOf = (actor: 'submitAssessment' | 'checkStatus' | 'fetchResult', known: Partial<AssessmentContext>) => {
    const inputs: unknown[] = [];
    const machine = assessmentMachine.provide({
      actors: {
        [actor]: fromPromise(({ input: given }) => {
          inputs.push(given);
          return new Promise<never>(() => {});
        }),
      },
    });
    const running = createActor(machine, { input: { ...input, ...known } }).start();
    running.send({ type: 'assessment.resume' });
    if (known.finished) running.send({ type: 'job.completed', jobId: 'j1', resultId: 'r1' });
    running.stop();
    return inputs[0];
  };

  it('is which submission', () => {
    expect(inputOf('submitAssessment', {})).toEqual({ submissionId: 's1' });
  });

  it('is which job, and which result where that is known', () => {
    const its = { submissionId: 's1', jobId: 'j1' };
    expect(inputOf('checkStatus', job)).toMatchObject({ ...its, resultId: null });
    expect(inputOf('fetchResult', { ...job, finished: true })).toMatchObject({ ...its, resultId: 'r1' });
  });

  it.each<[string, Partial<AssessmentContext>, boolean]>([
    ['the feed is live', { feedLive: true }, true],
    ['there is no feed', {}, false],
    ['the feed gave a hint', { feedLive: true, hinted: true }, false],
    ['the deadline has passed', { feedLive: true, overdue: true }, false],
  ])('is whether its answer can wait: %s', (_what, known, canWait) => {
    expect(jobOf({ context: { ...fresh(), ...job, ...known } })).toEqual({
      submissionId: 's1',
      jobId: 'j1',
      resultId: null,
      canWait,
    });
  });
});
