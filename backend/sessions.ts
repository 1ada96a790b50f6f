import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { decodeJwt, jwtVerify, SignJWT } from 'jose';
import type { ServerCounts, ServerLog } from './counts.ts';
import type { BackendOptions } from './options.ts';

/** Why a token was not accepted, or whom it speaks for. */
export type Verdict =
  | { ok: true; userId: string; generation: number }
  | { ok: false; generation?: number; isExpired?: boolean };

/** How a refresh ended. */
export type Refresh =
  | { type: 'granted'; idToken: string; refreshToken: string; expiresIn: string }
  | { type: 'limited'; retryAfter: number }
  | { type: 'rejected' };

interface Session {
  id: string;
  userId: string;
  /** Counts the access tokens of this session. */
  generation: number;
  /** The only access token that is accepted: a refresh ends the one before. */
  accessId: string | null;
  /** SHA-256 of the refresh token that may be used next, and of those that were used up. */
  refreshHash: string;
  usedHashes: Set<string>;
  refreshExpiresAt: number;
  refreshedAt: number;
  revoked: boolean;
}

/** An access token as the server remembers it. */
interface Issued {
  /** The announced expiry: to the millisecond with auth V2, the `exp` of the token with V1. */
  announcedExpiry: number;
  ended: boolean;
  session: Session | null;
  userId: string;
  generation: number;
}

const hash = (text: string) => createHash('sha256').update(text).digest('hex');

/** Users, their access tokens, and refresh tokens with strict rotation: a used one that comes back ends the session. */
export function createSessions(options: () => BackendOptions, counts: ServerCounts, log: ServerLog) {
  const secret = randomBytes(32);
  const sessions = new Set<Session>();
  const issued = new Map<string, Issued>();
  const addresses = new Map<string, string>();

  const sign = async (userId: string, session: Session | null, ttlMs: number): Promise<string> => {
    const jti = randomUUID();
    const now = Date.now();
    const generation = session ? (session.generation += 1) : 1;
    const exp = Math.ceil((now + ttlMs) / 1_000);
    // Auth V2 tells the lifetime beside the token. A V1 token has only its `exp`, in whole seconds: until then it is good.
    const announcedExpiry = session ? now + ttlMs : exp * 1_000;
    issued.set(jti, { announcedExpiry, ended: false, session, userId, generation });
    if (session) session.accessId = jti;
    const claims = session ? { user_id: userId, sid: session.id, gen: generation } : { id: userId, type: 'user' };
    return new SignJWT(claims)
      .setProtectedHeader({ alg: 'HS256' })
      .setSubject(userId)
      .setIssuer('assessment-monitor-demo')
      .setJti(jti)
      .setIssuedAt(Math.floor(now / 1_000))
      .setExpirationTime(exp)
      .sign(secret);
  };
  const renewRefreshToken = (session: Session): string => {
    const token = randomBytes(32).toString('base64url');
    session.usedHashes.add(session.refreshHash);
    session.refreshHash = hash(token);
    session.refreshExpiresAt = Date.now() + options().refreshTokenTtlMs;
    return token;
  };
  const expiresIn = () => String(options().accessTokenTtlMs / 1_000);
  const end = (session: Session): void => {
    session.revoked = true;
    session.accessId = null;
  };

  return {
    /** The id of a user is derived from the address, so that it is the same after a restart. */
    userIdOf(address: string): string {
      const userId = `user-${hash(address.toLowerCase()).slice(0, 12)}`;
      addresses.set(userId, address);
      return userId;
    },
    addressOf: (userId: string) => addresses.get(userId) ?? null,

    async logIn(userId: string) {
      const session: Session = {
        id: randomUUID(),
        userId,
        generation: 0,
        accessId: null,
        refreshHash: '',
        usedHashes: new Set(),
        refreshExpiresAt: 0,
        refreshedAt: Number.NEGATIVE_INFINITY,
        revoked: false,
      };
      sessions.add(session);
      counts.logins += 1;
      log.write({ kind: 'auth', text: 'a user signed in' });
      const idToken = await sign(userId, session, options().accessTokenTtlMs);
      return { idToken, refreshToken: renewRefreshToken(session), expiresIn: expiresIn() };
    },

    async logInV1(userId: string): Promise<string> {
      counts.logins += 1;
      log.write({ kind: 'auth', text: 'a user signed in (V1)' });
      return sign(userId, null, options().v1TokenTtlMs);
    },

    async refresh(token: string | undefined): Promise<Refresh> {
      const hashed = token === undefined ? '' : hash(token);
      for (const session of sessions) {
        if (session.usedHashes.has(hashed)) {
          counts.reuseDetections += 1;
          end(session);
          log.write({ kind: 'auth', text: 'a used refresh token came back: the session is over' });
          return { type: 'rejected' };
        }
        if (session.refreshHash !== hashed) continue;
        if (session.revoked || Date.now() >= session.refreshExpiresAt) return { type: 'rejected' };
        const wait = session.refreshedAt + options().refreshIntervalMs - Date.now();
        if (wait > 0) return { type: 'limited', retryAfter: Math.ceil(wait / 1_000) };
        session.refreshedAt = Date.now();
        const isStrict = !options().quirks.includes('refresh-without-rotation');
        const refreshToken = isStrict || token === undefined ? renewRefreshToken(session) : token;
        const idToken = await sign(session.userId, session, options().accessTokenTtlMs);
        log.write({
          kind: 'auth',
          text: 'a token was refreshed; the one before is dead',
          generation: session.generation,
        });
        return { type: 'granted', idToken, refreshToken, expiresIn: expiresIn() };
      }
      return { type: 'rejected' };
    },

    /**
     * Judges an access token. Counts it when its holder could have known that it is dead.
     *
     * @param sentAt when it was sent, ms since the epoch: what the way and the server make of it is not the sender's fault
     */
    async verify(token: string, sentAt = Date.now()): Promise<Verdict> {
      let jti: string | undefined;
      try {
        jti = decodeJwt(token).jti;
      } catch {
        return { ok: false };
      }
      const known = issued.get(jti ?? '');
      if (!known) return { ok: false };
      const { generation, userId } = known;
      if (sentAt >= known.announcedExpiry) {
        counts.requestsWithExpiredToken += 1;
        log.write({
          kind: 'auth',
          text: `a token was sent ${sentAt - known.announcedExpiry} ms after its end`,
          generation,
        });
        return { ok: false, generation, isExpired: true };
      }
      if (Date.now() >= known.announcedExpiry) return { ok: false, generation };
      const genuine = await jwtVerify(token, secret, { clockTolerance: 2 }).then(
        () => true,
        () => false,
      );
      const current =
        options().quirks.includes('old-tokens-stay-good') ||
        known.session === null ||
        (known.session.accessId === jti && !known.session.revoked);
      if (!genuine || known.ended || !current || options().authOutage) return { ok: false, generation };
      return { ok: true, userId, generation };
    },

    logOut(token: string): void {
      const { jti } = decodeJwt(token);
      const session = issued.get(jti ?? '')?.session;
      if (session) end(session);
      log.write({ kind: 'auth', text: 'a user signed out' });
    },

    /** Ends the life of every access token early: before its announced expiry. */
    endTokens(): void {
      for (const token of issued.values()) token.ended = true;
      log.write({ kind: 'auth', text: 'the life of every access token was ended early' });
    },

    revokeAll(): void {
      for (const session of sessions) end(session);
      for (const token of issued.values()) token.ended = true;
      log.write({ kind: 'auth', text: 'every session was revoked' });
    },
  };
}

export type Sessions = ReturnType<typeof createSessions>;
