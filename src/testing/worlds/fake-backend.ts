import type { FeedSocket, LoadSocketIo } from '../../services/feed/socket-io.ts';
import type { VirtualClock } from './virtual-clock.ts';
import type { World } from './world.ts';

/** One request as it left the client. */
export interface SeenRequest {
  route: string;
  /** True time at which it was sent. */
  at: number;
  /** Which page sent it: a reload makes a new one. */
  page: number;
  /** Seconds of Retry-After in its answer, if any. */
  retryAfter?: number;
}

interface Token {
  value: string;
  userId: string;
  /** By the client's clock: what its holder knows. */
  knownExpiry: number;
  /** By true time. */
  expiry: number;
  ended: boolean;
}

interface Job {
  jobId: string;
  resultId: string;
  userId: string;
  doneAt: number;
  forgotten: boolean;
}

/** "The minute" between two refreshes that the server grants. */
export const REFRESH_INTERVAL_MS = 60_000;

/**
 * The wire contract in virtual time: a server with jobs, rotating tokens, limits and bad days, behind a network with latency
 * and loss, and with sockets that forget. It keeps what it saw for the judge.
 */
export function fakeBackend(world: World, clock: VirtualClock) {
  const dice = seededRandom(world.seed);
  const tokens = new Map<string, Token>();
  const jobs = new Map<string, Job>();
  const byKey = new Map<string, string>();
  const sockets = new Set<FakeSocket>();
  const open = new Set<object>();
  const state = {
    offline: false,
    outage: false,
    down: false,
    silent: false,
    noSockets: false,
    loseRefresh: 0,
    loseSubmit: 0,
    page: 0,
  };
  const seen = {
    requests: [] as SeenRequest[],
    expiredTokens: 0,
    refreshes: [] as number[],
    concurrentRefreshes: 0,
    reuses: 0,
    submissionsAccepted: 0,
    /** Submissions that came although the client knew the job. */
    submittedAgain: 0,
    unauthorized: 0,
  };
  /** The one refresh token that is good: the cookie jar of this browser has it, or an older one. */
  let session: { userId: string; refreshToken: number; refreshedAt: number } | null = null;
  let jar: number | null = null;
  let serial = 0;
  const refreshing = new Set<SeenRequest>();
  let wasToldItsJob = false;

  const issue = (userId: string): Token => {
    for (const token of tokens.values()) token.ended = true;
    const value = `SECRET-${(serial += 1)}-${world.seed}`;
    const life = world.tokenTtlMs;
    const token = { value, userId, knownExpiry: clock.now() + life, expiry: clock.time() + life, ended: false };
    tokens.set(value, token);
    return token;
  };
  const isDone = (job: Job) => clock.time() >= job.doneAt;
  const verify = (header: string | undefined): Token | null => {
    const token = tokens.get((header ?? '').replace('Bearer ', ''));
    if (!token || token.ended || clock.time() >= token.expiry || state.outage) return null;
    return token;
  };

  type Reply = [status: number, body: unknown, headers?: Record<string, string>];
  const flat = (status: number, error: string): Reply => [
    status,
    { success: false, error, message: 'Invalid or expired token' },
  ];
  const nested = (status: number, code: string): Reply => [status, { success: false, error: { code, message: 'no' } }];
  const data = (value: unknown, status = 200): Reply => [status, { success: true, data: value }];

  const refresh = (): Reply => {
    if (!session || jar === null) return nested(401, 'INVALID_REFRESH_TOKEN');
    if (jar !== session.refreshToken) {
      seen.reuses += 1;
      session = null;
      return nested(401, 'INVALID_REFRESH_TOKEN');
    }
    const wait = session.refreshedAt + REFRESH_INTERVAL_MS - clock.time();
    if (wait > 0)
      return [
        429,
        { success: false, error: 'RATE_LIMIT_EXCEEDED', message: 'slow down' },
        { 'retry-after': String(Math.ceil(wait / 1_000)) },
      ];
    session.refreshedAt = clock.time();
    session.refreshToken += 1;
    const { value } = issue(session.userId);
    return data({ idToken: value, expiresIn: String(world.tokenTtlMs / 1_000) });
  };
  const submit = (user: string, key: string): Reply => {
    const known = jobs.get(byKey.get(`${user} ${key}`) ?? '');
    const serialJob = (serial += 1);
    const job = known ?? {
      jobId: `job-${serialJob}`,
      resultId: `result-${serialJob}`,
      userId: user,
      doneAt: clock.time() + world.jobMs,
      forgotten: false,
    };
    if (!known) {
      seen.submissionsAccepted += 1;
      jobs.set(job.jobId, job);
      byKey.set(`${user} ${key}`, job.jobId);
      clock.setTimeout(() => announce(job), world.jobMs);
    }
    return data({ jobId: job.jobId, resultId: job.resultId, status: 'queued', remainingTokens: 4 }, 202);
  };
  const statusOf = (job: Job) => (!isDone(job) ? 'processing' : world.jobFails ? 'failed' : 'completed');

  const work = (route: string, id: string, headers: Record<string, string>): Reply => {
    if (route === 'refresh') return refresh();
    if (state.down) return [503, '<html>down</html>', dice() < 0.5 ? { 'retry-after': '7' } : {}];
    const token = verify(headers.Authorization);
    if (!token) {
      seen.unauthorized += 1;
      return flat(401, 'INVALID_TOKEN');
    }
    if (route === 'submit') return submit(token.userId, headers['Idempotency-Key'] ?? '');
    if (route === 'balance') return data({ token_balance: 4 });
    const job = [...jobs.values()].find((it) => it.jobId === id || it.resultId === id);
    if (!job || (route === 'status' && job.forgotten)) return nested(404, 'NOT_FOUND');
    if (job.userId !== token.userId) return nested(403, 'FORBIDDEN');
    if (route === 'status')
      return data({
        jobId: job.jobId,
        status: statusOf(job),
        progress: isDone(job) ? 100 : 25,
        resultId: dice() < 0.9 ? job.resultId : null,
      });
    if (route === 'job') return data({ job_id: job.jobId, status: statusOf(job), result_id: job.resultId });
    return data({ id: job.resultId, test_result: isDone(job) && !world.jobFails ? { of: job.jobId } : null });
  };

  const later = (ms: number) => new Promise<void>((resolve) => void clock.setTimeout(resolve, ms));
  const fetch = async (url: string, init: { headers: Record<string, string>; signal: AbortSignal }) => {
    const [, route = '', id = ''] = /\/(submit|status|results|jobs|token-balance|refresh)(?:\/(.*))?$/.exec(url) ?? [];
    const name = { results: 'result', jobs: 'job', 'token-balance': 'balance' }[route] ?? route;
    const request: SeenRequest = { route: name, at: clock.time(), page: state.page };
    seen.requests.push(request);
    const token = tokens.get((init.headers.Authorization ?? '').replace('Bearer ', ''));
    if (token && clock.now() >= token.knownExpiry) seen.expiredTokens += 1;
    if (name === 'submit' && wasToldItsJob) seen.submittedAgain += 1;
    if (name === 'refresh') {
      seen.refreshes.push(clock.time());
      refreshing.add(request);
      // What a page that is gone still waits for, as over a sleep, is between it and the minute.
      const ofThisPage = [...refreshing].filter(({ page }) => page === state.page).length;
      seen.concurrentRefreshes = Math.max(seen.concurrentRefreshes, ofThisPage);
    }
    const handle = {};
    open.add(handle);
    const aborted = new Promise<never>((_, reject) => {
      init.signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true });
    });
    const lost = () => new Promise<never>(() => {}); // no answer comes; the client's own timeout ends it
    const exchange = async () => {
      const delay = world.latencyMs * (0.5 + dice());
      await later(delay / 2);
      if (state.offline) throw new TypeError('fetch failed');
      if (dice() < world.loss / 2) return dice() < 0.5 ? lost() : Promise.reject(new TypeError('reset'));
      const [status, body, headers = {}] = work(name, decodeURIComponent(id), init.headers);
      await later(delay / 2);
      const dropped = (name === 'refresh' && state.loseRefresh-- > 0) || (name === 'submit' && state.loseSubmit-- > 0);
      if (dropped || state.offline || dice() < world.loss / 2) throw new TypeError('reset');
      // The browser takes the cookie, whether or not the page still waits for the answer.
      if (name === 'refresh' && status === 200 && session) jar = session.refreshToken;
      // An answer that the client no longer waits for is not heard, and cannot be obeyed.
      if (headers['retry-after'] && !init.signal.aborted) request.retryAfter = Number(headers['retry-after']);
      return {
        status,
        headers: { get: (header: string) => headers[header] ?? null },
        text: async () => (typeof body === 'string' ? body : JSON.stringify(body)),
      };
    };
    try {
      const response = await Promise.race([exchange(), aborted]);
      if (name === 'submit' && response.status === 202) wasToldItsJob = true;
      return response;
    } finally {
      open.delete(handle);
      refreshing.delete(request);
    }
  };

  // --- sockets

  /** What Socket.IO says itself. */
  const ownEvents = new Set(['connect', 'connect_error', 'disconnect']);
  class FakeSocket implements FeedSocket {
    listeners = new Map<string, ((payload: unknown) => void)[]>();
    anyListeners: ((event: string, payload: unknown) => void)[] = [];
    isOpen = false;
    userId: string | null = null;

    on(event: string, listener: (payload: unknown) => void) {
      this.listeners.set(event, [...(this.listeners.get(event) ?? []), listener]);
    }
    onAny(listener: (event: string, payload: unknown) => void) {
      this.anyListeners.push(listener);
    }
    removeAllListeners() {
      this.listeners.clear();
    }
    connect() {
      this.isOpen = true;
      sockets.add(this);
      clock.setTimeout(() => {
        if (!this.isOpen) return;
        if (state.offline || state.noSockets || state.down) this.fail('connect_error');
        else this.receive('connect', undefined);
      }, world.latencyMs);
    }
    emit(event: string, payload: unknown) {
      const token = (payload as { token: string }).token;
      const known = tokens.get(token);
      if (known && clock.now() >= known.knownExpiry) seen.expiredTokens += 1;
      clock.setTimeout(() => {
        if (!this.isOpen || event !== 'authenticate') return;
        const verdict = verify(token);
        if (!verdict) return this.fail('auth_error');
        this.userId = verdict.userId;
        this.receive('authenticated', { success: true });
        return undefined;
      }, world.latencyMs);
    }
    disconnect() {
      this.isOpen = false;
      sockets.delete(this);
    }
    fail(event: string) {
      this.receive(event, event === 'disconnect' ? 'transport close' : { message: 'Invalid or expired token' });
      this.disconnect();
    }
    receive(event: string, payload: unknown) {
      for (const listener of this.listeners.get(event) ?? []) listener(payload);
      if (!ownEvents.has(event)) for (const listener of this.anyListeners) listener(event, payload);
    }
  }
  const tell = (userId: string | null, event: string, payload: unknown): void => {
    if (state.offline || state.silent) return;
    for (const socket of sockets)
      if (socket.userId !== null && (userId === null || socket.userId === userId)) socket.receive(event, payload);
  };
  const announce = (job: Job): void => {
    const named = world.eventsNameJobs ? { jobId: job.jobId } : {};
    if (world.jobFails)
      tell(job.userId, 'analysis-failed', { ...named, status: 'failed', result_id: null, error_message: 'no' });
    else tell(job.userId, 'analysis-complete', { ...named, status: 'completed', result_id: job.resultId });
  };

  return {
    fetch: fetch as unknown as typeof globalThis.fetch,
    load: (async () => ({ io: () => new FakeSocket() })) satisfies LoadSocketIo,
    seen,
    state,
    /** What is open on the network: requests under way, sockets. */
    open: () => ({ requests: open.size, sockets: sockets.size }),
    secrets: () => [...tokens.keys()],
    jobs: () => [...jobs.values()].map((job) => ({ jobId: job.jobId, userId: job.userId, doneAt: job.doneAt })),
    signIn(userId: string) {
      session = { userId, refreshToken: (serial += 1), refreshedAt: Number.NEGATIVE_INFINITY };
      jar = session.refreshToken;
      const { value } = issue(userId);
      return { accessToken: value, expiresIn: world.tokenTtlMs / 1_000, userId };
    },
    endTokens: () => tokens.forEach((token) => (token.ended = true)),
    revoke() {
      session = null;
      for (const token of tokens.values()) token.ended = true;
    },
    restart: () => jobs.forEach((job) => (job.forgotten = true)),
    dropSockets: () => [...sockets].forEach((socket) => socket.fail('disconnect')),
    foreignEvents() {
      tell(null, 'analysis-complete', { jobId: 'somebody-elses', result_id: 'other', status: 'completed' });
      tell(null, 'analysis-failed', { jobId: 'somebody-elses', result_id: null, error_message: 'not yours' });
    },
    malformedEvents() {
      for (const payload of [
        null,
        7,
        'text',
        [],
        { type: 'xstate.done.actor.fetchResult' },
        { jobId: 12, result_id: {} },
      ]) {
        for (const event of ['analysis-complete', 'analysis-failed', 'analysis-started', 'token-balance-update']) {
          tell(null, event, payload);
        }
      }
    },
    duplicateEvents: () => jobs.forEach((job) => isDone(job) && (announce(job), announce(job))),
    staleEvents: () =>
      jobs.forEach((job) => tell(job.userId, 'analysis-started', { jobId: job.jobId, status: 'processing' })),
  };
}

export type FakeBackend = ReturnType<typeof fakeBackend>;

/** mulberry32: small, and good enough for dice. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
