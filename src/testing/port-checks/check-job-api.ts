import { parseRetryAfter } from '../../services/api/retry-after.ts';
import type { Schema } from '../../lib/schema.ts';
import type { ApiJobState, Call, JobApi } from '../../ports.ts';
import { testCall } from '../test-call.ts';
import { openReport, pause, type PortReport, settledWithin, statusOf, watchFetch } from './report.ts';

/** What can be wrong with a `JobApi`. */
export type JobApiFault =
  | 'no-job-id'
  | 'key-ignored'
  | 'constant-id'
  | 'refusal-swallowed'
  | 'completed-early'
  | 'result-early'
  | 'unknown-ends'
  | 'outage-ends'
  | 'signal-ignored'
  | 'never-settles'
  | 'token-in-address'
  | 'token-elsewhere'
  | 'wait-not-in-ms'
  | 'percent-out-of-range'
  | 'unknown-outcome'
  | 'never-ends'
  | 'no-result'
  | 'result-does-not-fit'
  | 'no-balance'
  | 'broken';

export interface JobApiCheckOptions<Submission> {
  /** The address of the API, as the client gets it. */
  baseUrl: string;
  /** A token of a test account, with credit for two jobs. */
  token: string;
  /** Answers that the server accepts. */
  submission: Submission;
  /** A token that the server refuses. @default 'not-a-token' */
  refusedToken?: string;
  /** The shape of a result, as the client gets it. @default any object */
  resultSchema?: Schema<unknown>;
  /** How long a job may take, ms. @default 600_000 */
  jobTimeoutMs?: number;
  /** Between two questions about a job, ms. @default 1_000 */
  pollMs?: number;
  /** How long a call may take, ms. @default 15_000 */
  callTimeoutMs?: number;
  /** How long a call may take to end after its signal, or after the network failed, ms. @default 1_000 */
  graceMs?: number;
}

const texts = {
  'no-job-id': [
    'A submission brings no usable job id.',
    'The job cannot be followed, and a reload loses it. Return a text of 1 to 256 characters.',
  ],
  'key-ignored': [
    'A submission that is sent twice under one key becomes two jobs.',
    'A lost answer is repeated under the same key: the user pays twice. Pass the key to the server.',
  ],
  'constant-id': [
    'Two submissions under two keys have the same job id.',
    'The second user of the page sees the result of the first. Return the id of the job, not of the route.',
  ],
  'refusal-swallowed': [
    'A refused token is not reported as one.',
    'The token is never refreshed, and the job hangs. Let the error through; where the server does not answer 401, throw one with status: 401.',
  ],
  'completed-early': [
    'A job is completed before it has ended.',
    'Its result is asked for too early, or a half-finished one is shown. Report completed for the end only.',
  ],
  'result-early': [
    'There is a result while the job still runs.',
    'A half-finished result may be shown as the final one. Return not-ready until the job has ended.',
  ],
  'unknown-ends': [
    'A state that the implementation does not know ends the job.',
    'The next version of the server ends the jobs of its users. Read every unknown state as running.',
  ],
  'outage-ends': [
    'An answer that is an outage (503, or no network) ends the job.',
    'A deployment of the server ends the jobs of its users. Throw in place of returning a state.',
  ],
  'signal-ignored': [
    'A call continues after its signal.',
    'Requests outlive their assessment. Pass call.signal to the request.',
  ],
  'never-settles': [
    'A call does not end when the network is lost, or takes too long.',
    'The assessment waits until the client gives the call up. Let the error through.',
  ],
  'token-in-address': [
    'The token is part of an address.',
    'Addresses end up in logs and histories. Send the token in a header.',
  ],
  'token-elsewhere': [
    'The token is sent to another origin than that of baseUrl.',
    'Another server can act as the user. Use call.request, which refuses that.',
  ],
  'wait-not-in-ms': [
    'retryAfterMs is not in milliseconds.',
    'The server is asked a thousand times too often. Multiply the seconds of Retry-After by 1000, or pass on retryAfterMs of the answer.',
  ],
  'percent-out-of-range': [
    'percent is not a number from 0 to 100.',
    'The progress bar is wrong. Multiply a fraction by 100; return null where there is none.',
  ],
  'unknown-outcome': [
    'An outcome is none of those that the port knows.',
    'The client cannot read it. status: running, completed or failed. result: found or not-ready.',
  ],
  'never-ends': [
    'The job did not end within jobTimeoutMs.',
    'Either the job takes longer, or its end is not recognised.',
  ],
  'no-result': [
    'A completed job has no result.',
    'The user waits for a result that never comes. Look where status says that the result is.',
  ],
  'result-does-not-fit': [
    'The result does not fit its schema.',
    'The assessment fails with invalid-result. Unwrap the envelope of the answer in result().',
  ],
  'no-balance': ['balance() brings no number.', 'The credit is not shown. Return a number, or leave balance out.'],
  broken: ['A call failed that should have worked.', 'Nothing after this point could be checked.'],
} as const;

/**
 * Runs a `JobApi` against a real server and says in plain words what is wrong with it. It submits two jobs and waits for one of them to
 * end. While it runs it watches the platform's `fetch`, so it runs alone.
 *
 * @example
 * const { faults } = await checkJobApi(api, { baseUrl, token, submission: answers });
 * for (const { what, cost } of faults) console.log(`${what} ${cost}`);
 */
export async function checkJobApi<Submission, Result>(
  api: JobApi<Submission, Result>,
  options: JobApiCheckOptions<Submission>,
): Promise<PortReport<JobApiFault>> {
  const found = openReport<JobApiFault>(texts);
  const network = watchFetch();
  try {
    await checkCalls(api, options, found, network);
  } catch (error) {
    found.fault('broken', error instanceof Error ? `It threw: ${error.message}` : '');
  } finally {
    network.end();
  }
  const { token, baseUrl } = options;
  const { origin } = new URL(baseUrl);
  const inAddress = network.seen.some(({ url }) => [token, encodeURIComponent(token)].some((it) => url.includes(it)));
  const elsewhere = network.seen.some(
    ({ url, text }) => text.includes(token) && new URL(url, baseUrl).origin !== origin,
  );
  found.expect(!inAddress, 'no address holds the token', 'token-in-address');
  found.expect(!elsewhere, 'the token goes to the API only', 'token-elsewhere');
  return found.report;
}

type Found = ReturnType<typeof openReport<JobApiFault>>;
type Network = ReturnType<typeof watchFetch>;

async function checkCalls<Submission, Result>(
  api: JobApi<Submission, Result>,
  options: JobApiCheckOptions<Submission>,
  found: Found,
  network: Network,
): Promise<void> {
  const { baseUrl, token, submission, refusedToken = 'not-a-token', callTimeoutMs = 15_000, graceMs = 1_000 } = options;
  const { jobTimeoutMs = 600_000, pollMs = 1_000 } = options;
  const call = (more: { token?: string; signal?: AbortSignal } = {}): Call => testCall({ baseUrl, token, ...more });
  /** Of the last answer: its status, and the wait that it asked for, ms. */
  let last: { status: number; wait: number | null } = { status: 0, wait: null };
  const observing: typeof fetch = async (input, init) => {
    const response = await network.real(input, init);
    const wait = parseRetryAfter(response.headers.get('retry-after'), Date.now());
    last = { status: response.status, wait };
    return response;
  };
  /** A call that has to work. */
  const ask = async <T>(begin: () => Promise<T>): Promise<T> => {
    last = { status: 0, wait: null };
    const settled = await network.with(observing, () => settledWithin(callTimeoutMs, begin));
    if (settled.type === 'resolved') return settled.value;
    if (settled.type === 'rejected') throw settled.error;
    found.fault('never-settles');
    throw new Error(`no answer within ${callTimeoutMs} ms`);
  };
  const checkWait = (ms: unknown): void => {
    const isSeconds = typeof ms === 'number' && last.wait !== null && ms > 0 && ms * 1_000 === last.wait;
    if (isSeconds || (typeof ms === 'number' && !(ms >= 0))) found.fault('wait-not-in-ms');
  };

  // --- submitting
  const key = crypto.randomUUID();
  const first = await ask(() => api.submit(submission, key, call()));
  checkWait(first?.retryAfterMs);
  const jobId = first?.jobId;
  const isUsable = typeof jobId === 'string' && jobId !== '' && jobId.length <= MAX_ID;
  if (!found.expect(isUsable, 'a submission brings a job id', 'no-job-id')) return;
  const again = await ask(() => api.submit(submission, key, call()));
  found.expect(again.jobId === jobId, 'a submission that is sent twice is one job', 'key-ignored');
  const other = await ask(() => api.submit(submission, crypto.randomUUID(), call()));
  found.expect(other.jobId !== jobId, 'two submissions are two jobs', 'constant-id');

  // --- while it runs
  const percents = new Set<number>();
  const look = async (): Promise<ApiJobState> => {
    const state = await ask(() => api.status(jobId, call()));
    checkState(state, found);
    if (state.type === 'running') checkWait(state.retryAfterMs);
    if (state.type === 'running' && state.percent != null) percents.add(state.percent);
    return state;
  };
  const readResult = (id: string) => ask(() => api.result(id, call()));
  const begun = await look();
  if (begun.type === 'running') {
    const early = await settledWithin(callTimeoutMs, () => api.result(jobId, call()));
    const isEarly = early.type === 'resolved' && early.value.type === 'found' && (await look()).type === 'running';
    found.expect(!isEarly, 'there is no result while the job runs', 'result-early');
    await checkUnknownStates(api, jobId, call, found, network);
  }

  // --- a refused token
  const calls: [name: string, begin: (call: Call) => Promise<unknown>, isRead: (value: unknown) => boolean][] = [
    ['submit', (it) => api.submit(submission, crypto.randomUUID(), it), (value) => typeof of(value).jobId === 'string'],
    ['status', (it) => api.status(jobId, it), isOutcome],
    ['result', (it) => api.result(jobId, it), isOutcome],
  ];
  if (api.balance)
    calls.push(['balance', (it) => api.balance?.(it) ?? Promise.resolve(), (it) => typeof it === 'number']);
  if (api.job) calls.push(['job', (it) => api.job?.(jobId, it) ?? Promise.resolve(), isOutcome]);
  if (api.jobs) calls.push(['jobs', (it) => api.jobs?.(it) ?? Promise.resolve(), Array.isArray]);
  const swallowing: string[] = [];
  for (const [name, begin, isRead] of calls) {
    last = { status: 0, wait: null };
    let heard = 0;
    const refused = call({ token: refusedToken });
    const request: Call['request'] = async (...given) => {
      const answer = await refused.request(...given);
      heard = answer.status;
      return answer;
    };
    const sent = () => settledWithin(callTimeoutMs, () => begin({ ...refused, request }));
    const settled = await network.with(observing, sent);
    // Where an error has no status, or an outcome cannot be read, the last answer decides.
    const own = settled.type === 'rejected' ? statusOf(settled.error) : null;
    // The client sees what call.request was answered: an outcome that says nothing new hides no refusal.
    const isSeen = REFUSALS.has(heard) && name !== 'submit' && settled.type === 'resolved' && !isNews(settled.value);
    const isTaken = settled.type === 'resolved' && isRead(settled.value) && !isSeen;
    const isSwallowed = settled.type === 'pending' || isTaken;
    if (isSwallowed || !REFUSALS.has(own ?? last.status)) swallowing.push(name);
  }
  const where = `That is so for: ${swallowing.join(', ')}.`;
  found.expect(swallowing.length === 0, 'each call lets a refused token through', 'refusal-swallowed', where);

  // --- an outage, a lost network, and a signal
  const down: typeof fetch = () => Promise.resolve(Response.json({ error: 'down' }, { status: 503 }));
  const lost: typeof fetch = () => Promise.reject(new TypeError('fetch failed'));
  const ends: string[] = [];
  for (const failing of [down, lost]) {
    for (const [name, begin] of calls.slice(1, 3)) {
      const settled = await network.with(failing, () => settledWithin(graceMs, () => begin(call())));
      if (settled.type === 'pending') found.fault('never-settles');
      const type = settled.type === 'resolved' ? (settled.value as { type?: unknown } | null)?.type : undefined;
      if (type === 'failed' || type === 'completed' || type === 'found') ends.push(name);
    }
  }
  found.expect(ends.length === 0, 'an outage ends no job', 'outage-ends');
  const hanging: typeof fetch = (_input, init) =>
    new Promise((_resolve, reject) => {
      init?.signal?.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')));
      if (init?.signal?.aborted) reject(new DOMException('aborted', 'AbortError'));
    });
  const deaf: string[] = [];
  for (const [name, begin] of calls.slice(0, 3)) {
    const controller = new AbortController();
    const settled = await network.with(hanging, () => {
      const settling = settledWithin(graceMs, () => begin(call({ signal: controller.signal })));
      controller.abort();
      return settling;
    });
    if (settled.type === 'pending') deaf.push(name);
  }
  found.expect(
    deaf.length === 0,
    'each call ends with its signal',
    'signal-ignored',
    `That is so for: ${deaf.join(', ')}.`,
  );

  // --- the end
  if (api.balance) {
    const balance = await ask<unknown>(() => api.balance?.(call()) ?? Promise.resolve());
    found.expect(typeof balance === 'number' && Number.isFinite(balance), 'the balance is a number', 'no-balance');
  }
  let state = begun;
  for (const since = Date.now(); state.type === 'running' && Date.now() - since < jobTimeoutMs;) {
    await pause(pollMs);
    state = await look();
  }
  const fractions = [...percents].filter((it) => it > 0 && it < 1);
  if (fractions.length > 1 && Math.max(...percents) <= 1) found.fault('percent-out-of-range', 'They are fractions.');
  if (!found.expect(state.type !== 'running', 'a job ends', 'never-ends') || state.type !== 'completed') return;
  const result = await settledWithin(callTimeoutMs, () => readResult(state.resultId ?? jobId));
  const isBack = (await look()).type === 'running';
  const inHand = result.type === 'resolved' && result.value.type === 'found' ? result.value : null;
  const isThere = inHand !== null;
  // A result that comes a moment later is no fault: then the job was not completed yet.
  const comesLater =
    !isThere && !isBack && (await comesWithin(pollMs, jobTimeoutMs, () => readResult(state.resultId ?? jobId)));
  if (!found.expect(!isBack && !comesLater, 'completed means that the result is there', 'completed-early')) return;
  found.expect(isThere, 'a completed job has a result', 'no-result');
  if (inHand === null) return;
  const value: unknown = inHand.result;
  const isFit = options.resultSchema
    ? !('issues' in (await options.resultSchema['~standard'].validate(value)))
    : typeof value === 'object' && value !== null && !Array.isArray(value);
  found.expect(isFit, 'the result fits its schema', 'result-does-not-fit');
}

/** Ids are kept in the storage up to this length. */
const MAX_ID = 256;
/** The statuses by which a refused token is recognised. */
const REFUSALS = new Set([401, 419, 440, 498, 499]);

const of = (value: unknown) => (value ?? {}) as Record<string, unknown>;
/** Whether an outcome ends a job, or is its result. */
const isNews = (value: unknown): boolean => ['completed', 'failed', 'found'].includes(String(of(value).type));
const isOutcome = (value: unknown): boolean => OUTCOMES.has(String(of(value).type));
const OUTCOMES = new Set(['running', 'completed', 'failed', 'found', 'not-ready']);

function checkState(state: ApiJobState, found: Found): void {
  if (!['running', 'completed', 'failed'].includes((state as { type?: string } | undefined)?.type ?? ''))
    return found.fault('unknown-outcome');
  if (state.type !== 'running' || state.percent == null) return;
  const isOff = !(state.percent >= 0 && state.percent <= 100);
  if (isOff) found.fault('percent-out-of-range');
}

/** Gives the implementation its own last answer with other words in it: each text of a state becomes one of the server's next version. */
async function checkUnknownStates<Submission, Result>(
  api: JobApi<Submission, Result>,
  jobId: string,
  callOf: () => Call,
  found: Found,
  network: Network,
): Promise<void> {
  const spoiling: typeof fetch = async (input, init) => {
    const response = await network.real(input, init);
    const body: unknown = await response.json().catch(() => undefined);
    return Response.json(withUnknownWords(body), {
      status: response.status,
      headers: { date: response.headers.get('date') ?? '' },
    });
  };
  const settled = await network.with(spoiling, () => settledWithin(5_000, () => api.status(jobId, callOf())));
  const type = settled.type === 'resolved' ? settled.value.type : 'running';
  found.expect(type === 'running', 'a state that is not known is running', 'unknown-ends');
}

const STATE_FIELD = /state|status|phase|stage/i;
/** The body with an unknown word in each field that names a state. */
function withUnknownWords(value: unknown, name = ''): unknown {
  if (typeof value === 'string' && STATE_FIELD.test(name)) return 'HIBERNATING';
  if (Array.isArray(value)) return value.map((it) => withUnknownWords(it, name));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, it]) => [key, withUnknownWords(it, key)]));
}

/** Whether the result comes within a few polls. */
async function comesWithin(
  pollMs: number,
  timeoutMs: number,
  read: () => Promise<{ type: 'found' | 'not-ready' }>,
): Promise<boolean> {
  for (let asked = 0; asked < 5 && asked * pollMs < timeoutMs; asked += 1) {
    await pause(pollMs);
    const settled = await settledWithin(timeoutMs, read);
    if (settled.type === 'resolved' && settled.value.type === 'found') return true;
  }
  return false;
}
