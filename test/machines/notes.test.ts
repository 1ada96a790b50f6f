import { describe, expect, it } from 'vitest';
import { createActor, fromPromise, getNextSnapshot } from 'xstate';
import { type AssessmentContext, jobOf, PATIENCE } from '../../src/machines/assessment-setup.ts';
import { assessmentMachine } from '../../src/machines/assessment-machine.ts';

/* What is known after an answer or an event, by table: which facts change, and that no other does. */

const input = { submissionId: 's1', deadlineAt: 1_000 };
/** Made again by each test, so that each one sees what the machine starts with. */
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

  it('an answer that the job still runs', () => {
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

  it('a job that failed for good', () => {
    const failed = answer('checkStatus', { type: 'failed', problem: { code: 'job-failed', message: 'no' } });
    expect(step(checking, job, failed)).toMatchObject({
      changed: { problem: { code: 'job-failed', message: 'no' } },
      output: { outcome: 'failed', jobId: 'j1', problem: { code: 'job-failed', message: 'no' } },
    });
  });

  it('a failure that may be taken back: the view says so, and no failure of a call is counted', () => {
    const maybe = { code: 'unconfirmed-failure', message: 'a worker may try again' } as const;
    const failed = answer('checkStatus', { type: 'failed', problem: maybe, isConfirmed: false });
    for (const state of [checking, { active: { 'timed-out': 'checking' } } satisfies Value])
      expect(step(state, job, failed)).toEqual({
        value: { active: { 'timed-out': 'resting' } },
        changed: { timedOut: true, problem: maybe },
        output: undefined,
      });
  });

  it('a failure that was taken back: nothing of it is left', () => {
    const known = { ...job, timedOut: true, problem: { code: 'unconfirmed-failure', message: '' } } as const;
    const running = { type: 'running', status: 'queued', percent: null, queuePosition: null, retryAfterMs: null };
    expect(step({ active: { 'timed-out': 'checking' } }, known, answer('checkStatus', running))).toMatchObject({
      value: { active: { polling: 'checking' } },
      changed: { timedOut: false, problem: null },
    });
  });

  it('a job that still runs: its calls stay spread until the feed that was lost is back', () => {
    const running = { type: 'running', status: 'queued', percent: null, queuePosition: null, retryAfterMs: null };
    const known = { ...job, failures: 1, unhurried: true };
    expect(step(checking, known, answer('checkStatus', running)).changed).toEqual({ failures: 0 });
    expect(step(checking, { ...known, feedLive: true }, answer('checkStatus', running)).changed).toEqual({
      failures: 0,
      unhurried: false,
    });
  });

  it('a failure that the feed reports: a call follows, and nothing else is believed', () => {
    const told = { type: 'job.failed', jobId: 'j1', resultId: null, message: 'no' };
    const { value, changed, output } = step(waiting, job, told);
    expect([value, changed, output]).toEqual([checking, {}, undefined]);
    const listening: Value = { active: { 'ws-monitoring': 'listening' } };
    const heard = step(listening, { ...job, feedLive: true }, told);
    expect([heard.value, heard.changed]).toEqual([{ active: { 'ws-monitoring': 'reconciling' } }, { hinted: true }]);
  });

  it.each([
    ['a status call', 'checkStatus', checking, waiting],
    ['a result call', 'fetchResult', requesting, { active: { 'fetching-result': 'waiting' } }],
  ] as const)('a refusal of %s: a failed call', (_what, actor, before, after) => {
    const forbidden = { code: 'forbidden', message: 'no' } as const;
    const refused = answer(actor, { type: 'rejected', problem: forbidden });
    const finished = actor === 'fetchResult';
    expect(step(before, { ...job, finished }, refused)).toEqual({
      value: after,
      changed: { failures: 1, problem: forbidden },
      output: undefined,
    });
    expect(step(before, { ...job, finished, failures: PATIENCE - 1 }, refused)).toEqual({
      value: { active: { 'timed-out': 'resting' } },
      changed: { failures: PATIENCE, problem: forbidden, timedOut: true },
      output: undefined,
    });
  });

  it('a job that another tab has submitted, wherever this one waits for it', () => {
    const known = { outcomeUnknown: true, overdue: true, timedOut: true, failures: 2, retryAfterMs: 7, problem };
    const told = { type: 'submission.known', jobId: 'j1', resultId: 'r1' };
    for (const state of ['sending', 'waiting', 'unconfirmed'] as const)
      expect(step({ active: { submitting: state } }, known, told)).toEqual({
        value: checking,
        changed: {
          jobId: 'j1',
          resultId: 'r1',
          outcomeUnknown: false,
          timedOut: false,
          failures: 0,
          retryAfterMs: null,
          problem: null,
        },
        output: undefined,
      });
    const asleep = step({ active: 'auth-failed' }, { problem }, told);
    expect([asleep.value, asleep.changed.jobId]).toEqual([{ active: 'auth-failed' }, 'j1']);
    expect(step(waiting, { jobId: 'j0' }, told).changed).toEqual({});
  });

  it.each([
    ['on a server that does not recognise repetitions', { idempotent: false }, {}],
    ['after a success that cannot be read', { idempotent: true }, { isFinal: true }],
  ])('a submission whose outcome is unknown: %s', (_what, known, its) => {
    const lost = answer('submitAssessment', { type: 'unconfirmed', retryAfterMs: null, problem, ...its });
    expect(step(sending, known, lost)).toEqual({
      value: { active: { submitting: 'unconfirmed' } },
      changed: { outcomeUnknown: true, problem },
      output: undefined,
    });
  });

  it('a submission that has to wait for an hour: the view says so', () => {
    const limited = { code: 'rate-limited', message: 'later', retryAt: 4_000_000 } as const;
    const wait = (retryAfterMs: number) =>
      step(sending, {}, answer('submitAssessment', { type: 'transient', retryAfterMs, problem: limited }));
    expect(wait(3_588_000)).toMatchObject({
      value: { active: { 'timed-out': 'resting' } },
      changed: { timedOut: true, retryAfterMs: 3_588_000, problem: limited },
    });
    expect(wait(3_000)).toMatchObject({ value: { active: { submitting: 'waiting' } } });
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

  it('who the user is, once', () => {
    const renewed = { type: 'token.renewed', generation: 2, userId: 'ann' };
    expect(step(waiting, job, renewed).changed).toEqual({ userId: 'ann' });
    expect(step(waiting, { ...job, userId: 'ann' }, { ...renewed, userId: null }).changed).toEqual({});
  });

  it('a session that ended', () => {
    expect(step(waiting, job, { type: 'session.ended', reason: 'rejected' }).changed).toEqual({
      problem: { code: 'sign-in-required', message: expect.stringContaining('resumes after a sign-in') as string },
    });
  });

  it('a deadline that passed: why it takes so long, or that the reason is unknown', () => {
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

  it('the wish to wait longer while the server asks for minutes: only the deadline moves', () => {
    const known = { ...job, overdue: true, timedOut: true, failures: 3, problem, retryAfterMs: 600_000 };
    const wish = { type: 'assessment.keepWaiting', deadlineAt: 9_000 };
    const after = step({ active: { 'timed-out': 'resting' } }, known, wish);
    expect([after.value, after.changed]).toEqual([
      { active: { 'timed-out': 'resting' } },
      { deadlineAt: 9_000, overdue: false },
    ]);
  });

  it('a result that does not fit, in the end', () => {
    const invalid = { type: 'invalid', problem: { code: 'invalid-result', message: 'no' } };
    const known = { ...job, finished: true };
    expect(step(requesting, known, answer('fetchResult', invalid)).output).toMatchObject({
      problem: { code: 'invalid-result' },
    });
    const anOutage = { ...known, failures: PATIENCE, problem };
    const afterAnOutage = step(requesting, anOutage, answer('fetchResult', { ...invalid, isConfirmed: false }));
    expect([afterAnOutage.value, afterAnOutage.output]).toEqual([
      { active: { 'fetching-result': 'waiting' } },
      undefined,
    ]);
  });

  it('a cancellation: by the user, or by another user who signed in', () => {
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

describe('the input of a call', () => {
  /** The input of the first call of this actor, from this state on. */
  const inputOf = (
    actor: 'submitAssessment' | 'checkStatus' | 'fetchResult',
    { finished, ...known }: Partial<AssessmentContext>,
  ) => {
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
    if (finished) running.send({ type: 'job.completed', jobId: 'j1', resultId: 'r1' });
    running.stop();
    return inputs[0];
  };

  it('is which submission, and whether the answers are sent or only their job is searched', () => {
    expect(inputOf('submitAssessment', {})).toEqual({ submissionId: 's1', isSearch: false });
    expect(inputOf('submitAssessment', { outcomeUnknown: true })).toEqual({ submissionId: 's1', isSearch: true });
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
