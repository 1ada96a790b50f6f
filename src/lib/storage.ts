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
 * A store that never throws, over one that may. In private windows, with a full quota or with blocked cookies the calls of Web Storage
 * fail in some browsers, and so may those of a store that an application brings. What could not be written is then kept in memory until
 * a later write succeeds, what could not be removed is hidden, and `storage.unavailable` is logged once.
 *
 * @param open returns the store or undefined; it may throw
 * @example
 * const store = guardedStore(() => options.storage, log);
 */
export function guardedStore(open: () => KeyValueStore | undefined, log: Log): KeyValueStore {
  /** What the store does not have: values that it did not take, and null for those that it did not give up. */
  const pending = new Map<string, string | null>();
  let warned = false;
  /** The value in an object, or why there is none: `missing` where there is no store, `refused` where its call threw. */
  const attempt = <T>(use: (store: KeyValueStore) => T): { value: T } | 'missing' | 'refused' => {
    let failure: 'missing' | 'refused' = 'missing';
    try {
      const store = open();
      failure = 'refused';
      if (store) return { value: use(store) };
      failure = 'missing';
    } catch {
      // Logged below, once: every call would fail for the same reason.
    }
    if (!warned) log({ type: 'storage.unavailable' });
    warned = true;
    return failure;
  };
  const valueOf = <T>(attempted: { value: T } | string, otherwise: T): T =>
    typeof attempted === 'string' ? otherwise : attempted.value;
  const change = (key: string, value: string | null): void => {
    const write = (at: string, its: string | null) => attempt((it) => (its === null ? it.remove(at) : it.set(at, its)));
    const written = write(key, value);
    pending.delete(key);
    if (written === 'refused' || (written === 'missing' && value !== null)) pending.set(key, value);
    if (typeof written === 'string') return;
    // The store works again, or has space again. What it refuses still is tried last the next time: one refusal for each change.
    for (const [late, its] of pending) {
      const attempted = write(late, its);
      pending.delete(late);
      if (typeof attempted !== 'string') continue;
      pending.set(late, its);
      return;
    }
  };
  return {
    get(key) {
      const waiting = pending.get(key);
      return waiting === undefined
        ? valueOf(
            attempt((it) => it.get(key)),
            null,
          )
        : waiting;
    },
    set: change,
    remove: (key) => change(key, null),
    keys() {
      const stored = valueOf(
        attempt((it) => it.keys()),
        [],
      );
      return [...new Set([...stored, ...pending.keys()])].filter((key) => pending.get(key) !== null);
    },
  };
}

/**
 * Web Storage that never throws.
 *
 * @param open returns the storage or undefined; it may throw
 * @example
 * const store = webStore(() => window.localStorage, log);
 */
export function webStore(open: () => Storage | undefined, log: Log): KeyValueStore {
  const read = (): KeyValueStore | undefined => {
    const storage = open();
    return (
      storage && {
        get: (key) => storage.getItem(key),
        set: (key, value) => storage.setItem(key, value),
        remove: (key) => storage.removeItem(key),
        keys: () => Object.keys(storage),
      }
    );
  };
  return guardedStore(read, log);
}
