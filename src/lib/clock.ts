/**
 * The only source of time in the package, so that tests can own it and scenarios can count what is left open. It is also
 * the clock of the XState actors.
 */
export interface Clock {
  /** Wall-clock time, ms since the epoch. It may jump. */
  now(): number;
  setTimeout(callback: () => void, ms: number): unknown;
  clearTimeout(handle: unknown): void;
}

/** The longest delay that `setTimeout` honours; anything above it would fire at once. */
export const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** The real clock. It looks the globals up at each call, so that fake timers installed later still apply. */
export const systemClock: Clock = {
  now: () => Date.now(),
  setTimeout: (callback, ms) => setTimeout(callback, Math.min(ms, MAX_TIMEOUT_MS)),
  clearTimeout: (handle) => clearTimeout(handle as ReturnType<typeof setTimeout>),
};

/**
 * Resolves after `ms`, or rejects with the signal's reason as soon as it aborts. Leaves neither timer nor listener behind.
 *
 * @example
 * await sleep(clock, 500, signal);
 */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error);
    const onAbort = () => {
      clock.clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = clock.setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
