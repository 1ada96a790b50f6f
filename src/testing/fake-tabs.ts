import type { Clock } from '../lib/clock.ts';
import type { TabChannel } from '../services/auth/shared-session.ts';
import type { TabLocks } from '../services/auth/tab-lock.ts';
import type { TimerOwner, VirtualClock } from './virtual-clock.ts';

/** One tab of a fake browser: its own ends of what all tabs share. */
export interface FakeTab {
  readonly locks: TabLocks;
  readonly channel: (name: string) => TabChannel;
  /** Time as the tab has it: its timers wait while it is frozen, and never fire after it is closed. */
  readonly clock: Clock;
  /** Runs something of the tab's own: now, after the thaw, or never when it is closed. */
  run(work: () => void): void;
  /** The browser freezes the tab. It keeps its locks. */
  freeze(): void;
  thaw(): void;
  /** The tab closes or crashes: its locks are free, and its timers and listeners are gone. */
  close(): void;
}

export interface FakeTabs {
  /** @param owner the page that the timers of the tab belong to. @default a new one */
  openTab(owner?: TimerOwner): FakeTab;
  /** The number of tabs that hold a lock or wait for one, over all locks. */
  queued(): number;
}

interface Entry {
  owner: TimerOwner;
  grant: () => void;
}
interface End {
  owner: TimerOwner;
  name: string;
  hear: (data: unknown) => void;
}

/**
 * The Web Locks and the BroadcastChannel of one browser profile, in virtual time. Locks are granted at once, in order; messages take
 * a while.
 *
 * @param options.messageMs from tab to tab, ms. @default 1
 * @example
 * const tabs = fakeTabs(clock);
 * const [first, second] = [tabs.openTab(), tabs.openTab()];
 * createAssessmentClient({ baseUrl, clock: first.clock, locks: first.locks, channel: first.channel });
 */
export function fakeTabs(clock: VirtualClock, { messageMs = 1 }: { messageMs?: number } = {}): FakeTabs {
  const queues = new Map<string, Entry[]>();
  const ends = new Set<End>();
  const leave = (queue: Entry[], entry: Entry): void => {
    const index = queue.indexOf(entry);
    if (index < 0) return;
    queue.splice(index, 1);
    if (index === 0) queue[0]?.grant();
  };

  const openTab = (owner: TimerOwner = { isGone: false }): FakeTab => {
    let isFrozen = false;
    const delayed: (() => void)[] = [];
    const run = (work: () => void): void => {
      if (owner.isGone) return;
      if (isFrozen) delayed.push(work);
      else work();
    };
    const later = (work: () => void, ms: number) => clock.setTimeout(() => run(work), ms, owner);
    return {
      run,
      clock: { now: clock.now, setTimeout: later, clearTimeout: clock.clearTimeout },
      locks: {
        request: (name, { signal }, callback) =>
          new Promise((resolve, reject) => {
            if (signal?.aborted) return reject(signal.reason as Error);
            const queue = queues.get(name) ?? [];
            queues.set(name, queue);
            let isGranted = false;
            const entry: Entry = {
              owner,
              grant() {
                isGranted = true;
                later(
                  () =>
                    void callback()
                      .then(resolve, reject)
                      .finally(() => leave(queue, entry)),
                  0,
                );
              },
            };
            const cancel = (): void => {
              if (isGranted) return;
              leave(queue, entry);
              reject(signal?.reason as Error);
            };
            signal?.addEventListener('abort', cancel, { once: true });
            queue.push(entry);
            if (queue[0] === entry) entry.grant();
            return undefined;
          }),
      },
      channel(name) {
        const listeners: ((event: { data: unknown }) => void)[] = [];
        const end: End = {
          owner,
          name,
          hear: (data) => run(() => listeners.forEach((listener) => listener({ data }))),
        };
        ends.add(end);
        return {
          postMessage(message) {
            const data: unknown = structuredClone(message);
            for (const other of ends)
              if (other !== end && other.name === name)
                clock.setTimeout(() => ends.has(other) && other.hear(data), messageMs, other.owner);
          },
          addEventListener: (_type, listener) => void listeners.push(listener),
          close: () => void ends.delete(end),
        };
      },
      freeze: () => void (isFrozen = true),
      thaw() {
        isFrozen = false;
        for (const work of delayed.splice(0)) run(work);
      },
      close() {
        owner.isGone = true;
        for (const queue of queues.values())
          for (const entry of queue.filter((it) => it.owner === owner)) leave(queue, entry);
        for (const end of ends) if (end.owner === owner) ends.delete(end);
      },
    };
  };
  return {
    openTab,
    queued: () => [...queues.values()].reduce((sum, queue) => sum + queue.length, 0),
  };
}
