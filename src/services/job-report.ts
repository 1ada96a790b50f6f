/*
 * How the progress and the failure of a job are read, for both sources: the API's routes and the events of the feed.
 */

/** The unit of a progress number: 0 to 100, or 0 to 1. */
export type ProgressScale = 'percent' | 'fraction';

/**
 * Progress from 0 to 100, or null where there is none. Reads numbers and texts such as `"45"` and `"45%"`; a text with `%` is a
 * percentage on either scale.
 *
 * @example
 * percentOf('45%'); // 45
 * percentOf(0.45, 'fraction'); // 45
 */
export function percentOf(progress: unknown, scale: ProgressScale = 'percent'): number | null {
  const [, digits, sign] = /^\s*(\d+(?:\.\d+)?)\s*(%?)\s*$/.exec(typeof progress === 'string' ? progress : '') ?? [];
  const value = typeof progress === 'number' ? progress : Number(digits ?? Number.NaN);
  if (!Number.isFinite(value)) return null;
  return Math.min(100, Math.max(0, scale === 'fraction' && sign !== '%' ? value * 100 : value));
}

/** The first reason that the server gives, cut to 300 characters, or a general one. */
export const reasonOf = (...reasons: (string | null)[]): string =>
  (reasons.find(Boolean) ?? 'the analysis failed on the server').slice(0, 300);
