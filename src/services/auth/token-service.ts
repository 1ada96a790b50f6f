import type { Observable } from 'rxjs';
import type { RefusalCause } from '../../lib/log.ts';
import type { AccessToken, IssuedToken } from './access-token.ts';

/** The events of the token service. No event contains a token. */
export type TokenEvent =
  /** The token should be renewed now: it is in its refresh window or expired. */
  | { type: 'token.expiring' }
  /** A refresh has replaced the token. */
  | { type: 'token.renewed'; generation: number; userId: string | null }
  /** Something says that the server accepts the token again that it refused, or that the auth service is back. */
  | { type: 'token.recovered' }
  /** The session is over until the next sign-in. */
  | { type: 'session.ended'; reason: 'signed-out' | 'rejected' }
  /** A user has signed in: the same one or another. */
  | { type: 'session.restored'; userId: string | null };

/** The result of {@link TokenService.renew}. */
export type RenewalOutcome =
  /** There is a newer token than the rejected one. */
  | { type: 'renewed' }
  /** The token could not be renewed, now or ever, and it is still valid. */
  | { type: 'holds' }
  /** There is no token that the server accepts. Retry after `retryAfterMs`, or at `token.recovered`. */
  | { type: 'wait'; retryAfterMs: number; reason: 'limited' | 'transient' | 'ambiguous' }
  /** The verifier of the server seems to be down. Use the same token again after `retryAfterMs`, or at `token.recovered`. */
  | { type: 'outage'; retryAfterMs: number }
  /** The session has ended. */
  | { type: 'rejected' };

/** What can be wrong with a token that the server refuses. */
export type TokenFault = Exclude<RefusalCause, 'dialect' | 'unknown'>;

/**
 * A token for a call, or null. `inDoubt`: a refresh may have invalidated it, or the API has just refused it. `isRefused`: the API has refused
 * it, and nothing has told since then that it is good. `isRefusedElsewhere`: another tab has just seen it refused.
 */
export type TokenForCall =
  | (AccessToken & { inDoubt?: boolean; isRefused?: boolean; isRefusedElsewhere?: boolean })
  | null;

/**
 * The one place that manages tokens: auth V1 and V2 behind one port.
 *
 * Callers never compare times. They use {@link forCall}, report with {@link accepted} or {@link renew} whether the server
 * accepted the token, and subscribe to {@link events$}.
 */
export interface TokenService {
  /**
   * Returns a token that may be sent now. V2 refreshes an expired token, and refreshes ahead one that expires soon (under 5 minutes,
   * or half of a shorter lifetime). V1 returns the stored token unchanged.
   *
   * @param forceRefresh refreshes a valid token too. When the limit of one refresh a minute is reached, a token that is still valid
   * is returned instead. @default false
   * @throws SignInRequiredError when the session has ended
   * @throws TokenUnavailableError when there is no valid token now; `retryAfterMs` says when to retry
   * @example
   * const token = await tokens.ensureValidToken();
   */
  ensureValidToken(forceRefresh?: boolean): Promise<string>;
  /** The token, if it may be sent now; null if there is none or it has expired. Sends no request. */
  current(): AccessToken | null;
  /**
   * The token for a call that is about to be sent. A refresh in flight, in any tab, invalidates the current token, so the promise
   * waits for its answer: 2 s at most. `inDoubt`: the refresh brought no token, and the current one may be invalid.
   *
   * @param signal ends the wait; the caller checks it afterwards
   */
  forCall(signal: AbortSignal): Promise<TokenForCall>;
  /** Whether to refresh before any other call: there is no usable token, or it expires soon and a refresh is allowed now. */
  isRefreshDue(): boolean;
  /**
   * Gets a newer token than the one that the server rejected. Never throws.
   *
   * @param refused the generation of the rejected token, or null when there was no token to send
   * @param isUrgent a finished result waits for the token @default false
   */
  renew(refused: number | null, isUrgent?: boolean): Promise<RenewalOutcome>;
  /**
   * Why the server refused the token of this generation; null where the tokens do not tell. For the log: nothing is decided by it.
   *
   * @param serverNow the time of the server at its answer, ms since the epoch; null where it is not known
   */
  whyRefused(generation: number, serverNow: number | null): TokenFault | null;
  /**
   * Reports that the server refused the token of this generation.
   *
   * @param sentAt when the call left, ms since the epoch
   */
  refused?(generation: number, sentAt: number): void;
  /** Reports that a socket was authenticated with the token of this generation. */
  authenticated?(generation: number): void;
  /** Reports that the server accepted the token of this generation. */
  accepted(generation: number): void;
  /**
   * A call with this generation got no answer from the network.
   *
   * @returns whether to treat the token as refused: a 401 without CORS headers looks like a network failure. True once for a token, after
   * three failures in a row, where the lifetime of the token is unknown or the server has not accepted it yet.
   */
  unanswered(generation: number): boolean;
  /**
   * A login page answered in place of the API. Several in a row end the session, see {@link renew}.
   *
   * @param sentAt when the call left, ms since the epoch
   */
  metLoginPage(sentAt: number): void;
  /** Reports the time of the server, ms since the epoch, from an answer that has just arrived. */
  observeServerTime(serverNow: number): void;
  readonly events$: Observable<TokenEvent>;
  /** The same events, for listeners that stay: subscribing to them arms no timer. */
  readonly sessions$: Observable<TokenEvent>;
  /** The user of the session; null when unknown. */
  userId(): string | null;
  /** Whose session it is, see `lib/identity.ts`; null before the first session, and after a sign-out. */
  identity(): string | null;
  signIn(issued: IssuedToken): void;
  signOut(): void;
  /** Compares the token with the clock again. Call it after a sleep, because timers are late then. */
  recheck(): void;
  dispose(): void;
}
