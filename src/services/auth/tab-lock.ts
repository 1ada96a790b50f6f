import type { Observable } from 'rxjs';
import { type Clock, sleep } from '../../lib/clock.ts';

/** The part of the Web Locks API that this package uses. */
export interface TabLocks {
  request(name: string, options: { signal?: AbortSignal }, callback: () => Promise<unknown>): Promise<unknown>;
}

export interface TabLockOptions {
  /** Null where the browser has none: then tabs do not wait for each other. */
  locks: TabLocks | null;
  name: string;
  clock: Clock;
  /** The longest wait for a lock, ms. An active tab releases it within this time. */
  waitMs: number;
}

/**
 * Runs work in one tab at a time, best effort.
 *
 * A frozen tab keeps its lock, and other tabs cannot distinguish it from a working one. So the wait for a lock has a limit, after
 * which the work runs without it. A lock is never stolen: that would interrupt a holder that is only slow.
 */
export interface TabLock {
  /**
   * @param enough$ any value makes the work unnecessary: the wait for the lock ends and `run` resolves to null
   * @param linger whether to hold the lock for another 500 ms after this value, so that all tabs receive the message about it before
   * the next tab gets the lock. The value itself is returned immediately.
   * @returns the value of `work`, or null when it became unnecessary
   * @throws what `work` throws
   */
  run<T>(
    work: () => Promise<T>,
    enough$: Observable<unknown>,
    linger: (value: T) => boolean,
  ): Promise<{ value: T } | null>;
}

/** Browsers guarantee no order between a message and the release of a lock; a busy machine needs a moment for the message. */
const LINGER_MS = 500;

type Turn<T> = { type: 'done'; value: T } | { type: 'enough' } | { type: 'late' };

/** @example const lock = createTabLock({ locks: navigator.locks, name: 'refresh', clock, waitMs: 16_000 }); */
export function createTabLock({ locks, name, clock, waitMs }: TabLockOptions): TabLock {
  const take = <T>(
    from: TabLocks,
    lockName: string,
    work: () => Promise<T>,
    enough$: Observable<unknown>,
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
        // The lock was granted just after the wait had ended.
        if (!stopWaiting()) return;
        try {
          const value = await work();
          resolve({ type: 'done', value });
          if (linger(value)) await sleep(clock, LINGER_MS);
        } catch (error) {
          reject(error as Error);
        }
      };
      // A sandboxed frame rejects the request. That is the same as a browser without locks.
      const refused = () => leave('late');
      try {
        from.request(lockName, { signal: waiting.signal }, atWork).catch(refused);
      } catch {
        refused();
      }
    });

  return {
    async run(work, enough$, linger) {
      // Tabs that give up on a frozen holder queue for a second lock, so that they do not all start at once.
      for (const lockName of locks ? [name, `${name}:after-a-frozen-tab`] : []) {
        const turn = await take(locks as TabLocks, lockName, work, enough$, linger);
        if (turn.type === 'done') return { value: turn.value };
        if (turn.type === 'enough') return null;
      }
      return { value: await work() };
    },
  };
}
