import type { KeyValueStore } from './storage.ts';

/** A part of a store. */
export interface ScopedStore extends KeyValueStore {
  /** The key within the scope of a key of the whole store; null where it is of another scope. */
  keyWithin(key: string): string | null;
}

/**
 * The part of a store whose keys begin with a name. Two clients for two APIs that share one storage, such as staging and production on
 * one origin, do not see each other's entries.
 *
 * @example
 * const jobs = scopedStore(storage, 'assessment-monitor:https://api.example.test/api/auth/v2/refresh');
 */
export function scopedStore(store: KeyValueStore, name: string): ScopedStore {
  const prefix = `${name}:`;
  const keyWithin = (key: string): string | null => (key.startsWith(prefix) ? key.slice(prefix.length) : null);
  return {
    get: (key) => store.get(prefix + key),
    set: (key, value) => store.set(prefix + key, value),
    remove: (key) => store.remove(prefix + key),
    keys: () => store.keys().flatMap((key) => keyWithin(key) ?? []),
    keyWithin,
  };
}
