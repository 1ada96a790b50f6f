/** The bounds of an obeyed Retry-After, in ms. Outside them the server is misconfigured, or it is not our server. */
export const RETRY_AFTER_BOUNDS = { minMs: 1_000, maxMs: 300_000 } as const;

/**
 * Reads a Retry-After in any of the forms seen in the field: header or body, seconds (number or text) or an HTTP date.
 * Zero, negative, past and garbage values count as absent; large ones are clamped, so that a server's typing error never
 * costs a user the result.
 *
 * @param value the header's text, or the body's `retryAfter`
 * @param now ms since the epoch by the *server's* clock where its Date header is known, else ours
 * @param maxMs the largest wait that is obeyed, ms; default 300 000
 * @returns milliseconds, or null when the value says nothing usable
 *
 * @example
 * parseRetryAfter('2', Date.now()); // 2000
 * parseRetryAfter('soon', Date.now()); // null
 */
export function parseRetryAfter(value: unknown, now: number, maxMs: number = RETRY_AFTER_BOUNDS.maxMs): number | null {
  const ms = readMs(value, now);
  if (ms === null || !(ms > 0)) return null;
  return Math.min(Math.max(ms, RETRY_AFTER_BOUNDS.minMs), maxMs);
}

function readMs(value: unknown, now: number): number | null {
  if (typeof value === 'number') return Number.isNaN(value) ? null : value * 1_000;
  if (typeof value !== 'string') return null;
  const seconds = Number(value);
  if (!Number.isNaN(seconds)) return seconds * 1_000;
  // HTTP dates start with the day of the week; Date.parse alone finds a year in "busy until 2031", too.
  const date = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)([a-z]*day)?,? /.test(value.trim()) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(date) ? null : date - now;
}
