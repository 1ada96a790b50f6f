import type { FeedSocket, LoadSocketIo } from '../../services/feed/socket-io.ts';
import { planJob, type PlannedStep, statusAt } from './job-plan.ts';
import { type FakeReply, frontReply, garbled, loginPage } from './spoilt-answers.ts';
import type { VirtualClock } from './virtual-clock.ts';
import { type FrontAnswer, type Garbling, plainHabits, type World, type WorldRoute } from './world.ts';

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

/** A submission that created a job. */
export interface AcceptedSubmission {
  at: number;
  userId: string;
  /** The answers as JSON with sorted keys: equal answers have equal texts. */
  answers: string;
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
  acceptedAt: number;
  plan: readonly PlannedStep[];
  /** When its last attempt ends. */
  doneAt: number;
  /** The result that its status names once it is done: its own, or that of an earlier job with the same answers. */
  shownResultId: string;
  /** The status route has forgotten it; every route has. */
  forgotten: boolean;
  lostAt: number | null;
}

/** "The minute" between two refreshes that the server grants. */
export const REFRESH_INTERVAL_MS = 60_000;
const DAY_MS = 24 * 3_600_000;

/** Something that happens to answers until a true time; `left` counts the ones that it may still happen to. */
interface Spell {
  route: WorldRoute | 'any';
  until: number;
  left: number;
}

/**
 * The wire contract in virtual time: a server with jobs, rotating tokens, limits and bad days, behind a network with latency
 * and loss, and with sockets that forget. It keeps what it saw for the judge.
 */
export function fakeBackend(world: World, clock: VirtualClock) {
  const dice = seededRandom(world.seed);
  const habits = { ...plainHabits, ...world.habits };
  const startedAt = clock.time();
  const tokens = new Map<string, Token>();
  const jobs = new Map<string, Job>();
  const byKey = new Map<string, string>();
  const submitting = new Set<string>();
  const sockets = new Set<FakeSocket>();
  const open = new Set<object>();
  const fronts: (Spell & { answer: FrontAnswer })[] = [];
  const garblings: (Spell & { how: Garbling })[] = [];
  const state = {
    offline: false,
    outage: false,
    down: false,
    silent: false,
    noSockets: false,
    loseRefresh: 0,
    loseSubmit: 0,
    page: 0,
    /** Whose rows the read routes answer with by mistake. */
    foreignRows: null as 'job' | 'user' | null,
  };
  const seen = {
    requests: [] as SeenRequest[],
    expiredTokens: 0,
    refreshes: [] as number[],
    concurrentRefreshes: 0,
    reuses: 0,
    submissionsAccepted: 0,
    accepted: [] as AcceptedSubmission[],
    /** Submissions that came although the client knew the job. */
    submittedAgain: 0,
    unauthorized: 0,
    /** True times at which the API itself refused a submission. */
    refused: [] as number[],
    /** True times at which a result was sent that cannot be shown: it is spoilt, or of another job or user. */
    unreadableResults: [] as number[],
    /** True times at which a submission was answered with a success that cannot be read. */
    unreadableSubmissions: [] as number[],
  };
  /** The one refresh token that is good: the cookie jar of this browser has it, or an older one. */
  let session: { userId: string; refreshToken: number; refreshedAt: number } | null = null;
  let jar: number | null = null;
  let serial = 0;
  const refreshing = new Set<SeenRequest>();
  let wasToldItsJob = false;

  /** A JWT that says nothing of its lifetime but when it ends, or an opaque token. */
  const tokenText = (userId: string, expiry: number): string => {
    const secret = `SECRET-${(serial += 1)}-${world.seed}`;
    if (habits.tokens === 'stated') return secret;
    const part = (value: unknown) => btoa(JSON.stringify(value)).replaceAll('=', '');
    return `${part({ alg: 'HS256' })}.${part({ sub: userId, exp: expiry / 1_000 })}.${secret}`;
  };
  const issue = (userId: string): Token => {
    for (const token of tokens.values()) token.ended = true;
    const expiry =
      habits.tokens === 'stated'
        ? clock.time() + world.tokenTtlMs
        : Math.floor((clock.time() + world.tokenTtlMs) / 1_000) * 1_000;
    const value = tokenText(userId, expiry);
    const knownByClaim = habits.clockAheadMs === 0 ? expiry : Number.POSITIVE_INFINITY;
    const knownExpiry = habits.tokens === 'stated' ? clock.now() + world.tokenTtlMs : knownByClaim;
    const token = { value, userId, knownExpiry, expiry, ended: false };
    tokens.set(value, token);
    return token;
  };
  const isDone = (job: Job) => clock.time() >= job.doneAt;
  const verify = (header: string | undefined): Token | null => {
    const token = tokens.get((header ?? '').replace('Bearer ', ''));
    if (!token || token.ended || clock.time() >= token.expiry || state.outage) return null;
    return token;
  };

  type Headers = Record<string, string>;
  const flat = (status: number, error: string, headers: Headers = {}): FakeReply => [
    status,
    { success: false, error, message: 'Invalid or expired token' },
    headers,
  ];
  const nested = (status: number, code: string, headers: Headers = {}): FakeReply => [
    status,
    { success: false, error: { code, message: 'no' } },
    headers,
  ];
  const data = (value: unknown, status = 200): FakeReply => [status, { success: true, data: value }];

  const deadToken = (): FakeReply => {
    switch (habits.deadToken) {
      case 'coded-403':
        return [403, { error: 'token_expired' }];
      case 'challenge-403':
        return [403, { message: 'Forbidden' }, { 'www-authenticate': 'Bearer realm="api", error="invalid_token"' }];
      case 'coded-200':
        return flat(200, 'TOKEN_EXPIRED');
      case 'flat-401':
        return flat(401, 'INVALID_TOKEN');
      default:
        return [Number(habits.deadToken), { message: 'Session expired' }];
    }
  };
  const sessionOver = (): FakeReply => {
    if (habits.sessionOver === 'nested-401') return nested(401, 'INVALID_REFRESH_TOKEN');
    return [habits.sessionOver === 'grant-400' ? 400 : 200, { error: 'invalid_grant', error_description: 'no' }];
  };

  const refresh = (): FakeReply => {
    if (state.outage && habits.outageTakesRefresh) return flat(503, 'SERVICE_UNAVAILABLE');
    if (!session || jar === null) return sessionOver();
    if (jar !== session.refreshToken) {
      seen.reuses += 1;
      session = null;
      return sessionOver();
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
    return data({ idToken: value, ...(habits.tokens === 'stated' && { expiresIn: String(world.tokenTtlMs / 1_000) }) });
  };

  // --- the words of the rows
  const idWord = (id: string): unknown => (habits.spelling === 'odd' ? Number(id) : id);
  const statusWord = (status: string) => (habits.spelling === 'odd' ? status.toUpperCase() : status);
  const percentWord = (percent: number): unknown => (habits.spelling === 'odd' ? `${percent}%` : percent);

  const accept = (userId: string, answers: unknown): Job => {
    const number = (serial += 1);
    const [jobId, resultId, earlier] =
      habits.spelling === 'odd'
        ? [String(number), String(number + 100_000), String(number + 200_000)]
        : [`job-${number}`, `result-${number}`, `earlier-result-${number}`];
    const now = clock.time();
    const plan = planJob(world, habits, now);
    const doneAt = plan.at(-1)?.at ?? now;
    const shownResultId = habits.deduplicates ? earlier : resultId;
    const job = {
      jobId,
      resultId,
      userId,
      acceptedAt: now,
      plan,
      doneAt,
      shownResultId,
      forgotten: false,
      lostAt: null,
    };
    jobs.set(jobId, job);
    seen.submissionsAccepted += 1;
    seen.accepted.push({ at: now, userId, answers: sortedJson(answers) });
    const begunMs = Math.min(1_000, world.jobMs / 2);
    if (habits.saysStarted) clock.setTimeout(() => tellStarted(job), begunMs);
    for (const step of plan) clock.setTimeout(() => announce(job, step), step.at - now);
    return job;
  };
  const submissionHeaders = (cache: 'HIT' | 'MISS'): Record<string, string> => ({
    'x-idempotency-supported': 'true',
    ...(habits.keys !== 'off' && { 'x-idempotency-cache': cache }),
  });
  const refusals = {
    'validation-400': [400, 'VALIDATION_ERROR'],
    'validation-422': [422, 'VALIDATION_ERROR'],
    'credit-402': [402, 'INSUFFICIENT_TOKENS'],
  } as const;
  const submit = async (userId: string, key: string, answers: unknown): Promise<FakeReply> => {
    const limitedMs = startedAt + habits.submitLimitMs - clock.time();
    if (limitedMs > 0) {
      const seconds = Math.ceil(limitedMs / 1_000);
      return flat(429, 'ASSESSMENT_RATE_LIMIT_EXCEEDED', { 'retry-after': String(seconds) });
    }
    if (habits.refusal) {
      seen.refused.push(clock.time());
      const [status, code] = refusals[habits.refusal];
      return nested(status, code);
    }
    const place = `${userId} ${key}`;
    const known = habits.keys === 'off' ? undefined : jobs.get(byKey.get(place) ?? '');
    if (!known && habits.keys === 'on' && submitting.has(place)) {
      return nested(409, 'REQUEST_IN_PROGRESS', { 'retry-after': '1' });
    }
    submitting.add(place);
    const job = known ?? accept(userId, answers);
    if (!known && habits.submitMs > 0) await later(habits.submitMs);
    submitting.delete(place);
    byKey.set(place, job.jobId);
    const { jobId, resultId } = job;
    const row = { jobId: idWord(jobId), resultId: idWord(resultId), status: statusWord('queued'), remainingTokens: 4 };
    const [status, body] = data(row, 202);
    return [status, body, submissionHeaders(known ? 'HIT' : 'MISS')];
  };

  const statusOf = (job: Job) => statusAt(job.plan, clock.time());
  const isCompleted = (job: Job) => statusOf(job) === 'completed';
  /** The archive's rows of a finished job may be late. */
  const isLate = (job: Job) => isDone(job) && clock.time() < job.doneAt + habits.lateRowMs;
  const statusRow = (job: Job): FakeReply => {
    if (job.forgotten) return nested(404, 'NOT_FOUND');
    if (habits.goneRowMs !== null && clock.time() >= job.doneAt + habits.goneRowMs) return nested(410, 'GONE');
    const status = statusOf(job);
    const resultId = isCompleted(job) ? job.shownResultId : job.resultId;
    return data({
      jobId: idWord(job.jobId),
      status: statusWord(status),
      progress: percentWord({ processing: 25, completed: 100, failed: 0 }[status]),
      queuePosition: 0,
      userId: job.userId,
      resultId: dice() < 0.9 ? idWord(resultId) : null,
    });
  };
  const jobRow = (job: Job) => ({
    job_id: idWord(job.jobId),
    user_id: job.userId,
    status: statusWord(statusOf(job)),
    result_id: idWord(isCompleted(job) ? job.shownResultId : job.resultId),
    created_at: new Date(job.acceptedAt).toISOString(),
  });
  const resultRow = (job: Job, id: string): FakeReply => {
    const isThere = isCompleted(job) && id === job.shownResultId;
    return data({ id: idWord(id), user_id: job.userId, test_result: isThere ? { of: job.jobId } : null });
  };
  /** A job of yesterday: the list of jobs is never empty. */
  const oldRow = (userId: string) => ({
    job_id: idWord(habits.spelling === 'odd' ? '999999' : 'job-of-yesterday'),
    user_id: userId,
    status: statusWord('completed'),
    result_id: idWord(habits.spelling === 'odd' ? '999998' : 'result-of-yesterday'),
    created_at: new Date(startedAt - DAY_MS).toISOString(),
  });
  const listOf = (userId: string): FakeReply => {
    const own = [...jobs.values()].filter((job) => job.userId === userId && job.lostAt === null).toReversed();
    return data({ jobs: [...own.map(jobRow), oldRow(userId)] });
  };
  /** A row of another job, or of this one with another owner, that is complete in itself. */
  const foreignRow = (route: string, id: string, userId: string): FakeReply => {
    const isOtherJob = state.foreignRows === 'job';
    const owner = isOtherJob ? userId : 'user-9';
    const shown = idWord(isOtherJob ? (habits.spelling === 'odd' ? '777' : 'other') : id);
    if (route === 'result') {
      seen.unreadableResults.push(clock.time());
      return data({ id: shown, user_id: owner, test_result: { of: 'foreign' } });
    }
    if (route === 'job') return data({ job_id: shown, user_id: owner, status: 'failed', result_id: null });
    return data({ jobId: shown, userId: owner, status: 'failed', progress: 0, resultId: null });
  };

  const work = async (
    route: string,
    id: string,
    headers: Record<string, string>,
    body: unknown,
  ): Promise<FakeReply> => {
    if (route === 'refresh') return refresh();
    if (state.down) return [503, '<html>down</html>', dice() < 0.5 ? { 'retry-after': '7' } : {}];
    const token = verify(headers.Authorization);
    if (!token) {
      seen.unauthorized += 1;
      return deadToken();
    }
    if (route === 'submit') return await submit(token.userId, headers['Idempotency-Key'] ?? '', body);
    if (route === 'balance') return data({ token_balance: 4 });
    if (route === 'jobs') return listOf(token.userId);
    const job = [...jobs.values()].find((it) => [it.jobId, it.resultId, it.shownResultId].includes(id));
    if (!job || job.lostAt !== null) return nested(404, 'NOT_FOUND');
    if (job.userId !== token.userId) return nested(403, 'FORBIDDEN');
    // The status names its user by the job that was asked for: only rows of the archive can be those of another user.
    if (state.foreignRows && !(state.foreignRows === 'user' && route === 'status'))
      return foreignRow(route, id, token.userId);
    if (route === 'status') return statusRow(job);
    if (isLate(job)) return nested(404, 'NOT_FOUND');
    return route === 'job' ? data(jobRow(job)) : resultRow(job, id);
  };

  /** The first spell over this route, used up where it counts. */
  const take = <T extends Spell>(spells: T[], route: string): T | undefined => {
    const spell = spells.find((it) => it.left > 0 && clock.time() < it.until && [route, 'any'].includes(it.route));
    if (spell) spell.left -= 1;
    return spell;
  };
  const cast = (route: WorldRoute | 'any', forMs: number): Spell => ({
    route,
    until: forMs === 0 ? Number.POSITIVE_INFINITY : clock.time() + forMs,
    left: forMs === 0 ? 1 : Number.POSITIVE_INFINITY,
  });
  const textOf = (route: string, status: number, body: unknown): string => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const isSuccess = status >= 200 && status < 300;
    const spell = isSuccess ? take(garblings, route) : undefined;
    if (!spell) return text;
    const isReadable = route === 'result' && (spell.how === 'null' || spell.how === 'foreign');
    if (route === 'result' && !isReadable) seen.unreadableResults.push(clock.time());
    if (route === 'submit') seen.unreadableSubmissions.push(clock.time());
    return garbled(text, spell.how);
  };

  const later = (ms: number) => new Promise<void>((resolve) => void clock.setTimeout(resolve, ms));
  type Init = { headers: Record<string, string>; body?: string; signal: AbortSignal };
  const fetchAs = (page: () => number) => async (url: string, init: Init) => {
    const [, route = '', id = ''] = /\/(submit|status|results|jobs|token-balance|refresh)(?:\/(.*))?$/.exec(url) ?? [];
    const readName =
      { results: 'result', jobs: id === '' ? 'jobs' : 'job', 'token-balance': 'balance' }[route] ?? route;
    const name = readName === '' ? 'login-page' : readName;
    const request: SeenRequest = { route: name, at: clock.time(), page: page() };
    seen.requests.push(request);
    const token = tokens.get((init.headers.Authorization ?? '').replace('Bearer ', ''));
    if (token && clock.now() >= token.knownExpiry) seen.expiredTokens += 1;
    if (name === 'submit' && wasToldItsJob) seen.submittedAgain += 1;
    if (name === 'refresh') {
      seen.refreshes.push(clock.time());
      refreshing.add(request);
      // What a page that is gone still waits for, as over a sleep, is between it and the minute.
      const ofThisPage = [...refreshing].filter((it) => it.page === request.page).length;
      seen.concurrentRefreshes = Math.max(seen.concurrentRefreshes, ofThisPage);
    }
    const handle = {};
    open.add(handle);
    const aborted = new Promise<never>((_, reject) => {
      init.signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true });
    });
    aborted.catch(() => {});
    const lost = () => new Promise<never>(() => {}); // no answer comes; the client's own timeout ends it
    const exchange = async () => {
      const delay = world.latencyMs * (0.5 + dice());
      await later(delay / 2);
      if (state.offline) throw new TypeError('fetch failed');
      if (dice() < world.loss / 2) return dice() < 0.5 ? lost() : Promise.reject(new TypeError('reset'));
      const front = take(fronts, name);
      const sent: unknown = init.body === undefined ? undefined : JSON.parse(init.body);
      const [status, body, said = {}] =
        name === 'login-page'
          ? loginPage()
          : front
            ? frontReply(front.answer, clock.time())
            : await work(name, decodeURIComponent(id), init.headers, sent);
      const date = habits.saysDate && !front ? { date: new Date(clock.time()).toUTCString() } : {};
      const headers: Record<string, string> = { ...date, ...said };
      await later(delay / 2);
      const dropped = (name === 'refresh' && state.loseRefresh-- > 0) || (name === 'submit' && state.loseSubmit-- > 0);
      if (dropped || state.offline || dice() < world.loss / 2) throw new TypeError('reset');
      // The browser takes the cookie, whether or not the page still waits for the answer.
      if (name === 'refresh' && status === 200 && session && !front) jar = session.refreshToken;
      // An answer that the client no longer waits for is not heard, and cannot be obeyed.
      if (headers['retry-after'] && !init.signal.aborted) request.retryAfter = Number(headers['retry-after']);
      const text = front ? String(typeof body === 'string' ? body : JSON.stringify(body)) : textOf(name, status, body);
      const isTold = name === 'submit' && status === 202 && text === JSON.stringify(body) && !front;
      return {
        isTold,
        response: {
          status,
          headers: { get: (header: string) => headers[header] ?? null },
          text: async () => text,
          ...(name === 'result' && habits.slowBodyMs > 0 && { body: slowBody(text, aborted) }),
        },
      };
    };
    try {
      const { response, isTold } = await Promise.race([exchange(), aborted]);
      if (isTold) wasToldItsJob = true;
      return response;
    } finally {
      open.delete(handle);
      refreshing.delete(request);
    }
  };
  /** A body that arrives in ten parts. */
  const slowBody = (text: string, aborted: Promise<never>) => {
    const bytes = new TextEncoder().encode(text);
    const size = Math.ceil(bytes.length / 10);
    let at = 0;
    const read = async () => {
      await Promise.race([later(habits.slowBodyMs / 10), aborted]);
      if (state.offline) throw new TypeError('reset');
      if (at >= bytes.length) return { done: true, value: undefined };
      return { done: false, value: bytes.slice(at, (at += size)) };
    };
    return { getReader: () => ({ read }) };
  };
  const fetch = fetchAs(() => state.page);

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
  const tellStarted = (job: Job): void => {
    const ids = { jobId: idWord(job.jobId), resultId: idWord(job.resultId) };
    if (job.lostAt === null)
      tell(job.userId, 'analysis-started', { ...ids, status: 'processing', estimated_time: '1-3 minutes' });
  };
  const announce = (job: Job, { status }: PlannedStep): void => {
    if (job.lostAt !== null) return;
    if (status === 'processing') return habits.saysStarted ? tellStarted(job) : undefined;
    const named = world.eventsNameJobs && !habits.deduplicates ? { jobId: idWord(job.jobId) } : {};
    if (status === 'failed')
      tell(job.userId, 'analysis-failed', { ...named, result_id: null, error_message: 'the analysis failed' });
    else tell(job.userId, 'analysis-complete', { ...named, result_id: idWord(job.shownResultId), status });
    return undefined;
  };

  return {
    fetch: fetch as unknown as typeof globalThis.fetch,
    /** The network of one page: its requests are counted as that page's own. */
    fetchOf: (page: number) => fetchAs(() => page) as unknown as typeof globalThis.fetch,
    /** From now on something in front of the API answers. @param forMs how long; 0 for one request */
    putInFront: (route: WorldRoute | 'any', answer: FrontAnswer, forMs: number) =>
      void fronts.push({ ...cast(route, forMs), answer }),
    /** From now on answers arrive spoilt. @param forMs how long; 0 for one answer */
    garble: (route: WorldRoute, how: Garbling, forMs: number) => void garblings.push({ ...cast(route, forMs), how }),
    forgetAll: () => jobs.forEach((job) => (job.lostAt ??= clock.time())),
    load: (async () => ({ io: () => new FakeSocket() })) satisfies LoadSocketIo,
    seen,
    state,
    /** What is open on the network: requests under way, sockets. */
    open: () => ({ requests: open.size, sockets: sockets.size }),
    secrets: () => [...tokens.keys()],
    jobs: () => [...jobs.values()].map(({ jobId, userId, doneAt, lostAt }) => ({ jobId, userId, doneAt, lostAt })),
    signIn(userId: string) {
      session = { userId, refreshToken: (serial += 1), refreshedAt: Number.NEGATIVE_INFINITY };
      jar = session.refreshToken;
      const { value } = issue(userId);
      const stated = habits.tokens === 'stated' ? { expiresIn: world.tokenTtlMs / 1_000 } : {};
      return { accessToken: value, ...stated, userId };
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
    duplicateEvents() {
      for (const job of jobs.values()) {
        const last = job.plan.at(-1);
        for (const _ of [1, 2]) if (last && isDone(job)) announce(job, last);
      }
    },
    staleEvents: () =>
      jobs.forEach((job) => tell(job.userId, 'analysis-started', { jobId: idWord(job.jobId), status: 'processing' })),
  };
}

export type FakeBackend = ReturnType<typeof fakeBackend>;

/** JSON with sorted keys: the same content is the same text. */
function sortedJson(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}

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
