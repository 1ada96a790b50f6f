import { abortReason } from './abort.ts';

/**
 * The only source of time in the package, the XState actors included. Tests inject a virtual clock and count the timers that
 * are still armed.
 */
export interface Clock {
  /** Wall-clock time, ms since the epoch. It may jump. */
  now(): number;
  setTimeout(callback: () => void, ms: number): unknown;
  clearTimeout(handle: unknown): void;
}

/** The longest delay that `setTimeout` supports, ms. A longer one would fire immediately. */
export const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** The real clock. It reads the global functions at each call, so that fake timers which are installed later apply. */
export const systemClock: Clock = {
  now: () => Date.now(),
  setTimeout: (callback, ms) => setTimeout(callback, Math.min(ms, MAX_TIMEOUT_MS)),
  clearTimeout: (handle) => clearTimeout(handle as ReturnType<typeof setTimeout>),
};

/**
 * Resolves after `ms`. Cleans up its timer and its abort listener in either case.
 *
 * @throws the signal's reason, as soon as the signal aborts
 * @example
 * await sleep(clock, 500, signal);
 */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(abortReason(signal));
    const onAbort = () => {
      clock.clearTimeout(timer);
      if (signal) reject(abortReason(signal));
    };
    const timer = clock.setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
