import {
  type AssessmentClientOptions,
  type AssessmentView,
  createAssessmentClient,
  type JobApi,
  memoryStore,
  type MonitorEvent,
} from 'assessment-monitor';
// Loaded here, so that the client's own import takes no real time.
import '../../src/client/own-ports.ts';
import { type VirtualClock, virtualClock } from '../../src/testing/virtual-clock.ts';

/*
 * A backend whose contract is not ours: other routes, other words, problem details for errors. It answers by script, in virtual time.
 */

export interface ForeignCall {
  /** Method and path, such as `GET /analyses/a-1`. */
  what: string;
  url: string;
  token: string | null;
  key: string | null;
  body: string;
  at: number;
  /** 1 for the first call of this kind. */
  count: number;
  credentials: RequestCredentials | undefined;
}
export type ForeignAnswer = Response | null | 'never';
export type ForeignScript = (call: ForeignCall) => ForeignAnswer | undefined | Promise<ForeignAnswer | undefined>;

export const json = (status: number, body: unknown, headers: Record<string, string> = {}): Response =>
  new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json', ...headers } });
export const expired = () => json(401, { type: 'about:blank', title: 'The session has lapsed' });

interface Answers {
  answers: number[];
}
interface Report {
  summary: string;
}
/** The port as a user writes it first: nothing about errors. */
export const foreignApi: JobApi<Answers, Report> = {
  async submit(submission, key, call) {
    const { body } = await call.request('/analyses', { body: submission, headers: { 'X-Request-Key': key } });
    return { jobId: (body as { ref: string }).ref };
  },
  async status(jobId, call) {
    const { body } = await call.request(`/analyses/${jobId}`);
    const { phase, done } = body as { phase: string; done?: number };
    if (phase === 'READY') return { type: 'completed' };
    return phase === 'BROKEN' ? { type: 'failed' } : { type: 'running', percent: done };
  },
  async result(jobId, call) {
    const { status, body } = await call.request(`/analyses/${jobId}/report`);
    return status === 204 ? { type: 'not-ready' } : { type: 'found', result: (body as { report: Report }).report };
  },
};

export function openForeignWorld<Submission = Answers, Found = Report, Result = Found>(
  script: ForeignScript = () => undefined,
  {
    clock = virtualClock(),
    ...options
  }: Omit<Partial<AssessmentClientOptions<Result, Submission, Found>>, 'clock'> & { clock?: VirtualClock } = {},
) {
  const startedAt = clock.now();
  const calls: ForeignCall[] = [];
  const events: MonitorEvent[] = [];
  const views: AssessmentView<Result>[] = [];
  let underWay = 0;
  const plain = ({ what, at, count }: ForeignCall): ForeignAnswer => {
    if (what === 'POST /analyses') return json(201, { ref: 'a-1' });
    if (what === 'GET /analyses/a-1')
      return json(200, at < 20_000 ? { phase: 'WORKING', done: 40 } : { phase: 'READY' });
    if (what === 'GET /analyses/a-1/report') return json(200, { report: { summary: 'The Explorer' } });
    if (what === 'POST /api/auth/v2/refresh')
      return json(200, { success: true, data: { idToken: `fresh-${count}`, expiresIn: '3600' } });
    return json(404, { title: 'No such thing', detail: 'There is nothing under this address' });
  };
  const fetch: typeof globalThis.fetch = async (input, init = {}) => {
    const url = String(input);
    const headers = new Headers(init.headers);
    const what = `${init.method ?? 'GET'} ${new URL(url).pathname}`;
    const call: ForeignCall = {
      what,
      url,
      token: headers.get('authorization')?.replace('Bearer ', '') ?? null,
      key: headers.get('x-request-key'),
      body: typeof init.body === 'string' ? init.body : '',
      at: clock.now() - startedAt,
      count: calls.filter((it) => it.what === what).length + 1,
      credentials: init.credentials,
    };
    calls.push(call);
    underWay += 1;
    try {
      const scripted = await script(call);
      const answer = scripted === undefined ? plain(call) : scripted;
      if (answer === null) throw new TypeError('fetch failed');
      if (answer !== 'never') return answer;
      return await new Promise<never>((_, reject) => {
        init.signal?.addEventListener('abort', () => reject(new Error('aborted')), { once: true });
      });
    } finally {
      underWay -= 1;
    }
  };
  let ids = 0;
  const client = createAssessmentClient<Submission, Found, Result>({
    baseUrl: 'https://foreign.test',
    api: foreignApi as JobApi<never, unknown> as JobApi<Submission, Found>,
    socket: false,
    clock,
    fetch,
    storage: memoryStore(),
    tokenStorage: memoryStore(),
    random: () => 0.5,
    createId: () => `key-${(ids += 1)}`,
    onEvent: (event) => events.push(event),
    ...options,
  });
  return {
    client,
    clock,
    calls,
    events,
    views,
    run: clock.run,
    count: (what: string) => calls.filter((it) => it.what === what).length,
    eventsOf: <Type extends MonitorEvent['type']>(type: Type) =>
      events.filter((it): it is Extract<MonitorEvent, { type: Type }> => it.type === type),
    signIn: () => client.signedIn({ accessToken: 'first', expiresIn: 3_600, userId: 'user-1' }),
    submit(answers = { answers: [1] } as Submission) {
      const assessment = client.submit(answers);
      const look = () => void views.push(assessment.getSnapshot());
      look();
      assessment.subscribe(look);
      return assessment;
    },
    /** The last view without what does not matter to most tests. */
    last: () => views.at(-1),
    /** The phases that were shown, each once. */
    phases: () => [...new Set(views.map(({ phase }) => phase))],
    /** Ends the page; what is open after it. */
    close() {
      client.dispose();
      return { timers: clock.armed(), requests: underWay };
    },
  };
}
