import type { Observable } from 'rxjs';
import * as z from 'zod/mini';
import { abortReason } from '../../lib/abort.ts';
import type { Clock } from '../../lib/clock.ts';
import {
  AssessmentMonitorError,
  RejectedError,
  SignInRequiredError,
  TokenUnavailableError,
  TransientError,
  UnauthorizedError,
} from '../../lib/errors.ts';
import { logCall, type RefusalCause } from '../../lib/log.ts';
import { idSchema, maybeId, maybeNumber, number, object, type Shape } from '../../lib/schemas.ts';
import type { Call, CallAnswer, CallInit, JobApi } from '../../ports.ts';
import { percentOf } from '../job-report.ts';
import { errorOf, type HttpAnswer, isTokenRefused, readServerError, rejection } from './answer.ts';
import {
  type AssessmentApi,
  type AssessmentApiOptions,
  type CallRoute,
  failedCall,
  isSuccessStatus,
  type JobState,
  LATE_MS,
  MAX_SUBMIT_WAIT_MS,
  MAY_REFUSE,
  outcomeOf,
} from './assessment-api.ts';
import { authorised, exchange, MAX_SILENCES, originOf } from './http.ts';
import { createListener } from './listener.ts';
import { createResultReader } from './result-reader.ts';
import { parseRetryAfter } from './retry-after.ts';
import { answerIn, isOwnWord, refusesToken } from './thrown.ts';
import { tokenToSend } from './token-to-send.ts';

export interface PortedApiOptions<Result> extends Pick<
  AssessmentApiOptions<Result>,
  'fetch' | 'baseUrl' | 'clock' | 'log' | 'tokens' | 'slept$' | 'timeouts' | 'resultSchema' | 'isTokenRefused'
> {
  /** Whether the backend makes one job of one key. */
  idempotent: boolean;
}

const acceptedSchema = object({
  jobId: idSchema,
  resultId: maybeId,
  balance: maybeNumber,
  retryAfterMs: maybeNumber,
});
const stateSchema = object({
  type: z.enum(['running', 'completed', 'failed']),
  status: z.catch(z.enum(['queued', 'processing']), 'processing'),
  percent: z.optional(z.unknown()),
  queuePosition: maybeNumber,
  retryAfterMs: maybeNumber,
  resultId: maybeId,
  ownerId: maybeId,
});
const resultStateSchema = object({
  type: z.enum(['found', 'not-ready']),
  result: z.optional(z.unknown()),
  ownerId: maybeId,
  retryAfterMs: maybeNumber,
  // What was read from an answer that cannot be read is no result.
}).check(z.refine(({ type, result }) => type === 'not-ready' || result !== undefined, { path: ['result'] }));
const listedSchema = z.array(
  object({ jobId: idSchema, resultId: maybeId, createdAt: z.union([number, z.string()]) }).check(
    z.refine(({ createdAt }) => !Number.isNaN(new Date(createdAt).getTime())),
  ),
);

interface AskOptions {
  canWait?: boolean;
  beforeSending?: (() => void) | undefined;
}
/** An outcome that fits, and what the latest answer of the call says beside it. */
interface Outcome<T> {
  value: T;
  retryAfterMs: number | null;
  serverNow: number | null;
}

/**
 * The calls of an assessment over the port of an application. The port sends; this file brings the token, the bounds and the schema, and
 * sorts what is thrown.
 *
 * @example
 * const api = createPortedApi(ownApi, { fetch, baseUrl, clock, log, tokens, slept$, timeouts, resultSchema, idempotent: true });
 */
export function createPortedApi<Submission, Result>(
  api: JobApi<Submission, unknown>,
  options: PortedApiOptions<Result>,
): AssessmentApi<Submission, Result> {
  const { tokens, clock, log, slept$, timeouts, idempotent } = options;
  const isRefused = options.isTokenRefused ?? isTokenRefused;
  const hear = createListener(options);
  const { validate, invalid } = createResultReader(options);
  /** What is wrong with the implementation is named once in the log. */
  const named = new Set<string>();
  const once = (fault: string, report: () => void): void => {
    if (!named.has(fault)) report();
    named.add(fault);
  };
  /** The jobs that were seen complete: some servers forget them soon. */
  const completed = new Map<string, JobState>();

  /** The whole address of a path. @throws TypeError it is not within the origin of `baseUrl` */
  const addressOf = (route: CallRoute, path: string): string => {
    const { baseUrl } = options;
    const isWhole = /^https?:/i.test(path);
    const address = isWhole ? path : baseUrl + (/^[/?]/.test(path) ? path : `/${path}`);
    const origin = originOf(address);
    if (origin !== null && origin === originOf(baseUrl)) return address;
    once(`address ${route}`, () => log({ type: 'address.refused', route }));
    throw new ForeignAddressError(
      'call.request: the address is not within the origin of baseUrl, and the token goes to no other; nothing was sent',
    );
  };

  /** The requests of one call, and what is known from their answers. */
  const openCall = (
    route: CallRoute,
    { value: token, generation }: { value: string; generation: number },
    bounds: Bounds,
  ) => {
    let last: HttpAnswer | null = null;
    let cause: RefusalCause | null = null;
    const request = async (path: string, init: CallInit = {}): Promise<CallAnswer> => {
      const address = addressOf(route, path);
      const { body, method = body === undefined ? 'GET' : 'POST' } = init;
      const isRepeatable = route === 'result' && method === 'GET';
      const { headers, credentials } = { credentials: undefined, ...authorised(token) };
      const answer = await bounds.during(
        exchange(
          { fetch: options.fetch, clock, baseUrl: '' },
          {
            method,
            path: address,
            body,
            headers: withOwn(headers, init.headers),
            timeoutMs: bounds.timeoutMs,
            signal: bounds.signal,
            ...(credentials && { credentials }),
            ...(route === 'submit' && { maxRetryAfterMs: MAX_SUBMIT_WAIT_MS }),
            ...(isRepeatable && { againAfterMs: LATE_MS }),
            mayAskAgain: () => tokens.current()?.generation === generation,
          },
        ),
      );
      last = answer;
      cause = hear(answer, errorOf(answer, generation, isRefused), generation) ?? cause;
      const { url = address, status, retryAfterMs } = answer;
      // A fetch of the application's own may have headers that can only be read one by one.
      const read = (answer.headers ?? new Headers()) as Headers;
      return { url, status, body: answer.body, headers: read, retryAfterMs };
    };
    const call: Call = { token, signal: bounds.signal, request };
    return { call, last: () => last, cause: () => cause };
  };

  /** The error that the latest answer of a call amounts to; null for a success. */
  const errorIn = (answer: HttpAnswer | null, generation: number) => {
    const error = answer && errorOf(answer, generation, isRefused);
    const isRefusal = error instanceof TransientError && error.code === 'invalid-response' && answer !== null;
    return isRefusal && isOwnWord(answer.body) ? rejection(answer.status, readServerError(answer.body).details) : error;
  };
  /** What an implementation has thrown, in the words of this package. */
  const sorted = (
    thrown: unknown,
    last: HttpAnswer | null,
    generation: number,
  ): UnauthorizedError | TransientError | RejectedError => {
    if (thrown instanceof SignInRequiredError || thrown instanceof UnauthorizedError)
      return new UnauthorizedError(generation);
    if (thrown instanceof TokenUnavailableError)
      return new TransientError('unavailable', thrown.message, { retryAfterMs: thrown.retryAfterMs });
    if (thrown instanceof TransientError || thrown instanceof RejectedError) return thrown;
    const answer = answerIn(thrown, clock.now());
    if (refusesToken(answer, isRefused)) return new UnauthorizedError(generation);
    const { status, body, retryAfterMs } = answer;
    if (status === 0) return errorIn(last, generation) ?? defect(thrown, last);
    const held = last?.status === status ? last : null;
    const because = { retryAfterMs: retryAfterMs ?? held?.retryAfterMs ?? null, status, cause: thrown };
    const error = errorOf(
      { ...NOTHING, ...held, status, retryAfterMs: because.retryAfterMs, body },
      generation,
      isRefused,
    );
    if (status < 300 || error === null)
      return new TransientError('invalid-response', 'a success that is an error', { ...because, status: null });
    if (!(error instanceof TransientError) || error.code !== 'invalid-response') return error;
    // Where the error holds no body, its status is the word of the API.
    const word = body ?? held?.body;
    const isWord = isOwnWord(word) || (word === undefined && held === null);
    return isWord ? rejection(status, readServerError(word).details) : error;
  };
  /** An error without a status after no answer, or after a good one. */
  const defect = (thrown: unknown, last: HttpAnswer | null): TransientError => {
    // No repetition leads elsewhere.
    const isForeign = thrown instanceof ForeignAddressError;
    const code = last === null && !isForeign ? 'network' : 'invalid-response';
    const maybeDone = !isForeign || last !== null;
    return new TransientError(code, 'the call failed', { status: last?.status ?? null, maybeDone, cause: thrown });
  };

  const ask = async <T>(
    route: CallRoute,
    signal: AbortSignal,
    work: (call: Call) => Promise<unknown>,
    shape: Shape<T>,
    { canWait = false, beforeSending }: AskOptions = {},
  ): Promise<Outcome<T>> => {
    const token = await tokenToSend(tokens, signal, canWait);
    const { generation } = token;
    beforeSending?.();
    const finish = logCall(log, clock, route, generation);
    const timeoutMs = timeouts[route === 'job' || route === 'jobs' ? 'status' : route];
    // A submission may have arrived: it is not given up because the page slept.
    const bounds = openBounds({ clock, timeoutMs, signal, lost$: route === 'submit' ? undefined : slept$ });
    const { call, last, cause } = openCall(route, token, bounds);
    const sentAt = clock.now();
    const fail = (error: UnauthorizedError | TransientError | RejectedError): never => {
      const status = 'status' in error ? error.status : (last()?.status ?? null);
      // An SDK that sends its own requests is not heard elsewhere.
      if (error instanceof UnauthorizedError) tokens.refused?.(generation, sentAt);
      const why = () => cause() ?? tokens.whyRefused?.(generation, null) ?? 'unknown';
      finish(outcomeOf(error), status, error instanceof UnauthorizedError ? why() : null);
      throw error instanceof RejectedError && !MAY_REFUSE.has(route)
        ? failedCall(error, last()?.retryAfterMs ?? null)
        : error;
    };
    let given: unknown;
    try {
      given = await bounds.run(() => work(call));
    } catch (thrown) {
      if (signal.aborted) {
        finish('aborted', null);
        throw abortReason(signal);
      }
      const error = sorted(thrown, last(), generation);
      const isUnclear = error.code === 'network' || error.code === 'invalid-response';
      if (isUnclear && !(thrown instanceof AssessmentMonitorError))
        once(`thrown ${route} ${nameOf(thrown)}`, () => log({ type: 'call.threw', route, error: nameOf(thrown) }));
      // A 401 without CORS headers looks like a network failure. The doubt about a submission comes first.
      const isSilent = error instanceof TransientError && error.code === 'network' && last() === null;
      const isSuspect = isSilent && tokens.unanswered?.(generation) === true && route !== 'submit';
      return fail(isSuspect ? new UnauthorizedError(generation) : error);
    }
    const answer = last();
    const read = shape.safeParse(given);
    const error = errorIn(answer, generation);
    // An outcome that says nothing new hides the error: an unknown state is `running`, and so is the body of an error to many readers.
    const isHidden = error instanceof UnauthorizedError || route === 'status' || route === 'job';
    if (error && (!read.success || (isHidden && saysNothing(route, read.data)))) return fail(error);
    const retryAfterMs = answer?.retryAfterMs ?? null;
    if (read.success) {
      finish('ok', answer?.status ?? null);
      if (answer === null) tokens.accepted(generation);
      return { value: read.data, retryAfterMs, serverNow: answer?.serverNow ?? null };
    }
    const field = read.error.issues[0]?.path.map(String).join('.') ?? '';
    once(`unreadable ${route} ${field}`, () => log({ type: 'answer.unreadable', route, field }));
    // Under its key a submission may be repeated: the outcome is then not taken for an accepted one.
    const status = route === 'submit' && idempotent ? null : (answer?.status ?? 200);
    return fail(
      new TransientError('invalid-response', `the outcome of "${route}" does not fit at "${field}"`, {
        retryAfterMs,
        status,
      }),
    );
  };

  /** Within the bounds of an obeyed wait, and in place of it what the latest answer asks for. */
  const waitOf = (ms: number | null, answered: number | null, maxMs?: number): number | null =>
    parseRetryAfter(ms === null ? null : ms / 1_000, clock.now(), maxMs) ?? answered;
  const stateOf = ({ value, retryAfterMs }: Outcome<z.infer<typeof stateSchema>>, jobId: string): JobState => {
    const { type, status, percent, queuePosition, ownerId } = value;
    if (type === 'failed') return { type, ownerId };
    if (type === 'running') {
      const wait = waitOf(value.retryAfterMs, retryAfterMs);
      return { type, status, percent: percentOf(percent), queuePosition, retryAfterMs: wait, ownerId };
    }
    const state: JobState = { type, resultId: value.resultId ?? jobId, ownerId };
    // Ids of jobs alone: whose they were must not outlive a sign-out.
    completed.set(jobId, { ...state, ownerId: null });
    return state;
  };
  const missing = (what: string) => new TransientError('job-not-found', `the api has no "${what}"`, { status: 404 });

  return {
    async submit(submission, key, signal, beforeSending) {
      const { value, retryAfterMs } = await ask(
        'submit',
        signal,
        (call) => api.submit(submission, key, call),
        acceptedSchema,
        { beforeSending },
      );
      return { ...value, retryAfterMs: waitOf(value.retryAfterMs, retryAfterMs) };
    },
    recognisesKeys: () => idempotent || null,
    status: async (jobId, signal, canWait = false, beforeSending) =>
      stateOf(
        await ask('status', signal, (call) => api.status(jobId, call), stateSchema, { canWait, beforeSending }),
        jobId,
      ),
    async job(jobId, signal) {
      const { job } = api;
      if (job) return stateOf(await ask('job', signal, (call) => job.call(api, jobId, call), stateSchema), jobId);
      const state = completed.get(jobId);
      if (!state) throw missing('job');
      return state;
    },
    async jobs(signal) {
      const { jobs } = api;
      if (!jobs) throw missing('jobs');
      const { value, serverNow } = await ask('jobs', signal, (call) => jobs.call(api, call), listedSchema);
      // The server's times are compared with the client's: what its clock shows at this moment tells how far they are apart.
      const aheadMs = serverNow === null ? 0 : serverNow - clock.now();
      const clocks = serverNow === null && { isClockUnknown: true };
      return value.map(({ createdAt, ...it }) => ({
        ...it,
        createdAt: new Date(createdAt).getTime() - aheadMs,
        ...clocks,
      }));
    },
    async result(id, signal, isOthers) {
      try {
        const { value, retryAfterMs } = await ask('result', signal, (call) => api.result(id, call), resultStateSchema);
        const { ownerId } = value;
        if (ownerId !== null && (await isOthers?.(ownerId)) === true) return invalid('foreign');
        if (value.type === 'found') return await validate(value.result);
        return { type: 'not-ready', retryAfterMs: waitOf(value.retryAfterMs, retryAfterMs) };
      } catch (error) {
        // It is asked for again, but not for ever.
        const isUnreadable = error instanceof TransientError && isSuccessStatus(error.status);
        if (signal.aborted || !isUnreadable) throw error;
        return invalid('not-json');
      }
    },
    async balance(signal) {
      const { balance } = api;
      if (!balance) throw new TypeError('refreshBalance: the api of this client has no balance');
      return (await ask('balance', signal, (call) => balance.call(api, call), number, { canWait: true })).value;
    },
  };
}

/** Whether an outcome may stand for an error that was not seen. An accepted job, its end and a result cannot. */
const saysNothing = (route: CallRoute, value: unknown): boolean =>
  route !== 'submit' &&
  !(
    typeof value === 'object' &&
    value !== null &&
    'type' in value &&
    /^(completed|failed|found)$/.test(String(value.type))
  );

const nameOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.name : typeof thrown).slice(0, 50);

const NOTHING = { sentAt: 0, serverNow: null, body: undefined } as const;

/** Headers by any spelling: those of the implementation win. */
function withOwn(headers: Record<string, string>, own: CallInit['headers'] = {}): Record<string, string> {
  const taken = new Set(Object.keys(own).map((name) => name.toLowerCase()));
  const kept = Object.entries({ ...headers }).filter(([name]) => !taken.has(name.toLowerCase()));
  return { ...Object.fromEntries(kept), ...own };
}

class ForeignAddressError extends TypeError {}

interface Bounds {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** The time of a request of ours does not count: it has bounds of its own. */
  during<T>(request: Promise<T>): Promise<T>;
  run<T>(work: () => Promise<T>): Promise<T>;
}

/** The bounds of one call: an implementation that ignores its signal must not make the caller hang. */
function openBounds(given: {
  clock: Clock;
  timeoutMs: number;
  signal: AbortSignal;
  lost$: Observable<unknown> | undefined;
}): Bounds {
  const { clock, timeoutMs, signal, lost$ } = given;
  const controller = new AbortController();
  let underWay = 0;
  let silence: unknown;
  let isOver = false;
  let giveUp: (reason: unknown) => void = () => {};
  const noAnswer = (message: string) => () => giveUp(new TransientError('network', message));
  const listen = (): void => {
    clock.clearTimeout(silence);
    if (underWay === 0 && !isOver) silence = clock.setTimeout(noAnswer(`no outcome within ${timeoutMs} ms`), timeoutMs);
  };
  return {
    timeoutMs,
    signal: controller.signal,
    async during(request) {
      underWay += 1;
      listen();
      try {
        return await request;
      } finally {
        underWay -= 1;
        listen();
      }
    },
    async run(work) {
      const limit = clock.setTimeout(
        noAnswer(`no outcome within ${MAX_SILENCES} times ${timeoutMs} ms`),
        MAX_SILENCES * timeoutMs,
      );
      const cancel = () => giveUp(abortReason(signal));
      const gaveUp = new Promise<never>((_, reject) => (giveUp = reject));
      const losing = lost$?.subscribe(noAnswer('the page slept, and the answer is lost'));
      signal.addEventListener('abort', cancel);
      listen();
      try {
        return await Promise.race([gaveUp, (async () => work())()]);
      } finally {
        isOver = true;
        clock.clearTimeout(limit);
        clock.clearTimeout(silence);
        losing?.unsubscribe();
        signal.removeEventListener('abort', cancel);
        controller.abort();
      }
    },
  };
}
