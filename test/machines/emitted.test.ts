import { answered, ids, liveStage, type ModelEvent } from 'assessment-monitor/testing';
import { describe, expect, it } from 'vitest';
import { assessmentMachine } from '../../src/machines/assessment-machine.ts';

/* What the machine tells those who listen to it, each with what caused it. */

const accepted = (balance: number | null) =>
  answered('submitAssessment', { type: 'accepted', jobId: ids.job, resultId: ids.result, balance, deadlineAt: 2_000 });
const queuedAt = (queuePosition: number): ModelEvent =>
  answered('checkStatus', { type: 'running', status: 'queued', percent: null, queuePosition });
const processing = (percent: number | null): ModelEvent => ({
  type: 'job.progressed',
  jobId: ids.job,
  resultId: ids.result,
  status: 'processing',
  percent,
});
const submit: ModelEvent = { type: 'assessment.submit' };

const begin = () =>
  liveStage(assessmentMachine).begin({ submissionId: ids.submission, userId: ids.user, deadlineAt: 1_000 });

/** What is emitted after the first events, while the last one takes effect. */
async function toldBy(...events: ModelEvent[]) {
  const assessment = begin();
  let before = 0;
  for (const event of events) {
    before = assessment.emitted.length;
    await assessment.take(event);
  }
  return assessment.emitted.slice(before);
}

describe('progress', () => {
  it('is emitted when it changes', async () => {
    expect(await toldBy(submit, accepted(null), processing(40))).toEqual([
      {
        type: 'progress.changed',
        progress: { status: 'processing', percent: 40, queuePosition: null },
        cause: 'job.progressed',
      },
    ]);
  });

  it('is emitted when only its status changes', async () => {
    expect(await toldBy(submit, accepted(null), processing(null))).toHaveLength(1);
  });

  it('is emitted when only the place in the queue changes', async () => {
    const poll: ModelEvent = { type: 'xstate.after.pollDelay' };
    expect(await toldBy(submit, accepted(null), queuedAt(4), poll, queuedAt(3))).toMatchObject([
      { progress: { status: 'queued', percent: 0, queuePosition: 3 }, cause: 'xstate.done.actor.checkStatus' },
    ]);
  });

  it('is not told again when it is the same, or less', async () => {
    expect(await toldBy(submit, accepted(null), processing(40), processing(40))).toEqual([]);
    expect(await toldBy(submit, accepted(null), processing(40), processing(20))).toEqual([]);
  });

  it('is not even written down when a poll finds what is known: there are many of them', async () => {
    const assessment = begin();
    for (const event of [submit, accepted(null), queuedAt(4)]) await assessment.take(event);
    const { context } = assessment.snapshot();
    await assessment.take({ type: 'xstate.after.pollDelay' });
    await assessment.take(queuedAt(4));
    expect(assessment.snapshot().value).toEqual({ active: { polling: 'waiting' } });
    expect(assessment.snapshot().context).toBe(context);
    await assessment.take({ type: 'xstate.after.pollDelay' });
    await assessment.take(queuedAt(3));
    expect(assessment.snapshot().context).not.toBe(context);
  });

  it('leaves the queue for good', async () => {
    expect(await toldBy(submit, accepted(null), queuedAt(4), processing(null))).toMatchObject([
      { progress: { status: 'processing', percent: 0, queuePosition: null } },
    ]);
    expect(await toldBy(submit, accepted(null), processing(40), queuedAt(4))).toEqual([]);
  });
});

describe('the balance', () => {
  it('is emitted with the acceptance, if the server says it', async () => {
    expect(await toldBy(submit, accepted(3))).toEqual([
      { type: 'balance.changed', balance: 3, cause: 'xstate.done.actor.submitAssessment' },
    ]);
    expect(await toldBy(submit, accepted(null))).toEqual([]);
  });

  it('is emitted when the feed says it', async () => {
    expect(await toldBy(submit, { type: 'balance.changed', balance: 2 })).toEqual([
      { type: 'balance.changed', balance: 2, cause: 'balance.changed' },
    ]);
  });
});

describe('the token', () => {
  const refused = answered('submitAssessment', { type: 'unauthorized', generation: 1 });
  const renewed: ModelEvent = { type: 'token.renewed', generation: 2, userId: ids.user };
  const told = (cause: string) => [{ type: 'token.refreshed', cause }];

  it('is said to be refreshed when we, or others, have refreshed it', async () => {
    expect(await toldBy(submit, refused, answered('refreshToken', { type: 'renewed' }))).toEqual(
      told('xstate.done.actor.refreshToken'),
    );
    expect(await toldBy(submit, refused, renewed)).toEqual(told('token.renewed'));
    expect(await toldBy(submit, renewed)).toEqual(told('token.renewed'));
    expect(await toldBy(submit, { type: 'session.ended', reason: 'rejected' }, accepted(null), renewed)).toEqual(
      told('token.renewed'),
    );
  });

  it('is not said to be refreshed when it only still holds', async () => {
    expect(await toldBy(submit, refused, answered('refreshToken', { type: 'holds' }))).toEqual([]);
  });
});

it('the feed is said to be live, and lost, however it was lost', async () => {
  const told = (live: boolean, cause: string) => [{ type: 'feed.changed', live, cause }];
  expect(await toldBy(submit, { type: 'feed.live' })).toEqual(told(true, 'feed.live'));
  expect(await toldBy(submit, { type: 'feed.live' }, { type: 'feed.lost' })).toEqual(told(false, 'feed.lost'));
  expect(await toldBy(submit, { type: 'feed.live' }, answered('jobFeed'))).toEqual(
    told(false, 'xstate.done.actor.jobFeed'),
  );
});

it('the end is emitted, with how it ended', async () => {
  const told = (outcome: string, cause: string) => [{ type: 'assessment.settled', outcome, cause }];
  const finished = answered('checkStatus', { type: 'completed', resultId: null });
  const ready = answered('fetchResult', { type: 'ready', result: {} });
  expect(await toldBy(submit, accepted(null), finished, ready)).toEqual(
    told('completed', 'xstate.done.actor.fetchResult'),
  );
  const failed = answered('checkStatus', { type: 'failed', problem: { code: 'job-failed', message: 'it failed' } });
  expect(await toldBy(submit, accepted(null), failed)).toEqual(told('failed', 'xstate.done.actor.checkStatus'));
  expect(await toldBy(submit, { type: 'assessment.cancel' })).toEqual(told('cancelled', 'assessment.cancel'));
});

it('a failure that is not confirmed is no end: neither the event of the feed nor the answer to a call tells one', async () => {
  const failed: ModelEvent = { type: 'job.failed', jobId: ids.job, resultId: null, message: 'the analysis failed' };
  expect(await toldBy(submit, accepted(null), failed)).toEqual([]);
  const unconfirmed = answered('checkStatus', {
    type: 'failed',
    problem: { code: 'unconfirmed-failure', message: 'it may be taken back' },
    isConfirmed: false,
  });
  expect(await toldBy(submit, accepted(null), unconfirmed)).toEqual([]);
});

it('an acceptance that another tab reports tells no balance, because it names none', async () => {
  expect(await toldBy(submit, { type: 'submission.known', jobId: ids.job, resultId: null })).toEqual([]);
});
