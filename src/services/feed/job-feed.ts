import { defer, merge, Observable, share, shareReplay, startWith, Subject, Subscription, tap } from 'rxjs';
import { backoff, type Random } from '../../lib/backoff.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { TokenService } from '../auth/token-service.ts';
import type { PageEvent } from '../page-signals.ts';
import { connectSocket, type LoadSocketIo, type OpenFeedSocket, type SocketAddress } from './socket-io.ts';
import { type JobFeedEvent, toJobFeedEvent } from './vocabulary.ts';

export interface JobFeedOptions extends SocketAddress {
  load: LoadSocketIo;
  tokens: Pick<TokenService, 'current' | 'events$'>;
  resumed$: Observable<PageEvent>;
  clock: Clock;
  random: Random;
  log: Log;
  /** From the start of a connection to `authenticated`, ms. */
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
  const socketIo$ = defer(options.load).pipe(shareReplay(1));
  const closed$ = new Subject<void>();
  let isLive = false;
  const shared$ = connection(options, socketIo$).pipe(
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

/** A socket that keeps itself connected and authenticated while it is subscribed to. */
function connection(options: JobFeedOptions, socketIo$: Observable<{ io: OpenFeedSocket }>): Observable<JobFeedEvent> {
  const { tokens, resumed$, clock, random, log, connectTimeoutMs, stableAfterMs } = options;

  return new Observable((subscriber) => {
    let io: OpenFeedSocket | null = null;
    let socket: Subscription | null = null;
    /** Sends on the socket; null until it is open. */
    let send: ((name: string, payload: unknown) => void) | null = null;
    let hasBeenOpen = false;
    /** Waits for a connection to become live, or for the next attempt. Never both. */
    let timer: unknown;
    let attempt = 0;
    let liveSince: number | null = null;
    /** The generation of the token that was last sent on this socket. */
    let generation: number | null = null;

    const drop = (reason: string): void => {
      clock.clearTimeout(timer);
      socket?.unsubscribe();
      socket = send = generation = null;
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
      io = null;
      log({ type: 'feed.unavailable', reason: error instanceof Error ? error.name : 'unknown' });
    };
    const authenticate = (): void => {
      const token = tokens.current();
      // Never with an expired token: the server answers it by closing even a live socket.
      if (!send || !token || token.generation === generation) return;
      generation = token.generation;
      send('authenticate', { token: token.value });
    };
    const becomeLive = (): void => {
      clock.clearTimeout(timer);
      if (liveSince !== null) return;
      liveSince = clock.now();
      log({ type: 'feed.live' });
      subscriber.next({ type: 'feed.live' });
    };
    const receive = (name: string, payload: unknown): void => {
      if (name === 'auth_error' || name === 'auth-error') return retry('refused');
      if (name === 'authenticated') return becomeLive();
      const event = toJobFeedEvent(name, payload);
      if (event) subscriber.next(event);
      else if (event === null) log({ type: 'feed.ignored', event: name, reason: 'malformed' });
    };
    const connect = (): void => {
      clock.clearTimeout(timer);
      // Without a token there is nothing to connect for; the event of the next token connects.
      if (subscriber.closed || socket || !io || !tokens.current()) return;
      log({ type: 'feed.connecting', attempt });
      timer = clock.setTimeout(() => retry('timeout'), connectTimeoutMs);
      socket = new Subscription();
      socket.add(
        connectSocket(io, options).subscribe({
          next(event) {
            if (event.type === 'message') receive(event.name, event.payload);
            else if (event.type === 'closed') retry(event.reason);
            else {
              send = event.send;
              hasBeenOpen = true;
              authenticate();
            }
          },
          error: giveUp,
        }),
      );
    };

    subscriber.add(() => drop('closed'));
    subscriber.add(
      tokens.events$.subscribe((event) => {
        // A second user who authenticates on the same socket would stay in the first user's room as well.
        if (event.type === 'session.ended' || event.type === 'session.restored') drop(event.type);
        if (event.type === 'token.renewed' && socket) authenticate();
        else if (event.type === 'token.renewed' || event.type === 'session.restored') connect();
      }),
    );
    subscriber.add(
      resumed$.subscribe(() => {
        if (!socket) connect();
      }),
    );
    subscriber.add(
      socketIo$.subscribe({
        next(module) {
          io = module.io;
          connect();
        },
        error: giveUp,
      }),
    );
  });
}
