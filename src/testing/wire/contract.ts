import type { VirtualClock } from '../virtual-clock.ts';
import { flat, invalidToken, nested, ok, type WireAnswer } from './answers.ts';
import { balanceOf, type PlannedStep, type RowKind, rows, type WireJob, type WireRow } from './jobs.ts';
import type { WireRoute } from './routes.ts';

/** A request as it arrives. */
export interface WireRequest {
  route: WireRoute;
  /** Of the job or the result that it is about. */
  id: string;
  /** The access token, if one was sent. */
  token: string | null;
  /** The idempotency key, if one was sent. */
  key: string | null;
  /** The refresh token of the browser's cookie jar; null for none. */
  cookie: string | null;
}

/** The server's end of a connection. */
export interface WireSocket {
  send(event: string, payload: unknown): void;
  /** Sends a last event and disconnects, in words that Socket.IO does not reconnect after. */
  end(event: string, payload: unknown): void;
  /** The connection breaks; `inOrder`: by a close frame of the server, as before it restarts. */
  drop(inOrder?: boolean): void;
}

/** What a sign-in hands out. */
export interface WireSession {
  accessToken: string;
  /** Life of the access token from its issue on, ms. */
  lifeMs: number;
  /** True time of the issue, ms since the epoch. */
  issuedAt: number;
  /** The refresh token. */
  cookie: string;
}

export interface WireOptions {
  clock: VirtualClock;
  tokenLifeMs: number;
  /** What the worker does with a job that is accepted now. */
  planOf: (userId: string, now: number) => readonly PlannedStep[];
  /** Whether the auth service refuses every access token. @default never */
  isAuthDown?: () => boolean;
  /** What its health route says: `honest` the truth, `lying` always 200, `missing` 404. @default 'honest' */
  health?: 'honest' | 'missing' | 'lying';
  /** Whether it refuses refreshes then as well. @default true */
  outageTakesRefresh?: boolean | (() => boolean);
  /** Whether sockets authenticate all the same. @default false */
  outageSparesSockets?: boolean;
  /** A new access token, and the true time at which it expires. @default an opaque text that lives for `tokenLifeMs` */
  mint?: (userId: string, serial: number) => { value: string; expiry: number };
  /** Between two refreshes of one session that the server grants, ms. @default {@link REFRESH_INTERVAL_MS} */
  refreshIntervalMs?: number;
  /** Whether the answer to a refresh states the lifetime of the token. @default true */
  statesLife?: boolean;
  /** The ids of a new job. @default `job-1`, `result-1` */
  idsOf?: (serial: number) => Pick<WireJob, 'jobId' | 'resultId' | 'shownResultId'>;
  /** The answer to an access token that is not accepted. @default 401 INVALID_TOKEN */
  deadToken?: () => WireAnswer;
  /** The answer to a refresh that is refused for good, because the refresh token was used before or for another reason. @default 401 */
  sessionOver?: (isReuse: boolean) => WireAnswer;
  /** The last word on each row and each payload. @default as it is */
  spell?: (kind: RowKind, row: WireRow) => WireRow;
  /** Whether events about the end of a job name it; those of the real server do not. @default false */
  eventsNameJobs?: boolean;
  /** Whether an event says that work has begun. @default false */
  saysStarted?: boolean;
  /** Whether events about this job are kept back now. @default never */
  isMute?: (job: WireJob) => boolean;
}

/** "The minute" between two refreshes of one session that the server grants. */
export const REFRESH_INTERVAL_MS = 60_000;
/** A socket that does not authenticate within this time is disconnected. */
const AUTHENTICATION_MS = 10_000;
/** From acceptance to the event that says that work has begun, at most. */
const BEGUN_MS = 1_000;

interface Session {
  userId: string;
  /** The one access token that is good. */
  token: string;
  /** The one refresh token that is good; null when the session is over. */
  cookie: string | null;
  refreshedAt: number;
}

/**
 * The wire contract for any number of users, in virtual time: sessions with rotation and reuse detection, one refresh a minute, jobs,
 * idempotency keys, the archive, the balance and the events of the socket. All fakes answer with it; each adds its own faults around it.
 *
 * @example
 * const wire = wireContract({ clock, tokenLifeMs: 300_000, planOf: (_, now) => [{ at: now + 90_000, status: 'completed' }] });
 * const { accessToken } = wire.signIn('user-1');
 * wire.answer({ route: 'balance', id: '', token: accessToken, key: null, cookie: null }); // [200, { success: true, … }]
 */
export function wireContract(options: WireOptions) {
  const { clock, tokenLifeMs, planOf, isAuthDown = () => false } = options;
  const takesRefresh = (): boolean => {
    const { outageTakesRefresh = true } = options;
    return typeof outageTakesRefresh === 'boolean' ? outageTakesRefresh : outageTakesRefresh();
  };
  const {
    mint = (_, number) => ({ value: `token-${number}`, expiry: clock.time() + tokenLifeMs }),
    refreshIntervalMs = REFRESH_INTERVAL_MS,
    statesLife = true,
    idsOf = (number) => ({
      jobId: `job-${number}`,
      resultId: `result-${number}`,
      shownResultId: `result-${number}`,
    }),
    deadToken = invalidToken,
    sessionOver = () => nested(401, 'INVALID_REFRESH_TOKEN'),
    spell = (_, row) => row,
    eventsNameJobs = false,
    saysStarted = false,
    isMute = () => false,
  } = options;
  /** By user. */
  const sessions = new Map<string, Session>();
  /** The access tokens that are good until they expire. */
  const tokens = new Map<string, { userId: string; expiry: number }>();
  /** The user of each refresh token, used ones included. */
  const cookies = new Map<string, string>();
  const jobs: WireJob[] = [];
  /** By its own id and those of its results. */
  const jobsById = new Map<string, WireJob>();
  const jobsByUser = new Map<string, WireJob[]>();
  const jobsByKey = new Map<string, WireJob>();
  /** Each connection, with its user once that is known. */
  const connections = new Map<WireSocket, { userId: string | null }>();
  const socketsByUser = new Map<string, Set<WireSocket>>();
  let serial = 0;

  // --- sessions

  const issue = (session: Session): Omit<WireSession, 'cookie'> & { cookie: string } => {
    serial += 1;
    // Only the newest token of a session is good: a refresh ends the one before.
    tokens.delete(session.token);
    const { value, expiry } = mint(session.userId, serial);
    const cookie = String(serial);
    Object.assign(session, { token: value, cookie });
    tokens.set(value, { userId: session.userId, expiry });
    cookies.set(cookie, session.userId);
    return { accessToken: value, lifeMs: tokenLifeMs, issuedAt: clock.time(), cookie };
  };
  const endSession = (session: Session): void => {
    tokens.delete(session.token);
    session.cookie = null;
  };
  const userOf = (token: string | null, isSpared = false): string | null => {
    const known = tokens.get(token ?? '');
    return known && clock.time() < known.expiry && (isSpared || !isAuthDown()) ? known.userId : null;
  };
  const refresh = (cookie: string | null): WireAnswer => {
    if (isAuthDown() && takesRefresh()) return flat(503, 'SERVICE_UNAVAILABLE');
    const session = sessions.get(cookies.get(cookie ?? '') ?? '');
    if (!session || session.cookie === null) return sessionOver(false);
    if (session.cookie !== cookie) {
      // A refresh token that was used before comes back: taken for theft.
      endSession(session);
      return sessionOver(true);
    }
    const waitMs = session.refreshedAt + refreshIntervalMs - clock.time();
    if (waitMs > 0) return flat(429, 'RATE_LIMIT_EXCEEDED', { 'retry-after': String(Math.ceil(waitMs / 1_000)) });
    session.refreshedAt = clock.time();
    const { accessToken, cookie: next } = issue(session);
    const life = statesLife ? { expiresIn: String(tokenLifeMs / 1_000) } : {};
    return ok({ idToken: accessToken, ...life }, { 'set-cookie': next });
  };

  /** The health route has no envelope. */
  const healthAnswer = (): WireAnswer => {
    const { health = 'honest' } = options;
    if (health === 'missing') return nested(404, 'NOT_FOUND');
    const isDown = isAuthDown() && health === 'honest';
    return [isDown ? 503 : 200, { status: isDown ? 'unhealthy' : 'healthy', service: 'auth-v2' }];
  };

  // --- sockets

  const tell = (userId: string | null, event: string, payload: unknown): void => {
    const sockets =
      userId === null
        ? [...connections].flatMap(([socket, connection]) => (connection.userId === null ? [] : [socket]))
        : (socketsByUser.get(userId) ?? []);
    for (const socket of sockets) socket.send(event, payload);
  };
  const announce = (job: WireJob, status: PlannedStep['status'] | 'begun'): void => {
    if (isMute(job)) return;
    const say = (event: string, row: WireRow) => tell(job.userId, event, spell('event', row));
    const named = eventsNameJobs ? { jobId: job.jobId } : {};
    if (status === 'completed') say('analysis-complete', { ...named, ...rows.completed(job) });
    else if (status === 'failed') say('analysis-failed', { ...named, ...rows.failed() });
    else if (saysStarted) say('analysis-started', rows.started(job));
  };

  // --- jobs

  const accept = (userId: string): WireJob => {
    const now = clock.time();
    const plan = planOf(userId, now);
    const [first, last] = [plan[0]?.at ?? now, plan.at(-1)?.at ?? now];
    serial += 1;
    const job: WireJob = { ...idsOf(serial), userId, acceptedAt: now, plan, doneAt: last };
    jobs.push(job);
    for (const id of [job.jobId, job.resultId, job.shownResultId]) jobsById.set(id, job);
    jobsByUser.set(userId, [...(jobsByUser.get(userId) ?? []), job]);
    if (saysStarted) clock.setTimeout(() => announce(job, 'begun'), Math.min(BEGUN_MS, (first - now) / 2), null);
    for (const { at, status } of plan) clock.setTimeout(() => announce(job, status), at - now, null);
    return job;
  };
  const jobOfKey = (userId: string, key: string | null) =>
    key === null ? undefined : jobsByKey.get(`${userId} ${key}`);
  const keepKey = (userId: string, key: string | null, job: WireJob) =>
    key === null ? undefined : void jobsByKey.set(`${userId} ${key}`, job);
  /** @param cache whether the key was known; null for a server that ignores keys */
  const submitted = (job: WireJob, cache: 'HIT' | 'MISS' | null): WireAnswer =>
    ok(
      spell('submit', rows.submit(job)),
      { 'x-idempotency-supported': 'true', ...(cache && { 'x-idempotency-cache': cache }) },
      202,
    );
  const submit = (userId: string, key: string | null): WireAnswer => {
    const known = jobOfKey(userId, key);
    const job = known ?? accept(userId);
    keepKey(userId, key, job);
    return submitted(job, known ? 'HIT' : 'MISS');
  };
  const jobRow = (job: WireJob): WireRow => spell('job', rows.job(job, clock.time()));

  return {
    /** The answer to a request. */
    answer({ route, id, token, key, cookie }: WireRequest): WireAnswer {
      if (route === 'refresh') return refresh(cookie);
      if (route === 'health') return healthAnswer();
      const userId = userOf(token);
      if (userId === null) return deadToken();
      if (route === 'submit') return submit(userId, key);
      if (route === 'balance') return ok({ token_balance: balanceOf(userId) });
      if (route === 'jobs') return ok({ jobs: (jobsByUser.get(userId) ?? []).toReversed().map(jobRow) });
      const job = jobsById.get(id);
      if (!job) return nested(404, 'NOT_FOUND');
      if (job.userId !== userId) return nested(403, 'FORBIDDEN');
      if (route === 'status') return ok(spell('status', rows.status(job, clock.time())));
      if (route === 'job') return ok(jobRow(job));
      return ok(spell('result', rows.result(job, clock.time(), id)));
    },

    /** @param issuedAgoMs the age of the access token that this session begins with */
    signIn(userId: string, issuedAgoMs = 0): WireSession {
      const before = sessions.get(userId);
      if (before) endSession(before);
      const session = { userId, token: '', cookie: null, refreshedAt: Number.NEGATIVE_INFINITY };
      sessions.set(userId, session);
      const issued = issue(session);
      const token = tokens.get(issued.accessToken);
      if (token) token.expiry -= issuedAgoMs;
      return { ...issued, issuedAt: issued.issuedAt - issuedAgoMs };
    },
    /** The refresh token of this user that is good, or null. */
    cookieOf: (userId: string): string | null => sessions.get(userId)?.cookie ?? null,
    /** The user of an access token that is accepted now, or null. */
    userOf: (token: string | null) => userOf(token),
    /** Ends every access token; sessions live on. */
    endTokens: () => tokens.clear(),
    /** Ends every session, and its tokens. */
    endSessions: () => sessions.forEach(endSession),

    /** Creates a job, and announces each step of its plan. */
    accept,
    submitted,
    /** The job that was accepted under this key. */
    jobOfKey,
    keepKey,
    /** The job with this id, or with this id of a result. */
    jobOf: (id: string): WireJob | undefined => jobsById.get(id),
    jobsOf: (userId: string): readonly WireJob[] => jobsByUser.get(userId) ?? [],
    jobs: (): readonly WireJob[] => jobs,
    /** The row of the archive. */
    jobRow,

    opened(socket: WireSocket): void {
      const connection = { userId: null };
      connections.set(socket, connection);
      const endIfUnknown = (): void => {
        if (connections.get(socket) === connection && connection.userId === null)
          socket.end('auth_error', { message: 'Authentication timeout' });
      };
      clock.setTimeout(endIfUnknown, AUTHENTICATION_MS, null);
    },
    closed(socket: WireSocket): void {
      socketsByUser.get(connections.get(socket)?.userId ?? '')?.delete(socket);
      connections.delete(socket);
    },
    authenticate(socket: WireSocket, token: string): void {
      const userId = userOf(token, options.outageSparesSockets);
      const connection = connections.get(socket);
      if (userId === null || !connection) return socket.end('auth_error', { message: 'Invalid or expired token' });
      connection.userId = userId;
      socketsByUser.set(userId, (socketsByUser.get(userId) ?? new Set()).add(socket));
      return socket.send('authenticated', { success: true, userId });
    },
    /** @param userId whose sockets; null for all that are authenticated */
    tell,
    /** Tells the sockets of its user of a step of this job. */
    announce,
    /** @param inOrder as a server does that shuts down; false as a network does that breaks */
    dropSockets: (inOrder = false) => [...connections.keys()].forEach((socket) => socket.drop(inOrder)),
    sockets: () => connections.size,
  };
}
