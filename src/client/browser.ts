import { callSafely } from '../lib/call-safely.ts';
import type { Log, PlatformPart } from '../lib/log.ts';
import { guardedStore, type KeyValueStore, memoryStore, webStore } from '../lib/storage.ts';
import type { TabChannel } from '../services/auth/shared-session.ts';
import type { TabLocks } from '../services/auth/tab-lock.ts';
import type { FeedSocket, LoadSocketIo } from '../services/feed/socket-io.ts';
import type { PageTarget } from '../services/page-signals.ts';

/*
 * The parts of the environment that a browser provides. Importing this file touches none of them, so it also loads on a server
 * and in a worker. Each part may be missing, refused or throw, whatever the types say: a probe then returns a fallback and logs it
 * once.
 */

export const inBrowser = (): boolean => typeof window !== 'undefined' && typeof document !== 'undefined';

export function browserPage(): PageTarget | undefined {
  return inBrowser() ? { window, document } : undefined;
}

/** The application's store, or the browser's, or one in memory. None of them throws. */
export function storeOf(
  own: KeyValueStore | undefined,
  kind: 'localStorage' | 'sessionStorage',
  log: Log,
): KeyValueStore {
  if (own) return guardedStore(() => own, log);
  return inBrowser() ? webStore(() => window[kind], log) : memoryStore();
}

/** Web Locks; without them tabs coordinate through the channel and the storage only, and the log reports it once. */
export function browserLocks(log: Log): TabLocks | null {
  if (!inBrowser()) return null;
  // Missing outside of secure contexts; in a sandboxed frame the getter may throw.
  const locks = attempt(() => navigator.locks as TabLocks | undefined);
  if (!locks) log({ type: 'tabs.uncoordinated', missing: 'locks' });
  return locks ?? null;
}

/** Opens a channel; without one each tab refreshes for itself, within one shared budget, and the log reports it once. */
export function openChannel(
  own: ((name: string) => TabChannel) | null | undefined,
  name: string,
  log: Log,
): TabChannel | null {
  if (own === null || (own === undefined && !inBrowser())) return null;
  // With blocked cookies, Firefox throws a SecurityError from the constructor.
  const channel = attempt(() => (own ? own(name) : new BroadcastChannel(name)));
  if (!channel) log({ type: 'tabs.uncoordinated', missing: 'channel' });
  // In Node, where tests run pages, an open channel would keep the process alive.
  (channel as { unref?: () => void } | undefined)?.unref?.();
  return channel ?? null;
}

/**
 * Makes ids of 122 random bits in the form of a UUID. `crypto.randomUUID` exists in secure contexts only: a page over plain http has
 * `crypto.getRandomValues`, and React Native has neither.
 */
export function randomIds(log: Log): () => string {
  const missing = new Set<PlatformPart>();
  const report = (what: PlatformPart): void => {
    if (!missing.has(what)) log({ type: 'platform.missing', what });
    missing.add(what);
  };
  return () => {
    const id = attempt(() => crypto.randomUUID());
    if (id !== undefined) return id;
    report('crypto.randomUUID');
    const bytes = attempt(() => crypto.getRandomValues(new Uint8Array(16)));
    if (bytes) return uuidOf(bytes);
    report('crypto.getRandomValues');
    return uuidOf(Uint8Array.from({ length: 16 }, () => Math.random() * 256));
  };
}

/** A UUID of version 4. */
function uuidOf(bytes: Uint8Array): string {
  const hex = Array.from(bytes, (byte, index) => {
    const value = index === 6 ? (byte & 0x0f) | 0x40 : index === 8 ? (byte & 0x3f) | 0x80 : byte;
    return value.toString(16).padStart(2, '0');
  }).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

export const loadSocketIo: LoadSocketIo = async () => {
  try {
    // Bundlers take an import inside `try` for optional: without the package they warn and do not fail.
    const { io } = await import('socket.io-client');
    return { io: (url, options): FeedSocket => io(url, options) };
  } catch (cause) {
    throw new Error('socket.io-client did not load: install it, or set socket: false', { cause });
  }
};

/** The base URL without trailing slashes. @throws TypeError when it is not an address */
export function checkBaseUrl(baseUrl: unknown): string {
  if (typeof baseUrl === 'string' && /^(https?:\/\/+[^/]|\/|$)/.test(baseUrl)) return baseUrl.replace(/\/+$/, '');
  throw new TypeError(
    'createAssessmentClient: baseUrl must be the address of the API, such as https://api.example.test, or a path of the page',
  );
}

/** Whether requests can be sent: a path needs a page or a worker to resolve it, and rendering on a server has neither. */
export const isReachable = (baseUrl: string): boolean => baseUrl.startsWith('http') || typeof location !== 'undefined';

/** The origin of the API: Socket.IO would take a path prefix for a namespace. Empty where nothing can be sent. */
export function originOf(baseUrl: string): string {
  // React Native's own URL throws "not implemented" for most of its properties.
  const hasUrl = attempt(() => new URL('https://a.test/b').origin) !== undefined;
  return hasUrl && isReachable(baseUrl) ? new URL(baseUrl, globalThis.location?.href).origin : originIn(baseUrl);
}

/** The name of an API in storage keys, locks and channels: clients of two APIs on one page share nothing. */
export const apiNameOf = (baseUrl: string, refreshPath: string): string =>
  `assessment-monitor:${originOf(baseUrl)}${baseUrl.replace(/^https?:\/\/+[^/]+/i, '')}${refreshPath}`;

const originIn = (url: string): string =>
  /^(https?:)\/\/+([^/?#]+)/i.exec(url)?.slice(1).join('//').toLowerCase() ?? '';

/** The value, or undefined where the probe throws. */
function attempt<T>(probe: () => T): T | undefined {
  let value: T | undefined;
  callSafely(() => (value = probe()));
  return value;
}
