import type { Clock } from '../../lib/clock.ts';

/** A clock whose time passes by hand. Also knows sleep and jumps, which real clocks have. */
export interface VirtualClock extends Clock {
  /** True time, ms: what the rest of the world goes by. `now()` may be off by what the clock was set wrong. */
  time(): number;
  /** Lets time pass, timer by timer; between two timers everything that is ready runs. */
  run(ms: number): Promise<void>;
  /** The machine sleeps: time passes, and timers are late. */
  sleep(ms: number): void;
  /** The user sets the clock. */
  jump(ms: number): void;
  /** Timers that are armed. */
  armed(): number;
}

interface Timer {
  due: number;
  order: number;
  callback: () => void;
}

/** @param startAt true time at the beginning, ms since the epoch */
export function virtualClock(startAt = 1_800_000_000_000): VirtualClock {
  let time = startAt;
  let offset = 0;
  let order = 0;
  const timers = new Set<Timer>();

  const next = (until: number): Timer | undefined => {
    let first: Timer | undefined;
    for (const timer of timers) {
      if (timer.due > until) continue;
      if (!first || timer.due < first.due || (timer.due === first.due && timer.order < first.order)) first = timer;
    }
    return first;
  };

  return {
    now: () => time + offset,
    time: () => time,
    setTimeout(callback, ms) {
      const timer = { due: time + Math.max(0, Number.isFinite(ms) ? ms : 0), order: (order += 1), callback };
      timers.add(timer);
      return timer;
    },
    clearTimeout: (timer) => void timers.delete(timer as Timer),
    async run(ms) {
      const end = time + ms;
      await settle();
      for (let timer = next(end); timer; timer = next(end)) {
        timers.delete(timer);
        time = Math.max(time, timer.due);
        timer.callback();
        await settle();
      }
      time = Math.max(time, end);
    },
    sleep: (ms) => void (time += ms),
    jump: (ms) => void (offset += ms),
    armed: () => timers.size,
  };
}

// The test kit runs in Node, whose types the package itself does without.
declare const setImmediate: (callback: () => void) => unknown;

/** Runs every promise reaction that is ready: a macrotask comes after all of them. */
const settle = () => new Promise<void>((resolve) => setImmediate(() => resolve()));
