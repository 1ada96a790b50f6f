/** @param times in ascending order. @returns null where there is none */
export const quantile = (times: readonly number[], share: number): number | null =>
  times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? null;
