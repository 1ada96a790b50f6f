/** A page whose timers stop with it. */
export interface Owner {
  isGone: boolean;
}

export interface Timer {
  due: number;
  order: number;
  owner: Owner | null;
  /** Null once it fired or was cleared. */
  callback: (() => void) | null;
}

/**
 * Virtual time for many worlds and many clients: timers lie in a heap, and what a timer starts belongs to the page whose timer it was.
 * A page that is closed runs nothing any more, whatever its code forgot to clean up, as in a browser.
 */
export interface EventClock {
  time(): number;
  /** The page that is running now; null for the server and the story. */
  owner(): Owner | null;
  /** For the running page, or for the one that is named. */
  setTimeout(callback: () => void, ms?: number, owner?: Owner | null): Timer;
  clearTimeout(timer: unknown): void;
  /** Runs something as a page would: a click, a load. */
  as(owner: Owner | null, work: () => void): void;
  /** Lets time pass until then, or until `isOver`. Between two timers everything that is ready runs. */
  run(until: number, isOver?: () => boolean): Promise<void>;
}

/** @param startAt true time at the beginning, ms since the epoch */
export function eventClock(startAt = 1_800_000_000_000): EventClock {
  const heap: Timer[] = [];
  let time = startAt;
  let order = 0;
  let running: Owner | null = null;

  const clock: EventClock = {
    time: () => time,
    owner: () => running,
    setTimeout(callback, ms = 0, owner = running) {
      const timer = { due: time + (ms > 0 ? ms : 0), order: (order += 1), owner, callback };
      push(heap, timer);
      return timer;
    },
    clearTimeout(timer) {
      if (timer) (timer as Timer).callback = null;
    },
    as(owner, work) {
      const before = running;
      running = owner;
      work();
      running = before;
    },
    run: (until, isOver = () => false) =>
      new Promise((resolve, reject) => {
        const step = (): void => {
          try {
            if (isOver()) return resolve();
            const timer = next(heap, until);
            if (!timer) {
              time = Math.max(time, until);
              return resolve();
            }
            const { callback } = timer;
            timer.callback = null;
            time = timer.due;
            running = timer.owner;
            callback?.();
            // A macrotask comes after every promise reaction: what the timer started has happened by then.
            setImmediate(step);
          } catch (error) {
            reject(error as Error);
          }
        };
        setImmediate(step);
      }),
  };
  return clock;
}

/** The first timer that is due and still wanted. */
function next(heap: Timer[], until: number): Timer | null {
  for (let first = heap[0]; first && first.due <= until; first = heap[0]) {
    pop(heap);
    if (first.callback && !first.owner?.isGone) return first;
  }
  return null;
}

const isBefore = (a: Timer, b: Timer) => a.due < b.due || (a.due === b.due && a.order < b.order);

function push(heap: Timer[], timer: Timer): void {
  let index = heap.length;
  while (index > 0) {
    const above = (index - 1) >> 1;
    const parent = heap[above] as Timer;
    if (isBefore(parent, timer)) break;
    heap[index] = parent;
    index = above;
  }
  heap[index] = timer;
}

function pop(heap: Timer[]): void {
  const last = heap.pop() as Timer;
  if (heap.length === 0) return;
  let index = 0;
  for (;;) {
    let below = index * 2 + 1;
    if (below >= heap.length) break;
    if (below + 1 < heap.length && isBefore(heap[below + 1] as Timer, heap[below] as Timer)) below += 1;
    const child = heap[below] as Timer;
    if (isBefore(last, child)) break;
    heap[index] = child;
    index = below;
  }
  heap[index] = last;
}
