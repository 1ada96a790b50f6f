import * as z from 'zod/mini';
import { identityOf } from '../lib/identity.ts';
import { someText, readJson } from '../lib/schemas.ts';
import type { Log } from '../lib/log.ts';
import type { KeyValueStore } from '../lib/storage.ts';

/*
 * The first release named neither the API nor the user in its keys: `assessment-monitor:job:…`. Its entries move into the scope of the
 * first client that opens, once. Where the storage shows that several APIs shared it, no entry says of which one it is: a token or
 * answers could reach the wrong server, so all of them are removed.
 */

const ROOT = 'assessment-monitor:';
const JOB = 'job:';
/** The budget is not moved: the next refresh writes a new one. An index of the old form is of no use. */
const isOld = (key: string): boolean => /^(job:|answers:|token$|refresh-token$|refresh-budget$|user$)/.test(key);
const isMoved = (key: string): boolean => /^(job:|token$|refresh-token$|user$)/.test(key);
const namedSchema = z.looseObject({ userId: z.nullable(z.string()) });

/** Whether clients of another API have left the record of a session here. */
export function isShared(store: KeyValueStore, ownKeys: readonly string[]): boolean {
  return store.keys().some((key) => key.startsWith(ROOT) && key.endsWith(':session') && !ownKeys.includes(key));
}

/**
 * Moves the entries of the first release into a scope, or removes them.
 *
 * @param scoped the part of `store` of this API
 * @param mayKeep whether the entries can only be of this API
 */
export function moveOldLayout(store: KeyValueStore, scoped: KeyValueStore, mayKeep: boolean, log: Log): void {
  for (const key of store.keys()) {
    const name = key.startsWith(ROOT) ? key.slice(ROOT.length) : '';
    if (!isOld(name)) continue;
    const value = store.get(key);
    store.remove(key);
    if (value === null || !isMoved(name)) continue;
    if (!mayKeep) {
      if (name.startsWith(JOB)) log({ type: 'job.dropped', reason: 'old-version' });
    } else if (scoped.get(name) === null) {
      scoped.set(name, name.startsWith(JOB) ? withoutName(value) : value);
    }
  }
}

/** The user was stored in clear; it may be an e-mail address. The application's id and the claim were not told apart. */
function withoutName(value: string): string {
  const record = readJson(value, namedSchema);
  if (!record || record.userId === null || !someText.safeParse(record.userId).success) return value;
  return JSON.stringify({ ...record, userId: identityOf(record.userId, record.userId, '') });
}
