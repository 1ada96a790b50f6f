import type { Clock } from '../../services/clock.ts';
import type { LoadSocketIo } from '../../services/job-feed.ts';
import type { PageTarget } from '../../services/page-signals.ts';
import type { Conditions } from './conditions.ts';
import type { FakeNetwork } from './fake-network.ts';
import type { FakeSockets } from './fake-socket.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** What a page has not put away. */
export interface Left {
  timers: number;
  requests: number;
  sockets: number;
  listeners: number;
}

/** A page of the browser: all that a client gets from the platform, and the book of what it holds. */
export interface FakePage {
  readonly number: number;
  readonly platform: { clock: Clock; page: PageTarget; fetch: typeof fetch; loadSocketIo: LoadSocketIo };
  /** The browser tells the page something. */
  tell(target: 'window' | 'document', type: string): void;
  left(): Left;
  /** The page is gone, without a word: no timer fires, no answer arrives. */
  kill(): void;
}

export function fakePage(
  number: number,
  {
    clock,
    conditions,
    network,
    sockets,
  }: { clock: VirtualClock; conditions: Conditions; network: FakeNetwork; sockets: FakeSockets },
): FakePage {
  const timers = new Set<unknown>();
  const window = countedTarget();
  const document = countedTarget();
  let isAlive = true;

  const pageClock: Clock = {
    now: clock.now,
    setTimeout(callback, ms) {
      // Browsers wake the timers of a hidden tab once a minute.
      const lateness = conditions.is('hidden') ? 60_000 - ((clock.time() + ms) % 60_000) : 0;
      const timer = clock.setTimeout(() => {
        timers.delete(timer);
        if (isAlive) callback();
      }, ms + lateness);
      timers.add(timer);
      return timer;
    },
    clearTimeout(timer) {
      clock.clearTimeout(timer);
      timers.delete(timer);
    },
  };

  return {
    number,
    platform: {
      clock: pageClock,
      fetch: network.fetchOf(number),
      loadSocketIo: async () => ({ io: () => sockets.open(number) }),
      page: {
        window,
        document: Object.assign(document, {
          get visibilityState() {
            return conditions.is('hidden') ? 'hidden' : 'visible';
          },
        }),
      } as unknown as PageTarget,
    },
    tell: (target, type) => void (isAlive && (target === 'window' ? window : document).tell(type)),
    left: () => ({
      timers: timers.size,
      requests: network.requests.filter((it) => it.page === number && it.endedAt === null).length,
      sockets: sockets.openOf(number),
      listeners: window.count() + document.count(),
    }),
    kill() {
      isAlive = false;
      for (const timer of timers) clock.clearTimeout(timer);
      timers.clear();
      network.cut(number);
      sockets.cut(number);
    },
  };
}

/** An event target that knows who listens. */
function countedTarget() {
  const listeners = new Map<string, Set<(event: Event) => void>>();
  return {
    addEventListener: (type: string, listener: (event: Event) => void) =>
      void listeners.set(type, (listeners.get(type) ?? new Set()).add(listener)),
    removeEventListener: (type: string, listener: (event: Event) => void) =>
      void listeners.get(type)?.delete(listener),
    tell: (type: string) => [...(listeners.get(type) ?? [])].forEach((it) => it({ type, persisted: true } as never)),
    count: () => [...listeners.values()].reduce((sum, set) => sum + set.size, 0),
  };
}
