import { loadSocketIo, originOf } from '../client/browser.ts';
import { defaultPaths } from '../client/options.ts';
import type { FeedSocket } from '../services/feed/socket-io.ts';
import { parseJson } from '../lib/parse-json.ts';

/** A way in which a server differs from the contract, and what that costs its users. */
export interface Difference {
  id:
    | 'unreachable'
    | 'answers-differ'
    | 'no-idempotency'
    | 'no-job-id-in-events'
    | 'no-events'
    | 'result-before-done'
    | 'refresh-not-rotating'
    | 'cookie-not-http-only'
    | 'no-refresh-limit'
    | 'limit-without-retry-after';
  /** What the server does. */
  what: string;
  /** What it costs, and what to do about it. */
  cost: string;
}

export interface ConformanceReport {
  /** What was found to be as the contract says, in plain words. */
  kept: string[];
  differences: Difference[];
}

export interface ConformanceOptions {
  baseUrl: string;
  /** A test account of the server, with credit for two or three assessments. */
  account: { email: string; password: string };
  /** Answers that the server accepts. */
  submission: unknown;
  /** How long a job may take, ms. Default 10 min. */
  jobTimeoutMs?: number;
  /** Paths that differ from the defaults. */
  paths?: Partial<typeof defaultPaths & { login: string }>;
  fetch?: typeof fetch;
}

/**
 * Runs the contract against a server and says in plain words what it does differently. It spends the credit of one or two
 * assessments and waits for a job to end. For Node: a page cannot see cookies.
 *
 * @example
 * const report = await checkBackend({ baseUrl: 'http://localhost:4600', account, submission });
 * for (const { what, cost } of report.differences) console.log(`${what} ${cost}`);
 */
export async function checkBackend(options: ConformanceOptions): Promise<ConformanceReport> {
  const report: ConformanceReport = { kept: [], differences: [] };
  const server = speakTo(options);
  try {
    await checkEverything(server, options, report);
  } catch (error) {
    const what = error instanceof ContractError ? error.message : 'The server could not be reached, or broke off.';
    const id = error instanceof ContractError ? 'answers-differ' : 'unreachable';
    report.differences.push({
      id,
      what,
      cost: 'Nothing after this point could be checked, and an assessment would not get further.',
    });
  }
  return report;
}

/** An answer without which there is no point in going on. */
class ContractError extends Error {
  override readonly name = 'ContractError' as const;
}

interface Answer {
  status: number;
  headers: Headers;
  body: unknown;
}

type Server = ReturnType<typeof speakTo>;

/** A small HTTP client with a cookie jar of one: it sees what a page cannot. */
function speakTo({ baseUrl, fetch = globalThis.fetch, paths: given }: ConformanceOptions) {
  const paths = { ...defaultPaths, login: '/api/auth/v2/login', ...given };
  let cookie = '';
  let cookieHeader = '';
  const call = async (
    method: 'GET' | 'POST',
    path: string,
    { token, body, headers = {} }: { token?: string; body?: unknown; headers?: Record<string, string> } = {},
  ): Promise<Answer> => {
    const response = await fetch(baseUrl + path, {
      method,
      headers: {
        ...headers,
        ...(cookie ? { Cookie: cookie } : {}),
        ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const set = response.headers.getSetCookie().find((it) => !/max-age=0/i.test(it));
    if (set) {
      cookieHeader = set;
      cookie = set.split(';')[0] ?? '';
    }
    return { status: response.status, headers: response.headers, body: parseJson(text) };
  };
  return { baseUrl, paths, call, cookie: () => cookie, cookieHeader: () => cookieHeader };
}

async function checkEverything(server: Server, options: ConformanceOptions, { kept, differences }: ConformanceReport) {
  const { call, paths } = server;
  const differs = (id: Difference['id'], what: string, cost: string) => void differences.push({ id, what, cost });

  // --- tokens are asked for
  const refused = await call('GET', paths.balance, { token: 'not-a-token' });
  if (refused.status !== 401) {
    differs(
      'answers-differ',
      `A bad token is answered ${refused.status} and not 401.`,
      'A dead token looks like any other failure, so it is not refreshed in time.',
    );
  } else kept.push('a bad token is answered 401');

  // --- signing in
  const login = await call('POST', paths.login, { body: options.account });
  let token = text(login.body, 'data', 'idToken');
  if (!token) throw new ContractError(`Signing in gave no idToken (status ${login.status}).`);
  const tokenInBody = text(login.body, 'data', 'refreshToken');
  if (!/;\s*httponly/i.test(server.cookieHeader())) {
    differs(
      'cookie-not-http-only',
      tokenInBody
        ? 'The refresh token comes in the body and not in an httpOnly cookie.'
        : 'The refresh cookie is not httpOnly.',
      'Any script on the page can take over the session for weeks. Set HttpOnly, Secure and SameSite=Strict on it.',
    );
  } else kept.push('the refresh token is in an httpOnly cookie');

  // --- submitting, twice under one key
  const headers = { 'Idempotency-Key': crypto.randomUUID() };
  const socket = await listen(server, token);
  const submit = () => call('POST', paths.submit, { token: token ?? '', body: options.submission, headers });
  const accepted = await submit();
  const jobId = text(accepted.body, 'data', 'jobId');
  const resultId = text(accepted.body, 'data', 'resultId');
  if (accepted.status !== 202 || !jobId)
    throw new ContractError(`A submission was answered ${accepted.status} without a job id.`);
  kept.push('a submission is answered 202 with a job id');
  const again = await submit();
  if (text(again.body, 'data', 'jobId') !== jobId) {
    differs(
      'no-idempotency',
      'A submission that is sent twice under one Idempotency-Key becomes two jobs.',
      'When an answer is lost, sending it again charges the user twice. Set idempotencyHeader: null, and the user is asked instead.',
    );
  } else kept.push('a submission that is sent twice is recognised');

  // --- the result before the job is done
  const statusOf = async () =>
    text((await call('GET', path(paths.status, jobId), { token: token ?? '' })).body, 'data', 'status');
  const early = resultId ? await call('GET', path(paths.result, resultId), { token }) : null;
  const status = await statusOf();
  if (early?.status === 200 && field(early.body, 'data', 'test_result') != null && status !== 'completed') {
    differs(
      'result-before-done',
      'The result route answers with a result while the job still runs.',
      'A half-finished result may be shown as the final one. Answer with test_result: null until the job is done.',
    );
  } else kept.push('there is no result before the job is done');

  // --- refreshing
  const before = { token, cookie: server.cookie() };
  const refresh = () => call('POST', paths.refresh, { body: tokenInBody ? { refreshToken: tokenInBody } : {} });
  const refreshed = await refresh();
  const renewed = text(refreshed.body, 'data', 'idToken');
  if (!renewed) throw new ContractError(`A refresh was answered ${refreshed.status} without an idToken.`);
  token = renewed;
  const newInBody = text(refreshed.body, 'data', 'refreshToken');
  const sameRefreshToken = tokenInBody ? newInBody === tokenInBody || !newInBody : server.cookie() === before.cookie;
  const oldTokenStillGood = (await call('GET', paths.balance, { token: before.token })).status === 200;
  if (sameRefreshToken || oldTokenStillGood) {
    differs(
      'refresh-not-rotating',
      sameRefreshToken
        ? 'A refresh leaves the refresh token as it was.'
        : 'A refresh leaves the old access token valid.',
      'A stolen token stays useful for its whole life, and theft is never noticed. Rotate both at each refresh.',
    );
  } else kept.push('a refresh rotates the refresh token and ends the old access token');

  const second = await call('POST', paths.refresh, { body: newInBody ? { refreshToken: newInBody } : {} });
  if (second.status !== 429) {
    if (second.status === 200) token = text(second.body, 'data', 'idToken') ?? token;
    differs(
      'no-refresh-limit',
      'Two refreshes within a minute are both granted.',
      'Nothing stops a client that refreshes in a loop. Ours keeps to one a minute by itself.',
    );
  } else if (second.headers.get('retry-after') === null && field(second.body, 'retryAfter') == null) {
    differs(
      'limit-without-retry-after',
      'The 429 of a refresh says neither in Retry-After nor in its body when to come back.',
      'Clients have to guess: they wait a whole minute, or come too early. Send Retry-After, and expose it to CORS.',
    );
  } else kept.push('refreshes are limited, and the 429 says when to come back');

  // --- the end of the job
  const event = await within(options.jobTimeoutMs ?? 600_000, socket.terminal);
  socket.close();
  if (event === null) {
    differs(
      'no-events',
      'No event told over the socket that the job had ended.',
      'Users wait for the next poll: up to 10 s longer.',
    );
  } else if (text(event, 'jobId') === null) {
    differs(
      'no-job-id-in-events',
      'The event at the end of a job names no job.',
      'It is matched by the result id where there is one; else each such event costs a status call of every running assessment.',
    );
  } else kept.push('the event at the end of a job names the job');
}

/** Authenticates a socket and waits for the end of a job on it. */
async function listen({ baseUrl, paths }: Server, token: string) {
  const { io } = await loadSocketIo();
  const socket: FeedSocket = io(originOf(baseUrl), {
    path: paths.socket,
    transports: ['websocket'],
    reconnection: false,
    forceNew: true,
  });
  const terminal = new Promise<unknown>((resolve) => {
    for (const name of ['analysis-complete', 'analysis-failed', 'analysis-unknown']) socket.on(name, resolve);
    for (const name of ['auth_error', 'connect_error']) socket.on(name, () => resolve(null));
  });
  await within(
    10_000,
    new Promise((resolve) => {
      socket.on('connect', () => socket.emit('authenticate', { token }));
      for (const name of ['authenticated', 'auth_error', 'connect_error', 'disconnect']) socket.on(name, resolve);
    }),
  );
  return { terminal, close: () => void socket.disconnect() };
}

/** What the promise brings, or null when it takes longer. */
async function within<T>(ms: number, promise: Promise<T>): Promise<T | null> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const patience = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), ms);
  });
  return Promise.race([promise, patience]).finally(() => clearTimeout(timer));
}

const path = (template: string, id: string) => template.replace(':id', encodeURIComponent(id));

function field(value: unknown, ...keys: string[]): unknown {
  return keys.reduce<unknown>((it, key) => (it as Record<string, unknown> | null | undefined)?.[key], value);
}

function text(value: unknown, ...keys: string[]): string | null {
  const found = field(value, ...keys);
  return typeof found === 'string' && found !== '' ? found : null;
}
