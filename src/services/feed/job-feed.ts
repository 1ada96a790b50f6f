import { type Subscribable, toObserver } from 'xstate';
import { backoff, type Random } from '../../lib/backoff.ts';
import type { Clock } from '../../lib/clock.ts';
import { percentOf, reasonOf } from '../job-report.ts';
import type { Log } from '../../lib/log.ts';
import type { PageEvent } from '../page-signals.ts';
import { fit, maybeId, maybeNumber, maybeText, object } from '../../lib/schemas.ts';
import { createSubject, type Listener } from '../../lib/subject.ts';
import type { TokenService } from '../auth/token-service.ts';

/** What the server says of jobs, in our own words. Ids are null where the server does not tell them. */
export type JobFeedEvent =
  | { type: 'feed.live' }
  | { type: 'feed.lost' }
  | {
      type: 'job.progressed';
      jobId: string | null;
      resultId: string | null;
      status: 'processing';
      percent: number | null;
    }
  | { type: 'job.completed'; jobId: string | null; resultId: string | null }
  | { type: 'job.failed'; jobId: string | null; resultId: string | null; message: string }
  | { type: 'balance.changed'; balance: number };

/** The part of a Socket.IO client socket that we use, so that tests can bring their own. */
export interface FeedSocket {
  on(event: string, listener: (payload: unknown) => void): unknown;
  /** Whatever the server says, and nothing that Socket.IO says itself. */
  onAny(listener: (event: string, payload: unknown) => void): unknown;
  removeAllListeners(): unknown;
  emit(event: string, payload: unknown): unknown;
  connect(): unknown;
  disconnect(): unknown;
}

/** Loads Socket.IO and returns how to make a socket. Called once, when the first socket is needed. */
export type LoadSocketIo = () => Promise<{ io: (url: string, options: object) => FeedSocket }>;

export interface JobFeedOptions {
  /** Origin of the Socket.IO server; an empty text is the page's own. */
  url: string;
  path: string;
  /** Socket.IO transports. Only `websocket` by default: where that is blocked, our own polling is lighter than theirs. */
  transports: readonly string[];
  load: LoadSocketIo;
  tokens: Pick<TokenService, 'current' | 'events$'>;
  resumed$: Subscribable<PageEvent>;
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
   * Everything that the server says to this user. All subscribers share one socket, which lives a moment longer than the
   * last of them. A subscriber that comes to a live socket is told so at once.
   */
  readonly events$: Subscribable<JobFeedEvent>;
  /** Does not wait for that moment: a socket without a subscriber is closed at once. */
  close(): void;
}

/** A server that drops one socket drops all: they come back over some seconds, and not in one. */
const RECONNECT = { minMs: 250, baseMs: 3_000, capMs: 30_000 };
/** Where none was ever opened something is in the way, and hardly goes away while a job runs. */
const BLOCKED = { ...RECONNECT, capMs: 120_000 };

export function createJobFeed(options: JobFeedOptions): JobFeed {
  let live = false;
  let loading: ReturnType<LoadSocketIo> | null = null;
  const load: LoadSocketIo = async () => {
    try {
      return await (loading ??= options.load());
    } catch (error) {
      loading = null; // the next subscriber may be luckier
      throw error;
    }
  };
  let isHeard = false;
  let hangUp: (() => void) | null = null;
  const close = (): void => {
    if (isHeard) return;
    hangUp?.();
    hangUp = null;
  };
  const said$ = createSubject<JobFeedEvent>(() => {
    isHeard = true;
    hangUp ??= connection(options, load, said$.next, (value) => (live = value));
    return () => {
      isHeard = false;
      void aMoment().then(close);
    };
  });
  return {
    events$: {
      subscribe(listener: Listener<JobFeedEvent>) {
        if (live) toObserver(listener).next?.({ type: 'feed.live' });
        return said$.subscribe(listener);
      },
    },
    close,
  };
}

/**
 * Closing a socket takes longer than handing over a result, so those who wait for the result come first. Who subscribes within
 * the moment keeps the socket.
 */
const aMoment = () => Promise.resolve().then(() => {});

/** One socket that keeps itself connected and authenticated until it is hung up. Returns how to do so. */
function connection(
  options: JobFeedOptions,
  load: LoadSocketIo,
  say: (event: JobFeedEvent) => void,
  setLive: (live: boolean) => void,
): () => void {
  const { url, path, transports, tokens, resumed$, clock, random, log, connectTimeoutMs, stableAfterMs } = options;

  let closed = false;
  let io: Awaited<ReturnType<LoadSocketIo>>['io'] | null = null;
  let socket: FeedSocket | null = null;
  /** Connected: what is sent before would be kept, and go out with a token that may be dead by then. */
  let open = false;
  let hasBeenOpen = false;
  /** Waits for a connection to become live, or for the next attempt. Never both. */
  let timer: unknown;
  let attempt = 0;
  let liveSince: number | null = null;
  /** The generation that this socket was, or is being, authenticated with. */
  let generation: number | null = null;

  const drop = (reason: string): void => {
    clock.clearTimeout(timer);
    socket?.removeAllListeners();
    socket?.disconnect();
    socket = null;
    open = false;
    generation = null;
    if (liveSince === null) return;
    if (clock.now() - liveSince >= stableAfterMs) attempt = 0;
    liveSince = null;
    setLive(false);
    log({ type: 'feed.lost', reason });
    say({ type: 'feed.lost' });
  };
  const retry = (reason: string): void => {
    drop(reason);
    // Whoever heard that it is lost may have been the last to listen.
    if (closed) return;
    timer = clock.setTimeout(connect, backoff(attempt, hasBeenOpen ? RECONNECT : BLOCKED, random));
    attempt += 1;
  };
  const authenticate = (): void => {
    const token = tokens.current();
    // Never with a token that is not known to be good: the server would close even a live socket.
    if (!socket || !open || !token || token.generation === generation) return;
    generation = token.generation;
    socket.emit('authenticate', { token: token.value });
  };
  const hear = (name: string, payload: unknown): void => {
    if (name === 'auth_error' || name === 'auth-error') retry('refused');
    if (name === 'authenticated') {
      clock.clearTimeout(timer);
      if (liveSince !== null) return;
      liveSince = clock.now();
      setLive(true);
      log({ type: 'feed.live' });
      say({ type: 'feed.live' });
    }
    const event = toJobFeedEvent(name, payload);
    if (event) say(event);
    else if (event === null) log({ type: 'feed.ignored', event: name, reason: 'malformed' });
  };
  const connect = (): void => {
    clock.clearTimeout(timer);
    // Without a token there is nothing to connect for; the next one will call again.
    if (closed || socket || !io || !tokens.current()) return;
    // Reconnecting is ours: Socket.IO gives up after a server-side disconnect and forgets to authenticate.
    const opened = io(url, {
      path,
      transports: [...transports],
      reconnection: false,
      forceNew: true,
      autoConnect: false,
    });
    socket = opened;
    timer = clock.setTimeout(() => retry('timeout'), connectTimeoutMs);
    opened.on('connect', () => {
      open = hasBeenOpen = true;
      authenticate();
    });
    opened.on('connect_error', () => retry('unreachable'));
    opened.on('disconnect', (reason) => retry(typeof reason === 'string' ? reason : 'disconnected'));
    // One listener for all events: each would keep a closure and an array in every page that waits.
    opened.onAny((name, payload) => {
      if (socket === opened) hear(name, payload);
    });
    opened.connect();
    log({ type: 'feed.connecting', attempt });
  };

  const tokenWatch = tokens.events$.subscribe((event) => {
    // Re-authenticating as somebody else would leave us in the first user's room as well.
    if (event.type === 'session.ended' || event.type === 'session.restored') drop(event.type);
    if (event.type === 'token.renewed' && socket) authenticate();
    else if (event.type === 'token.renewed' || event.type === 'session.restored') connect();
  });
  const wakeWatch = resumed$.subscribe(() => {
    if (!socket) connect();
  });
  load()
    .then((module) => {
      io = module.io;
      connect();
    })
    .catch((error: unknown) => {
      log({ type: 'feed.unavailable', reason: error instanceof Error ? error.name : 'unknown' });
    });
  return () => {
    closed = true;
    tokenWatch.unsubscribe();
    wakeWatch.unsubscribe();
    drop('closed');
  };
}

/** All that any event of the server's may say. */
const payloadSchema = object({
  jobId: maybeId,
  resultId: maybeId,
  result_id: maybeId,
  progress: maybeNumber,
  error: maybeText,
  error_message: maybeText,
  balance: maybeNumber,
  token_balance: maybeNumber,
});

/** An event of the server's in our words; null where it makes no sense, undefined where it is none of ours. */
function toJobFeedEvent(name: string, payload: unknown): JobFeedEvent | null | undefined {
  const said = fit(payload, payloadSchema);
  const job = said && { jobId: said.jobId, resultId: said.result_id ?? said.resultId };
  switch (name) {
    case 'analysis-started':
      return job && { type: 'job.progressed', ...job, status: 'processing', percent: percentOf(said.progress) };
    case 'analysis-complete':
      return job && { type: 'job.completed', ...job };
    case 'analysis-failed':
    // Sent for a kind of assessment that the worker does not know; the client that we replace did not listen to it.
    case 'analysis-unknown':
      return job && { type: 'job.failed', ...job, message: reasonOf(said.error_message, said.error) };
    case 'token-balance-update': {
      const balance = said?.balance ?? said?.token_balance ?? null;
      return balance === null ? null : { type: 'balance.changed', balance };
    }
  }
}
