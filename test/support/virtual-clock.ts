import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../src/lib/clock.ts';

/** Runs all pending promise reactions. No timer fires and no time passes. */
export const settle = (): Promise<void> => setImmediate();

/** A clock whose time passes only when a test advances it. */
export interface VirtualClock extends Clock {
  /** Advances by `ms`: due timers fire in order, and the promise reactions of each run before the next timer. */
  advance(ms: number): Promise<void>;
  /**
   * Moves the wall clock forward or back without firing timers, as when a user sets the clock or the machine sleeps. Timers that
   * fire afterwards are late or early by the wall clock.
   */
  jump(ms: number): void;
  /** The number of armed timers. */
  readonly timers: number;
}

/** A round number of seconds, so that `Date` headers and `exp` claims lose nothing. */
export const T0 = Date.UTC(2030, 0, 1);

export function virtualClock(startAt: number = T0): VirtualClock {
  const timers = new Map<number, { dueAt: number; callback: () => void }>();
  let elapsed = 0;
  let wall = startAt;
  let lastId = 0;

  const nextDue = (until: number) =>
    [...timers]
      .filter(([, { dueAt }]) => dueAt <= until)
      .sort(([idA, a], [idB, b]) => a.dueAt - b.dueAt || idA - idB)[0];

  return {
    now: () => wall + elapsed,
    setTimeout(callback, ms) {
      lastId += 1;
      timers.set(lastId, { dueAt: elapsed + Math.max(0, ms), callback });
      return lastId;
    },
    clearTimeout: (handle) => void timers.delete(handle as number),
    async advance(ms) {
      const until = elapsed + ms;
      await settle();
      for (let next = nextDue(until); next; next = nextDue(until)) {
        const [id, { dueAt, callback }] = next;
        timers.delete(id);
        elapsed = Math.max(elapsed, dueAt);
        callback();
        await settle();
      }
      elapsed = until;
    },
    jump: (ms) => void (wall += ms),
    get timers() {
      return timers.size;
    },
  };
}
