import {
  type Assessment,
  type AssessmentView,
  createAssessmentClient,
  type FeedSocket,
  type LoadSocketIo,
  memoryStore,
  type MonitorEvent,
  type Random,
} from 'assessment-monitor';
import { SENT_AT_HEADER } from '@assessment-monitor/backend/app';
import { analyse } from '@assessment-monitor/backend/sample-result';
import { createBook } from '@assessment-monitor/demo/book';
import { sampleAnswers } from '@assessment-monitor/demo/sample-answers';
import { cookieFetch } from '../scenarios/cookie-fetch.ts';
import { logIn } from '../scenarios/stage.ts';
import { REFRESH_INTERVAL_MS } from './fault-mix.ts';
import type { ServerAddress } from './server.ts';

/** What a user was shown of one assessment, in the end and on the way. */
export interface Told {
  name: string;
  /** The phase in which it was left; `nothing` where no page knew of it any more. */
  phase: AssessmentView['phase'] | 'nothing';
  jobId: string | null;
  /** Why it failed, if it did. */
  code: string | null;
  /** Whether the result is the one of these answers. */
  isOwnResult: boolean;
  /** How often it was shown as completed. Once is right. */
  completions: number;
  /** How often INVALID_TOKEN could be read. */
  invalidToken: number;
  /** What its page reported last, where patience ended first. */
  trail: readonly string[];
  /**
   * What its pages reported about sending the answers, and what the user did about it: the first lines, as bytes. They lie outside the heap,
   * whose growth is that of the clients.
   */
  sending: Uint8Array;
}

/** Everything that takes seconds or minutes, scaled down as the server is. */
const timings = {
  pollMinMs: 300,
  pollMaxMs: 1_500,
  heartbeatMs: 2_500,
  slowCheckMs: 2_000,
  minDistanceMs: 150,
  archiveAfterMs: 20_000,
  settlingMs: 1_000,
  failureConfirmationMs: 4_500,
  refreshIntervalMs: REFRESH_INTERVAL_MS,
  outagePatienceMs: 10_000,
  stableAfterMs: 500,
  // Not scaled as much: the machine is busy, and its seconds are real ones.
  refreshTimeoutMs: 4_000,
  connectTimeoutMs: 3_000,
  timeouts: { submit: 5_000, status: 4_000, result: 5_000, balance: 4_000 },
};
/** Until the user is asked whether to wait longer … */
const MONITORING_TIMEOUT_MS = 45_000;
/** … and until a job counts as lost, ms. */
const PATIENCE_MS = 240_000;
const TRAIL_LENGTH = 40;

/** The share of the assessments whose answers the user has given before, under another name. */
const REPEATED = 0.1;

/** A person with a browser: signs in, submits, reloads now and then, signs in again when asked to, and reads what is shown. */
export function createUser({ url, refreshTransport }: ServerAddress, number: number, random: Random) {
  const book = createBook();
  const browserFetch = stamped(cookieFetch());
  const storage = memoryStore();
  const tokenStorage = memoryStore();
  /** The last of what the pages reported: a lost user reports where. */
  let trail: string[] = [];
  let sending: string[] = [];
  const lineOf = (at: number, what: object): string =>
    `${new Date(at).toISOString().slice(14, 23)} ${JSON.stringify(what).replaceAll('"', '')}`;
  const noteSending = (what: object, at = Date.now()): void => {
    if (sending.length < TRAIL_LENGTH) sending.push(lineOf(at, what));
  };
  const remember = ({ at, ...event }: MonitorEvent & { at: number }): void => {
    trail.push(lineOf(at, event));
    if (trail.length > TRAIL_LENGTH) trail = trail.slice(-TRAIL_LENGTH / 2);
    if (event.type === 'request.finished' && ['submit', 'jobs'].includes(event.route)) noteSending(event, at);
    if (event.type === 'state.changed' && [event.from, event.to].includes('submitting')) noteSending(event, at);
  };
  const openPage = () =>
    createAssessmentClient<unknown, Record<string, unknown>>({
      baseUrl: url,
      storage,
      tokenStorage,
      auth: { refreshTransport },
      clock: book.clock,
      fetch: book.fetch(browserFetch),
      loadSocketIo: stampedSockets,
      random,
      timings,
      onEvent: remember,
      settings: () => ({ monitoringTimeoutMs: MONITORING_TIMEOUT_MS }),
    });
  let client = openPage();
  const address = `user-${number}@example.test`;
  const support = createSupport(url, address);
  let riasec: Riasec | null = null;

  const signIn = async (): Promise<void> => {
    for (;;) {
      try {
        const askedAt = Date.now();
        const session = await logIn(browserFetch, url, 'v2', address);
        // What is gone of it while the answer waited for its turn in this crowded process, is gone.
        const expiresIn = Number(session.expiresIn) - (Date.now() - askedAt) / 1_000;
        if (expiresIn > 1) return client.signedIn({ ...session, expiresIn });
      } catch {
        await pause(200); // a restart: the user tries again
      }
    }
  };

  /** Submits, and resolves when the assessment has ended, or patience has. */
  const play = (name: string): Promise<Told> => {
    if (riasec === null || random() >= REPEATED) riasec = anyRiasec(random);
    const answers = answersOf(name, riasec);
    const expected = JSON.stringify(analyse(answers));
    const told: Told = {
      name,
      phase: 'nothing',
      jobId: null,
      code: null,
      isOwnResult: false,
      completions: 0,
      invalidToken: 0,
      trail: [],
      sending: new Uint8Array(),
    };
    sending = [];
    return new Promise((resolve) => {
      let isSigningIn = false;
      let isAsking = false;
      let shown: Assessment<Record<string, unknown>> | undefined;
      let isFinished = false;
      const finish = (): void => {
        if (isFinished) return;
        isFinished = true;
        clearTimeout(patience);
        clearTimeout(whim);
        unwatch();
        // Every fifth looks once more, on a new page: what was shown must not come back. The others put it away.
        if (random() < 0.2) {
          client.dispose();
          client = openPage();
          const isBack = client.resume().some(({ id }) => id === shown?.id);
          if (isBack && isOver(told)) told.completions += 1;
        } else if (shown) client.dismiss(shown.id);
        told.sending = new TextEncoder().encode(sending.join('\n'));
        resolve(told);
      };
      const look = (): void => {
        const view = shown?.getSnapshot();
        if (!view) return;
        if (/INVALID_TOKEN|invalid or expired token/i.test(JSON.stringify(view))) told.invalidToken += 1;
        if (view.phase === 'completed' && told.phase !== 'completed') told.completions += 1;
        told.phase = view.phase;
        told.jobId = view.jobId;
        told.code = 'error' in view ? view.error.code : null;
        if (view.phase === 'completed') told.isOwnResult = JSON.stringify(view.result) === expected;
        if (view.phase === 'sign-in-needed' && !isSigningIn) {
          isSigningIn = true;
          void pause(100)
            .then(signIn)
            .then(() => (isSigningIn = false));
        }
        if (view.phase === 'delayed') shown?.keepWaiting();
        if (view.phase === 'unconfirmed' && !isAsking) {
          isAsking = true;
          void support.hasArrived(name).then((hasArrived) => {
            isAsking = false;
            if (isFinished || shown?.getSnapshot().phase !== 'unconfirmed') return undefined;
            // The next page finds the job in the list.
            if (hasArrived) return reload();
            noteSending({ user: 'sends again' });
            return shown.sendAgain();
          });
        }
        // A moment more: what is shown twice is shown at once.
        if (['completed', 'failed', 'cancelled'].includes(view.phase)) setTimeout(finish, 50);
      };
      let unwatch = () => {};
      const watch = (assessment: Assessment<Record<string, unknown>> | undefined): void => {
        unwatch();
        shown = assessment;
        unwatch = assessment?.subscribe(look) ?? (() => {});
        look();
      };
      const reload = (): void => {
        noteSending({ user: 'reloads the page' });
        client.dispose();
        client = openPage();
        watch(client.resume().at(-1));
      };
      const patience = setTimeout(() => {
        told.trail = trail.slice(-TRAIL_LENGTH / 2);
        finish();
      }, PATIENCE_MS);
      // Every third reloads the page somewhere on the way, some right after the submission.
      const whim = setTimeout(() => random() < 0.33 && !isOver(told) && reload(), random() * 9_000);
      watch(client.submit(answers));
    });
  };

  return { signIn, play, dispose: () => client.dispose(), open: book.open };
}

/*
 * On a machine that is busy with hundreds of clients a message may arrive a second after it was sent, which is ten seconds of
 * the time that is scaled down here. So each says when it was sent, and the server judges by that.
 */
const stamped =
  (real: typeof fetch): typeof fetch =>
  (input, init) =>
    real(input, { ...init, headers: { ...(init?.headers as object), [SENT_AT_HEADER]: String(Date.now()) } });
const stampedSockets: LoadSocketIo = async () => {
  const { io } = await import('socket.io-client');
  return {
    io(url, options) {
      const socket: FeedSocket = io(url, options);
      const emit = socket.emit.bind(socket);
      socket.emit = (event, payload) => emit(event, { ...(payload as object), sentAt: Date.now() });
      return socket;
    },
  };
};

const isOver = ({ phase }: Told) => phase === 'completed' || phase === 'failed' || phase === 'cancelled';

type Riasec = Record<string, number>;

/** Answers that no other user gives, so that a result shows whose it is. */
const anyRiasec = (random: Random): Riasec =>
  Object.fromEntries(Object.keys(sampleAnswers.assessment_data.riasec).map((key) => [key, Math.floor(random() * 101)]));
const answersOf = (name: string, riasec: Riasec) => ({
  assessment_name: name,
  assessment_data: { ...sampleAnswers.assessment_data, riasec },
});

/** Whom a careful user asks before sending the answers again: the support looks at the user's jobs. */
function createSupport(url: string, address: string) {
  const ask = async (name: string): Promise<boolean> => {
    // A V1 token: it outlives a busy machine.
    const { accessToken } = await logIn(fetch, url, 'v1', address);
    const response = await fetch(`${url}/api/archive/jobs`, { headers: { Authorization: `Bearer ${accessToken}` } });
    const { data } = (await response.json()) as { data: { jobs: { assessment_name: string }[] } };
    return data.jobs.some((job) => job.assessment_name === name);
  };
  return {
    async hasArrived(name: string): Promise<boolean> {
      for (;;) {
        await pause(1_000); // what is still under way arrives first
        try {
          return await ask(name);
        } catch {
          // a fault: the support tries again
        }
      }
    },
  };
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
