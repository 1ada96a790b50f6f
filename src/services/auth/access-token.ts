import { decodeJwt } from 'jose';
import type * as z from 'zod/mini';
import { fit, maybeNumber, object, orNull, textOrNumber } from '../../lib/schemas.ts';

/** An access token and what its holder knows of it. Never leaves the services. */
export interface AccessToken {
  value: string;
  /** Counts up with each token of this client, so that a late 401 can be matched to the token it was about. */
  generation: number;
  /** When it dies, ms by *our* clock; null when nobody knows. */
  expiresAt: number | null;
  /** Its whole life in ms; null when nobody knows. */
  ttlMs: number | null;
  /** Whom it speaks for; null when the token does not say. */
  userId: string | null;
}

/** What the server says when it hands out a token. */
export interface IssuedToken {
  accessToken: string;
  /** Seconds, as a number or as the text that auth V2 sends. Without it the claims of the token decide. */
  expiresIn?: number | string | undefined;
  userId?: string | undefined;
  /** Only where refresh tokens travel in the body. With cookies scripts never see one. */
  refreshToken?: string | undefined;
}

// Claim by claim: an odd one, such as a number for `sub`, must not hide when the token dies.
const user = orNull(textOrNumber);
const claimsSchema = object({ exp: maybeNumber, iat: maybeNumber, sub: user, user_id: user, uid: user, id: user });

function readClaims(value: string): Partial<z.infer<typeof claimsSchema>> {
  try {
    // Nothing is verified here: that is for the server.
    return fit(decodeJwt(value), claimsSchema) ?? {};
  } catch {
    // An opaque token is a token all the same.
    return {};
  }
}

/**
 * Works out how long a token lives *by our own clock*.
 *
 * Where the server told a lifetime, our clock only measures how much of it has gone by since the request left, so that a
 * clock that is an hour off does no harm. Only a token of unknown age falls back to its `exp`, corrected by `skewMs`.
 *
 * @param receivedAt when the request for it left, ms by our clock: the server started counting later, never earlier
 * @param skewMs server clock minus ours, as seen in `Date` headers
 * @param isFresh it was made for that request, so that its claims tell its lifetime where the server does not
 */
export function describeToken(
  issued: IssuedToken,
  {
    generation,
    receivedAt,
    skewMs,
    isFresh = false,
  }: { generation: number; receivedAt: number; skewMs: number; isFresh?: boolean },
): AccessToken {
  const { exp, iat, sub, user_id, uid, id } = readClaims(issued.accessToken);
  const told = Number(issued.expiresIn ?? Number.NaN) * 1_000;
  const claimed = ((exp ?? Number.NaN) - (iat ?? Number.NaN)) * 1_000;
  const ttlMs = told > 0 ? told : claimed > 0 ? claimed : null;
  const isAgeKnown = told > 0 || isFresh;
  const expiresAt = isAgeKnown && ttlMs !== null ? receivedAt + ttlMs : exp == null ? null : exp * 1_000 - skewMs;
  const claimedUser = user_id ?? uid ?? id ?? sub;
  return {
    value: issued.accessToken,
    generation,
    expiresAt,
    ttlMs,
    userId: issued.userId ?? (claimedUser == null ? null : String(claimedUser)),
  };
}

/**
 * How early a token counts as dead: long enough for a request to arrive in time, short against the token's life.
 * A tenth of the life, at least half a second and at most 10 s.
 */
export function expiryMarginMs({ ttlMs }: Pick<AccessToken, 'ttlMs'>): number {
  return Math.max(500, Math.min(10_000, (ttlMs ?? 100_000) / 10));
}

/** The refresh window: the last 5 minutes of a token, or the last half where it lives less than 10. */
export function refreshWindowMs({ ttlMs }: Pick<AccessToken, 'ttlMs'>): number {
  return Math.min(300_000, (ttlMs ?? 600_000) / 2);
}

/** Whether the token may still be sent. A token of unknown expiry may: only the server can tell. */
export function isUsable(token: AccessToken, now: number): boolean {
  return token.expiresAt === null || now < token.expiresAt - expiryMarginMs(token);
}

/** Whether the token should be renewed ahead of time. */
export function isExpiringSoon(token: AccessToken, now: number): boolean {
  return token.expiresAt !== null && now >= token.expiresAt - refreshWindowMs(token);
}
