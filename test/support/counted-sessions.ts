import type { KeyValueStore } from '../../src/lib/storage.ts';

/** Gives the store the record of an older version, unless it has one: the tokens that follow have the numbers 1, 2, 3. */
export function countedSessions<Store extends KeyValueStore>(store: Store): Store {
  const before = { session: 0, generation: 0, ended: false, sentAt: 0, userId: null };
  if (store.get('session') === null) store.set('session', JSON.stringify(before));
  return store;
}
