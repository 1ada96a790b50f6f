import type { CallAnswer } from '../ports.ts';

/** An answer that is no success, as an error. The client sorts it by its status: a refused token, a refusal, or a failed call. */
export class FailedAnswerError extends Error {
  override readonly name = 'FailedAnswerError' as const;
  readonly status: number;
  readonly body: unknown;
  readonly headers: Headers;
  /** The wait that the server asks for, ms; null where it asks for none. */
  readonly retryAfterMs: number | null;

  constructor({ status, body, headers, retryAfterMs }: CallAnswer) {
    super(`the server answered with status ${status}`);
    this.status = status;
    this.body = body;
    this.headers = headers;
    this.retryAfterMs = retryAfterMs;
  }
}

/**
 * Passes a success through. For an API of your own: each request of a `JobApi` goes through it, so that a refused token reaches the client.
 *
 * @throws FailedAnswerError for every status outside 200 to 299
 * @example
 * const { body } = ensureOk(await call.request('/jobs/42'));
 */
export function ensureOk(answer: CallAnswer): CallAnswer {
  if (answer.status < 200 || answer.status >= 300) throw new FailedAnswerError(answer);
  return answer;
}

/** The field of an object; undefined where the value is none, or has no such field. */
export const fieldOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;

/** The first of the fields that is a number, as a percentage; null where there is none. */
export function percentIn(value: unknown, ...names: string[]): number | null {
  const found = names.map((name) => fieldOf(value, name)).find((it) => typeof it === 'number' && Number.isFinite(it));
  return found === undefined ? null : Math.min(100, Math.max(0, found as number));
}
