import type { Observable } from 'rxjs';
import * as z from 'zod/mini';
import { RejectedError, TransientError, UnauthorizedError } from '../../lib/errors.ts';
import { type Log, logCall, type RouteName } from '../../lib/log.ts';
import type { Schema } from '../../lib/schema.ts';
import { fit, idSchema, maybeId, maybeNumber, object, type Shape } from '../../lib/schemas.ts';
import type { TokenService } from '../auth/token-service.ts';
import { percentOf, type ProgressScale } from '../job-report.ts';
import { errorOf, type HttpAnswer, type RefusalHint } from './answer.ts';
import { authorised, exchange, type HttpDeps, type HttpRequest } from './http.ts';
import { createListener, type HeardTokens } from './listener.ts';
import { createResultReader, type ResultState } from './result-reader.ts';
import { createStatusReader, type StatusWords } from './status-words.ts';
import { tokenToSend } from './token-to-send.ts';

/** Where the calls go, relative to `baseUrl`; `:id` stands for the job's or the result's id. */
export interface ApiPaths {
  submit: string;
  status: string;
  result: string;
  /** The archive's row of a job: it knows jobs that the status route has forgotten. */
  job: string;
  /** The archive's list of the user's jobs, newest first: it tells whether a submission arrived whose answer was lost. */
  jobs: string;
  balance: string;
}

/** The longest silence of each call, ms; see `HttpRequest.timeoutMs`. */
export interface ApiTimeouts {
  submit: number;
  status: number;
  result: number;
  balance: number;
}

export interface AcceptedSubmission {
  jobId: string;
  /** Known from the start on some servers; their completion events may carry nothing else. */
  resultId: string | null;
  /** The user's credit after the submission, where the server says. */
  balance: number | null;
  /** The wait that the server asks for before the first question, ms. */
  retryAfterMs: number | null;
}

/** Whose job it is, by the API's own id of the user; null where the answer does not say. */
interface Owned {
  ownerId: string | null;
}

export type JobState =
  | ({
      type: 'running';
      status: 'queued' | 'processing';
      /** 0 to 100 */
      percent: number | null;
      queuePosition: number | null;
      /** The wait that the server asks for before the next question, ms. */
      retryAfterMs: number | null;
    } & Owned)
  | ({ type: 'completed'; resultId: string | null } & Owned)
  | ({ type: 'failed' } & Owned);

/** A row of the user's list of jobs. */
export interface ListedJob {
  jobId: string;
  resultId: string | null;
  /** When the server took the submission, ms by the client's clock. */
  createdAt: number;
  /** The API's own id of the user; absent where the row does not say. */
  ownerId?: string | null;
  /** The answer did not tell the server's time: the clock of the server and that of the client may differ by any amount. */
  isClockUnknown?: boolean;
}

/** Two clocks of which nothing is known rarely differ by more, ms. */
const CLOCKS_DIFFER_MS = 3 * 3_600_000;
/** A job in the list may look this much older than its submission, because a Date header has whole seconds, ms. */
const LIST_TOLERANCE_MS = 2_000;

/**
 * Whether a job of the list can be that of a submission whose answer was lost.
 *
 * @param sentAt when the submission first left, ms since the epoch by the client's clock
 * @param until after this moment the server did not take it, ms since the epoch
 */
export const isTakenBetween = ({ createdAt }: ListedJob, sentAt: number, until: number): boolean =>
  createdAt >= sentAt - LIST_TOLERANCE_MS && createdAt <= until;
/** Whether only unequal clocks can speak against it that a job of the list is that of a submission whose answer was lost. */
export const mayBeTaken = ({ createdAt, isClockUnknown }: ListedJob, sentAt: number): boolean =>
  isClockUnknown === true && Math.abs(createdAt - sentAt) <= CLOCKS_DIFFER_MS;

/**
 * The calls of an assessment. Each one makes sure of the token first and sends nothing without a usable one; each answer
 * is checked before a caller sees it.
 *
 * @throws UnauthorizedError there was no usable token (nothing was sent), the server refused it, or a login page answered
 * @throws TransientError the call failed: no answer, a 5xx, a 429, or an answer that is not the API's or makes no sense
 */
export interface AssessmentApi<Submission, Result> {
  /**
   * @param submissionId the idempotency key: the same key is the same assessment, however often it is sent
   * @param beforeSending called when a token is there and the request is about to leave; what it throws keeps the request back
   * @throws RejectedError the API refused the submission in its own words
   */
  submit(
    submission: Submission,
    submissionId: string,
    signal: AbortSignal,
    beforeSending?: () => void,
  ): Promise<AcceptedSubmission>;
  /**
   * Whether this server recognises a submission that is sent twice, as its answers told: `X-Idempotency-Cache` appears only where keys
   * are stored. Null before the first answer that tells.
   */
  recognisesKeys(): boolean | null;
  /**
   * @param canWait the answer is not urgent: it is not asked for with a token that is in doubt
   * @param beforeSending as in {@link submit}
   */
  status(jobId: string, signal: AbortSignal, canWait?: boolean, beforeSending?: () => void): Promise<JobState>;
  /** The archive's view of a job, for when the status route does not know it. */
  job(jobId: string, signal: AbortSignal): Promise<JobState>;
  /** Whether {@link job} asks another place than {@link status}. @default true */
  readonly hasArchive?: boolean;
  /** The user's jobs, newest first; rows that make no sense are left out, but a list of only such rows is an answer that makes no sense. */
  jobs(signal: AbortSignal): Promise<ListedJob[]>;
  /** @param isOthers whether a row that names this owner, by the API's own id of a user, is of another user: its result is not read */
  result(
    resultId: string,
    signal: AbortSignal,
    isOthers?: (ownerId: string) => Promise<boolean>,
  ): Promise<ResultState<Result>>;
  /** @throws RejectedError the API refused in its own words */
  balance(signal: AbortSignal): Promise<number>;
}

export interface AssessmentApiOptions<Result> extends HttpDeps {
  tokens: Pick<TokenService, 'current' | 'forCall'> & Partial<Pick<TokenService, 'unanswered'>> & HeardTokens;
  log: Log;
  /** The page was asleep until now. */
  slept$: Observable<unknown>;
  paths: ApiPaths;
  timeouts: ApiTimeouts;
  resultSchema: Schema<Result>;
  /** Header for the idempotency key, or null where a gateway's CORS list blocks it. */
  idempotencyHeader: string | null;
  /** Whether an answer refuses the token. Default: the common dialects, see {@link isTokenRefused}. */
  isTokenRefused?: ((hint: RefusalHint) => boolean) | undefined;
  /** Status words beside the common ones. */
  statusWords?: StatusWords | undefined;
  /** Default `percent`: 0 to 100. `fraction`: 0 to 1. */
  progressScale?: ProgressScale | undefined;
}

/** A result takes longer on the slowest of networks only. */
export const LATE_MS = 4_000;
/** A submission that is refused for its rate may ask for an hour, ms. */
export const MAX_SUBMIT_WAIT_MS = 3_600_000;

const acceptedSchema = object({
  data: object({ jobId: idSchema, resultId: maybeId, remainingTokens: maybeNumber }),
});
/** A job in the words of the status route, and in those of the archive. */
const rowSchema = object({
  status: z.string(),
  jobId: maybeId,
  job_id: maybeId,
  progress: z.optional(z.unknown()),
  queuePosition: maybeNumber,
  resultId: maybeId,
  result_id: maybeId,
  userId: maybeId,
  user_id: maybeId,
});
const jobSchema = object({ data: rowSchema });
const listedSchema = object({
  jobId: maybeId,
  job_id: maybeId,
  id: maybeId,
  resultId: maybeId,
  result_id: maybeId,
  createdAt: z.optional(z.unknown()),
  created_at: z.optional(z.unknown()),
  userId: maybeId,
  user_id: maybeId,
});
/** A list of which no row can be read is not an empty one: its job would be started, and paid for, a second time. */
const listSchema = object({
  data: z.pipe(
    z.unknown(),
    z.transform((data, { issues }) => {
      const list = listIn(data);
      const rows = (list?.rows ?? []).map(listedRow);
      const read = rows.filter((it) => typeof it === 'object');
      const [first] = rows;
      const misfit = typeof first === 'string' && read.length === 0 ? first : null;
      const path = list ? [...list.path, 0, ...(misfit ? [misfit] : [])] : [];
      if (!list || misfit !== null) issues.push({ code: 'custom', message: 'no list of jobs', input: data, path });
      return read;
    }),
  ),
});
const resultRowSchema = object({ id: maybeId, user_id: maybeId, test_result: z.optional(z.unknown()) });
const resultSchema = object({ data: z.optional(z.nullable(resultRowSchema)) });
const balanceSchema = object({
  data: object({ token_balance: maybeNumber, tokenBalance: maybeNumber, balance: maybeNumber }),
});

export type CallRoute = Exclude<RouteName, 'refresh' | 'health'>;
type Answered<T> = T & { retryAfterMs: number | null; serverNow: number | null };
interface CallRequest extends Partial<HttpRequest> {
  id?: string;
  canWait?: boolean;
  beforeSending?: (() => void) | undefined;
}

export function createAssessmentApi<Submission, Result>(
  options: AssessmentApiOptions<Result>,
): AssessmentApi<Submission, Result> {
  const { tokens, clock, log, slept$, paths, timeouts, idempotencyHeader } = options;
  const readStatus = createStatusReader(options.statusWords, log);
  const hear = createListener(options);
  const { validate, invalid } = createResultReader(options);
  let recognisesKeys: boolean | null = null;

  /** Sends one call with a token, and reports what the answer says about the token and the clock. */
  const send = async (route: CallRoute, signal: AbortSignal, request: CallRequest) => {
    const token = await tokenToSend(tokens, signal, request.canWait === true);
    const { generation } = token;
    request.beforeSending?.();
    const finish = logCall(log, clock, route, generation);
    const answer = await exchange(options, {
      method: 'GET',
      path: paths[route].replace(':id', encodeURIComponent(request.id ?? '')),
      timeoutMs: timeouts[route === 'job' || route === 'jobs' ? 'status' : route],
      signal,
      // An answer that the page slept through may never come, and its timeout is long. Asking again loses nothing.
      lost$: route === 'submit' ? undefined : slept$,
      mayAskAgain: () => tokens.current()?.generation === generation,
      ...request,
      ...authorised(token.value, request.headers),
    }).catch((reason: unknown) => {
      finish(signal.aborted ? 'aborted' : 'transient', null);
      // A 401 without CORS headers looks like a network failure. A submission may have arrived: its doubt comes first.
      const isSuspect = !signal.aborted && tokens.unanswered?.(generation) === true;
      throw isSuspect && route !== 'submit' ? new UnauthorizedError(generation) : reason;
    });
    const error = errorOf(answer, generation, options.isTokenRefused);
    const cause = hear(answer, error, generation);
    return { answer, error, finish, cause };
  };

  const call = async <T extends object>(
    route: CallRoute,
    shape: Shape<T>,
    signal: AbortSignal,
    request: CallRequest = {},
  ): Promise<Answered<T>> => {
    const { answer, error, finish, cause } = await send(route, signal, request);
    if (route === 'submit') recognisesKeys = keysIn(answer, error) ?? recognisesKeys;
    // Some servers answer the second request of a key with 409 and the job of the first.
    const isKnown = route === 'submit' && answer.status === 409 && fit(answer.body, shape) !== null;
    if (error && !isKnown) {
      finish(outcomeOf(error), answer.status, cause);
      throw error instanceof RejectedError && !MAY_REFUSE.has(route) ? failedCall(error, answer.retryAfterMs) : error;
    }
    const read = shape.safeParse(answer.body);
    finish(read.success ? 'ok' : 'transient', answer.status);
    const { retryAfterMs, serverNow, status } = answer;
    if (read.success) return { ...read.data, retryAfterMs, serverNow };
    const field = read.error.issues[0]?.path.map(String).join('.') ?? '';
    log({ type: 'answer.unreadable', route, field });
    throw new TransientError('invalid-response', `the answer of "${route}" does not fit at "${field}"`, {
      retryAfterMs,
      status,
    });
  };

  const jobState = ({ data, retryAfterMs }: Answered<z.infer<typeof jobSchema>>, id: string): JobState => {
    const named = data.jobId ?? data.job_id;
    if (named !== null && named !== id) throw new TransientError('invalid-response', 'the answer is about another job');
    const ownerId = data.userId ?? data.user_id;
    const status = readStatus(data.status);
    switch (status) {
      case 'completed':
        return { type: 'completed', resultId: data.resultId ?? data.result_id, ownerId };
      case 'failed':
        return { type: 'failed', ownerId };
      default: {
        const percent = percentOf(data.progress, options.progressScale);
        return { type: 'running', status, percent, queuePosition: data.queuePosition, retryAfterMs, ownerId };
      }
    }
  };

  return {
    async submit(submission, submissionId, signal, beforeSending) {
      const headers: Record<string, string> = idempotencyHeader === null ? {} : { [idempotencyHeader]: submissionId };
      const maxRetryAfterMs = MAX_SUBMIT_WAIT_MS;
      const request = { method: 'POST', body: submission, headers, maxRetryAfterMs, beforeSending } as const;
      const { data, retryAfterMs } = await call('submit', acceptedSchema, signal, request);
      const { jobId, resultId, remainingTokens: balance } = data;
      return { jobId, resultId, balance, retryAfterMs };
    },
    recognisesKeys: () => recognisesKeys,
    status: async (id, signal, canWait = false, beforeSending) =>
      jobState(await call('status', jobSchema, signal, { id, canWait, beforeSending }), id),
    job: async (id, signal) => jobState(await call('job', jobSchema, signal, { id }), id),
    async jobs(signal) {
      const { data, serverNow } = await call('jobs', listSchema, signal);
      // The server's times are compared with the client's: what its clock shows at this moment tells how far they are apart.
      if (serverNow === null) return data.map((job) => ({ ...job, isClockUnknown: true }));
      const aheadMs = serverNow - clock.now();
      return data.map((job) => ({ ...job, createdAt: job.createdAt - aheadMs }));
    },
    async result(id, signal, isOthers) {
      try {
        const { data, retryAfterMs } = await call('result', resultSchema, signal, { id, againAfterMs: LATE_MS });
        const value = data?.test_result ?? null;
        if (value === null) return { type: 'not-ready', retryAfterMs };
        const isForeign =
          (data?.id != null && data.id !== id) || (data?.user_id != null && (await isOthers?.(data.user_id)) === true);
        return isForeign ? invalid('foreign') : await validate(value);
      } catch (error) {
        // It is asked for again, but not for ever.
        const isUnreadable = error instanceof TransientError && isSuccessStatus(error.status);
        if (signal.aborted || !isUnreadable) throw error;
        return invalid('not-json');
      }
    },
    async balance(signal) {
      const { data } = await call('balance', balanceSchema, signal, { canWait: true });
      const balance = data.token_balance ?? data.tokenBalance ?? data.balance;
      if (balance === null) throw new TransientError('invalid-response', 'a balance without a number');
      return balance;
    },
  };
}

export const isSuccessStatus = (status: number | null): boolean => status !== null && status >= 200 && status < 300;

/** The API's word about the submission ends it, and about the balance reaches the caller. Any other refusal is a failed call. */
export const MAY_REFUSE: ReadonlySet<CallRoute> = new Set(['submit', 'balance']);

/** A refusal that says nothing final about the job: the call failed, and is repeated. */
export function failedCall({ status, code, message }: RejectedError, retryAfterMs: number | null): TransientError {
  const isGone = status === 404 || status === 410;
  const failure = isGone ? 'job-not-found' : code === 'forbidden' ? 'forbidden' : 'invalid-response';
  return new TransientError(failure, message, { retryAfterMs, status });
}

export function outcomeOf(error: UnauthorizedError | TransientError | RejectedError) {
  if (error.code === 'unauthorized') return 'unauthorized';
  return error instanceof TransientError ? 'transient' : 'rejected';
}

/** Whether the server stores keys, where this answer tells. */
function keysIn({ headers, status }: HttpAnswer, error: Error | null): boolean | null {
  if (headers?.get('x-idempotency-cache')) return true;
  return error === null && status < 300 && headers?.get('x-idempotency-supported') ? false : null;
}

/** The rows of a list: the list itself, or the first list with rows in its envelope (`{ jobs: [...] }`, `{ items: [...] }`). */
function listIn(data: unknown): { rows: unknown[]; path: string[] } | undefined {
  if (Array.isArray(data)) return { rows: data, path: [] };
  const lists = Object.entries(data ?? {}).flatMap(([name, rows]) =>
    Array.isArray(rows) ? [{ rows, path: [name] }] : [],
  );
  return lists.find(({ rows }) => rows.length > 0) ?? lists[0];
}

/** A row by the server's clock, or the name of the field that does not fit; empty where the row is no object. */
function listedRow(row: unknown): ListedJob | string {
  const read = fit(row, listedSchema);
  if (!read) return '';
  const jobId = read.job_id ?? read.jobId ?? read.id;
  if (jobId === null) return 'job_id';
  const created = read.created_at ?? read.createdAt;
  const createdAt = typeof created === 'number' ? created : Date.parse(typeof created === 'string' ? created : '');
  if (Number.isNaN(createdAt)) return 'created_at';
  const ownerId = read.user_id ?? read.userId;
  return { jobId, resultId: read.result_id ?? read.resultId, createdAt, ...(ownerId !== null && { ownerId }) };
}
