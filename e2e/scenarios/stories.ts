import {
  betweenPolls,
  ENDLESS_JOB,
  isOver,
  LONG_TOKENS,
  phase,
  SHORT_MINUTE,
  state,
  statusAnswered,
  wentThrough,
} from './props.ts';
import { profiles } from '@assessment-monitor/backend/profiles';
import type { Stage, StageOptions } from './stage.ts';

/** One story: how the world is set up, what happens, and how it should end. */
export interface Story {
  name: string;
  /** One sentence for `--list`. */
  about: string;
  options?: StageOptions;
  play(stage: Stage): Promise<void>;
  /** The phase in which the user is left. */
  ends: 'completed' | 'failed' | 'cancelled';
  /** What must be true besides what is true of every story. Names are read by people. */
  expect?: (stage: Stage) => Record<string, boolean>;
}

export const stories: readonly Story[] = [
  {
    name: 'happy',
    about: 'Nothing goes wrong: the WebSocket says when the job is done, and the result is fetched.',
    options: { backend: { ...LONG_TOKENS, jobDurationMs: 3_000 } },
    async play(stage) {
      await stage.signIn();
      stage.submit();
      await stage.until('the result is shown', () => isOver(stage));
    },
    ends: 'completed',
    expect: (stage) => ({
      'watched over the WebSocket': stage.states.includes('ws-monitoring'),
      'no refresh was needed': stage.backend.counts().refreshes === 0,
      'the balance was brought up to date':
        stage.client.getSnapshot().balance === stage.backend.options.initialBalance - 1,
    }),
  },
  {
    name: 'expiry-during-poll',
    about: 'The token dies between two polls: the poll is refused, the token refreshed, the poll repeated.',
    options: { backend: { ...LONG_TOKENS, ...ENDLESS_JOB, sockets: 'refuse' }, client: SHORT_MINUTE.client },
    async play(stage) {
      await stage.signIn();
      stage.submit();
      await stage.until('it polls', () => state(stage) === 'polling');
      await betweenPolls(stage);
      stage.backend.endTokens();
      await stage.until('the token was refreshed', () => stage.backend.counts().refreshes === 1);
      await betweenPolls(stage);
      stage.backend.finishJobs();
      await stage.until('the result is shown', () => isOver(stage));
    },
    ends: 'completed',
    expect: (stage) => ({
      'polling, refresh, polling': wentThrough(stage, 'polling', 'refreshing-token', 'polling'),
      'one refresh': stage.backend.counts().refreshes === 1,
      'one call was refused': stage.backend.counts().unauthorizedAnswers === 1,
    }),
  },
  {
    name: 'expiry-during-websocket',
    about: 'The token dies while the WebSocket is watched: it is refreshed and the socket stays open.',
    options: { backend: { ...LONG_TOKENS, ...ENDLESS_JOB }, client: SHORT_MINUTE.client },
    async play(stage) {
      await stage.signIn();
      stage.submit();
      await stage.until('it listens', () => state(stage) === 'ws-monitoring' && statusAnswered(stage) > 0);
      stage.backend.endTokens();
      await stage.until('the token was refreshed', () => stage.backend.counts().refreshes === 1);
      await stage.until('it listens again', () => state(stage) === 'ws-monitoring');
      await betweenPolls(stage);
      stage.backend.finishJobs();
      await stage.until('the result is shown', () => isOver(stage));
    },
    ends: 'completed',
    expect: (stage) => ({
      'WebSocket, refresh, WebSocket': wentThrough(stage, 'ws-monitoring', 'refreshing-token', 'ws-monitoring'),
      'the same socket all the time': stage.backend.counts().socketsOpened === 1,
      'one refresh': stage.backend.counts().refreshes === 1,
    }),
  },
  {
    name: 'expiry-before-result',
    about:
      'The token dies in the moment in which the job ends: the result fetch is refused, and repeated after a refresh.',
    options: { backend: { ...LONG_TOKENS, ...ENDLESS_JOB }, client: SHORT_MINUTE.client },
    async play(stage) {
      await stage.signIn();
      stage.submit();
      await stage.until('it listens', () => state(stage) === 'ws-monitoring' && statusAnswered(stage) > 0);
      stage.backend.endTokens();
      stage.backend.finishJobs();
      await stage.until('the result is shown', () => isOver(stage));
    },
    ends: 'completed',
    expect: (stage) => ({
      'result, refresh, result': wentThrough(stage, 'fetching-result', 'refreshing-token', 'fetching-result'),
      'one refresh': stage.backend.counts().refreshes === 1,
    }),
  },
  {
    name: 'no-websocket',
    about: 'WebSockets are refused all along: polling alone brings the result, over three natural token lives.',
    options: {
      backend: { accessTokenTtlMs: 5_000, jobDurationMs: 12_000, sockets: 'refuse', refreshIntervalMs: 1_000 },
      client: SHORT_MINUTE.client,
    },
    async play(stage) {
      await stage.signIn();
      stage.submit();
      await stage.until('the result is shown', () => isOver(stage));
    },
    ends: 'completed',
    expect: (stage) => ({
      'never listened': !stage.states.includes('ws-monitoring'),
      'refreshed ahead of time': stage.backend.counts().refreshes >= 2,
      'no call was refused': stage.backend.counts().unauthorizedAnswers === 0,
    }),
  },
  {
    name: 'refresh-limited',
    about:
      'The second refresh comes too early for the server (429): the job waits for the slot, and the user does not notice.',
    options: {
      backend: { ...LONG_TOKENS, ...ENDLESS_JOB, sockets: 'refuse', refreshIntervalMs: 5_000 },
      client: SHORT_MINUTE.client,
    },
    async play(stage) {
      await stage.signIn();
      stage.submit();
      await stage.until('it polls', () => state(stage) === 'polling');
      await betweenPolls(stage);
      stage.backend.endTokens();
      await stage.until('the first refresh', () => stage.backend.counts().refreshes === 1);
      await betweenPolls(stage);
      await betweenPolls(stage);
      await betweenPolls(stage);
      stage.backend.endTokens();
      await stage.until('the server said 429', () => stage.backend.counts().refreshesLimited >= 1);
      await stage.until('the second refresh', () => stage.backend.counts().refreshes === 2);
      await betweenPolls(stage);
      stage.backend.finishJobs();
      await stage.until('the result is shown', () => isOver(stage));
    },
    ends: 'completed',
    expect: (stage) => ({
      'the limit was met once and obeyed': stage.backend.counts().refreshesLimited === 1,
      'no sign-in was asked for': !stage.states.includes('auth-failed'),
    }),
  },
  {
    name: 'refresh-rejected-then-sign-in',
    about: 'The session is revoked: the job pauses, finishes on the server, and is shown after the next sign-in.',
    options: { backend: { ...LONG_TOKENS, ...ENDLESS_JOB }, client: SHORT_MINUTE.client },
    async play(stage) {
      await stage.signIn();
      stage.submit();
      await stage.until('it is monitored', () => statusAnswered(stage) > 0);
      stage.backend.revokeSessions();
      await stage.until('a sign-in is asked for', () => phase(stage) === 'sign-in-needed');
      stage.backend.finishJobs();
      await stage.signIn();
      await stage.until('the result is shown', () => isOver(stage));
    },
    ends: 'completed',
    expect: (stage) => ({
      'paused, not failed': stage.states.includes('auth-failed') && !stage.states.includes('failed'),
      'the job from before the sign-in': stage.shown.at(-1)?.jobId === stage.backend.jobs()[0]?.jobId,
      'asked the refresh endpoint once': stage.backend.counts().refreshCalls === 1,
    }),
  },
  {
    name: 'auth-outage',
    about: 'For 6 s every token is answered INVALID_TOKEN, fresh ones too: waited out, no logout, at most one refresh.',
    options: {
      backend: { ...LONG_TOKENS, ...ENDLESS_JOB, sockets: 'refuse' },
      client: { timings: { refreshIntervalMs: 1_000 } },
    },
    async play(stage) {
      await stage.signIn();
      stage.submit();
      await stage.until('it is monitored', () => statusAnswered(stage) > 0);
      stage.backend.configure({ authOutage: true });
      const began = Date.now();
      await stage.until('6 s have passed and a call was refused', () => Date.now() - began >= 6_000);
      stage.backend.configure({ authOutage: false });
      await betweenPolls(stage);
      stage.backend.finishJobs();
      await stage.until('the result is shown', () => isOver(stage));
    },
    ends: 'completed',
    expect: (stage) => ({
      'no logout': !stage.events.some((it) => it.type === 'session.ended'),
      'at most one refresh': stage.backend.counts().refreshCalls <= 1,
      'the token was refused once, and not tried again before the health route said so':
        stage.backend.counts().unauthorizedAnswers === 1,
    }),
  },
  {
    name: 'auth-outage-with-refresh',
    about:
      'The real services lose everything at once: tokens, refreshes and the socket. The result is shown soon after.',
    options: {
      backend: { ...profiles.original, ...ENDLESS_JOB, submitMs: 0 },
      client: { auth: { refreshTransport: 'body' }, socket: { transports: ['websocket'] } },
    },
    async play(stage) {
      const { backend } = stage;
      await stage.signIn();
      stage.submit();
      await stage.until('it is monitored', () => statusAnswered(stage) > 0);
      backend.configure({ authOutage: true, faults: [{ route: 'refresh', kind: 'status', status: 503 }] });
      backend.dropSockets();
      await stage.until('a call was refused', () => backend.counts().unauthorizedAnswers > 0);
      backend.finishJobs();
      backend.configure({ authOutage: false, faults: [] });
      await stage.until('the result is shown', () => isOver(stage), 20_000);
    },
    ends: 'completed',
    expect: (stage) => ({
      'no logout': !stage.events.some((it) => it.type === 'session.ended'),
      'at most one refresh': stage.backend.counts().refreshCalls <= 1,
      'one refused call': stage.backend.counts().unauthorizedAnswers === 1,
    }),
  },
  {
    name: 'unexpected-401',
    about: 'One status call is refused although the token is good: one refresh, one retry, and on it goes.',
    options: { backend: { ...LONG_TOKENS, ...ENDLESS_JOB, sockets: 'refuse' }, client: SHORT_MINUTE.client },
    async play(stage) {
      await stage.signIn();
      stage.submit();
      await stage.until('it is monitored', () => statusAnswered(stage) > 0);
      stage.backend.configure({ faults: [{ route: 'status', kind: 'status', status: 401, times: 1 }] });
      await betweenPolls(stage);
      await betweenPolls(stage);
      await betweenPolls(stage);
      stage.backend.finishJobs();
      await stage.until('the result is shown', () => isOver(stage));
    },
    ends: 'completed',
    expect: (stage) => ({
      'one refresh': stage.backend.counts().refreshes === 1,
      'polling, refresh, polling': wentThrough(stage, 'polling', 'refreshing-token', 'polling'),
    }),
  },
  {
    name: 'v1-expired-then-sign-in',
    about: 'Auth V1 has no refresh: when its token dies the job pauses, and resumes after the next sign-in.',
    options: {
      backend: { v1TokenTtlMs: 4_000, ...ENDLESS_JOB },
      client: { auth: { version: 'v1' } },
    },
    async play(stage) {
      await stage.signIn();
      stage.submit();
      await stage.until('a sign-in is asked for', () => phase(stage) === 'sign-in-needed');
      stage.backend.configure({ v1TokenTtlMs: 600_000 });
      stage.backend.finishJobs();
      await stage.signIn();
      await stage.until('the result is shown', () => isOver(stage));
    },
    ends: 'completed',
    expect: (stage) => ({
      'never refreshed': stage.backend.counts().refreshCalls === 0,
      'the job from before the sign-in': stage.shown.at(-1)?.jobId === stage.backend.jobs()[0]?.jobId,
    }),
  },
  {
    name: 'reload-mid-job',
    about: 'The page is reloaded in the middle: the assessment resumes by itself and is not submitted again.',
    options: { backend: { ...LONG_TOKENS, ...ENDLESS_JOB } },
    async play(stage) {
      await stage.signIn();
      stage.submit();
      await stage.until('it is monitored', () => statusAnswered(stage) > 0);
      stage.reload();
      await stage.until('it is monitored again', () => state(stage) === 'ws-monitoring');
      await betweenPolls(stage);
      stage.backend.finishJobs();
      await stage.until('the result is shown', () => isOver(stage));
    },
    ends: 'completed',
    expect: (stage) => ({
      'submitted once': stage.backend.counts().submitCalls === 1,
      'no refresh was needed': stage.backend.counts().refreshCalls === 0,
    }),
  },
  {
    name: 'server-failed-job',
    about: 'The analysis fails on the server: the page says so in plain words, and the credit is back.',
    options: { backend: { ...LONG_TOKENS, ...ENDLESS_JOB } },
    async play(stage) {
      await stage.signIn();
      stage.submit();
      await stage.until('it is monitored', () => statusAnswered(stage) > 0);
      stage.backend.finishJobs('failed');
      await stage.until('the failure is shown', () => isOver(stage));
      await stage.until(
        'the credit is back',
        () => stage.client.getSnapshot().balance === stage.backend.options.initialBalance,
      );
    },
    ends: 'failed',
    expect: (stage) => {
      const last = stage.shown.at(-1);
      return { 'told that the job failed': last?.phase === 'failed' && last.error.code === 'job-failed' };
    },
  },
  {
    name: 'cancelled',
    about: 'The user cancels in the middle: nothing more is sent, and nothing is left open.',
    options: { backend: { ...LONG_TOKENS, ...ENDLESS_JOB } },
    async play(stage) {
      await stage.signIn();
      const assessment = stage.submit();
      await stage.until('it is monitored', () => statusAnswered(stage) > 0);
      assessment.cancel();
      await stage.until('it is cancelled', () => isOver(stage));
      stage.backend.finishJobs();
      await stage.until('the server sees no socket', () => stage.backend.openConnections().sockets === 0);
    },
    ends: 'cancelled',
    expect: (stage) => ({ 'no result was fetched': stage.backend.counts().resultCalls === 0 }),
  },
  {
    name: 'the-server-that-users-have',
    about:
      'No idempotency keys, no job ids in events, a status that lags and leaves out the result id; and then it restarts.',
    options: {
      backend: { ...profiles.original, ...ENDLESS_JOB },
      client: { auth: { refreshTransport: 'body' }, idempotencyHeader: null, random: () => 0 },
    },
    async play(stage) {
      await stage.signIn();
      stage.submit();
      await stage.until('it listens', () => state(stage) === 'ws-monitoring' && statusAnswered(stage) > 0);
      stage.backend.restart();
      await stage.until('the archive is asked', () => stage.backend.counts().jobCalls > 0);
      stage.backend.finishJobs();
      await stage.until('the result is shown', () => isOver(stage));
    },
    ends: 'completed',
    expect: (stage) => ({
      'the balance was brought up to date':
        stage.client.getSnapshot().balance === stage.backend.options.initialBalance - 1,
    }),
  },
];
