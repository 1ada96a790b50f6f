/** A source of randomness in [0, 1): `Math.random`, or a seeded one. */
export type Random = () => number;

/** The bounds of a backoff, in ms. */
export interface Backoff {
  /** The shortest delay, so that a retry never follows immediately. */
  minMs: number;
  /** The ceiling of the first delay; it doubles with each attempt. */
  baseMs: number;
  /** The upper bound of the ceiling. */
  capMs: number;
}

/**
 * Exponential backoff with full jitter: a delay drawn evenly between `minMs` and `baseMs * 2^attempt`, capped. Full jitter
 * prevents a thundering herd: clients that failed together retry at different times.
 *
 * @param attempt 0 for the first failure
 * @returns the delay, ms
 * @example
 * const delayMs = backoff(failures, { minMs: 500, baseMs: 1_000, capMs: 30_000 }, Math.random);
 */
export function backoff(attempt: number, { minMs, baseMs, capMs }: Backoff, random: Random): number {
  const ceiling = Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30));
  return Math.round(minMs + random() * Math.max(0, ceiling - minMs));
}

/**
 * `ms` plus or minus up to `share` of it, so that many clients do not send their requests at the same time.
 *
 * @param share 0 to 1
 * @returns the varied duration, ms
 */
export function jitter(ms: number, share: number, random: Random): number {
  return Math.round(ms * (1 + share * (2 * random() - 1)));
}
