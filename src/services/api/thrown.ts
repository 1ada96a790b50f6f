import { isApiWord, readServerError, type RefusalHint } from './answer.ts';
import { parseRetryAfter } from './retry-after.ts';

/*
 * What an SDK throws holds the server's answer somewhere: as `status`, `statusCode`, `response.status`, a numeric `code`, a code of gRPC,
 * or further down, below `cause`. This file finds it.
 */

/** The answer in an error, as far as the error tells. */
export interface ThrownAnswer {
  /** 0 where the error has none. */
  status: number;
  /** Every code that may say what is wrong, such as `UNAUTHENTICATED`. */
  codes: readonly string[];
  challenge: string;
  /** The parsed body, or its text; undefined where the error does not hold it. */
  body: unknown;
  retryAfterMs: number | null;
}

type Fields = Readonly<Record<string, unknown>>;

/** Where SDKs keep what caused an error, from the closest place to the farthest. */
const INNER = ['response', '$metadata', 'extensions', 'errors', 'graphQLErrors', 'networkError', 'error', 'cause'];
const MOST_PARTS = 20;
/** The statuses that codes of gRPC stand for. */
const GRPC: Readonly<Record<string, number>> = {
  3: 400,
  5: 404,
  7: 403,
  8: 429,
  9: 400,
  14: 503,
  16: 401,
  INVALID_ARGUMENT: 400,
  NOT_FOUND: 404,
  PERMISSION_DENIED: 403,
  RESOURCE_EXHAUSTED: 429,
  FAILED_PRECONDITION: 400,
  UNAVAILABLE: 503,
  UNAUTHENTICATED: 401,
};

const isObject = (value: unknown): value is Fields => typeof value === 'object' && value !== null;

/** The thrown value and what it holds, in the order in which it is read. */
function partsOf(thrown: unknown): Fields[] {
  const parts: Fields[] = [];
  const waiting: unknown[] = [thrown];
  while (waiting.length > 0 && parts.length < MOST_PARTS) {
    const next = waiting.shift();
    const part: unknown = Array.isArray(next) ? next[0] : next;
    if (!isObject(part) || parts.includes(part)) continue;
    parts.push(part);
    waiting.push(...INNER.map((name) => part[name]));
  }
  return parts;
}

/** An HTTP status, or the one that a code of gRPC stands for; 0 for anything else. */
function statusIn(value: unknown): number {
  const status = typeof value === 'number' || typeof value === 'string' ? Number(value) : Number.NaN;
  if (Number.isInteger(status) && status >= 200 && status < 600) return status;
  return GRPC[String(value)] ?? 0;
}

function headerIn({ headers, response }: Fields, name: string): string {
  for (const held of [headers, isObject(response) ? response.headers : undefined]) {
    if (!isObject(held)) continue;
    // `Headers` of the platform or of a polyfill, or a plain object: an SDK decides.
    const value = typeof held.get === 'function' ? (held as unknown as Headers).get(name) : held[name];
    if (typeof value === 'string') return value;
  }
  return '';
}

const first = <T>(parts: readonly Fields[], read: (part: Fields) => T | undefined): T | undefined => {
  for (const part of parts) {
    const found = read(part);
    if (found) return found;
  }
  return undefined;
};

/**
 * The server's answer in what an SDK has thrown.
 *
 * @example
 * answerIn(Object.assign(new Error('Request failed'), { response: { status: 401 } })).status; // 401
 */
export function answerIn(thrown: unknown, now: number): ThrownAnswer {
  const parts = partsOf(thrown);
  const status =
    first(parts, (it) =>
      [it.status, it.statusCode, it.httpStatusCode, it.httpStatus, it.code].map(statusIn).find((found) => found > 0),
    ) ?? 0;
  const codes = parts.flatMap((it) => [it.code, it.status, it.name]).filter((it) => typeof it === 'string');
  const body = first(parts, (it) => [it.data, it.body].find((held) => isPlain(held) || typeof held === 'string'));
  const wait = first(parts, (it) => headerIn(it, 'retry-after') || it.retryAfter);
  return {
    status,
    // `functions/unauthenticated` and `TokenExpiredException` are spelt differently elsewhere.
    codes: codes.flatMap((code) => [code, code.replace(/^.*\//, '').replace(/(Exception|Error)$/, '')]),
    challenge: first(parts, (it) => headerIn(it, 'www-authenticate')) ?? '',
    body,
    retryAfterMs: parseRetryAfter(wait, now) ?? parseRetryAfter(secondsIn(parts), now),
  };
}

const secondsIn = (parts: readonly Fields[]): number | undefined => {
  const ms = first(parts, (it) => it.retryAfterMs ?? it.retryAfterInMs);
  return typeof ms === 'number' ? ms / 1_000 : undefined;
};

function isPlain(value: unknown): boolean {
  if (!isObject(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Whether the error refuses the token. */
export const refusesToken = (answer: ThrownAnswer, isRefused: (hint: RefusalHint) => boolean): boolean =>
  [readServerError(answer.body).code, ...answer.codes].some((code) =>
    isRefused({ status: answer.status, code, challenge: answer.challenge }),
  );

/** What a gateway says with a status, and an API says with more. */
const REASON = /^\W*(bad request|forbidden|not found|method not allowed|conflict|gone|unprocessable.*|error)\W*$/i;

/**
 * Whether the body of a refusal is the API's word, as far as a foreign contract lets us know: JSON with a code, messages for fields, or a
 * text that says more than the status. A page is not.
 */
export function isOwnWord(body: unknown): boolean {
  if (!isObject(body)) return false;
  const texts = [body.title, body.detail, body.message, body.error_description];
  return isApiWord({ body }) || texts.some((it) => typeof it === 'string' && it !== '' && !REASON.test(it));
}
