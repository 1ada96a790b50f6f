import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../src/lib/clock.ts';

/** Lets everything run that only waits for promises. No timer fires and no time goes by. */
export const settle = (): Promise<void> => setImmediate();

/** Time that goes by only when a test says so. */
export interface VirtualClock extends Clock {
  /** Lets `ms` go by: what falls due fires in its order, and what it sets going runs before the next timer. */
  advance(ms: number): Promise<void>;
  /**
   * The wall clock jumps, forward or back, and no timer notices: somebody set the clock, or the machine slept. Timers that
   * fall due afterwards seem late, or early, to whoever compares clocks.
   */
  jump(ms: number): void;
  /** How many timers are open. */
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
      .toSorted(([idA, a], [idB, b]) => a.dueAt - b.dueAt || idA - idB)[0];

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
