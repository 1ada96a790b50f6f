/** A source of randomness in [0, 1): `Math.random`, or a seeded one. */
export type Random = () => number;

/** The bounds of a backoff, in ms. */
export interface Backoff {
  /** No delay is shorter, so that a retry never comes at once. */
  minMs: number;
  /** The ceiling of the first delay; it doubles with each attempt. */
  baseMs: number;
  /** The ceiling never grows beyond this. */
  capMs: number;
}

/**
 * Exponential backoff with full jitter: a delay drawn evenly between `minMs` and `baseMs * 2^attempt`, capped. Full jitter
 * spreads clients that failed together best; half-measures leave them marching in step.
 *
 * @param attempt 0 for the first failure
 * @returns milliseconds
 */
export function backoff(attempt: number, { minMs, baseMs, capMs }: Backoff, random: Random): number {
  const ceiling = Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30));
  return Math.round(minMs + random() * Math.max(0, ceiling - minMs));
}

/** `ms`, give or take `share` of it, so that many clients do not march in step. */
export function jitter(ms: number, share: number, random: Random): number {
  return Math.round(ms * (1 + share * (2 * random() - 1)));
}
