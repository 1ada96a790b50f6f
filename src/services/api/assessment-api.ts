import type { Subscribable } from 'xstate';
import * as z from 'zod/mini';
import { TransientError, UnauthorizedError } from '../../lib/errors.ts';
import { errorOf, exchange, type HttpDeps, type HttpRequest } from './http.ts';
import { percentOf, reasonOf } from '../job-report.ts';
import { type Log, logCall, type RouteName } from '../../lib/log.ts';
import type { Schema } from '../../lib/schema.ts';
import { fit, idSchema, maybeId, maybeNumber, maybeText, object, type Shape } from '../../lib/schemas.ts';
import type { TokenService } from '../auth/token-service.ts';

/** Where the calls go, relative to `baseUrl`; `:id` stands for the job's or the result's id. */
export interface ApiPaths {
  submit: string;
  status: string;
  result: string;
  /** The archive's row of a job: it knows jobs that the status route has forgotten. */
  job: string;
  balance: string;
}

/** How long each call may take, body included, ms. */
export interface ApiTimeouts {
  submit: number;
  status: number;
  result: number;
  balance: number;
}

export interface AcceptedSubmission {
  jobId: string;
  /** Known from the start where the server is so kind; completion events may carry nothing else. */
  resultId: string | null;
  /** The user's credit after the submission, where the server says. */
  balance: number | null;
  /** The server wants the first question no sooner, ms. */
  retryAfterMs: number | null;
}

export type JobState =
  | {
      type: 'running';
      status: 'queued' | 'processing';
      /** 0 to 100 */
      percent: number | null;
      queuePosition: number | null;
      /** The server wants the next question no sooner, ms. */
      retryAfterMs: number | null;
    }
  | { type: 'completed'; resultId: string | null }
  | { type: 'failed'; message: string };

export type ResultState<Result> =
  | { type: 'ready'; result: Result }
  /** The row is there, the analysis is not: the server answers 200 with `test_result: null`. */
  | { type: 'not-ready'; retryAfterMs: number | null }
  /** It is there, and it is not what its schema describes. */
  | { type: 'invalid' };

/**
 * The calls of an assessment. Each one makes sure of the token first and sends nothing without a usable one; each answer
 * is checked before anybody sees it.
 *
 * @throws UnauthorizedError there was no usable token (nothing was sent), or the server refused it
 * @throws TransientError no answer, a 5xx, a 429, or an answer that makes no sense
 * @throws RejectedError the server understood and refused
 */
export interface AssessmentApi<Submission, Result> {
  /** @param submissionId the idempotency key: the same key is the same assessment, however often it is sent */
  submit(submission: Submission, submissionId: string, signal: AbortSignal): Promise<AcceptedSubmission>;
  /** @param canWait nobody misses the answer for a while: it is not asked for with a token that is in doubt */
  status(jobId: string, signal: AbortSignal, canWait?: boolean): Promise<JobState>;
  /** The archive's view of a job, for when the status route does not know it. */
  job(jobId: string, signal: AbortSignal): Promise<JobState>;
  result(resultId: string, signal: AbortSignal): Promise<ResultState<Result>>;
  balance(signal: AbortSignal): Promise<number>;
}

export interface AssessmentApiOptions<Result> extends HttpDeps {
  tokens: Pick<TokenService, 'current' | 'forCall' | 'accepted' | 'observeServerTime'>;
  log: Log;
  /** The page was asleep until now. */
  slept$: Subscribable<unknown>;
  paths: ApiPaths;
  timeouts: ApiTimeouts;
  resultSchema: Schema<Result>;
  /** Header for the idempotency key, or null where a gateway's CORS list blocks it. */
  idempotencyHeader: string | null;
}

/** A result takes no longer, but on the slowest of networks. */
const LATE_MS = 4_000;

const acceptedSchema = object({
  data: object({ jobId: idSchema, resultId: maybeId, remainingTokens: maybeNumber }),
});
/** A job in the words of the status route, and in those of the archive. */
const jobSchema = object({
  data: object({
    status: z.string(),
    jobId: maybeId,
    progress: maybeNumber,
    queuePosition: maybeNumber,
    resultId: maybeId,
    result_id: maybeId,
    error: maybeText,
    error_message: maybeText,
  }),
});
const resultSchema = object({ data: z.optional(z.nullable(object({ test_result: z.optional(z.unknown()) }))) });
const balanceSchema = object({
  data: object({ token_balance: maybeNumber, tokenBalance: maybeNumber, balance: maybeNumber }),
});

export function createAssessmentApi<Submission, Result>(
  options: AssessmentApiOptions<Result>,
): AssessmentApi<Submission, Result> {
  const { tokens, clock, log, slept$, paths, timeouts, idempotencyHeader } = options;

  const call = async <T extends object>(
    route: Exclude<RouteName, 'refresh'>,
    shape: Shape<T>,
    signal: AbortSignal,
    request: Partial<HttpRequest> & { id?: string; canWait?: boolean } = {},
  ): Promise<T & { retryAfterMs: number | null }> => {
    const token = await tokens.forCall(signal);
    // The call may have been abandoned during the wait.
    signal.throwIfAborted();
    if (!token) throw new UnauthorizedError(null);
    if (token.inDoubt && request.canWait) throw new TransientError('unavailable', 'the token may be dead');
    const { generation } = token;
    const finish = logCall(log, clock, route, generation);
    const answer = await exchange(options, {
      method: 'GET',
      path: paths[route].replace(':id', encodeURIComponent(request.id ?? '')),
      timeoutMs: timeouts[route === 'job' ? 'status' : route],
      signal,
      // An answer that the page slept through may never come, and its timeout is long. Asking again loses nothing.
      lost$: route === 'submit' ? undefined : slept$,
      mayAskAgain: () => tokens.current()?.generation === generation,
      ...request,
      headers: { ...request.headers, Authorization: `Bearer ${token.value}` },
    }).catch((reason: unknown) => {
      finish(signal.aborted ? 'aborted' : 'transient', null);
      throw reason;
    });
    // The server told its time somewhere on the way. Counted from when we asked, it makes no token live longer than it does.
    const underWayMs = Math.max(0, clock.now() - answer.sentAt);
    if (answer.serverNow !== null) tokens.observeServerTime(answer.serverNow + underWayMs);
    const error = errorOf(answer, generation);
    // A 429 or a 5xx may come from in front of the verifier: it says nothing of the token.
    if (!(error instanceof UnauthorizedError) && answer.status < 429) tokens.accepted(generation);
    if (error) {
      finish(
        error.code === 'unauthorized' ? 'unauthorized' : error instanceof TransientError ? 'transient' : 'rejected',
        answer.status,
      );
      throw error;
    }
    const fitting = fit(answer.body, shape);
    finish(fitting ? 'ok' : 'transient', answer.status);
    if (fitting) return { ...fitting, retryAfterMs: answer.retryAfterMs };
    throw new TransientError('invalid-response', `the answer of "${route}" is not what the contract describes`, {
      retryAfterMs: answer.retryAfterMs,
    });
  };

  return {
    async submit(submission, submissionId, signal) {
      const headers: Record<string, string> = idempotencyHeader === null ? {} : { [idempotencyHeader]: submissionId };
      const request = { method: 'POST', body: submission, headers } as const;
      const { data, retryAfterMs } = await call('submit', acceptedSchema, signal, request);
      const { jobId, resultId, remainingTokens: balance } = data;
      return { jobId, resultId, balance, retryAfterMs };
    },
    async status(id, signal, canWait = false) {
      const answer = await call('status', jobSchema, signal, { id, canWait });
      const { jobId } = answer.data;
      if (jobId && jobId !== id) throw new TransientError('invalid-response', 'the status of another job');
      return jobState(answer);
    },
    job: async (id, signal) => jobState(await call('job', jobSchema, signal, { id })),
    async result(id, signal) {
      const { data, retryAfterMs } = await call('result', resultSchema, signal, { id, againAfterMs: LATE_MS });
      const value = data?.test_result ?? null;
      if (value === null) return { type: 'not-ready', retryAfterMs };
      const checked = await options.resultSchema['~standard'].validate(value);
      return checked.issues ? { type: 'invalid' } : { type: 'ready', result: checked.value };
    },
    async balance(signal) {
      const { data } = await call('balance', balanceSchema, signal, { canWait: true });
      const balance = data.token_balance ?? data.tokenBalance ?? data.balance;
      if (balance === null) throw new TransientError('invalid-response', 'a balance without a number');
      return balance;
    },
  };
}

/** A status that we do not know means "not finished": it is never taken for success or for failure. */
function jobState({ data, retryAfterMs }: z.infer<typeof jobSchema> & { retryAfterMs: number | null }): JobState {
  switch (data.status) {
    case 'completed':
      return { type: 'completed', resultId: data.resultId ?? data.result_id };
    case 'failed':
    case 'deleted':
      return { type: 'failed', message: reasonOf(data.error, data.error_message) };
    default:
      return {
        type: 'running',
        status: data.status === 'queued' ? 'queued' : 'processing',
        percent: percentOf(data.progress),
        queuePosition: data.queuePosition,
        retryAfterMs,
      };
  }
}
