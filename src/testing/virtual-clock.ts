import type { Clock } from '../lib/clock.ts';

/** A page: what its timers start belongs to it, and stops with it. */
export interface TimerOwner {
  /** The page is closed: its timers never fire. */
  isGone: boolean;
}

/**
 * A clock whose time passes only when a test says so, for one page or for many. It also knows sleep and jumps, which real clocks
 * have. The timers of a page that is gone never fire, whatever its code forgot to clean up, as in a browser.
 */
export interface VirtualClock extends Clock {
  /** True time, ms: that of the world. `now()` differs from it when the device's clock is set wrong. */
  time(): number;
  /** @param owner the page that the timer belongs to. @default the page that is running */
  setTimeout(callback: () => void, ms?: number, owner?: TimerOwner | null): unknown;
  /**
   * Lets time pass, timer by timer; between two timers everything that is ready runs.
   *
   * @param ms how long
   * @param isOver ends the run before the next timer
   */
  run(ms: number, isOver?: () => boolean): Promise<void>;
  /** The machine sleeps: time passes, and timers are late. */
  sleep(ms: number): void;
  /** The user sets the device's clock: `now()` jumps, and timers do not notice. */
  jump(ms: number): void;
  /** The number of timers that will fire. */
  armed(): number;
  /** The page that is running; null for the server and the story. */
  owner(): TimerOwner | null;
  /** Runs something as a page would: a click, a load. */
  as(owner: TimerOwner | null, work: () => void): void;
}

/** True time at the beginning unless stated otherwise, ms since the epoch. A whole second, so that `Date` and `exp` lose nothing. */
export const T0 = 1_800_000_000_000;

interface Timer {
  due: number;
  order: number;
  owner: TimerOwner | null;
  /** Null once it fired or was cleared. */
  callback: (() => void) | null;
}

/**
 * @param startAt true time at the beginning, ms since the epoch
 * @default T0
 * @example
 * const clock = virtualClock();
 * clock.setTimeout(() => console.log('a minute later'), 60_000);
 * await clock.run(60_000);
 */
export function virtualClock(startAt: number = T0): VirtualClock {
  const heap: Timer[] = [];
  let time = startAt;
  let offset = 0;
  let order = 0;
  let running: TimerOwner | null = null;

  return {
    now: () => time + offset,
    time: () => time,
    setTimeout(callback, ms = 0, owner = running) {
      const timer: Timer = {
        due: time + (Number.isFinite(ms) ? Math.max(0, ms) : 0),
        order: (order += 1),
        owner,
        callback,
      };
      push(heap, timer);
      return timer;
    },
    clearTimeout(timer) {
      if (timer) (timer as Timer).callback = null;
    },
    run(ms, isOver = () => false) {
      const end = time + ms;
      return new Promise((resolve, reject) => {
        const finish = (): void => {
          running = null;
          resolve();
        };
        const step = (): void => {
          try {
            if (isOver()) return finish();
            const timer = next(heap, end);
            if (!timer) {
              time = Math.max(time, end);
              return finish();
            }
            const { callback } = timer;
            timer.callback = null;
            time = Math.max(time, timer.due);
            running = timer.owner;
            callback?.();
            // A macrotask comes after every promise reaction: what the timer started has happened by then.
            return void setImmediate(step);
          } catch (error) {
            return reject(error as Error);
          }
        };
        setImmediate(step);
      });
    },
    sleep: (ms) => void (time += ms),
    jump: (ms) => void (offset += ms),
    armed: () => heap.filter(willFire).length,
    owner: () => running,
    as(owner, work) {
      const before = running;
      running = owner;
      try {
        work();
      } finally {
        running = before;
      }
    },
  };
}

const willFire = ({ callback, owner }: Timer) => callback !== null && !owner?.isGone;

/** The first timer that is due and still wanted. */
function next(heap: Timer[], until: number): Timer | null {
  for (let first = heap[0]; first && first.due <= until; first = heap[0]) {
    pop(heap);
    if (willFire(first)) return first;
  }
  return null;
}

const isBefore = (a: Timer, b: Timer) => a.due < b.due || (a.due === b.due && a.order < b.order);

function push(heap: Timer[], timer: Timer): void {
  let index = heap.length;
  while (index > 0) {
    const above = (index - 1) >> 1;
    const parent = heap[above];
    if (!parent || isBefore(parent, timer)) break;
    heap[index] = parent;
    index = above;
  }
  heap[index] = timer;
}

function pop(heap: Timer[]): void {
  const last = heap.pop();
  if (!last || heap.length === 0) return;
  let index = 0;
  for (;;) {
    let below = index * 2 + 1;
    let child = heap[below];
    const right = heap[below + 1];
    if (child && right && isBefore(right, child)) {
      below += 1;
      child = right;
    }
    if (!child || isBefore(last, child)) break;
    heap[index] = child;
    index = below;
  }
  heap[index] = last;
}

// The test kit runs in Node, whose types the package itself does without.
declare const setImmediate: (callback: () => void) => unknown;

/** Runs every promise reaction that is ready: a macrotask comes after all of them. No timer fires and no time passes. */
export const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
