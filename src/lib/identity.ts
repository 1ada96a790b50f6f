import { digestOf } from './digest.ts';

/*
 * Whose session, assessment or record it is, decided in one place. An identity is a text of parts, such as `app:… claim:…`, in which
 * ids are digests. The id that the application gave and the claim of the token may be two names of one user, so each is compared with
 * its own kind only. A user of whom neither is known is the user of one session: `session:…`. Any other text is the id in a record of
 * an earlier version, which did not say of which kind it is.
 */

const KINDS = ['app', 'claim'] as const;

/** What code writes for a user whom it does not know. */
const NO_NAME = /^(undefined|null|nan|\[object object\])?$/i;

/** The id as text; null where it names no user: everyone would have the same name then. */
export function nameIn(id: string | number | null | undefined): string | null {
  const text = String(id ?? '');
  return NO_NAME.test(text.trim()) ? null : text;
}

/**
 * @param appId the id that the application gave, or the part of an identity that came from it
 * @param claim the id that the token claims
 * @param session tells a user apart of whom nothing else is known
 */
export function identityOf(
  appId: string | number | null | undefined,
  claim: string | null,
  session: string | number,
): string {
  const [name, claimed] = [nameIn(appId), nameIn(claim)];
  const app = name === null || /^app:[0-9a-f]{32}$/.test(name) ? name : `app:${digestOf(name)}`;
  const parts = [app, claimed === null ? null : `claim:${digestOf(claimed)}`];
  return parts.filter((it) => it !== null).join(' ') || `session:${session}`;
}

const partOf = (identity: string, kind: (typeof KINDS)[number]): string | undefined =>
  /^(app|claim|session):/.test(identity)
    ? identity.split(' ').find((it) => it.startsWith(`${kind}:`))
    : `${kind}:${digestOf(identity)}`;

/** The part that came from the application's id; undefined where the application gave none. */
export const appIn = (identity: string): string | undefined => partOf(identity, 'app');

/** Whether both name a user in the same way. Where they do not, only the API can tell whose a job is. */
export function isComparable(one: string | null, other: string | null): boolean {
  if (one === null || other === null || one === other) return true;
  return KINDS.some((kind) => partOf(one, kind) !== undefined && partOf(other, kind) !== undefined);
}

/** Whether both name a user in the same way, and not the same one. */
export function contradicts(one: string, other: string): boolean {
  for (const kind of KINDS) {
    const [mine, theirs] = [partOf(one, kind), partOf(other, kind)];
    if (mine !== undefined && theirs !== undefined) return mine !== theirs;
  }
  return false;
}

/**
 * Whether two identities are of one user. Null: no session has begun yet, so nothing speaks against it.
 *
 * @example
 * isSameUser(identityOf('ann', '7', 1), identityOf(null, '7', 2)); // true
 */
export function isSameUser(one: string | null, other: string | null): boolean {
  if (one === null || other === null || one === other) return true;
  return isComparable(one, other) && !contradicts(one, other);
}

/**
 * What is known of the user of one session after a newer token: it may name less than the one before, or a name of another kind. A
 * session that began without a name keeps its user.
 */
export function mergeIdentities(known: string | null, newer: string): string {
  if (known === null || contradicts(known, newer)) return newer;
  if (known === newer || known.startsWith('session:') || newer.startsWith('session:')) return known;
  return KINDS.flatMap((kind) => partOf(known, kind) ?? partOf(newer, kind) ?? []).join(' ');
}
