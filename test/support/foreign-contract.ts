import {
  type ApiJobState,
  type AssessmentClientOptions,
  type Call,
  type ConnectFeed,
  createAssessmentClient,
  type JobApi,
  type LoadSocketIo,
  type RefreshTokens,
  SignInRequiredError,
  TransientError,
} from 'assessment-monitor';
import { defaultPaths } from '../../src/client/options.ts';

/*
 * A foreign contract over the fake backend: other routes, other words, a refresh and a feed of its own. In front of the backend stands a
 * translator; the client knows the foreign side only. What the backend sees and counts is the same as ever.
 */

type Fields = Record<string, unknown>;
const fields = (value: unknown): Fields => (typeof value === 'object' && value !== null ? (value as Fields) : {});

const routes: readonly (readonly [foreign: RegExp, plain: string])[] = [
  [/^\/v2\/analyses$/, defaultPaths.submit],
  [/^\/v2\/analyses\/([^/]+)$/, defaultPaths.status],
  [/^\/v2\/archive$/, defaultPaths.jobs],
  [/^\/v2\/archive\/([^/]+)$/, defaultPaths.job],
  [/^\/v2\/reports\/([^/]+)$/, defaultPaths.result],
  [/^\/v2\/credit$/, defaultPaths.balance],
  [/^\/v2\/session$/, defaultPaths.refresh],
];

const phases: Readonly<Record<string, string>> = { completed: 'READY', failed: 'BROKEN', queued: 'WAITING' };
const analysisOf = (row: Fields) => ({
  ref: row.jobId ?? row.job_id,
  phase: phases[String(row.status).toLowerCase()] ?? 'WORKING',
  share: row.progress === undefined ? undefined : Number.parseFloat(String(row.progress)) / 100,
  owner: row.userId ?? row.user_id,
  report: row.resultId ?? row.result_id,
  since: row.created_at,
});

/** The body in foreign words. What is not the API's own success stays as it is. */
function translated(path: string, text: string): string {
  let body: Fields;
  try {
    body = fields(JSON.parse(text));
  } catch {
    return text;
  }
  const data = fields(body.data);
  if (body.success !== true || body.data === null || path === defaultPaths.result) return text;
  if (path === defaultPaths.refresh)
    return JSON.stringify({ access_token: data.idToken, expires_in: data.expiresIn ?? undefined });
  if (path === defaultPaths.balance) return JSON.stringify({ credit: data.token_balance });
  if (path === defaultPaths.jobs)
    return JSON.stringify({ analyses: (data.jobs as Fields[]).map((row) => analysisOf(row)) });
  return JSON.stringify({ analysis: { ...analysisOf(data), credit: data.remainingTokens } });
}

type Init = Omit<RequestInit, 'headers'> & { headers: Record<string, string> };
type Answer = Pick<Response, 'status' | 'text'>;

function translating(inner: typeof fetch): typeof fetch {
  const send = inner as unknown as (url: string, init: Init) => Promise<Answer>;
  return (async (url: string, { headers: { 'X-Request-Key': key, ...headers }, ...init }: Init) => {
    const { origin, pathname } = new URL(url);
    const route = routes.find(([foreign]) => foreign.test(pathname));
    const plain = route?.[1] ?? pathname;
    const id = route?.[0].exec(pathname)?.[1] ?? '';
    const own = { ...headers, ...(key !== undefined && { 'Idempotency-Key': key }) };
    const answer = await send(origin + plain.replace(':id', id), { ...init, headers: own });
    return { ...answer, text: async () => translated(plain, await answer.text()) };
  }) as unknown as typeof fetch;
}

const textOf = (value: unknown): string | null => (value === null || value === undefined ? null : String(value));

/** Reads an analysis, which must be the one that was asked for. */
function stateIn(body: unknown, jobId: string): ApiJobState {
  const { ref, phase, share, owner, report } = fields(fields(body).analysis);
  if (String(ref) !== jobId) throw new Error('the answer is about another analysis');
  const ownerId = textOf(owner);
  if (phase === 'READY') return { type: 'completed', resultId: textOf(report), ownerId };
  if (phase === 'BROKEN') return { type: 'failed', ownerId };
  const percent = typeof share === 'number' ? share * 100 : null;
  return { type: 'running', status: phase === 'WAITING' ? 'queued' : 'processing', percent, ownerId };
}
const bodyOf = async (call: Call, path: string): Promise<unknown> => (await call.request(path)).body;

const api: JobApi<object, object> = {
  async submit(submission, key, call) {
    const { body } = await call.request('/v2/analyses', { body: submission, headers: { 'X-Request-Key': key } });
    const { ref, report, credit } = fields(fields(body).analysis);
    return { jobId: textOf(ref) ?? '', resultId: textOf(report), balance: credit as number };
  },
  status: async (jobId, call) => stateIn(await bodyOf(call, `/v2/analyses/${jobId}`), jobId),
  job: async (jobId, call) => stateIn(await bodyOf(call, `/v2/archive/${jobId}`), jobId),
  async jobs(call) {
    const rows = fields(await bodyOf(call, '/v2/archive')).analyses as Fields[];
    return rows.map(({ ref, report, since }) => ({
      jobId: String(ref),
      resultId: textOf(report),
      createdAt: String(since),
    }));
  },
  async result(id, call) {
    const data = fields(fields(await bodyOf(call, `/v2/reports/${id}`)).data);
    if (data.id !== undefined && String(data.id) !== id) throw new Error('the answer is another report');
    if (data.test_result === null) return { type: 'not-ready' };
    return { type: 'found', result: data.test_result as object, ownerId: textOf(data.user_id) };
  },
  balance: async (call) => fields(await bodyOf(call, '/v2/credit')).credit as number,
};

const refreshOver =
  (send: typeof fetch): RefreshTokens =>
  async ({ signal }) => {
    const init = { method: 'POST', headers: {}, body: '{}', signal, credentials: 'include' } as const;
    const answer = await send('http://world.test/v2/session', init);
    const body = fields(JSON.parse(await answer.text()));
    const code = String(fields(body.error).code ?? body.error);
    if (/INVALID_REFRESH_TOKEN|invalid_grant/.test(code)) throw new SignInRequiredError();
    if (answer.status === 429) {
      const retryAfterMs = Number(answer.headers.get('retry-after')) * 1_000;
      throw new TransientError('rate-limited', 'too early', { retryAfterMs, maybeDone: false });
    }
    if (typeof body.access_token !== 'string') throw new Error(`the session route answered with ${answer.status}`);
    return { accessToken: body.access_token, expiresIn: body.expires_in as string | undefined };
  };

const feedOver =
  (load: LoadSocketIo): ConnectFeed =>
  async ({ token, signal, live, say, onToken }) => {
    const { io } = await load();
    const socket = io('http://world.test', {});
    const close = () => {
      socket.removeAllListeners();
      socket.disconnect();
    };
    if (signal.aborted) return;
    signal.addEventListener('abort', close, { once: true });
    await new Promise<void>((resolve) => {
      socket.on('connect', () => socket.emit('authenticate', { token }));
      socket.on('connect_error', () => resolve());
      socket.on('disconnect', () => resolve());
      onToken((newer) => socket.emit('authenticate', { token: newer }));
      socket.onAny((name, payload) => {
        const { jobId, resultId, result_id: report } = fields(payload);
        const ids = { jobId: textOf(jobId), resultId: textOf(report ?? resultId) };
        if (name === 'auth_error') resolve();
        else if (name === 'authenticated') live();
        else if (name === 'analysis-complete') say({ type: 'job.completed', ...ids });
        else if (name === 'analysis-failed') say({ type: 'job.failed', ...ids, message: '' });
        else if (name === 'analysis-started')
          say({ type: 'job.progressed', ...ids, status: 'processing', percent: null });
      });
      socket.connect();
    });
    close();
  };

/** Opens a client that speaks the foreign contract, for `runWorld`. */
export function foreignClient({ fetch: inner, loadSocketIo, ...others }: AssessmentClientOptions) {
  if (!inner || !loadSocketIo) throw new Error('a world brings its network');
  const send = translating(inner);
  return createAssessmentClient({
    ...others,
    fetch: send,
    api: api as JobApi<unknown, unknown>,
    auth: { refresh: refreshOver(send) },
    feed: feedOver(loadSocketIo),
  });
}
