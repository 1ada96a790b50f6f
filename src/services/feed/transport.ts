import type { Observable } from 'rxjs';
import type { AccessToken } from '../auth/access-token.ts';
import type { FeedReport } from './vocabulary.ts';

/** What one connection of a feed is opened with. */
export interface FeedLink {
  /** A token that may be sent now, as for a call; null where there is none, where it is in doubt, or where the link is closed. */
  goodToken(): Promise<Pick<AccessToken, 'value' | 'generation'> | null>;
  /** There is a newer token of the same user. */
  readonly renewed$: Observable<unknown>;
}

/** What happens on one connection. `closed` is its last event. */
export type LinkEvent =
  /** The server can be reached. */
  | { type: 'open' }
  /** The server has accepted the token. */
  | { type: 'live' }
  /** Null: an event of this name that makes no sense. */
  | { type: 'message'; name: string; event: FeedReport | null }
  /** `forAll`: all clients may have lost theirs, as the server shuts down or cannot be reached. Default false. */
  | { type: 'closed'; reason: string; forAll?: boolean };

/**
 * Opens one connection on subscription and closes it on unsubscription. It never connects again by itself, and errors only where no
 * connection can ever be opened.
 */
export type FeedTransport = (link: FeedLink) => Observable<LinkEvent>;
