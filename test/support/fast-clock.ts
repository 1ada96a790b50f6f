import type { Clock } from '../../src/lib/clock.ts';

/** Real time, many times as fast: a client keeps its own waits over real servers, and a test does not. */
export function fastClock(times: number): Clock {
  const startedAt = Date.now();
  return {
    now: () => startedAt + (Date.now() - startedAt) * times,
    setTimeout: (work, ms) => setTimeout(work, ms / times),
    clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout | undefined),
  };
}
