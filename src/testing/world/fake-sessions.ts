import type { IssuedToken } from '../../services/access-token.ts';
import type { World } from './story.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** Every token of this world carries it, so that it can be looked for everywhere a token must not be. */
export const SECRET = 'SECRET';

/** "The minute" between two refreshes that the server grants. */
export const REFRESH_INTERVAL_MS = 60_000;

/** An access token as the server knows it. */
export interface ServerToken {
  value: string;
  userId: string;
  /** True time. */
  expiresAt: number;
  /** Ended before its time: rotated, or by an incident. */
  ended: boolean;
}

interface Session {
  userId: string;
  /** The one refresh token that is good. */
  refreshToken: string;
  refreshedAt: number;
  revoked: boolean;
}

export type RefreshVerdict =
  | { type: 'issued'; accessToken: string; refreshToken: string }
  | { type: 'limited'; retryAfterMs: number }
  /** `reuse`: it was a good one once, which looks like theft. */
  | { type: 'rejected'; reuse: boolean };

/** Who is signed in, by a server that rotates refresh tokens strictly: each is good once, and a second use ends the session. */
export function fakeSessions(world: World, clock: VirtualClock) {
  const tokens = new Map<string, ServerToken>();
  /** By every refresh token that was ever issued. */
  const sessions = new Map<string, Session>();
  let serial = 0;

  const issue = (userId: string): ServerToken => {
    const value = world.tokens === 'jwt' ? jwt(userId) : `${SECRET}-access-${(serial += 1)}`;
    const token = { value, userId, expiresAt: clock.time() + world.tokenTtlMs, ended: false };
    tokens.set(value, token);
    return token;
  };
  const jwt = (userId: string): string => {
    const iat = Math.floor(clock.time() / 1_000);
    const claims = { sub: userId, iat, exp: iat + Math.floor(world.tokenTtlMs / 1_000) };
    return `${base64({ alg: 'none' })}.${base64(claims)}.${SECRET}-${(serial += 1)}`;
  };
  const endTokensOf = (userId: string): void => {
    for (const token of tokens.values()) if (token.userId === userId) token.ended = true;
  };
  const nextRefreshToken = () => `${SECRET}-refresh-${(serial += 1)}`;

  return {
    /** The token, if the server takes it. */
    verify(value: string | null): ServerToken | null {
      const token = value === null ? undefined : tokens.get(value);
      return token && !token.ended && clock.time() < token.expiresAt ? token : null;
    },
    known: (value: string | null): ServerToken | undefined => (value === null ? undefined : tokens.get(value)),
    signIn(userId: string): { issued: IssuedToken; refreshToken: string } {
      const session = {
        userId,
        refreshToken: nextRefreshToken(),
        refreshedAt: Number.NEGATIVE_INFINITY,
        revoked: false,
      };
      sessions.set(session.refreshToken, session);
      const accessToken = issue(userId).value;
      const issued =
        world.tokens === 'jwt' ? { accessToken } : { accessToken, userId, expiresIn: world.tokenTtlMs / 1_000 };
      return { issued, refreshToken: session.refreshToken };
    },
    refresh(presented: string | null): RefreshVerdict {
      const session = presented === null ? undefined : sessions.get(presented);
      if (!session || session.revoked) return { type: 'rejected', reuse: false };
      if (session.refreshToken !== presented) {
        session.revoked = true;
        endTokensOf(session.userId);
        return { type: 'rejected', reuse: true };
      }
      const retryAfterMs = session.refreshedAt + REFRESH_INTERVAL_MS - clock.time();
      if (retryAfterMs > 0) return { type: 'limited', retryAfterMs };
      session.refreshedAt = clock.time();
      session.refreshToken = nextRefreshToken();
      sessions.set(session.refreshToken, session);
      // The mission: each refresh invalidates the token before.
      endTokensOf(session.userId);
      return { type: 'issued', accessToken: issue(session.userId).value, refreshToken: session.refreshToken };
    },
    endTokens: () => tokens.forEach((token) => void (token.ended = true)),
    revokeAll() {
      for (const session of sessions.values()) session.revoked = true;
      for (const token of tokens.values()) token.ended = true;
    },
    /** What the cookie's session is worth after a sign-out. */
    revoke(refreshToken: string | null) {
      const session = refreshToken === null ? undefined : sessions.get(refreshToken);
      if (session) session.revoked = true;
    },
  };
}

const base64 = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
