/*
 * How the progress and the failure of a job are read, for both sources: the API's routes and the events of the feed.
 */

/** A percentage clamped to 0 to 100; null where the server sends none. */
export const percentOf = (progress: number | null): number | null =>
  progress === null ? null : Math.min(100, Math.max(0, progress));

/** The first reason that the server gives, cut to 300 characters, or a general one. */
export const reasonOf = (...reasons: (string | null)[]): string =>
  (reasons.find(Boolean) ?? 'the analysis failed on the server').slice(0, 300);
