import {
  type Assessment,
  type AssessmentClientOptions,
  type AssessmentView,
  createAssessmentClient,
  type MonitorEvent,
} from 'assessment-monitor';
import { memoryStore } from '../../src/lib/storage.ts';
import { virtualClock } from '../../src/testing/virtual-clock.ts';
import { nested, ok, responseOf, type WireAnswer } from '../../src/testing/wire/answers.ts';
import { rows, type WireJob } from '../../src/testing/wire/jobs.ts';
import { routeOf, type WireRoute } from '../../src/testing/wire/routes.ts';
import { loginPage } from '../../src/testing/worlds/spoilt-answers.ts';
import { fakeSocketIo } from './fake-socket-io.ts';

/*
 * The real client in virtual time, on a server that answers by script: for the one odd answer that a test is about, where a whole
 * fake server would hide it.
 */

export { flat, invalidToken, nested, ok } from '../../src/testing/wire/answers.ts';

export type Route = WireRoute;
/** Null: no answer at all. */
export type Reply = WireAnswer | null;
export interface Call {
  route: Route;
  /** 1 for the first call of this route. */
  count: number;
  /** Virtual time since the beginning, ms. */
  at: number;
  /** The token that was sent, if one was. */
  token: string | null;
  /** Of the job or the result that it is about; empty where it is about none. */
  id: string;
  /** Its idempotency key, if any. */
  key: string | null;
}
export type Answerer = (call: Call) => Reply | Promise<Reply>;
export type Script = Partial<Record<Route, Answerer>>;

/** The job of every script. */
const job: WireJob = {
  jobId: 'job-1',
  resultId: 'result-1',
  shownResultId: 'result-1',
  userId: 'user-1',
  acceptedAt: 0,
  plan: [],
  doneAt: 0,
};
export const accepted = (more: object = {}): WireAnswer => ok({ ...rows.submit(job), ...more }, {}, 202);
export const status = (value: string, more: object = {}): WireAnswer =>
  ok({ jobId: 'job-1', status: value, progress: value === 'completed' ? 100 : 25, resultId: 'result-1', ...more });
/** The row of the archive. */
export const archived = (value: string, more: object = {}): WireAnswer =>
  ok({ job_id: 'job-1', status: value, result_id: value === 'completed' ? 'result-1' : null, ...more });
/** A row of the user's list of jobs. */
export const listed = (jobId: string, at: number) => ({ job_id: jobId, created_at: new Date(at).toISOString() });
export const result = (): WireAnswer => ok({ id: 'result-1', test_result: { archetype: 'The Explorer' } });
/** The page of a firewall. */
export const html = (code: number): WireAnswer => [code, '<html>Blocked</html>', { 'content-type': 'text/html' }];
export const redirect = (location: string): WireAnswer => [302, '', { location }];
/** The server stays silent: the client's own timeout ends the call. */
export const never = () => new Promise<Reply>(() => {});

/** The server where nothing is wrong: the job never ends by itself. */
const calm: Required<Script> = {
  submit: () => accepted(),
  status: () => status('processing'),
  result,
  job: () => archived('processing', { result_id: 'result-1' }),
  jobs: () => ok({ jobs: [] }),
  balance: () => ok({ token_balance: 4 }),
  refresh: ({ count }) => ok({ idToken: `fresh-${count}`, expiresIn: '3600' }),
  health: () => nested(404, 'NOT_FOUND'),
};

export function openScriptedWorld<Submission = unknown, Result = unknown>(
  script: Script = {},
  options: Partial<AssessmentClientOptions<Result>> = {},
) {
  const clock = virtualClock();
  const startedAt = clock.now();
  const sockets = fakeSocketIo();
  const calls: Call[] = [];
  const views: AssessmentView<Result>[] = [];
  const events: MonitorEvent[] = [];
  const answers = { ...calm, ...script };
  const open = { requests: 0 };
  const count = (route: Route) => calls.filter((it) => it.route === route).length;

  /** A script that throws is a mistake of the test, which the client would take for a failed request: Vitest reports it. */
  const answerTo = async (call: Call): Promise<Reply> => {
    try {
      return await answers[call.route](call);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
      throw error;
    }
  };
  type Init = { method?: string; headers: Record<string, string>; signal: AbortSignal };
  const fetch = async (url: string, init: Init) => {
    const { route, id } = routeOf(init.method, url);
    if (route === null) return responseOf(loginPage());
    const token = init.headers.Authorization?.replace('Bearer ', '') ?? null;
    const key = init.headers['Idempotency-Key'] ?? null;
    const call = { route, count: count(route) + 1, at: clock.now() - startedAt, token, id, key };
    calls.push(call);
    open.requests += 1;
    try {
      const reply = await Promise.race([
        answerTo(call),
        new Promise<never>((_, reject) => {
          init.signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true });
        }),
      ]);
      if (reply === null) throw new TypeError('fetch failed');
      return responseOf(reply);
    } finally {
      open.requests -= 1;
    }
  };

  /** Opens another page on the same server, or the same one after a reload: what they share is in `more`. */
  const openTab = (more: Partial<AssessmentClientOptions<Result>> = {}) =>
    createAssessmentClient<Submission, Result>({
      baseUrl: 'https://world.test',
      clock,
      storage: memoryStore(),
      tokenStorage: memoryStore(),
      fetch: fetch as unknown as typeof globalThis.fetch,
      loadSocketIo: sockets.load,
      random: () => 0.5,
      createId: () => 'submission-1',
      onEvent: (event) => events.push(event),
      ...options,
      ...more,
    });
  const client = openTab();
  return {
    openTab,
    client,
    clock,
    sockets,
    calls,
    views,
    events,
    /** How often the server was asked. */
    count,
    signIn: (accessToken = 'first', expiresIn = 3_600) => client.signedIn({ accessToken, expiresIn, userId: 'user-1' }),
    /** Submits, and keeps every view that is shown. */
    submit(answersOfUser: Submission = { answers: [1] } as Submission): Assessment<Result> {
      const assessment = client.submit(answersOfUser);
      const look = () => views.push(assessment.getSnapshot());
      look();
      assessment.subscribe(look);
      return assessment;
    },
    phase: () => views.at(-1)?.phase,
    /** The phases that were shown, each once. */
    phases: () => [...new Set(views.map(({ phase }) => phase))],
    /** The name that the mission gives to where it is. */
    state: () => events.flatMap((it) => (it.type === 'state.changed' ? [it.to] : [])).at(-1),
    run: clock.run,
    /** Ends the page; what is open after it, of everything. */
    close() {
      client.dispose();
      return {
        timers: clock.armed(),
        requests: open.requests,
        sockets: sockets.sockets.filter(({ isOpen }) => isOpen).length,
      };
    },
  };
}

export type ScriptedWorld = ReturnType<typeof openScriptedWorld>;
export type ScriptedOptions = Partial<AssessmentClientOptions> & {
  /** What the user signs in with. @default the token `first` of an hour, of `user-1` */
  session?: Parameters<ScriptedWorld['client']['signedIn']>[0];
};

/** Opens a world in which a signed-in user has submitted. */
export async function openSubmitted(script: Script = {}, { session, ...options }: ScriptedOptions = {}) {
  const world = openScriptedWorld(script, options);
  if (session) world.client.signedIn(session);
  else world.signIn();
  const assessment = world.submit();
  await world.run(0);
  return { ...world, assessment };
}
