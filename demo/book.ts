import type { Clock } from 'assessment-monitor';

/** Counts what is open: timers that are armed, requests that are under way. */
export function createBook(onChange: () => void = () => {}) {
  const timers = new Set<unknown>();
  let requests = 0;
  const clock: Clock = {
    now: () => Date.now(),
    setTimeout(callback, ms) {
      const timer = setTimeout(() => {
        timers.delete(timer);
        callback();
      }, ms);
      timers.add(timer);
      return timer;
    },
    clearTimeout(timer) {
      clearTimeout(timer as ReturnType<typeof setTimeout>);
      timers.delete(timer);
    },
  };
  return {
    clock,
    fetch:
      (real: typeof fetch): typeof fetch =>
      async (...args) => {
        requests += 1;
        try {
          return await real(...args);
        } finally {
          requests -= 1;
          onChange();
        }
      },
    open: () => ({ timers: timers.size, requests }),
  };
}
