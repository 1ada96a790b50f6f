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

/** Full jitter over some seconds: a server that drops one socket drops all of them. */
const RECONNECT = { minMs: 250, baseMs: 3_000, capMs: 30_000 };
/** Until the first connection opens: what blocks it, such as a proxy, seldom goes away while a job runs. */
const BLOCKED = { ...RECONNECT, capMs: 120_000 };

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
    const retry = (reason: string): void => {
      drop(reason);
      // The event of the loss may have made the last subscriber leave.
      if (subscriber.closed) return;
      timer = clock.setTimeout(connect, backoff(attempt, hasBeenOpen ? RECONNECT : BLOCKED, random));
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
      timer = clock.setTimeout(() => retry('timeout'), connectTimeoutMs);
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
      const authenticated = (): void => {
        if (generation !== null) tokens.authenticated?.(generation);
        becomeLive();
      };
      events.add(
        transport({ goodToken, renewed$ }).subscribe({
          next(event) {
            if (event.type === 'closed') retry(event.reason);
            else if (event.type === 'live') authenticated();
            else if (event.type === 'open') hasBeenOpen = true;
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
