import { decodeJwt } from 'jose';
import type * as z from 'zod/mini';
import { nameIn } from '../../lib/identity.ts';
import { fit, maybeNumber, object, orNull, textOrNumber } from '../../lib/schemas.ts';

/** An access token and its metadata. It never leaves the services. */
export interface AccessToken {
  value: string;
  /** A number that grows with each token, so that a late 401 can be matched to the token it was about. */
  generation: number;
  /** When it expires, ms since the epoch by the *local* clock; null when unknown. */
  expiresAt: number | null;
  /** Its whole lifetime, ms; null when unknown. */
  ttlMs: number | null;
  /** The user whom it identifies; null when neither the server nor a claim names one. */
  userId: string | null;
}

/**
 * Whether a header can carry the token: `fetch` throws for a line break inside of it and for every character above U+00FF, so such a
 * token can never work.
 */
export const isSendable = (value: string): boolean => !/[\0\r\n\u0100-\uffff]/.test(value.replace(/[\t\n\r ]+$/, ''));

/** A token as the server issues it. */
export interface IssuedToken {
  accessToken: string;
  /** The lifetime in seconds, as a number or as the string that auth V2 sends. Without it the claims of the token decide. */
  expiresIn?: number | string | undefined;
  /** The application's own id of the user. It need not be the one that the token claims. */
  userId?: string | number | undefined;
  /** Only where refresh tokens travel in the body. With cookies, scripts never see one. */
  refreshToken?: string | undefined;
}

// Each claim is optional: a malformed one, such as an object for `sub`, must not hide the expiry.
const user = orNull(textOrNumber);
const claimsSchema = object({ exp: maybeNumber, iat: maybeNumber, sub: user, user_id: user, uid: user, id: user });

function readClaims(value: string): Partial<z.infer<typeof claimsSchema>> {
  try {
    // The claims are only read. Verifying the signature is the server's task.
    return fit(decodeJwt(value), claimsSchema) ?? {};
  } catch {
    // An opaque token has no claims and is valid all the same.
    return {};
  }
}

/** A known skew may be wrong by so much, ms. */
const DOUBT_MS = 30_000;

/** The user whom the token claims; null where it claims none. */
export function claimedUser(value: string): string | null {
  const { sub, user_id, uid, id } = readClaims(value);
  return nameIn(user_id) ?? nameIn(uid) ?? nameIn(id) ?? nameIn(sub);
}

/** When the token expires by its own `exp`, ms since the epoch by the *server's* clock; null where it does not say. */
export function claimedExpiry(value: string): number | null {
  const { exp } = readClaims(value);
  return exp == null ? null : exp * 1_000;
}

/**
 * Computes when a token expires *by the local clock*.
 *
 * Where the server states a lifetime, the local clock only measures the time since the request was sent, so a clock that is an
 * hour off does no harm. Only a token of unknown age falls back to its `exp`, corrected by `skewMs`. Where only a clock of which nothing
 * is known says that such a token is dead, its expiry is unknown, and the server decides.
 *
 * @param sentAt when the request for the token was sent, ms by the local clock: the server starts to count later, never earlier
 * @param skewMs server clock minus local clock, ms, from `Date` headers
 * @param isSkewKnown whether answers of the server have confirmed `skewMs` @default false
 * @param isFresh whether it was issued for that request, so that its claims state its lifetime where the server does not
 * @example
 * const token = describeToken({ accessToken, expiresIn: 300 }, { generation: 1, sentAt: clock.now(), skewMs: 0 });
 */
export function describeToken(
  issued: IssuedToken,
  {
    generation,
    sentAt,
    skewMs,
    isSkewKnown = false,
    isFresh = false,
  }: { generation: number; sentAt: number; skewMs: number; isSkewKnown?: boolean; isFresh?: boolean },
): AccessToken {
  const { exp, iat } = readClaims(issued.accessToken);
  const statedMs = Number(issued.expiresIn ?? Number.NaN) * 1_000;
  const claimedMs = ((exp ?? Number.NaN) - (iat ?? Number.NaN)) * 1_000;
  const ttlMs = statedMs > 0 ? statedMs : claimedMs > 0 ? claimedMs : null;
  const byClaim = exp == null ? null : exp * 1_000 - skewMs;
  // Beside a lifetime of its own, the `exp` of a fresh token counts only where it is clearly over.
  const doubtMs = isFresh && ttlMs !== null ? DOUBT_MS : 0;
  const isDead = byClaim !== null && !isUsable({ expiresAt: byClaim, ttlMs }, sentAt - doubtMs);
  const isAgeKnown = ttlMs !== null && (statedMs > 0 || (isFresh && !(isDead && isSkewKnown)));
  const expiresAt = isAgeKnown ? sentAt + ttlMs : isDead && !isSkewKnown ? null : byClaim;
  return {
    value: issued.accessToken,
    generation,
    expiresAt,
    ttlMs,
    userId: nameIn(issued.userId) ?? claimedUser(issued.accessToken),
  };
}

/**
 * How long before its expiry a token counts as expired, ms, so that a request still reaches the server in time: a tenth of the
 * lifetime, at least 500 ms and at most 10 s.
 */
export function expiryMarginMs({ ttlMs }: Pick<AccessToken, 'ttlMs'>): number {
  return Math.max(500, Math.min(10_000, (ttlMs ?? 100_000) / 10));
}

/** The refresh window, ms: the last 5 minutes of a token, or the last half of a lifetime under 10 minutes. */
export function refreshWindowMs({ ttlMs }: Pick<AccessToken, 'ttlMs'>): number {
  return Math.min(300_000, (ttlMs ?? 600_000) / 2);
}

/** Whether the token may still be sent. A token of unknown expiry may, because only the server can decide. */
export function isUsable(token: Pick<AccessToken, 'expiresAt' | 'ttlMs'>, now: number): boolean {
  return token.expiresAt === null || now < token.expiresAt - expiryMarginMs(token);
}

/** Whether the token is in its refresh window or expired. */
export function isExpiringSoon(token: AccessToken, now: number): boolean {
  return token.expiresAt !== null && now >= token.expiresAt - refreshWindowMs(token);
}
