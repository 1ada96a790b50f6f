import type { Log } from './log.ts';

/** The part of Web Storage that we use. */
export interface KeyValueStore {
  get(key: string): string | null;
  set(key: string, value: string): void;
  remove(key: string): void;
  keys(): string[];
}

/** A store that lives as long as the page: the fallback, and the default on a server. */
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
 * Web Storage that never throws. Private windows, full quotas and blocked cookies make its calls fail in some browser; what
 * could not be stored is then kept in memory, and the log says so once.
 *
 * @param open returns the storage, or throws, or returns undefined where there is none
 */
export function webStore(open: () => Storage | undefined, log: Log): KeyValueStore {
  const memory = memoryStore();
  let warned = false;
  const attempt = <T>(use: (storage: Storage) => T): T | undefined => {
    try {
      const storage = open();
      if (storage) return use(storage);
    } catch {
      // Told below, once: every call would fail the same way.
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
