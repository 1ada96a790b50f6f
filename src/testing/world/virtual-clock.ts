import type { Clock } from '../../services/clock.ts';

type Timers = Pick<Clock, 'setTimeout' | 'clearTimeout'>;

/**
 * The clock of one machine, and the time of the world around it. Time passes only when it is told to.
 *
 * `now()` is what the machine believes: somebody may set it. `time()` is what everybody else goes by.
 */
export interface VirtualClock extends Clock {
  /** True time, ms since the epoch. */
  time(): number;
  /** How often the clock was set: who measured across a jump measured nothing. */
  jumps(): number;
  /**
   * Lets time pass, timer by timer; between two timers everything that is ready runs.
   *
   * @param until looked at after each timer: true stops before the time is up
   */
  run(ms: number, until?: () => boolean): Promise<void>;
  /** Somebody sets the clock: `now()` moves, timers do not. */
  jump(ms: number): void;
  /** The machine sleeps until `wake`: time passes, and its timers are late. */
  fallAsleep(): void;
  wake(): void;
  isAsleep(): boolean;
  /** Calls back now, or when the machine wakes. */
  whenAwake(callback: () => void): void;
  /** Timers of the machine that are armed. */
  armed(): number;
  /** Timers of the rest of the world: servers do not sleep. */
  readonly outside: Timers;
}

interface Timer {
  due: number;
  order: number;
  callback: () => void;
  inside: boolean;
  /** Neither fired nor cleared. */
  armed: boolean;
}

/**
 * @param startAt true time at the beginning, ms since the epoch
 * @param offMs by how much the machine's own clock is wrong from the start
 */
export function virtualClock({ startAt = 1_800_000_000_000, offMs = 0 } = {}): VirtualClock {
  const queue = timerQueue();
  let time = startAt;
  let off = offMs;
  let order = 0;
  let jumps = 0;
  let armed = 0;
  let sleeps = 0;
  let onWake: (() => void)[] = [];

  const timersOf = (inside: boolean): Timers => ({
    setTimeout(callback, ms) {
      const delay = Number.isFinite(ms) ? Math.max(0, ms) : 0;
      const timer: Timer = { due: time + delay, order: (order += 1), callback, inside, armed: true };
      if (inside) armed += 1;
      queue.push(timer);
      return timer;
    },
    clearTimeout: (handle) => disarm(handle as Timer | undefined),
  });
  const disarm = (timer: Timer | undefined): void => {
    if (!timer?.armed) return;
    timer.armed = false;
    if (timer.inside) armed -= 1;
  };
  /** The next timer that fires by then. Those of a machine that sleeps wait until it wakes. */
  const next = (until: number): Timer | undefined => {
    for (let timer = queue.peek(); timer && timer.due <= until; timer = queue.peek()) {
      queue.pop();
      if (!timer.armed) continue;
      if (!timer.inside || sleeps === 0) return timer;
      const late = timer;
      onWake.push(() => late.armed && queue.push(late));
    }
    return undefined;
  };

  return {
    ...timersOf(true),
    outside: timersOf(false),
    now: () => time + off,
    time: () => time,
    jumps: () => jumps,
    async run(ms, until = () => false) {
      const end = time + ms;
      await settle();
      while (!until()) {
        const timer = next(end);
        if (!timer) {
          time = end;
          return;
        }
        disarm(timer);
        time = Math.max(time, timer.due);
        timer.callback();
        await settle();
      }
    },
    jump(ms) {
      off += ms;
      jumps += 1;
    },
    fallAsleep: () => void (sleeps += 1),
    wake() {
      sleeps -= 1;
      if (sleeps > 0) return;
      const callbacks = onWake;
      onWake = [];
      for (const callback of callbacks) callback();
    },
    isAsleep: () => sleeps > 0,
    whenAwake: (callback) => (sleeps > 0 ? void onWake.push(callback) : callback()),
    armed: () => armed,
  };
}

/** A macrotask comes after every promise reaction that is ready, however long the chain, and after rejections were noticed. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A binary heap: timers by when they are due, and in the order in which they were armed. */
function timerQueue() {
  const heap: Timer[] = [];
  const isBefore = (a: Timer, b: Timer) => a.due < b.due || (a.due === b.due && a.order < b.order);
  const at = (index: number) => heap[index] as Timer;
  const swap = (a: number, b: number): void => {
    const kept = at(a);
    heap[a] = at(b);
    heap[b] = kept;
  };
  return {
    peek: (): Timer | undefined => heap[0],
    push(timer: Timer): void {
      let index = heap.push(timer) - 1;
      for (let parent = (index - 1) >> 1; index > 0 && isBefore(at(index), at(parent)); parent = (index - 1) >> 1) {
        swap(index, parent);
        index = parent;
      }
    },
    pop(): void {
      const last = heap.pop();
      if (!last || heap.length === 0) return;
      heap[0] = last;
      for (let index = 0; ; ) {
        const [left, right] = [2 * index + 1, 2 * index + 2];
        let first = index;
        if (left < heap.length && isBefore(at(left), at(first))) first = left;
        if (right < heap.length && isBefore(at(right), at(first))) first = right;
        if (first === index) return;
        swap(index, first);
        index = first;
      }
    },
  };
}
