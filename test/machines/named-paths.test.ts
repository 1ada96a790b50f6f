import { answered, ids, type LiveAssessment, liveStage, type ModelEvent, nameOf } from 'assessment-monitor/testing';
import { describe, expect, it } from 'vitest';
import { assessmentMachine } from '../../src/machines/assessment-machine.ts';
import type { AssessmentInput } from '../../src/machines/assessment-setup.ts';

/*
 * The token expires: at every point where that used to lose the job. Each story proceeds step by step, so that a reader can follow
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

  it('during a poll, and another tab has renewed it already: the refusal is of the old one', async () => {
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

  it('during a refresh that has to wait: the job ends in that time, and its result is what comes next', async () => {
    const story = await tell(
      { jobId: ids.job },
      resume,
      refused('checkStatus'),
      answered('refreshToken', { type: 'wait', retryAfterMs: 60_000 }),
      jobCompleted,
      answered('refreshToken', { type: 'wait', retryAfterMs: 60_000 }),
      { type: 'token.recovered' },
      renewed,
      ready,
    );
    expect(story.steps).toEqual([
      'polling.checking',
      'refreshing-token.requesting',
      'refreshing-token.waiting',
      'refreshing-token.requesting',
      'refreshing-token.waiting',
      'refreshing-token.requesting',
      'fetching-result.requesting',
      'completed',
    ]);
    expect(story.calls).toEqual([
      'checkStatus',
      'refreshToken after generation 1',
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

  it('for good, during a poll: the job pauses, nothing but a sign-in moves it, and then it resumes', async () => {
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
      // The deadline has passed by now, and does not win unseen.
      'polling.checking',
      'timed-out.resting',
      'polling.checking',
      'fetching-result.requesting',
      'completed',
    ]);
    expect(outcomeOf(story)).toEqual(theResult);
  });

  it('while paused for a sign-in, and the job ends: after the sign-in its result is fetched at once', async () => {
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

  it('while paused, and another user signs in: the job is not theirs', async () => {
    const anotherUser: ModelEvent = { type: 'session.restored', userId: ids.otherUser };
    const story = await tell({ jobId: ids.job }, resume, { type: 'session.ended', reason: 'signed-out' }, anotherUser);
    expect(story.steps).toEqual(['polling.checking', 'auth-failed', 'cancelled']);
    expect(outcomeOf(story)).toEqual({ outcome: 'cancelled', jobId: ids.job, reason: 'another-user' });
  });

  it('before anything was submitted: the answers wait, and are sent once after the sign-in', async () => {
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

  it('and comes back after a poll: what happened in between is asked for as well', async () => {
    expect(await lastSteps(2, lost, after('pollDelay'), running, live, after('heartbeat'))).toEqual([
      'ws-monitoring.listening',
      'ws-monitoring.reconciling',
    ]);
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

const unknown = (code: string) =>
  answered('checkStatus', { type: 'transient', retryAfterMs: null, problem: { code, message: '' } });
const mayBeTakenBack = answered('checkStatus', {
  type: 'failed',
  problem: { code: 'unconfirmed-failure', message: '' },
  isConfirmed: false,
});
const failedForGood = answered('checkStatus', { type: 'failed', problem: { code: 'job-failed', message: '' } });
const jobFailed: ModelEvent = { type: 'job.failed', jobId: ids.job, resultId: null, message: 'the analysis failed' };
const problemOf = ({ assessment }: Story) => assessment.snapshot().context.problem?.code;

describe('a job fails', () => {
  it('and its worker tries again: the view says that it takes longer, and then the job completes', async () => {
    const story = await tell(
      { jobId: ids.job },
      resume,
      mayBeTakenBack,
      after('slowCheck'),
      mayBeTakenBack,
      after('slowCheck'),
      running,
      running,
      after('pollDelay'),
      finished,
      ready,
    );
    expect(story.steps).toEqual([
      'polling.checking',
      'timed-out.resting',
      'timed-out.checking',
      'timed-out.resting',
      'timed-out.checking',
      'polling.checking',
      'polling.waiting',
      'polling.checking',
      'fetching-result.requesting',
      'completed',
    ]);
    expect(outcomeOf(story)).toEqual(theResult);
  });

  it('and the feed reports the new attempt first: the job is looked at without waiting', async () => {
    const story = await tell(
      { jobId: ids.job },
      resume,
      { type: 'feed.live' },
      mayBeTakenBack,
      { type: 'job.progressed', jobId: ids.job, resultId: null, status: 'processing', percent: 10 },
      running,
      running,
      jobCompleted,
      ready,
    );
    expect(story.steps.slice(2)).toEqual([
      'timed-out.resting',
      'timed-out.checking',
      'ws-monitoring.reconciling',
      'ws-monitoring.listening',
      'fetching-result.requesting',
      'completed',
    ]);
    expect(outcomeOf(story)).toEqual(theResult);
  });

  it('and stays failed: the confirmed failure ends it', async () => {
    const story = await tell({ jobId: ids.job }, resume, mayBeTakenBack, after('slowCheck'), failedForGood);
    expect(story.steps).toEqual(['polling.checking', 'timed-out.resting', 'timed-out.checking', 'failed']);
    expect(outcomeOf(story)).toMatchObject({ outcome: 'failed', jobId: ids.job, problem: { code: 'job-failed' } });
  });

  it('and completes after all while it is called failed: the result is shown', async () => {
    const story = await tell({ jobId: ids.job }, resume, mayBeTakenBack, jobCompleted, ready);
    expect(story.steps).toEqual(['polling.checking', 'timed-out.resting', 'fetching-result.requesting', 'completed']);
  });

  it.each<[string, ModelEvent[], string]>([
    ['listens', [{ type: 'feed.live' }, running, running], 'ws-monitoring.reconciling'],
    ['waits for a poll', [running], 'polling.checking'],
    ['is delayed', [{ type: 'deadline.passed' }, running], 'timed-out.checking'],
  ])('by an event of the feed while the assessment %s: only a status call decides', async (_when, before, where) => {
    const known = await tell({ jobId: ids.job }, resume, ...before, jobFailed);
    expect(known.steps.at(-1)).toBe(where);
    const nameless: ModelEvent = { type: 'job.failed', jobId: null, resultId: null, message: '' };
    expect((await tell({ jobId: ids.job }, resume, ...before, nameless)).steps.at(-1)).toBe(where);
    const foreign: ModelEvent = { type: 'job.failed', jobId: ids.otherJob, resultId: null, message: '' };
    const other = await tell({ jobId: ids.job }, resume, ...before, foreign);
    expect(other.steps.at(-1)).toBe(other.steps.at(-2));
  });
});

describe('a start without a percentage is announced', () => {
  const started = (jobId: string): ModelEvent => ({
    type: 'job.progressed',
    jobId,
    resultId: null,
    status: 'processing',
    percent: null,
  });
  const watching: ModelEvent[] = [resume, { type: 'feed.live' }, running, running];

  it('by the feed: one status call asks how far the job is', async () => {
    const story = await tell({ jobId: ids.job }, ...watching, started(ids.job), running);
    expect(story.steps.slice(-2)).toEqual(['ws-monitoring.reconciling', 'ws-monitoring.listening']);
  });

  it('for another job: nothing is asked', async () => {
    const story = await tell({ jobId: ids.job }, ...watching, started(ids.otherJob));
    expect(story.steps.at(-1)).toBe('ws-monitoring.listening');
  });
});

describe('something else than the API answers', () => {
  const again = (outcome: ModelEvent, delay: string): ModelEvent[] => [outcome, after(delay)];
  const often = (outcome: ModelEvent, delay: string, times: number): ModelEvent[] =>
    Array.from({ length: times }, () => again(outcome, delay)).flat();
  const forbidden = (call: string) =>
    answered(call, { type: 'rejected', problem: { code: 'forbidden', message: 'this is not your job' } });

  it.each([
    ['forbidden, as a refusal', forbidden('checkStatus'), 'forbidden'],
    ['forbidden, as a failed call', unknown('forbidden'), 'forbidden'],
    ['not found on either route', unknown('job-not-found'), 'job-not-found'],
    ['that cannot be read', unknown('invalid-response'), 'invalid-response'],
  ])('a status call, %s, again and again: the assessment pauses with that problem, and recovers', async (...row) => {
    const [, outcome, code] = row;
    const paused = await tell({ jobId: ids.job }, resume, ...often(outcome, 'pollDelay', 4), outcome);
    expect(paused.steps.at(-2)).toBe('polling.checking');
    expect(paused.steps.at(-1)).toBe('timed-out.resting');
    expect(problemOf(paused)).toBe(code);

    const still = [...often(outcome, 'pollDelay', 4), outcome, after('slowCheck'), outcome, after('slowCheck')];
    const story = await tell(
      { jobId: ids.job },
      resume,
      ...still,
      running,
      running,
      after('pollDelay'),
      finished,
      ready,
    );
    expect(story.steps.slice(-7)).toEqual([
      'timed-out.resting',
      'timed-out.checking',
      'polling.checking',
      'polling.waiting',
      'polling.checking',
      'fetching-result.requesting',
      'completed',
    ]);
    expect(outcomeOf(story)).toEqual(theResult);
  });

  it('a status call once: the job is looked at again, and the user learns nothing of it', async () => {
    const story = await tell(
      { jobId: ids.job },
      resume,
      ...again(forbidden('checkStatus'), 'pollDelay'),
      finished,
      ready,
    );
    expect(story.steps).toEqual([
      'polling.checking',
      'polling.waiting',
      'polling.checking',
      'fetching-result.requesting',
      'completed',
    ]);
  });

  it('the result call again and again: the assessment pauses, and the result is fetched later', async () => {
    const refusal = forbidden('fetchResult');
    const story = await tell(
      { jobId: ids.job },
      resume,
      finished,
      ...often(refusal, 'retryDelay', 4),
      refusal,
      after('slowCheck'),
      ready,
    );
    expect(story.steps.slice(-4)).toEqual([
      'fetching-result.requesting',
      'timed-out.resting',
      'fetching-result.requesting',
      'completed',
    ]);
  });

  it('an outage, which is not such an answer: polling continues until the deadline', async () => {
    const outage = unknown('unavailable');
    const story = await tell({ jobId: ids.job }, resume, ...often(outage, 'pollDelay', 9), outage);
    expect(story.steps.at(-1)).toBe('polling.waiting');
  });
});

describe('the submission', () => {
  const unreadable = answered('submitAssessment', {
    type: 'unconfirmed',
    retryAfterMs: null,
    problem: { code: 'invalid-response', message: '' },
    isFinal: true,
  });
  const sends = ({ assessment }: Story) =>
    assessment.ports.calls.flatMap(({ name, input }) =>
      name === 'submitAssessment' ? [(input as { isSearch: boolean }).isSearch ? 'search' : 'send'] : [],
    );

  it('is limited for an hour: the view says so, and it is sent once the hour is over', async () => {
    const limited = answered('submitAssessment', {
      type: 'transient',
      retryAfterMs: 3_588_000,
      problem: { code: 'rate-limited', message: '', retryAt: 4_000_000 },
    });
    const story = await tell({}, submit, limited, after('slowCheck'), limited, after('slowCheck'), accepted);
    expect(story.steps).toEqual([
      'submitting.sending',
      'timed-out.resting',
      'submitting.sending',
      'timed-out.resting',
      'submitting.sending',
      'polling.checking',
    ]);
    expect(story.assessment.snapshot().context).toMatchObject({ timedOut: false, problem: null });
  });

  it('is answered with a success that cannot be read: it is not repeated, although the server knows keys', async () => {
    const story = await tell({ idempotent: true }, submit, unreadable, { type: 'page.resumed', reason: 'online' });
    expect(story.steps).toEqual(['submitting.sending', 'submitting.unconfirmed', 'submitting.unconfirmed']);
    expect(sends(story)).toEqual(['send']);
  });

  it('is sent again by the user after such an answer', async () => {
    const story = await tell({}, submit, unreadable, { type: 'assessment.sendAgain' }, accepted);
    expect(story.steps.slice(1)).toEqual(['submitting.unconfirmed', 'submitting.sending', 'polling.checking']);
    expect(sends(story)).toEqual(['send', 'send']);
  });

  it.each<[string, ModelEvent, string[]]>([
    ['is found', accepted, ['submitting.sending', 'polling.checking']],
    ['is not found, and the user is asked', unreadable, ['submitting.sending', 'submitting.unconfirmed']],
  ])('of unknown outcome is searched first after a reload, and its job %s', async (_what, outcome, steps) => {
    const story = await tell({ idempotent: false, outcomeUnknown: true }, resume, outcome);
    expect(story.steps).toEqual(steps);
    expect(sends(story)).toEqual(['search']);
  });

  it('of unknown outcome is never sent by itself, however often the search fails', async () => {
    const failed = answered('submitAssessment', {
      type: 'transient',
      retryAfterMs: null,
      problem: { code: 'network', message: '' },
    });
    const search = [failed, after('retryDelay'), refused('submitAssessment'), renewed];
    const story = await tell({ idempotent: false, outcomeUnknown: true }, resume, ...search, unreadable);
    expect(story.steps.at(-1)).toBe('submitting.unconfirmed');
    expect(sends(story)).toEqual(['search', 'search', 'search']);
  });
});

describe('another tab learns the job of this submission', () => {
  const told: ModelEvent = { type: 'submission.known', jobId: ids.job, resultId: ids.result };
  const lost = answered('submitAssessment', {
    type: 'unconfirmed',
    retryAfterMs: null,
    problem: { code: 'network', message: '' },
  });
  const limited = answered('submitAssessment', {
    type: 'transient',
    retryAfterMs: 3_600_000,
    problem: { code: 'rate-limited', message: '' },
  });

  it.each<[string, Partial<AssessmentInput>, ModelEvent[]]>([
    ['sends', {}, [submit]],
    ['waits for the next attempt', {}, [submit, lost]],
    ['asks the user', { idempotent: false }, [submit, lost]],
    ['is delayed', {}, [submit, limited]],
  ])('while this one %s: it watches that job, and sends nothing more', async (_what, input, before) => {
    const story = await tell(input, ...before, told, finished, ready);
    expect(story.steps.slice(-3)).toEqual(['polling.checking', 'fetching-result.requesting', 'completed']);
    expect(story.calls.slice(-2)).toEqual(['checkStatus', 'fetchResult']);
    expect(outcomeOf(story)).toEqual(theResult);
  });

  it('while this one refreshes its token, or waits for a sign-in: the job is what comes next', async () => {
    const refreshing = await tell({ refreshDue: true }, submit, told, renewed);
    expect(refreshing.steps).toEqual([
      'refreshing-token.requesting',
      'refreshing-token.requesting',
      'polling.checking',
    ]);
    const rejected = answered('refreshToken', { type: 'rejected' });
    const asleep = await tell({ refreshDue: true }, submit, rejected, told, signedIn);
    expect(asleep.steps.slice(1)).toEqual(['auth-failed', 'auth-failed', 'polling.checking']);
  });

  it('while this one watches a job already: nothing changes', async () => {
    const other: ModelEvent = { type: 'submission.known', jobId: ids.otherJob, resultId: null };
    const story = await tell({ jobId: ids.job }, resume, running, other);
    expect(story.steps).toEqual(['polling.checking', 'polling.waiting', 'polling.waiting']);
  });
});
