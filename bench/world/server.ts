import type { VirtualClock } from 'assessment-monitor/testing';

/*
 * The server of the benchmarks: the wire contract for many users at once, in virtual time. It trusts no client and counts what it saw.
 */

export type Route = 'submit' | 'status' | 'result' | 'job' | 'balance' | 'refresh';

/** The server's end of a connection. */
export interface ServerSocket {
  userId: string | null;
  send(event: string, payload: unknown): void;
  /** Says a last word and disconnects in words that Socket.IO does not reconnect after. */
  end(event: string, payload: unknown): void;
  /** The connection breaks. */
  drop(): void;
}

export interface Request {
  route: Route;
  id: string;
  authorization: string | undefined;
  idempotencyKey: string | undefined;
  /** The refresh token of the browser's cookie jar; null for none. */
  cookie: number | null;
}

export interface Answer {
  status: number;
  body: unknown;
  headers: Record<string, string>;
  /** The refresh token that the browser is to keep from now on. */
  setCookie?: number;
}

export interface Job {
  jobId: string;
  resultId: string;
  userId: string;
  doneAt: number;
}

export interface Session {
  accessToken: string;
  /** Life of the token from its issue on, ms, and when it was issued. */
  lifeMs: number;
  issuedAt: number;
  cookie: number;
}

interface User {
  token: string;
  expiry: number;
  /** The one refresh token that is good; null when the session is over. */
  cookie: number | null;
  refreshedAt: number;
}

export interface ServerOptions {
  clock: VirtualClock;
  tokenLifeMs: number;
  jobMs: (userId: string) => number;
  /** Hears of every request that arrived, and what it was answered. */
  onRequest?: (request: Request, answer: Answer) => void;
}

/** Between two refreshes of one session that are granted. */
const REFRESH_INTERVAL_MS = 60_000;
const unauthorized = (): Answer => flat(401, 'INVALID_TOKEN', 'Invalid or expired token');

export function createServer({ clock, tokenLifeMs, jobMs, onRequest }: ServerOptions) {
  const users = new Map<string, User>();
  const jobs = new Map<string, Job>();
  const jobsOf = new Map<string, Job[]>();
  const byKey = new Map<string, Job>();
  const sockets = new Set<ServerSocket>();
  const socketsOf = new Map<string, Set<ServerSocket>>();
  /** What is wrong at the moment. */
  const state = { authOutage: false };
  /** Whose a refresh token is, or was. */
  const cookieOf = new Map<number, string>();
  let serial = 0;

  const issue = (userId: string, user: User): Session => {
    serial += 1;
    // Only the newest token of a session is good: a refresh ends the one before.
    Object.assign(user, { token: `${userId}/${serial}`, expiry: clock.time() + tokenLifeMs, cookie: serial });
    cookieOf.set(serial, userId);
    return { accessToken: user.token, lifeMs: tokenLifeMs, issuedAt: clock.time(), cookie: serial };
  };
  const userOf = (token: string): string | null => {
    const userId = token.slice(0, token.indexOf('/'));
    const user = users.get(userId);
    const isGood = user?.token === token && clock.time() < user.expiry && !state.authOutage;
    return isGood ? userId : null;
  };
  const isDone = (job: Job) => clock.time() >= job.doneAt;

  const refresh = (cookie: number | null): Answer => {
    if (state.authOutage) return flat(503, 'SERVICE_UNAVAILABLE', 'auth service unavailable');
    const refused = nested(401, 'INVALID_REFRESH_TOKEN');
    const userId = cookie === null ? undefined : cookieOf.get(cookie);
    const user = userId === undefined ? undefined : users.get(userId);
    if (userId === undefined || !user || user.cookie === null) return refused;
    if (user.cookie !== cookie) {
      // A refresh token that was used up comes back: taken for theft.
      Object.assign(user, { cookie: null, token: '' });
      return refused;
    }
    const waitMs = user.refreshedAt + REFRESH_INTERVAL_MS - clock.time();
    if (waitMs > 0) {
      const retryAfter = String(Math.ceil(waitMs / 1_000));
      return { ...flat(429, 'RATE_LIMIT_EXCEEDED', 'slow down'), headers: { 'retry-after': retryAfter } };
    }
    user.refreshedAt = clock.time();
    const session = issue(userId, user);
    return {
      ...data({ idToken: session.accessToken, expiresIn: String(tokenLifeMs / 1_000) }),
      setCookie: session.cookie,
    };
  };
  const submit = (userId: string, key: string | undefined): Answer => {
    const known = key === undefined ? undefined : byKey.get(`${userId} ${key}`);
    const job = known ?? accept(userId);
    if (key !== undefined) byKey.set(`${userId} ${key}`, job);
    return data({ jobId: job.jobId, resultId: job.resultId, status: 'queued', remainingTokens: 4 }, 202);
  };
  const accept = (userId: string): Job => {
    serial += 1;
    const lasts = jobMs(userId);
    const job = { jobId: `job-${serial}`, resultId: `result-${serial}`, userId, doneAt: clock.time() + lasts };
    jobs.set(job.jobId, job).set(job.resultId, job);
    jobsOf.set(userId, [...(jobsOf.get(userId) ?? []), job]);
    // As the real server says it: no job id, only the id of the result.
    clock.setTimeout(
      () => tell(userId, 'analysis-complete', { status: 'completed', result_id: job.resultId }),
      lasts,
      null,
    );
    return job;
  };
  const tell = (userId: string, event: string, payload: unknown): void => {
    for (const socket of socketsOf.get(userId) ?? []) socket.send(event, payload);
  };

  const answer = ({ route, id, authorization, idempotencyKey, cookie }: Request): Answer => {
    if (route === 'refresh') return refresh(cookie);
    const userId = userOf((authorization ?? '').replace('Bearer ', ''));
    if (userId === null) return unauthorized();
    if (route === 'submit') return submit(userId, idempotencyKey);
    if (route === 'balance') return data({ token_balance: 4 });
    const job = jobs.get(id);
    if (!job || job.userId !== userId) return nested(404, 'NOT_FOUND');
    const status = isDone(job) ? 'completed' : 'processing';
    if (route === 'status') {
      return data({ jobId: job.jobId, status, progress: isDone(job) ? 100 : 25, resultId: job.resultId });
    }
    if (route === 'job') return data({ job_id: job.jobId, status, result_id: job.resultId });
    return data({ id: job.resultId, test_result: isDone(job) ? { of: job.jobId } : null });
  };

  return {
    state,
    handle(request: Request): Answer {
      const its = answer(request);
      onRequest?.(request, its);
      return its;
    },
    /** @param issuedAgoMs the age of the token that this session begins with */
    signIn(userId: string, issuedAgoMs = 0): Session {
      const user: User = { token: '', expiry: 0, cookie: null, refreshedAt: Number.NEGATIVE_INFINITY };
      users.set(userId, user);
      const session = issue(userId, user);
      user.expiry -= issuedAgoMs;
      return { ...session, issuedAt: session.issuedAt - issuedAgoMs };
    },
    jobsOf: (userId: string): readonly Job[] => jobsOf.get(userId) ?? [],
    /** A job that runs already: for clients that are found in the middle of one. */
    accept,
    opened(socket: ServerSocket): void {
      sockets.add(socket);
      // A socket that does not authenticate within 10 s is disconnected.
      clock.setTimeout(
        () => {
          if (socket.userId === null) socket.end('auth_error', { message: 'Authentication timeout' });
        },
        10_000,
        null,
      );
    },
    closed(socket: ServerSocket): void {
      sockets.delete(socket);
      if (socket.userId !== null) socketsOf.get(socket.userId)?.delete(socket);
    },
    authenticate(socket: ServerSocket, token: string): void {
      const userId = userOf(token);
      if (userId === null) return socket.end('auth_error', { message: 'Invalid or expired token' });
      socket.userId = userId;
      socketsOf.set(userId, (socketsOf.get(userId) ?? new Set()).add(socket));
      return socket.send('authenticated', { success: true, userId });
    },
    dropSockets(): void {
      for (const socket of sockets) socket.drop();
    },
  };
}

export type BenchServer = ReturnType<typeof createServer>;

const data = (value: unknown, status = 200): Answer => ({ status, body: { success: true, data: value }, headers: {} });
function flat(status: number, error: string, message: string): Answer {
  return { status, body: { success: false, error, message }, headers: {} };
}
function nested(status: number, code: string): Answer {
  return { status, body: { success: false, error: { code, message: 'no' } }, headers: {} };
}
