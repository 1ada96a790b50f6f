import type { Log } from './log.ts';

/** A synchronous store of strings: the part of Web Storage that this package uses. */
export interface KeyValueStore {
  get(key: string): string | null;
  set(key: string, value: string): void;
  remove(key: string): void;
  keys(): string[];
}

/** A store in memory. It is the fallback in a browser without storage, and the default on a server. */
export function memoryStore(): KeyValueStore {
  const entries = new Map<string, string>();
  return {
    get: (key) => entries.get(key) ?? null,
    set: (key, value) => void entries.set(key, value),
    remove: (key) => void entries.delete(key),
    keys: () => [...entries.keys()],
  };
}

/**
 * Web Storage that never throws. In private windows, with a full quota or with blocked cookies its calls fail in some browsers.
 * Values that could not be stored are then kept in memory, and `storage.unavailable` is logged once.
 *
 * @param open returns the storage or undefined; it may throw
 * @example
 * const store = webStore(() => window.localStorage, log);
 */
export function webStore(open: () => Storage | undefined, log: Log): KeyValueStore {
  const memory = memoryStore();
  let warned = false;
  const attempt = <T>(use: (storage: Storage) => T): T | undefined => {
    try {
      const storage = open();
      if (storage) return use(storage);
    } catch {
      // Logged below, once: every call would fail for the same reason.
    }
    if (!warned) log({ type: 'storage.unavailable' });
    warned = true;
    return undefined;
  };
  return {
    get: (key) => memory.get(key) ?? attempt((it) => it.getItem(key)) ?? null,
    set: (key, value) => {
      memory.remove(key);
      if (attempt((it) => (it.setItem(key, value), true)) !== true) memory.set(key, value);
    },
    remove: (key) => {
      memory.remove(key);
      attempt((it) => it.removeItem(key));
    },
    keys: () => [...new Set([...(attempt((it) => Object.keys(it)) ?? []), ...memory.keys()])],
  };
}
