import type { Clock } from '../../src/lib/clock.ts';
import { countedSessions } from './counted-sessions.ts';
import { createSharedSession } from '../../src/services/auth/shared-session.ts';
import type { KeyValueStore } from '../../src/lib/storage.ts';
import { createTabLock } from '../../src/services/auth/tab-lock.ts';

/** What a tab shares with others, for one that has neither a channel nor locks: only the storage is left. */
export const loneTab = (clock: Clock, store: KeyValueStore) => ({
  shared: createSharedSession({ store: countedSessions(store), channel: null, clock, key: 'session' }),
  lock: createTabLock({ locks: null, name: 'refresh', clock, waitMs: 16_000 }),
});
