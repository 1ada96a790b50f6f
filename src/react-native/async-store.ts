import type { KeyValueStore } from '../lib/storage.ts';

/** The part of an asynchronous store that is used, such as `@react-native-async-storage/async-storage`. */
export interface AsyncStorageLike {
  getAllKeys(): Promise<readonly string[]>;
  getItem(key: string): Promise<string | null>;
  setItem(key: string, value: string): Promise<void>;
  removeItem(key: string): Promise<void>;
}

/** A synchronous store in memory that writes each change to an asynchronous one. */
export interface AsyncStore extends KeyValueStore {
  /** Resolves when all changes have been written or refused. A refused one is tried again with the next change. */
  written(): Promise<void>;
}

const OWN = 'assessment-monitor:';

/**
 * Loads what this package has stored, and keeps it in memory from then on: the client reads its store synchronously. Wait for it before
 * the client is created, since `resume()` finds only what has been loaded.
 *
 * Changes are written one after the other. Of several changes of one key that wait, the last one is written.
 *
 * @throws what the storage throws while it is read
 * @example
 * import AsyncStorage from '@react-native-async-storage/async-storage';
 * const storage = await openAsyncStore(AsyncStorage);
 * const client = createAssessmentClient({ baseUrl, storage });
 * client.resume();
 */
export async function openAsyncStore(storage: AsyncStorageLike): Promise<AsyncStore> {
  const entries = new Map<string, string>();
  const keys = (await storage.getAllKeys()).filter((key) => key.startsWith(OWN));
  await Promise.all(
    keys.map(async (key) => {
      const value = await storage.getItem(key);
      if (value !== null) entries.set(key, value);
    }),
  );

  /** Changes that are not written yet; null removes. */
  const waiting = new Map<string, string | null>();
  let writing: Promise<void> | null = null;
  const write = async (): Promise<void> => {
    const refused = new Map<string, string | null>();
    for (const [key, value] of waiting) {
      waiting.delete(key);
      refused.delete(key);
      try {
        await (value === null ? storage.removeItem(key) : storage.setItem(key, value));
      } catch {
        refused.set(key, value);
      }
    }
    for (const [key, value] of refused) waiting.set(key, value);
    writing = null;
  };
  const change = (key: string, value: string | null): void => {
    waiting.delete(key);
    waiting.set(key, value);
    // A microtask later, so that changes of the same moment are one run.
    writing ??= Promise.resolve().then(write);
  };

  return {
    get: (key) => entries.get(key) ?? null,
    set(key, value) {
      entries.set(key, value);
      change(key, value);
    },
    remove(key) {
      entries.delete(key);
      change(key, null);
    },
    keys: () => Array.from(entries.keys()),
    written: () => writing ?? Promise.resolve(),
  };
}
