import type { TabChannel } from '../../services/auth/shared-session.ts';
import type { TabLocks } from '../../services/auth/tab-lock.ts';
import type { VirtualClock } from '../virtual-clock.ts';

/** The Web Locks and the BroadcastChannel of one browser profile in virtual time. */
export function fakeTabs(clock: VirtualClock): { locks: TabLocks; channel: (name: string) => TabChannel } {
  const tails = new Map<string, Promise<unknown>>();
  const channels = new Map<string, Set<(event: { data: unknown }) => void>>();
  const locks: TabLocks = {
    async request(name, { signal }, callback) {
      const before = tails.get(name) ?? Promise.resolve();
      let release = () => {};
      const mine = new Promise<void>((resolve) => (release = resolve));
      tails.set(
        name,
        before.then(() => mine),
      );
      try {
        await abortable(before, signal);
        return await callback();
      } finally {
        release();
      }
    },
  };
  const channel = (name: string): TabChannel => {
    const all = channels.get(name) ?? new Set();
    channels.set(name, all);
    const own = new Set<(event: { data: unknown }) => void>();
    return {
      postMessage(message) {
        const data: unknown = structuredClone(message);
        for (const listener of all)
          if (!own.has(listener)) clock.setTimeout(() => all.has(listener) && listener({ data }), 1);
      },
      addEventListener(_, listener) {
        own.add(listener);
        all.add(listener);
      },
      close: () => own.forEach((listener) => all.delete(listener)),
    };
  };
  return { locks, channel };
}

/** A promise that rejects as soon as the signal aborts. */
function abortable(promise: Promise<unknown>, signal: AbortSignal | undefined): Promise<unknown> {
  if (!signal) return promise;
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const cancel = () => reject(signal.reason as Error);
    signal.addEventListener('abort', cancel, { once: true });
    void promise.then(resolve).finally(() => signal.removeEventListener('abort', cancel));
  });
}
