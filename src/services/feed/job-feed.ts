import { defer, merge, Observable, share, shareReplay, startWith, Subject, Subscription, tap } from 'rxjs';
import { backoff, type Random } from '../../lib/backoff.ts';
import type { Clock } from '../../lib/clock.ts';
import { isSameUser } from '../../lib/identity.ts';
import type { Log } from '../../lib/log.ts';
import type { TokenService } from '../auth/token-service.ts';
import type { PageEvent } from '../page-signals.ts';
import type { FeedTransport } from './transport.ts';
import type { JobFeedEvent } from './vocabulary.ts';

export interface JobFeedOptions {
  /** Loads the way to connect; called for the first connection, and again after a load that failed. */
  load: () => Promise<FeedTransport>;
  tokens: Pick<TokenService, 'current' | 'forCall' | 'identity' | 'events$' | 'authenticated'>;
  resumed$: Observable<PageEvent>;
  clock: Clock;
  random: Random;
  log: Log;
  /** From the start of a connection until it is live, ms. */
  connectTimeoutMs: number;
  /** A connection that lived this long resets the backoff, ms. One that flaps does not. */
  stableAfterMs: number;
}

export interface JobFeed {
  /**
   * The server's events for the signed-in user. All subscribers share one socket, which closes a moment after the last of them
   * unsubscribes. A subscriber that arrives while the socket is live receives `feed.live` at once. It never completes.
   */
  readonly events$: Observable<JobFeedEvent>;
  /** Closes a socket without subscribers at once, without that moment. It does nothing while there are subscribers. */
  close(): void;
}

/** This client alone is without a connection, as far as it knows. Full jitter all the same: a process that dies takes others with it. */
const ALONE = { minMs: 250, baseMs: 3_000, capMs: 30_000 };
/**
 * All clients may be without one: they come back over 45 of the 75 s in which a fleet should be served (thundering herd). The status is polled until
 * then. A young feed waits for at most its share of its age: its job may be a short one.
 */
const WITH_ALL = { minMs: 250, baseMs: 45_000, capMs: 55_000, share: 1 / 3 };
/** Until the first connection opens: what blocks it, such as a proxy, seldom goes away while a job runs. */
const BLOCKED = { ...ALONE, capMs: 120_000 };

export function createJobFeed(options: JobFeedOptions): JobFeed {
  // Keeps a module that was loaded; an error is not kept, so the next subscriber loads again.
  const transport$ = defer(options.load).pipe(shareReplay(1));
  const closed$ = new Subject<void>();
  let isLive = false;
  const shared$ = connection(options, transport$).pipe(
    tap({
      next: ({ type }) => {
        if (type === 'feed.live') isLive = true;
        if (type === 'feed.lost') isLive = false;
      },
      finalize: () => (isLive = false),
    }),
    share({ resetOnRefCountZero: () => merge(aMoment(), closed$) }),
  );
  return {
    events$: defer(() => (isLive ? shared$.pipe(startWith({ type: 'feed.live' as const })) : shared$)),
    close: () => closed$.next(),
  };
}

/**
 * Two microtasks. Closing a socket takes longer than delivering a result, so the subscribers of the result run first. A
 * subscriber that arrives within the moment keeps the socket.
 */
const aMoment = () => Promise.resolve().then(() => {});

/** A connection that keeps itself open and authenticated while it is subscribed to. */
function connection(options: JobFeedOptions, transport$: Observable<FeedTransport>): Observable<JobFeedEvent> {
  const { tokens, resumed$, clock, random, log, connectTimeoutMs, stableAfterMs } = options;

  return new Observable((subscriber) => {
    let transport: FeedTransport | null = null;
    /** The connection under way, and whose it is. */
    let link: { events: Subscription; user: string | null; closing: AbortController } | null = null;
    const renewed$ = new Subject<void>();
    let hasBeenOpen = false;
    /** Waits for a connection to become live, or for the next attempt. Never both. */
    let timer: unknown;
    let attempt = 0;
    let liveSince: number | null = null;
    /** How often in a row the connection closed, or did not open, for what may have hit all clients. */
    let roundsWithAll = 0;
    const beganAt = clock.now();

    const untilNextAttempt = (): number => {
      if (!hasBeenOpen) return backoff(attempt, BLOCKED, random);
      if (roundsWithAll === 0) return backoff(attempt, ALONE, random);
      const { minMs, baseMs, capMs, share } = WITH_ALL;
      const spreadMs = Math.min(baseMs, Math.max(ALONE.baseMs, (clock.now() - beganAt) * share));
      // Who came early waits for the next round: attempts stay as rare as in the first one.
      const earliestMs = roundsWithAll === 1 ? minMs : spreadMs;
      return backoff(roundsWithAll - 1, { minMs: earliestMs, baseMs: spreadMs, capMs }, random);
    };
    const drop = (reason: string): void => {
      clock.clearTimeout(timer);
      const dropped = link;
      link = null;
      dropped?.closing.abort();
      dropped?.events.unsubscribe();
      if (liveSince === null) return;
      if (clock.now() - liveSince >= stableAfterMs) attempt = 0;
      liveSince = null;
      log({ type: 'feed.lost', reason });
      subscriber.next({ type: 'feed.lost' });
    };
    const retry = (reason: string, forAll = false): void => {
      roundsWithAll = forAll ? roundsWithAll + 1 : 0;
      drop(reason);
      // The event of the loss may have made the last subscriber leave.
      if (subscriber.closed) return;
      timer = clock.setTimeout(connect, untilNextAttempt());
      attempt += 1;
    };
    const giveUp = (error: unknown): void => {
      drop('unavailable');
      transport = null;
      log({ type: 'feed.unavailable', reason: error instanceof Error ? error.name : 'unknown' });
    };
    const becomeLive = (): void => {
      clock.clearTimeout(timer);
      hasBeenOpen = true;
      if (liveSince !== null) return;
      liveSince = clock.now();
      log({ type: 'feed.live' });
      subscriber.next({ type: 'feed.live' });
    };
    const connect = (): void => {
      clock.clearTimeout(timer);
      // Without a token there is nothing to connect for; the event of the next token connects.
      if (subscriber.closed || link || !transport || !tokens.current()) return;
      log({ type: 'feed.connecting', attempt });
      let isOpen = false;
      // One that is open waits for a token: that is a matter of this client.
      timer = clock.setTimeout(() => retry('timeout', !isOpen), connectTimeoutMs);
      const closing = new AbortController();
      const events = new Subscription();
      link = { events, user: tokens.identity(), closing };
      /** The generation of the token that was handed out last. */
      let generation: number | null = null;
      // The server answers a token that is over by closing even a live connection. One that the API refuses may still be good: the first
      // connection that is authenticated with it tells so.
      const goodToken = async () => {
        const token = await tokens.forCall(closing.signal).catch(() => null);
        if (!token || closing.signal.aborted || (token.inDoubt && !token.isRefused)) return null;
        ({ generation } = token);
        return token;
      };
      const opened = (): void => {
        isOpen = hasBeenOpen = true;
        roundsWithAll = 0;
      };
      const authenticated = (): void => {
        if (generation !== null) tokens.authenticated?.(generation);
        becomeLive();
      };
      events.add(
        transport({ goodToken, renewed$ }).subscribe({
          next(event) {
            if (event.type === 'closed') retry(event.reason, event.forAll);
            else if (event.type === 'live') authenticated();
            else if (event.type === 'open') opened();
            else if (event.event) subscriber.next(event.event);
            else log({ type: 'feed.ignored', event: event.name, reason: 'malformed' });
          },
          error: giveUp,
        }),
      );
    };

    subscriber.add(() => drop('closed'));
    subscriber.add(
      tokens.events$.subscribe((event) => {
        const isNew = event.type === 'token.renewed' || event.type === 'session.restored';
        // A second user who authenticates on the same connection would stay in the first user's room as well.
        const isAnother = link !== null && !isSameUser(link.user, tokens.identity());
        if (event.type === 'session.ended' || event.type === 'session.restored' || (isNew && isAnother))
          drop(event.type);
        if (isNew && link) renewed$.next();
        else if (isNew) connect();
      }),
    );
    subscriber.add(
      resumed$.subscribe(() => {
        if (!link) connect();
      }),
    );
    subscriber.add(
      transport$.subscribe({
        next(loaded) {
          transport = loaded;
          connect();
        },
        error: giveUp,
      }),
    );
  });
}
