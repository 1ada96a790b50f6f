import type { Subscribable } from 'xstate';
import type { AccessToken, IssuedToken } from './access-token.ts';

/** What the token service announces. No event carries a token. */
export type TokenEvent =
  /** The token should be renewed now: it is in its refresh window, or dead. */
  | { type: 'token.expiring' }
  /** A new token is in use. */
  | { type: 'token.renewed'; generation: number; userId: string | null }
  /** Only a sign-in helps now. */
  | { type: 'session.ended'; reason: 'signed-out' | 'rejected' }
  /** Somebody signed in: perhaps the same user as before, perhaps another. */
  | { type: 'session.restored'; userId: string | null };

/** How an attempt to get a better token ended, seen by somebody who waits for one. */
export type RenewalOutcome =
  /** There is a token newer than the one that was complained about. */
  | { type: 'renewed' }
  /** It could not be renewed now, and does not have to be: it still holds. */
  | { type: 'holds' }
  /** No usable token; ask again after `retryAfterMs`. */
  | { type: 'wait'; retryAfterMs: number; reason: 'limited' | 'transient' | 'ambiguous' }
  /** A fresh token is refused: the verifier is down, not the session. Wait, then use the same token again. */
  | { type: 'outage'; retryAfterMs: number }
  /** The session is over. */
  | { type: 'rejected' };

/** A token for a call, or null. `inDoubt`: it may be dead. */
export type TokenForCall = (AccessToken & { inDoubt?: boolean }) | null;

/**
 * The one place that manages tokens: auth V1 and V2 behind one port.
 *
 * Callers never compare clocks. They take {@link current}, report what the server thought of it, and listen to
 * {@link events$}.
 */
export interface TokenService {
  /**
   * A token that may be sent now. V2: an expired one is refreshed, one that expires soon (under 5 minutes, or half of a
   * shorter life) is refreshed ahead, else the current one is returned. V1: the stored token as it is.
   *
   * @param forceRefresh refresh even if the token looks good. When the limit of one refresh a minute is reached, a token
   * that still holds is returned instead.
   * @throws SignInRequiredError when the session has ended
   * @throws TokenUnavailableError when there is no valid token now; it says when to ask again
   */
  ensureValidToken(forceRefresh?: boolean): Promise<string>;
  /** The token, if it may be sent now; null if there is none or it is known to be dead. Never asks the server. */
  current(): AccessToken | null;
  /**
   * The same for a call that is about to leave, after the answer of a refresh that has just left, in whichever tab: it ends the token.
   * Waited for about as long as a request takes. `inDoubt`: nothing came of that refresh, and the token may be dead.
   */
  forCall(signal: AbortSignal): Promise<TokenForCall>;
  /** Whether a refresh should come before anything else: there is no usable token, or it expires soon and may be renewed now. */
  isRefreshDue(): boolean;
  /** Gets a better token than `refused`, which the server did not accept (null: there was none to send). Never throws. */
  renew(refused: number | null): Promise<RenewalOutcome>;
  /** The server accepted this generation. */
  accepted(generation: number): void;
  /** A server clock was seen, at `serverNow`, in an answer that arrived now. */
  observeServerTime(serverNow: number): void;
  readonly events$: Subscribable<TokenEvent>;
  /** Whose session it is, as far as anybody knows. */
  userId(): string | null;
  signIn(issued: IssuedToken): void;
  signOut(): void;
  /** Looks at the clock again: after a sleep, timers are late. */
  recheck(): void;
  dispose(): void;
}
