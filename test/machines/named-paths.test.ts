import { answered, ids, type LiveAssessment, liveStage, type ModelEvent, nameOf } from 'assessment-monitor/testing';
import { describe, expect, it } from 'vitest';
import { assessmentMachine } from '../../src/machines/assessment-machine.ts';
import type { AssessmentInput } from '../../src/machines/assessment-setup.ts';

/*
 * The token expires: at every point where that used to lose the job. Each story is told step by step, so that a reader can follow
 * it, and its calls are counted by those who answer them.
 */

const accepted = answered('submitAssessment', {
  type: 'accepted',
  jobId: ids.job,
  resultId: ids.result,
  balance: 3,
  deadlineAt: 2_000,
});
const running = answered('checkStatus', { type: 'running', status: 'processing', percent: 40, queuePosition: null });
const finished = answered('checkStatus', { type: 'completed', resultId: ids.result });
const ready = answered('fetchResult', { type: 'ready', result: { persona: 'the analyst' } });
const renewed = answered('refreshToken', { type: 'renewed' });
const refused = (call: string, generation: number | null = 1) => answered(call, { type: 'unauthorized', generation });
const after = (delay: string): ModelEvent => ({ type: `xstate.after.${delay}` });
const jobCompleted: ModelEvent = { type: 'job.completed', jobId: ids.job, resultId: ids.result };
const signedIn: ModelEvent = { type: 'session.restored', userId: ids.user };
const submit: ModelEvent = { type: 'assessment.submit' };
const resume: ModelEvent = { type: 'assessment.resume' };

interface Story {
  /** The states after each step, with what was heard in them. */
  readonly steps: string[];
  /** What was asked of the services, in order. */
  readonly calls: string[];
  readonly assessment: LiveAssessment;
}

async function tell(input: Partial<AssessmentInput>, ...events: ModelEvent[]): Promise<Story> {
  const assessment = liveStage(assessmentMachine).begin({
    submissionId: ids.submission,
    userId: ids.user,
    deadlineAt: 1_000,
    ...input,
  });
  const steps: string[] = [];
  for (const event of events) {
    await assessment.take(event);
    const { status, value, context } = assessment.snapshot();
    // However the story goes, it is about one job, which is submitted once and heard of through one feed.
    expect(status).not.toBe('error');
    if (context.jobId !== null) expect(context.jobId).toBe(ids.job);
    expect(assessment.ports.everSubscribed).toHaveLength(3);
    steps.push(nameOf(value).replace('active.', ''));
  }
  const calls = assessment.ports.calls.map(({ name, input }) => {
    const { refusedGeneration } = input as { refusedGeneration?: number | null };
    return refusedGeneration === undefined ? name : `${name} after generation ${refusedGeneration}`;
  });
  return { steps, calls, assessment };
}

const outcomeOf = ({ assessment }: Story): unknown => assessment.snapshot().output;
const theResult = { outcome: 'completed', jobId: ids.job, result: { persona: 'the analyst' } };

describe('the token expires', () => {
  it('during a poll: one refresh, one more poll, and the job was submitted once', async () => {
    const story = await tell(
      {},
      submit,
      accepted,
      running,
      after('pollDelay'),
      refused('checkStatus'),
      renewed,
      running,
      after('pollDelay'),
      finished,
      ready,
    );
    expect(story.steps).toEqual([
      'submitting.sending',
      'polling.checking',
      'polling.waiting',
      'polling.checking',
      'refreshing-token.requesting',
      'polling.checking',
      'polling.waiting',
      'polling.checking',
      'fetching-result.requesting',
      'completed',
    ]);
    expect(story.calls).toEqual([
      'submitAssessment',
      'checkStatus',
      'checkStatus',
      'refreshToken after generation 1',
      'checkStatus',
      'checkStatus',
      'fetchResult',
    ]);
    expect(outcomeOf(story)).toEqual(theResult);
  });

  it('between two polls: it is announced, and renewed before the next one is sent', async () => {
    const story = await tell({ jobId: ids.job }, resume, running, { type: 'token.expiring' }, renewed, finished, ready);
    expect(story.steps).toEqual([
      'polling.checking',
      'polling.waiting',
      'refreshing-token.requesting',
      'polling.checking',
      'fetching-result.requesting',
      'completed',
    ]);
    expect(story.calls).toEqual(['checkStatus', 'refreshToken after generation null', 'checkStatus', 'fetchResult']);
  });

  it('during a poll, and somebody else has renewed it already: the refusal is of the old one', async () => {
    const renewedElsewhere: ModelEvent = { type: 'token.renewed', generation: 2, userId: ids.user };
    const story = await tell({ jobId: ids.job }, resume, renewedElsewhere, refused('checkStatus'), renewed, running);
    expect(story.steps).toEqual([
      'polling.checking',
      'polling.checking',
      'refreshing-token.requesting',
      'polling.checking',
      'polling.waiting',
    ]);
    expect(story.calls).toEqual(['checkStatus', 'refreshToken after generation 1', 'checkStatus']);
  });

  it('during ws-monitoring: the feed stays, and the job is looked at once more', async () => {
    const story = await tell(
      {},
      submit,
      { type: 'feed.live' },
      accepted,
      running,
      { type: 'token.expiring' },
      renewed,
      running,
      jobCompleted,
      ready,
    );
    expect(story.steps).toEqual([
      'submitting.sending',
      'submitting.sending',
      'ws-monitoring.reconciling',
      'ws-monitoring.listening',
      'refreshing-token.requesting',
      'ws-monitoring.reconciling',
      'ws-monitoring.listening',
      'fetching-result.requesting',
      'completed',
    ]);
    expect(story.calls).toEqual([
      'submitAssessment',
      'checkStatus',
      'refreshToken after generation null',
      'checkStatus',
      'fetchResult',
    ]);
    expect(outcomeOf(story)).toEqual(theResult);
  });

  it('during ws-monitoring, unannounced: the next look at the job finds out, and there is no hurry', async () => {
    const story = await tell(
      { jobId: ids.job },
      resume,
      { type: 'feed.live' },
      running,
      running,
      after('heartbeat'),
      refused('checkStatus'),
      after('heartbeat'),
      renewed,
      running,
    );
    expect(story.steps).toEqual([
      'polling.checking',
      'polling.checking',
      // The answer may be older than the feed: what happened in between is asked for.
      'ws-monitoring.reconciling',
      'ws-monitoring.listening',
      'ws-monitoring.reconciling',
      'ws-monitoring.listening',
      'refreshing-token.requesting',
      'ws-monitoring.reconciling',
      'ws-monitoring.listening',
    ]);
    expect(story.calls.at(-2)).toBe('refreshToken after generation 1');
  });

  it.each<[string, ModelEvent[]]>([
    ['it is refused again', [{ type: 'page.resumed', reason: 'visible' }, refused('checkStatus')]],
    ['the result is there', [jobCompleted]],
    ['it expires', [{ type: 'token.expiring' }]],
    ['the feed is lost, and polling needs it', [{ type: 'feed.lost' }, after('pollDelay')]],
  ])('during ws-monitoring, and the refresh waits no longer when %s', async (_why, events) => {
    const watching = [resume, { type: 'feed.live' } as const, running, running, after('heartbeat')];
    const story = await tell({ jobId: ids.job }, ...watching, refused('checkStatus'), ...events);
    expect(story.steps.at(-1)).toBe('refreshing-token.requesting');
    expect(story.calls.at(-1)).toBe('refreshToken after generation 1');
  });

  it('during ws-monitoring, as it seemed: the server takes it again, and nothing is refreshed', async () => {
    const watching = [resume, { type: 'feed.live' } as const, running, running, after('heartbeat')];
    const woken: ModelEvent = { type: 'page.resumed', reason: 'visible' };
    const story = await tell(
      { jobId: ids.job },
      ...watching,
      refused('checkStatus'),
      woken,
      running,
      after('heartbeat'),
    );
    expect(story.steps.at(-1)).toBe('ws-monitoring.reconciling');
    expect(story.calls).not.toContain('refreshToken after generation 1');
  });

  it('during the submission: the refusal proves that nothing was taken, so it is sent again', async () => {
    const story = await tell({}, submit, refused('submitAssessment'), renewed, accepted, finished, ready);
    expect(story.steps).toEqual([
      'submitting.sending',
      'refreshing-token.requesting',
      'submitting.sending',
      'polling.checking',
      'fetching-result.requesting',
      'completed',
    ]);
    expect(story.calls).toEqual([
      'submitAssessment',
      'refreshToken after generation 1',
      'submitAssessment',
      'checkStatus',
      'fetchResult',
    ]);
    expect(story.assessment.ports.calls.map(({ input }) => (input as { submissionId?: string }).submissionId)).toEqual(
      expect.arrayContaining([ids.submission, ids.submission]),
    );
  });

  it('while the submission is in the air: it is answered first, and sent once', async () => {
    const story = await tell({}, submit, { type: 'token.expiring' }, accepted, renewed, finished, ready);
    expect(story.steps).toEqual([
      'submitting.sending',
      'submitting.sending',
      'refreshing-token.requesting',
      'polling.checking',
      'fetching-result.requesting',
      'completed',
    ]);
    expect(story.calls.filter((call) => call === 'submitAssessment')).toHaveLength(1);
    expect(story.assessment.ports.calls.every(({ state }) => state === 'answered')).toBe(true);
  });

  it('during the result fetch: one refresh, one more fetch', async () => {
    const story = await tell({ jobId: ids.job }, resume, finished, refused('fetchResult'), renewed, ready);
    expect(story.steps).toEqual([
      'polling.checking',
      'fetching-result.requesting',
      'refreshing-token.requesting',
      'fetching-result.requesting',
      'completed',
    ]);
    expect(story.calls).toEqual(['checkStatus', 'fetchResult', 'refreshToken after generation 1', 'fetchResult']);
    expect(outcomeOf(story)).toEqual(theResult);
  });

  it('during a refresh that has to wait: the job ends meanwhile, and its result is what comes next', async () => {
    const story = await tell(
      { jobId: ids.job },
      resume,
      refused('checkStatus'),
      answered('refreshToken', { type: 'wait', retryAfterMs: 60_000 }),
      jobCompleted,
      after('refreshDelay'),
      renewed,
      ready,
    );
    expect(story.steps).toEqual([
      'polling.checking',
      'refreshing-token.requesting',
      'refreshing-token.waiting',
      'refreshing-token.waiting',
      'refreshing-token.requesting',
      'fetching-result.requesting',
      'completed',
    ]);
    expect(story.calls).toEqual([
      'checkStatus',
      'refreshToken after generation 1',
      'refreshToken after generation 1',
      'fetchResult',
    ]);
  });

  it('and the fresh one is refused as well: that is an outage, and the token is used again later', async () => {
    const story = await tell(
      { jobId: ids.job },
      resume,
      refused('checkStatus', 1),
      renewed,
      refused('checkStatus', 2),
      answered('refreshToken', { type: 'outage', retryAfterMs: 2_000 }),
      after('refreshDelay'),
      running,
    );
    expect(story.steps.slice(3)).toEqual([
      'refreshing-token.requesting',
      'refreshing-token.waiting',
      'polling.checking',
      'polling.waiting',
    ]);
    expect(story.calls).toEqual([
      'checkStatus',
      'refreshToken after generation 1',
      'checkStatus',
      'refreshToken after generation 2',
      'checkStatus',
    ]);
  });

  it('for good, during a poll: the job is parked, nothing but a sign-in moves it, and then it goes on', async () => {
    const story = await tell(
      { jobId: ids.job },
      resume,
      refused('checkStatus'),
      answered('refreshToken', { type: 'rejected' }),
      { type: 'token.expiring' },
      { type: 'page.resumed', reason: 'visible' },
      { type: 'deadline.passed' },
      { type: 'feed.lost' },
      signedIn,
      running,
      { type: 'assessment.keepWaiting', deadlineAt: 3_000 },
      finished,
      ready,
    );
    expect(story.steps).toEqual([
      'polling.checking',
      'refreshing-token.requesting',
      'auth-failed',
      'auth-failed',
      'auth-failed',
      'auth-failed',
      'auth-failed',
      // The deadline has passed meanwhile, and does not win unseen.
      'polling.checking',
      'timed-out.resting',
      'polling.checking',
      'fetching-result.requesting',
      'completed',
    ]);
    expect(outcomeOf(story)).toEqual(theResult);
  });

  it('while parked for a sign-in, and the job ends: after the sign-in its result is fetched at once', async () => {
    const story = await tell(
      { jobId: ids.job },
      resume,
      { type: 'session.ended', reason: 'rejected' },
      jobCompleted,
      signedIn,
      ready,
    );
    expect(story.steps).toEqual([
      'polling.checking',
      'auth-failed',
      'auth-failed',
      'fetching-result.requesting',
      'completed',
    ]);
    expect(story.calls).toEqual(['checkStatus', 'fetchResult']);
  });

  it('while parked, and somebody else signs in: the job is not theirs', async () => {
    const somebodyElse: ModelEvent = { type: 'session.restored', userId: ids.otherUser };
    const story = await tell({ jobId: ids.job }, resume, { type: 'session.ended', reason: 'signed-out' }, somebodyElse);
    expect(story.steps).toEqual(['polling.checking', 'auth-failed', 'cancelled']);
    expect(outcomeOf(story)).toEqual({ outcome: 'cancelled', jobId: ids.job, reason: 'another-user' });
  });

  it('before anything was submitted: the answers are parked, and sent once after the sign-in', async () => {
    const story = await tell(
      { refreshDue: true },
      submit,
      answered('refreshToken', { type: 'rejected' }),
      signedIn,
      accepted,
    );
    expect(story.steps).toEqual([
      'refreshing-token.requesting',
      'auth-failed',
      'submitting.sending',
      'polling.checking',
    ]);
    expect(story.calls).toEqual(['refreshToken after generation null', 'submitAssessment', 'checkStatus']);
  });

  it('while the user is asked whether to wait: it is renewed, the job is looked at, and it still ends well', async () => {
    const story = await tell(
      { jobId: ids.job },
      resume,
      { type: 'deadline.passed' },
      running,
      { type: 'token.expiring' },
      after('slowCheck'),
      renewed,
      finished,
      ready,
    );
    expect(story.steps).toEqual([
      'polling.checking',
      'polling.checking',
      'timed-out.resting',
      'timed-out.resting',
      'refreshing-token.requesting',
      'timed-out.checking',
      'fetching-result.requesting',
      'completed',
    ]);
    expect(outcomeOf(story)).toEqual(theResult);
  });
});

describe('the feed breaks in mid-job', () => {
  const watching: ModelEvent[] = [resume, { type: 'feed.live' }, running, running];
  const lost: ModelEvent = { type: 'feed.lost' };
  const live: ModelEvent = { type: 'feed.live' };
  const lastSteps = async (count: number, ...events: ModelEvent[]) =>
    (await tell({ jobId: ids.job }, ...watching, ...events)).steps.slice(-count);

  it('and comes back: the job is looked at once, and not at once', async () => {
    expect(await lastSteps(4, lost, live, after('heartbeat'), running)).toEqual([
      'polling.waiting',
      'ws-monitoring.listening',
      'ws-monitoring.reconciling',
      'ws-monitoring.listening',
    ]);
  });

  it('and stays away: polling begins, and not at once', async () => {
    expect(await lastSteps(3, lost, after('pollDelay'), running)).toEqual([
      'polling.waiting',
      'polling.checking',
      'polling.waiting',
    ]);
  });

  it('and comes back after a poll: what happened in between is asked for at once', async () => {
    expect(await lastSteps(1, lost, after('pollDelay'), running, live)).toEqual(['ws-monitoring.reconciling']);
  });

  it('during a refresh that the page wakes up in: the job is looked at at once', async () => {
    const woken: ModelEvent = { type: 'page.resumed', reason: 'online' };
    const expiring: ModelEvent = { type: 'token.expiring' };
    expect(await lastSteps(1, lost, expiring, renewed)).toEqual(['polling.waiting']);
    expect(await lastSteps(1, lost, expiring, woken, renewed)).toEqual(['polling.checking']);
    expect(await lastSteps(1, expiring, lost, renewed)).toEqual(['polling.checking']);
  });

  it('and the poll is refused: after the refresh it is made at once', async () => {
    const story = await lastSteps(2, lost, after('pollDelay'), refused('checkStatus'), renewed);
    expect(story).toEqual(['refreshing-token.requesting', 'polling.checking']);
  });
});
