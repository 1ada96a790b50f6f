/*
 * What the server says of a job, however it says so: by a route, or by an event of the feed.
 */

/** 0 to 100, or null where nobody says. */
export const percentOf = (progress: number | null): number | null =>
  progress === null ? null : Math.min(100, Math.max(0, progress));

/** Why it failed, in the server's words where there are any. */
export const reasonOf = (...said: (string | null)[]): string =>
  (said.find(Boolean) ?? 'the analysis failed on the server').slice(0, 300);
