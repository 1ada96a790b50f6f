import type { Subscribable } from 'xstate';
import { type Clock, sleep } from '../../lib/clock.ts';

/** The part of the Web Locks API that we use. */
export interface TabLocks {
  request(name: string, options: { signal?: AbortSignal }, callback: () => Promise<unknown>): Promise<unknown>;
}

export interface TabLockOptions {
  /** Null where the browser has none: then nobody is waited for. */
  locks: TabLocks | null;
  name: string;
  clock: Clock;
  /** The longest wait for a lock, ms: as long as an awake holder can need it. */
  waitMs: number;
}

/**
 * Runs work in one tab at a time, as far as that can be had.
 *
 * A frozen tab keeps its lock, and nobody can tell it from one that works. So a lock is waited for within a bound; after that the
 * work is done without it. It is never stolen: that would break the work of a holder who only was slow.
 */
export interface TabLock {
  /**
   * @param enough$ whatever it brings makes the work needless: a wait ends with null
   * @param linger whether the lock is kept a moment longer after this value, so that all tabs have heard of it before the next
   * one gets the lock. The value itself is returned at once.
   */
  run<T>(
    work: () => Promise<T>,
    enough$: Subscribable<unknown>,
    linger: (value: T) => boolean,
  ): Promise<{ value: T } | null>;
}

/** Messages and locks take different ways from tab to tab, and no order between them is promised. A busy machine takes its time. */
const LINGER_MS = 500;

type Turn<T> = { type: 'done'; value: T } | { type: 'enough' } | { type: 'late' };

/** @example const lock = createTabLock({ locks: navigator.locks, name: 'refresh', clock, waitMs: 16_000 }); */
export function createTabLock({ locks, name, clock, waitMs }: TabLockOptions): TabLock {
  const take = <T>(
    from: TabLocks,
    lockName: string,
    work: () => Promise<T>,
    enough$: Subscribable<unknown>,
    linger: (value: T) => boolean,
  ): Promise<Turn<T>> =>
    new Promise((resolve, reject) => {
      const waiting = new AbortController();
      let isWaiting = true;
      const stopWaiting = (): boolean => {
        const was = isWaiting;
        isWaiting = false;
        clock.clearTimeout(timer);
        listening.unsubscribe();
        return was;
      };
      const leave = (type: 'enough' | 'late'): void => {
        if (!stopWaiting()) return;
        waiting.abort();
        resolve({ type });
      };
      const timer = clock.setTimeout(() => leave('late'), waitMs);
      const listening = enough$.subscribe(() => leave('enough'));
      const atWork = async (): Promise<void> => {
        // Granted in the moment in which we left.
        if (!stopWaiting()) return;
        try {
          const value = await work();
          resolve({ type: 'done', value });
          if (linger(value)) await sleep(clock, LINGER_MS);
        } catch (error) {
          reject(error as Error);
        }
      };
      // Refused, as in a sandboxed frame: as good as no lock at all.
      const refused = () => leave('late');
      try {
        from.request(lockName, { signal: waiting.signal }, atWork).catch(refused);
      } catch {
        refused();
      }
    });

  return {
    async run(work, enough$, linger) {
      // Those who give up on a frozen holder line up once more, so that they do not all set out at once.
      for (const lockName of locks ? [name, `${name}:after-a-frozen-tab`] : []) {
        const turn = await take(locks as TabLocks, lockName, work, enough$, linger);
        if (turn.type === 'done') return { value: turn.value };
        if (turn.type === 'enough') return null;
      }
      return { value: await work() };
    },
  };
}
