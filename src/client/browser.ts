import type { FeedSocket, LoadSocketIo } from '../services/feed/socket-io.ts';
import type { Log } from '../lib/log.ts';
import type { PageTarget } from '../services/page-signals.ts';
import type { TabChannel } from '../services/auth/shared-session.ts';
import type { TabLocks } from '../services/auth/tab-lock.ts';
import { type KeyValueStore, memoryStore, webStore } from '../lib/storage.ts';

/*
 * The parts of the environment that a browser provides. Importing this file touches none of them, so it also loads on a server
 * and in a worker.
 */

export const inBrowser = (): boolean => typeof window !== 'undefined' && typeof document !== 'undefined';

export function browserPage(): PageTarget | undefined {
  return inBrowser() ? { window, document } : undefined;
}

export function browserStore(kind: 'localStorage' | 'sessionStorage', log: Log): KeyValueStore {
  return inBrowser() ? webStore(() => window[kind], log) : memoryStore();
}

/** Web Locks; without them tabs coordinate through the channel and the storage only, and the log reports it once. */
export function browserLocks(log: Log): TabLocks | null {
  if (!inBrowser()) return null;
  // Missing outside of secure contexts, contrary to the types.
  const locks = navigator.locks as TabLocks | undefined;
  if (!locks) log({ type: 'tabs.uncoordinated', missing: 'locks' });
  return locks ?? null;
}

/** BroadcastChannel; without it each tab refreshes for itself, within one shared budget, and the log reports it once. */
export function browserChannel(log: Log): ((name: string) => TabChannel) | null {
  if (!inBrowser()) return null;
  if (typeof BroadcastChannel === 'function') {
    return (name) => {
      const channel = new BroadcastChannel(name);
      // In Node, where tests run pages, an open channel would keep the process alive.
      (channel as { unref?: () => void }).unref?.();
      return channel;
    };
  }
  log({ type: 'tabs.uncoordinated', missing: 'channel' });
  return null;
}

export const loadSocketIo: LoadSocketIo = async () => {
  const { io } = await import('socket.io-client');
  return { io: (url, options): FeedSocket => io(url, options) };
};

/** The base URL without trailing slashes. @throws TypeError when it is not an address */
export function checkBaseUrl(baseUrl: unknown): string {
  const isAddress =
    typeof baseUrl === 'string' && (inBrowser() ? /^(https?:\/\/+[^/]|\/|$)/ : /^https?:\/\/+[^/]/).test(baseUrl);
  if (isAddress) return baseUrl.replace(/\/+$/, '');
  throw new TypeError(
    'createAssessmentClient: baseUrl must be the address of the API, such as https://api.example.test, or a path in a page',
  );
}

/** The origin of the API: Socket.IO would take a path prefix for a namespace. */
export function originOf(baseUrl: string): string {
  return new URL(baseUrl, inBrowser() ? window.location.href : undefined).origin;
}
