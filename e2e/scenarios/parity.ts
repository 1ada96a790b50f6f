import type { Fault } from '@assessment-monitor/backend/options';
import { betweenPolls, ENDLESS_JOB, isOver, LONG_TOKENS, phase, SHORT_MINUTE, statusAnswered } from './props.ts';
import type { Stage } from './stage.ts';
import type { Story } from './stories.ts';

/*
 * What was measured of the client that this package replaces, case by case, each as a story for ours. Its seconds are real ones; ours
 * are scaled down, so that a token which had a minute left has two seconds here. The server is the same in all that matters.
 */

export interface ParityCase {
  /** What happens, as it was measured. */
  happens: string;
  /** What the old client made of it, before and after its own repair. `–`: not measured. */
  before: string;
  after: string;
  /** Whether its user saw the result after the repair. */
  wasShown: boolean;
  /** What ours is to make of it, in a few words. */
  ours: string;
  story: Story;
}

const NO_SOCKETS = { sockets: 'refuse' } as const;
/** Without luck every backoff takes its least time. */
const UNLUCKY = { random: () => 0 };
const client = { ...UNLUCKY, ...SHORT_MINUTE.client };
const fast = { ...LONG_TOKENS, ...ENDLESS_JOB };

const submitted = async (stage: Stage): Promise<void> => {
  await stage.signIn();
  stage.submit();
  await stage.until('the job is watched', () => statusAnswered(stage) > 0);
};
const shown = (stage: Stage) => stage.until('it is over for the user', () => isOver(stage));
const finished = async (stage: Stage): Promise<void> => {
  stage.backend.finishJobs();
  await shown(stage);
};
const playThrough = async (stage: Stage): Promise<void> => {
  await stage.signIn();
  stage.submit();
  await shown(stage);
};
const meets = (fault: Fault) => ({ backend: { ...fast, ...NO_SOCKETS, faults: [fault] }, client });
/** The first letters of the name of the story say where it comes from. */
const parity = (
  name: string,
  about: string,
  rest: Omit<Story, 'name' | 'about' | 'ends'> & Partial<Pick<Story, 'ends'>>,
): Story => ({
  name: `parity-${name}`,
  about,
  ends: 'completed',
  ...rest,
});

const refreshCalls = (stage: Stage) => stage.backend.counts().refreshCalls;
const asked = (stage: Stage) => stage.states.includes('auth-failed');

export const parityCases: readonly ParityCase[] = [
  {
    happens: 'a fresh sign-in leaves the token in quotes; the job takes 60 s',
    before: 'failed after 15 s: five refused polls, "check your connection"',
    after: 'result after 70 s',
    wasShown: true,
    ours: 'result; the refused token costs one refresh',
    story: parity('quoted-token', 'A sign-in hands the token over in quotes: refused once, refreshed once.', {
      options: { backend: fast, client },
      async play(stage) {
        await stage.signIn(JSON.stringify);
        stage.submit();
        await stage.until('the job is watched', () => statusAnswered(stage) > 0);
        await finished(stage);
      },
      expect: (stage) => ({ 'one refresh': refreshCalls(stage) === 1, 'no sign-in was asked for': !asked(stage) }),
    }),
  },
  {
    happens: 'an old (V1) sign-in leaves the token in quotes',
    before: 'failed at the submission',
    after: 'failed at the submission',
    wasShown: false,
    ours: 'result; the quotes are taken off',
    story: parity('quoted-v1-token', 'A V1 token lies in the storage in quotes: they are taken off.', {
      options: { backend: ENDLESS_JOB, client: { ...UNLUCKY, auth: { version: 'v1' } } },
      async play(stage) {
        await stage.signIn(JSON.stringify);
        stage.submit();
        await stage.until('the job is watched', () => statusAnswered(stage) > 0);
        await finished(stage);
      },
      expect: (stage) => ({ 'nothing was refused': stage.backend.counts().unauthorizedAnswers === 0 }),
    }),
  },
  {
    happens: 'the token has 60 s left, the job takes 120 s, the refresh works',
    before: 'result after 130 s, one refresh',
    after: 'result after 130 s, one refresh',
    wasShown: true,
    ours: 'result; refreshed ahead of time, nothing refused',
    story: parity('outlived-token', 'The job outlives the token, and the refresh works.', {
      options: { backend: { accessTokenTtlMs: 2_000, jobDurationMs: 4_000, refreshIntervalMs: 500 }, client },
      play: playThrough,
      expect: (stage) => ({
        'refreshed ahead of time': refreshCalls(stage) >= 1,
        'nothing was refused': stage.backend.counts().unauthorizedAnswers === 0,
      }),
    }),
  },
  {
    happens: '… and the first refresh fails',
    before: 'failed after 60 s',
    after: 'result after 130 s',
    wasShown: true,
    ours: 'result; tried again when it may be',
    story: parity('one-failed-refresh', 'The job outlives the token, and the first refresh is answered 503.', {
      options: {
        backend: {
          accessTokenTtlMs: 2_000,
          jobDurationMs: 4_000,
          refreshIntervalMs: 500,
          faults: [{ route: 'refresh', kind: 'status', status: 503, times: 1 }],
        },
        client,
      },
      play: playThrough,
      expect: (stage) => ({ 'no sign-in was asked for': !asked(stage) }),
    }),
  },
  {
    happens: '… and the refresh endpoint is down until the job has ended',
    before: 'failed after 60 s',
    after: 'failed after 60 s, 21 refresh calls, one with every poll',
    wasShown: false,
    ours: 'the job waits, at most one refresh call a minute; result when the endpoint is back',
    story: parity('refresh-down', 'The refresh endpoint is down until the job has ended.', {
      options: {
        backend: {
          accessTokenTtlMs: 2_000,
          jobDurationMs: 3_500,
          refreshIntervalMs: 500,
          faults: [{ route: 'refresh', kind: 'status', status: 503 }],
        },
        client,
      },
      async play(stage) {
        await stage.signIn();
        stage.submit();
        await stage.until('the job has ended', () => stage.backend.jobs()[0]?.status === 'completed');
        stage.backend.configure({ faults: [] });
        await shown(stage);
      },
      expect: (stage) => ({
        'at most one call in each short minute': refreshCalls(stage) <= 6,
        'no sign-in was asked for': !asked(stage),
      }),
    }),
  },
  {
    happens: 'the token has 500 s left, the refresh endpoint is down, the job takes 60 s',
    before: 'result, one refresh call',
    after: 'result, 21 refresh calls',
    wasShown: true,
    ours: 'result, no refresh call: the token is good for long enough',
    story: parity('refresh-down-unneeded', 'The refresh endpoint is down, and no call needs it.', {
      options: meets({ route: 'refresh', kind: 'status', status: 503 }),
      async play(stage) {
        await submitted(stage);
        await betweenPolls(stage);
        await finished(stage);
      },
      expect: (stage) => ({ 'no refresh call': refreshCalls(stage) === 0 }),
    }),
  },
  {
    happens: 'the refresh token is rejected at the submission',
    before: 'failed at once, "failed to refresh token"',
    after: 'failed at once, "failed to refresh token"',
    wasShown: false,
    ours: 'paused with a clear request to sign in; submitted and shown after that',
    story: parity('rejected-at-submission', 'The session is over when the answers are submitted.', {
      options: { backend: fast, client },
      async play(stage) {
        await stage.signIn();
        stage.backend.revokeSessions();
        stage.submit();
        await stage.until('a sign-in is asked for', () => phase(stage) === 'sign-in-needed');
        await stage.signIn();
        await stage.until('the job is watched', () => statusAnswered(stage) > 0);
        await finished(stage);
      },
      expect: (stage) => ({ 'one refresh call': refreshCalls(stage) === 1 }),
    }),
  },
  {
    happens: 'the server rejects a token that the client thinks fresh (revoked, or a clock is wrong)',
    before: 'failed after 30 s, no refresh',
    after: 'failed after 30 s, no refresh',
    wasShown: false,
    ours: 'result; one refresh, one repetition',
    story: parity('fresh-token-refused', 'The server ends the life of a token that looks fresh.', {
      options: { backend: { ...fast, ...NO_SOCKETS }, client },
      async play(stage) {
        await submitted(stage);
        stage.backend.endTokens();
        await betweenPolls(stage);
        await betweenPolls(stage);
        await finished(stage);
      },
      expect: (stage) => ({ 'one refresh': refreshCalls(stage) === 1, 'no sign-in was asked for': !asked(stage) }),
    }),
  },
  {
    happens: 'a V1 token is rejected in the middle of polling',
    before: 'failed after 30 s',
    after: 'failed after 30 s',
    wasShown: false,
    ours: 'paused with a clear request to sign in; result after that',
    story: parity('v1-token-refused', 'A V1 token dies early: no refresh exists, so the job pauses.', {
      options: {
        backend: { ...ENDLESS_JOB, ...NO_SOCKETS },
        client: {
          ...UNLUCKY,
          auth: { version: 'v1' },
          // A token that its `exp` calls good may be refused by an outage; after this patience the user is asked.
          timings: { outagePatienceMs: 2_000 },
        },
      },
      async play(stage) {
        await submitted(stage);
        stage.backend.endTokens();
        await stage.until('a sign-in is asked for', () => phase(stage) === 'sign-in-needed');
        await stage.signIn();
        await finished(stage);
      },
      expect: (stage) => ({ 'no refresh call': refreshCalls(stage) === 0 }),
    }),
  },
  {
    happens: 'a single 503 on the third and on the sixth poll',
    before: '–',
    after: 'third: result; sixth: failed after 15 s',
    wasShown: false,
    ours: 'result; what time can heal is waited for, however late it comes',
    story: parity('late-503', 'The third and the sixth poll are answered 503.', {
      options: { backend: { ...fast, ...NO_SOCKETS }, client },
      async play(stage) {
        await submitted(stage);
        for (const poll of [3, 6]) {
          await stage.until(`poll ${poll - 1} was answered`, () => statusAnswered(stage) >= poll - 1);
          stage.backend.configure({ faults: [{ route: 'status', kind: 'status', status: 503, times: 1 }] });
        }
        await stage.until('poll 7 was answered', () => statusAnswered(stage) >= 7);
        await finished(stage);
      },
      expect: (stage) => ({ 'the last 503 hit': stage.backend.faultsInjected().status === 2 }),
    }),
  },
  {
    happens: 'the status is 404 for ever: the service has restarted',
    before: '–',
    after: 'five polls, then "check your connection"',
    wasShown: false,
    ours: 'result; the archive knows what the status route forgot',
    story: parity('forgotten-job', 'The service restarts and forgets the job, which runs on.', {
      options: { backend: { ...fast, ...NO_SOCKETS }, client },
      async play(stage) {
        await submitted(stage);
        stage.backend.restart();
        await betweenPolls(stage);
        await finished(stage);
      },
      expect: (stage) => ({ 'the archive was asked': stage.backend.counts().jobCalls > 0 }),
    }),
  },
  {
    happens: 'completed, and the result id is missing',
    before: '–',
    after: 'polls on to the end of its 600 s',
    wasShown: false,
    ours: 'result at once; the id of the submission, or of the archive, will do',
    story: parity('no-result-id', 'The status says completed and does not say where the result is.', {
      options: { backend: { ...fast, ...NO_SOCKETS, quirks: ['completed-without-result-id'] }, client },
      async play(stage) {
        await submitted(stage);
        await finished(stage);
      },
    }),
  },
  {
    happens: 'the result is 404 three times, then there',
    before: '–',
    after: 'result after 20.5 s',
    wasShown: true,
    ours: 'result, with shorter waits',
    story: parity('result-404', 'The result is not found three times, and then it is there.', {
      options: meets({ route: 'result', kind: 'status', status: 404, times: 3 }),
      async play(stage) {
        await submitted(stage);
        await finished(stage);
      },
      expect: (stage) => ({ 'four calls': stage.backend.counts().resultCalls === 4 }),
    }),
  },
  {
    happens: 'the result is 503 once',
    before: '–',
    after: 'failed at once',
    wasShown: false,
    ours: 'result; asked for again',
    story: parity('result-503', 'The result is answered 503 once.', {
      options: meets({ route: 'result', kind: 'status', status: 503, times: 1 }),
      async play(stage) {
        await submitted(stage);
        await finished(stage);
      },
      expect: (stage) => ({ 'two calls': stage.backend.counts().resultCalls === 2 }),
    }),
  },
  {
    happens: 'the event says completed and names no job, as the real server does',
    before: '–',
    after: 'ignored; the result comes 35 s later, by polling',
    wasShown: true,
    ours: 'result at once; the result id says whose event it is',
    story: parity('event-without-job', 'The completion event names no job.', {
      options: { backend: { ...fast, quirks: ['events-without-job-id'] }, client },
      async play(stage) {
        await submitted(stage);
        await stage.until('it listens', () => stage.states.includes('ws-monitoring'));
        await finished(stage);
      },
      expect: (stage) => ({ 'watched over the WebSocket': stage.states.includes('ws-monitoring') }),
    }),
  },
  {
    happens: 'the event says completed and names the job',
    before: '–',
    after: 'result 10 s later, no progress on the way',
    wasShown: true,
    ours: 'result at once, with progress on the way',
    story: parity('event-with-job', 'The completion event names the job.', {
      options: { backend: fast, client },
      async play(stage) {
        await submitted(stage);
        await stage.until('it listens', () => stage.states.includes('ws-monitoring'));
        await finished(stage);
      },
      expect: (stage) => ({ 'progress was shown': stage.shown.some(({ progress }) => progress.percent > 0) }),
    }),
  },
  {
    happens: 'the event says completed, and the result is 404 once',
    before: '–',
    after: 'failed, no second try on this path',
    wasShown: false,
    ours: 'result; asked for again',
    story: parity('event-then-404', 'The completion event is quicker than the archive.', {
      options: { backend: { ...fast, faults: [{ route: 'result', kind: 'status', status: 404, times: 1 }] }, client },
      async play(stage) {
        await submitted(stage);
        await stage.until('it listens', () => stage.states.includes('ws-monitoring'));
        await finished(stage);
      },
      expect: (stage) => ({ 'two calls': stage.backend.counts().resultCalls === 2 }),
    }),
  },
  {
    happens: 'the job never ends',
    before: '–',
    after: 'failed after 600 s and 200 polls; the job is lost, and a repetition is paid for again',
    wasShown: false,
    ours: 'the user is asked, and waits on; told that it failed when the server gives up, and the credit is back',
    story: parity('never-ends', 'The job hangs until the sweeper of the server gives up on it.', {
      options: {
        backend: { ...fast, ...NO_SOCKETS },
        client: {
          ...client,
          settings: () => ({ monitoringTimeoutMs: 1_500 }),
          timings: { ...client.timings, archiveAfterMs: 1_500, slowCheckMs: 1_000 },
        },
      },
      async play(stage) {
        await stage.signIn();
        const assessment = stage.submit();
        await stage.until('the user is asked', () => phase(stage) === 'delayed');
        assessment.keepWaiting();
        await betweenPolls(stage);
        stage.backend.sweepJobs();
        await shown(stage);
        const { initialBalance } = stage.backend.options;
        await stage.until('the credit is back', () => stage.client.getSnapshot().balance === initialBalance);
      },
      ends: 'failed',
      expect: (stage) => {
        const last = stage.shown.at(-1);
        return { 'told that the job failed': last?.phase === 'failed' && last.error.code === 'job-failed' };
      },
    }),
  },
];
