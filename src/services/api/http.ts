import type { Subscribable } from 'xstate';
import { RejectedError, TransientError, UnauthorizedError } from '../../lib/errors.ts';
import type { Clock } from '../../lib/clock.ts';
import { parseRetryAfter } from './retry-after.ts';

export interface HttpDeps {
  fetch: typeof fetch;
  clock: Clock;
  /** Origin and optional path prefix of the API, without a trailing slash. */
  baseUrl: string;
}

export interface HttpRequest {
  method: 'GET' | 'POST';
  /** Relative to `baseUrl`. Never holds a token: URLs end up in logs. */
  path: string;
  headers?: Record<string, string>;
  /** Sent as JSON. */
  body?: unknown;
  /** Covers the whole exchange, the body included: a server that dribbles its answer does not hold us. */
  timeoutMs: number;
  signal?: AbortSignal | undefined;
  /** Whatever it brings, the answer counts as lost. Never for what changes something on the server: it may have arrived. */
  lost$?: Subscribable<unknown> | undefined;
  /**
   * Without an answer after so many ms it is asked once more, beside the first time; the first answer counts. For what somebody waits
   * for and changes nothing on the server: most answers that are so late never come.
   */
  againAfterMs?: number;
  /** Asked before that. */
  mayAskAgain?: () => boolean;
  credentials?: RequestCredentials;
  /** Goes on when the page is closed: what it changes on the server must not be lost halfway. */
  keepalive?: boolean;
}

export interface HttpAnswer {
  status: number;
  /** Parsed JSON, or undefined where the body was not JSON. */
  body: unknown;
  /** When the request left, ms by our clock. */
  sentAt: number;
  /** The server's clock according to its Date header, ms, or null. */
  serverNow: number | null;
  /** From header or body, in ms, clamped; on errors and on successes. */
  retryAfterMs: number | null;
}

/**
 * One HTTP exchange. Every answer is an answer, whatever its status; only a missing one is an error.
 *
 * @throws TransientError `network` when there was no answer, it broke off or was slept through, or took longer than `timeoutMs`
 * @throws the signal's reason when the caller aborted
 */
export function exchange({ fetch, clock, baseUrl }: HttpDeps, request: HttpRequest): Promise<HttpAnswer> {
  const { method, path, headers, body, timeoutMs, signal, lost$, againAfterMs, mayAskAgain, credentials, keepalive } =
    request;
  if (signal?.aborted) return Promise.reject(signal.reason as Error);
  const controller = new AbortController();
  const init: RequestInit = {
    method,
    headers: { Accept: JSON_TYPE, ...(body !== undefined && { 'Content-Type': JSON_TYPE }), ...headers },
    signal: controller.signal,
    cache: 'no-store',
  };
  if (body !== undefined) init.body = JSON.stringify(body);
  if (credentials) init.credentials = credentials;
  if (keepalive) init.keepalive = keepalive;
  let late: unknown;
  const send = async (): Promise<HttpAnswer> => {
    const sentAt = clock.now();
    const response = await fetch(baseUrl + path, init);
    // Not lost but long: twice would make it longer.
    clock.clearTimeout(late);
    const json = parseJson(await response.text());
    const date = Date.parse(response.headers.get('date') ?? '');
    const serverNow = Number.isNaN(date) ? null : date;
    const retryAfterMs =
      parseRetryAfter(response.headers.get('retry-after'), serverNow ?? clock.now()) ??
      parseRetryAfter((json as { retryAfter?: unknown } | null | undefined)?.retryAfter, serverNow ?? clock.now());
    return { status: response.status, body: json, sentAt, serverNow, retryAfterMs };
  };
  // On its way before anything is set up to wait for it.
  const answered = send();
  return new Promise((resolve, reject) => {
    let isAskedAgain = false;
    const end = (): void => {
      clock.clearTimeout(timer);
      clock.clearTimeout(late);
      signal?.removeEventListener('abort', cancel);
      losing?.unsubscribe();
      if (isAskedAgain) controller.abort();
    };
    // A fetch that hangs may not listen to its signal either, and a caller of ours must not hang with it.
    const giveUp = (reason: unknown): void => {
      end();
      reject(reason as Error);
      controller.abort(reason);
    };
    const cancel = () => giveUp(signal?.reason);
    const timer = clock.setTimeout(() => giveUp(noAnswer(`no answer within ${timeoutMs} ms`)), timeoutMs);
    signal?.addEventListener('abort', cancel);
    const losing = lost$?.subscribe(() => giveUp(noAnswer('the page slept, and the answer is lost')));
    const take = (answer: Promise<HttpAnswer>) =>
      answer.then(
        (its) => {
          end();
          resolve(its);
        },
        () => {
          end();
          reject(noAnswer('the network gave no answer'));
        },
      );
    const askAgain = (): void => {
      isAskedAgain = mayAskAgain?.() ?? true;
      if (isAskedAgain) void take(send());
    };
    if (againAfterMs) late = clock.setTimeout(askAgain, againAfterMs);
    void take(answered);
  });
}

const JSON_TYPE = 'application/json';

const noAnswer = (message: string) => new TransientError('network', message);

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** What an error answer says of itself, whichever dialect it speaks. Missing parts are empty, never undefined text. */
export interface ServerError {
  code: string;
  message: string;
  details: Record<string, string> | undefined;
}

/** Both dialects: flat `{ error: CODE, message }` of the gateway, nested `{ error: { code, message, details } }` of services. */
export function readServerError(body: unknown): ServerError {
  const envelope = fieldsOf(body);
  const nested = fieldsOf(envelope.error);
  return {
    code: text(nested.code ?? envelope.error),
    // Nested errors of auth v2 come with a generic top-level message: the inner one says more.
    message: text(nested.message ?? envelope.message).slice(0, 300),
    details: fieldMessages(nested.details),
  };
}

/** What is no object has no fields. */
const fieldsOf = (value: unknown) =>
  (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
const text = (value: unknown) => (typeof value === 'string' ? value : '');

function fieldMessages(details: unknown): Record<string, string> | undefined {
  const fields = Object.entries(fieldsOf(details)).flatMap(([field, message]) =>
    typeof message === 'string' || typeof message === 'number' ? [[field, String(message).slice(0, 300)] as const] : [],
  );
  return fields.length > 0 ? Object.fromEntries(fields) : undefined;
}

/** The codes that mean "this token will not do", whatever status a gateway wraps them in. */
const UNAUTHORIZED_CODES = new Set(['INVALID_TOKEN', 'UNAUTHORIZED', 'TOKEN_EXPIRED']);

/**
 * The error that an answer amounts to, or null when it is a success. Only the status and the code decide.
 *
 * @param generation of the token that was sent, kept in an {@link UnauthorizedError}; null where none was sent
 */
export function errorOf(
  answer: HttpAnswer,
  generation: number | null,
): UnauthorizedError | TransientError | RejectedError | null {
  const { status, body, retryAfterMs } = answer;
  const failed = status >= 400 || fieldsOf(body).success === false;
  if (!failed) return null;
  const { code, message, details } = readServerError(body);
  if (status === 401 || UNAUTHORIZED_CODES.has(code)) return new UnauthorizedError(generation);
  // A 429 proves that the server did not take the request. A 503 does not: the gateway also gives it for a broken connection.
  if (status === 429)
    return new TransientError('rate-limited', message || 'too many requests', { retryAfterMs, maybeDone: false });
  if (status >= 500 || status === 408 || status === 425 || status < 400) {
    return new TransientError('unavailable', message || `status ${status}`, { retryAfterMs });
  }
  return new RejectedError(rejections[status] ?? 'rejected', status, message || `status ${status}`, details);
}

/** What else a status means is `rejected`. */
const rejections: Readonly<Record<number, RejectedError['code']>> = {
  400: 'validation',
  402: 'insufficient-credit',
  403: 'forbidden',
  413: 'too-large',
};
