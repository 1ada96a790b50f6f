import type { FeedSocket, LoadSocketIo } from '../services/feed/socket-io.ts';
import type { Log } from '../lib/log.ts';
import type { PageTarget } from '../services/page-signals.ts';
import type { TabChannel } from '../services/auth/shared-session.ts';
import type { TabLocks } from '../services/auth/tab-lock.ts';
import { type KeyValueStore, memoryStore, webStore } from '../lib/storage.ts';

/*
 * What the platform offers. Importing this file touches nothing: a server renders with it, and a worker has no document.
 */

export const inBrowser = (): boolean => typeof window !== 'undefined' && typeof document !== 'undefined';

export function browserPage(): PageTarget | undefined {
  return inBrowser() ? { window, document } : undefined;
}

export function browserStore(kind: 'localStorage' | 'sessionStorage', log: Log): KeyValueStore {
  return inBrowser() ? webStore(() => window[kind], log) : memoryStore();
}

/** Without Web Locks tabs take turns as well as the channel and the storage allow, and the log says so once. */
export function browserLocks(log: Log): TabLocks | null {
  if (!inBrowser()) return null;
  // Not there outside of secure contexts, whatever the types say.
  const locks = navigator.locks as TabLocks | undefined;
  if (!locks) log({ type: 'tabs.uncoordinated', missing: 'locks' });
  return locks ?? null;
}

/** Without a channel each tab asks for its own tokens, one a minute among them all, and the log says so once. */
export function browserChannel(log: Log): ((name: string) => TabChannel) | null {
  if (!inBrowser()) return null;
  if (typeof BroadcastChannel === 'function') {
    return (name) => {
      const channel = new BroadcastChannel(name);
      // Node has channels too, for pages in tests: there it must not keep the process from ending.
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

/** @throws TypeError when it is not an address, before anything is sent to it */
export function checkBaseUrl(baseUrl: unknown): string {
  const isAddress =
    typeof baseUrl === 'string' && (inBrowser() ? /^(https?:\/\/+[^/]|\/|$)/ : /^https?:\/\/+[^/]/).test(baseUrl);
  if (isAddress) return baseUrl.replace(/\/+$/, '');
  throw new TypeError(
    'createAssessmentClient: baseUrl must be the address of the API, such as https://api.example.test, or a path in a page',
  );
}

/** Socket.IO takes an origin; a path prefix would be taken for a namespace. */
export function originOf(baseUrl: string): string {
  return new URL(baseUrl, inBrowser() ? window.location.href : undefined).origin;
}
