import {
  type Assessment,
  type AssessmentClientOptions,
  type AssessmentView,
  createAssessmentClient,
  type MonitorEvent,
} from 'assessment-monitor';
import { memoryStore } from '../../src/lib/storage.ts';
import { virtualClock } from '../../src/testing/virtual-clock.ts';
import { fakeSocketIo } from './fake-socket-io.ts';

/*
 * The real client in virtual time, on a server that answers by script: for the one odd answer that a test is about, where a whole
 * fake server would hide it.
 */

export type Route = 'submit' | 'status' | 'result' | 'job' | 'balance' | 'refresh';
/** Status, body and headers; null: no answer at all. */
export type Reply = [status: number, body: unknown, headers?: Record<string, string>] | null;
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
}
export type Script = Partial<Record<Route, (call: Call) => Reply | Promise<Reply>>>;

export const ok = (data: unknown, headers: Record<string, string> = {}): Reply => [
  200,
  { success: true, data },
  headers,
];
export const no = (status: number, error: unknown, headers: Record<string, string> = {}): Reply => [
  status,
  { success: false, error, message: 'no' },
  headers,
];
/** What the gateway answers, whatever is wrong with the token. */
export const invalidToken = (): Reply => no(401, 'INVALID_TOKEN');
export const accepted = (more: object = {}): Reply => [
  202,
  { success: true, data: { jobId: 'job-1', resultId: 'result-1', status: 'queued', remainingTokens: 4, ...more } },
];
export const status = (value: string, more: object = {}): Reply =>
  ok({ jobId: 'job-1', status: value, progress: value === 'completed' ? 100 : 25, resultId: 'result-1', ...more });
export const result = (): Reply => ok({ id: 'result-1', test_result: { archetype: 'The Explorer' } });

/** The server where nothing is wrong: the job never ends by itself. */
const calm: Required<Script> = {
  submit: () => accepted(),
  status: () => status('processing'),
  result,
  job: () => ok({ job_id: 'job-1', status: 'processing', result_id: 'result-1' }),
  balance: () => ok({ token_balance: 4 }),
  refresh: ({ count }) => ok({ idToken: `fresh-${count}`, expiresIn: '3600' }),
};

const readUrl = (url: string): { route: Route; id: string } => {
  const [, name = '', id = ''] = /\/(submit|status|results|jobs|token-balance|refresh)(?:\/(.*))?$/.exec(url) ?? [];
  const route = ({ results: 'result', jobs: 'job', 'token-balance': 'balance' }[name] ?? name) as Route;
  return { route, id: decodeURIComponent(id) };
};

export function openScriptedWorld(script: Script = {}, options: Partial<AssessmentClientOptions> = {}) {
  const clock = virtualClock();
  const startedAt = clock.now();
  const sockets = fakeSocketIo();
  const calls: Call[] = [];
  const views: AssessmentView[] = [];
  const events: MonitorEvent[] = [];
  const answers = { ...calm, ...script };
  const open = { requests: 0 };

  const fetch = async (url: string, init: { headers: Record<string, string>; signal: AbortSignal }) => {
    const { route, id } = readUrl(url);
    const count = calls.filter((it) => it.route === route).length + 1;
    const token = init.headers.Authorization?.replace('Bearer ', '') ?? null;
    const call = { route, count, at: clock.now() - startedAt, token, id };
    calls.push(call);
    open.requests += 1;
    try {
      const reply = await Promise.race([
        answers[route](call),
        new Promise<never>((_, reject) => {
          init.signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true });
        }),
      ]);
      if (reply === null) throw new TypeError('fetch failed');
      const [code, body, headers = {}] = reply;
      return {
        status: code,
        headers: { get: (name: string) => headers[name.toLowerCase()] ?? null },
        text: async () => (typeof body === 'string' ? body : JSON.stringify(body)),
      };
    } finally {
      open.requests -= 1;
    }
  };

  /** Opens another page on the same server, or the same one after a reload: what they share is in `more`. */
  const openTab = (more: Partial<AssessmentClientOptions> = {}) =>
    createAssessmentClient({
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
    count: (route: Route) => calls.filter((it) => it.route === route).length,
    signIn: (accessToken = 'first', expiresIn = 3_600) => client.signedIn({ accessToken, expiresIn, userId: 'user-1' }),
    /** Submits, and keeps every view that is shown. */
    submit(answersOfUser: object = { answers: [1] }): Assessment {
      const assessment = client.submit(answersOfUser);
      const look = () => views.push(assessment.getSnapshot());
      look();
      assessment.subscribe(look);
      return assessment;
    },
    phase: () => views.at(-1)?.phase,
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
