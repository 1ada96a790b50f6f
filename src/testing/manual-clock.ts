/** A clock whose timers go off when a test says so, in any order. */
export interface ManualClock {
  setTimeout(callback: () => void, ms: number): unknown;
  clearTimeout(handle: unknown): void;
  /**
   * Lets the timer that was set with this delay go off, however long the others have been waiting.
   *
   * @throws Error when there is no such timer, or more than one
   */
  fire(ms: number): void;
  /** The delays of all timers that are set, in the order in which they were set. */
  readonly armed: readonly number[];
  /** How often a timer with this delay was set. */
  timesSet(ms: number): number;
}

/**
 * A model has no time: any timer may be the next. So its delays are names more than durations, each of its own number, and the
 * clock lets the one go off that the path names.
 */
export function manualClock(): ManualClock {
  const timers = new Map<number, { ms: number; callback: () => void }>();
  const set: number[] = [];
  return {
    setTimeout(callback, ms) {
      set.push(ms);
      timers.set(set.length, { ms, callback });
      return set.length;
    },
    clearTimeout: (handle) => void timers.delete(handle as number),
    fire(ms) {
      const due = [...timers].filter(([, timer]) => timer.ms === ms);
      const [id, timer] = due[0] ?? [];
      if (id === undefined || !timer || due.length > 1) {
        throw new Error(`${due.length} timers of ${ms} are set, and 1 should be`);
      }
      timers.delete(id);
      timer.callback();
    },
    get armed() {
      return [...timers.values()].map(({ ms }) => ms);
    },
    timesSet: (ms) => set.filter((it) => it === ms).length,
  };
}
