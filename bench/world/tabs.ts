import type { TabChannel, TabLocks } from 'assessment-monitor';
import type { TimerOwner, VirtualClock } from 'assessment-monitor/testing';

/* What pages of one browser have in common beside their storage: Web Locks and BroadcastChannel. */

interface Waiting {
  owner: TimerOwner;
  grant: () => void;
}

/** Locks of one browser; each page gets its end, and leaves all its locks when it goes. */
export function tabLocks(clock: VirtualClock) {
  const queues = new Map<string, Waiting[]>();
  const remove = (queue: Waiting[], entry: Waiting): void => {
    const index = queue.indexOf(entry);
    if (index < 0) return;
    queue.splice(index, 1);
    if (index === 0) queue[0]?.grant();
  };
  return (owner: TimerOwner): { locks: TabLocks; leave: () => void } => ({
    locks: {
      request: (name, { signal }, callback) =>
        new Promise((resolve, reject) => {
          const queue = queues.get(name) ?? [];
          queues.set(name, queue);
          let isGranted = false;
          const entry: Waiting = {
            owner,
            grant: () => {
              isGranted = true;
              const work = () =>
                void callback()
                  .then(resolve, reject)
                  .finally(() => remove(queue, entry));
              clock.setTimeout(work, 0, owner);
            },
          };
          signal?.addEventListener('abort', () => {
            if (isGranted) return;
            remove(queue, entry);
            reject(signal.reason as Error);
          });
          queue.push(entry);
          if (queue[0] === entry) entry.grant();
        }),
    },
    leave() {
      for (const queue of queues.values())
        for (const entry of queue.filter((it) => it.owner === owner)) remove(queue, entry);
    },
  });
}

/** From tab to tab, ms. */
const MESSAGE_MS = 2;

/** Channels of one browser. */
export function tabChannels(clock: VirtualClock) {
  const ends = new Set<{ owner: TimerOwner; name: string; hear: (data: unknown) => void }>();
  return (owner: TimerOwner): { open: (name: string) => TabChannel; leave: () => void } => ({
    open(name) {
      const listeners: ((event: { data: unknown }) => void)[] = [];
      const end = { owner, name, hear: (data: unknown) => listeners.forEach((it) => it({ data })) };
      ends.add(end);
      return {
        postMessage(message) {
          const data = structuredClone(message);
          for (const other of ends)
            if (other !== end && other.name === name) clock.setTimeout(() => other.hear(data), MESSAGE_MS, other.owner);
        },
        addEventListener: (_type, listener) => void listeners.push(listener),
        close: () => void ends.delete(end),
      };
    },
    leave() {
      for (const end of ends) if (end.owner === owner) ends.delete(end);
    },
  });
}
