import type { FeedSocket, LoadSocketIo } from '../../services/feed/socket-io.ts';
import { seededRandom } from '../seeded-random.ts';
import type { VirtualClock } from '../virtual-clock.ts';
import { flat, invalidToken, nested, ok, responseOf, type WireAnswer } from '../wire/answers.ts';
import { type WireSocket, wireContract, type WireRequest } from '../wire/contract.ts';
import { type RowKind, statusAt, type WireJob, type WireRow } from '../wire/jobs.ts';
import { type Router, routeOf, type WireRoute } from '../wire/routes.ts';
import { planJob } from './job-plan.ts';
import { frontReply, garbled, loginPage } from './spoilt-answers.ts';
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
  /** The user to whom its token was issued; null without a token. */
  user: string | null;
  /** The id of a job or a result in its address; empty where there is none. */
  id: string;
  /** Its idempotency key, if any. */
  key: string | null;
  /** Its body, if any. */
  body: string;
}

/** A submission that created a job. */
export interface AcceptedSubmission {
  at: number;
  userId: string;
  /** The answers as JSON with sorted keys: equal answers have equal texts. */
  answers: string;
}

const DAY_MS = 24 * 3_600_000;
/** How late a list shows a job, ms. */
const LATE_LIST_MS = 20_000;

/** Something that happens to answers until a true time; `left` counts the ones that it may still happen to. */
interface Spell {
  route: WorldRoute | 'any';
  until: number;
  left: number;
}

/** How the API refuses submissions, in its own words. */
export interface SubmissionRefusal {
  status: 400 | 402 | 403 | 413 | 422 | 429;
  /** @default what the default contract says with this status, such as `INSUFFICIENT_TOKENS` with 402 */
  code?: string;
  /** Field name to message, for 400 and 422. @default none */
  details?: Readonly<Record<string, string>>;
  /** The wait that a 429 asks for, ms. @default 60_000 */
  retryAfterMs?: number;
}

const refusalCodes: Readonly<Record<SubmissionRefusal['status'], string>> = {
  400: 'VALIDATION_ERROR',
  402: 'INSUFFICIENT_TOKENS',
  403: 'FORBIDDEN',
  413: 'PAYLOAD_TOO_LARGE',
  422: 'VALIDATION_ERROR',
  429: 'ASSESSMENT_RATE_LIMIT_EXCEEDED',
};

/** What a server may have of its own. */
export interface FakeBackendOptions {
  /** Finds the call of an address. @default {@link routeOf} */
  router?: Router;
  /** The result of a finished job. @default `{ of: jobId }` */
  resultOf?: (jobId: string) => unknown;
  /** Between two refreshes that are granted, ms. @default the minute of the wire contract */
  refreshIntervalMs?: number;
}

/**
 * A server with bad days, for one browser: the wire contract, and around it odd habits, faults, a network with latency and loss, and
 * sockets that break. It keeps what it saw for the judge.
 */
export function fakeBackend(
  world: World,
  clock: VirtualClock,
  { router = routeOf, resultOf, refreshIntervalMs }: FakeBackendOptions = {},
) {
  const dice = seededRandom(world.seed);
  const habits = { ...plainHabits, ...world.habits };
  const startedAt = clock.time();
  /** Every access token that was ever issued, and its expiry by the client's clock: what its holder knows. */
  const knownExpiries = new Map<string, number>();
  /** The user to whom each access token was issued. */
  const tokenUsers = new Map<string, string>();
  const lostAt = new Map<WireJob, number>();
  /** Jobs that the status route has forgotten. */
  const forgotten = new Set<WireJob>();
  /** Submissions whose answer is on its way, by user and key. */
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
    breakSubmit: Number(habits.breaksSubmit),
    page: 0,
    /** How submissions are refused; null where they are accepted. */
    refusal: null as SubmissionRefusal | null,
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
    /** When a result was sent that cannot be shown, and to which page: it is spoilt, a page, or of another job or user. */
    unreadableResults: [] as { at: number; page: number }[],
    /** True times at which a submission was answered with a success that cannot be read. */
    unreadableSubmissions: [] as number[],
    /** True times at which a live socket brought the end of a job that is complete. */
    completionsHeard: [] as number[],
    /** Tokens that were sent over sockets. */
    authentications: [] as { at: number; user: string | null }[],
  };
  /** The refresh token in the browser's cookie jar: the good one, or an older one. */
  let jar: string | null = null;
  /** Whose cookie that is. */
  let signedInUser = '';
  let signIns = 0;
  const refreshing = new Set<SeenRequest>();
  /** By user: the first page that received the id of its job, and how many pages were open or gone by then. */
  const told = new Map<string | null, { page: number; pages: number }>();
  /** The jobs whose id has reached a page. */
  const toldJobs = new Set<string>();
  /** … and those whose id left in an answer that cannot be read. */
  const spoiltJobs = new Set<string>();

  // --- habits: how this server says what the contract says

  /** A JWT that says nothing of its lifetime but when it ends, one that only names its user, or an opaque token. */
  const mint = (userId: string, serial: number): { value: string; expiry: number } => {
    const secret = `SECRET-${serial}-${world.seed}`;
    const end = clock.time() + world.tokenTtlMs;
    const part = (value: unknown) => btoa(JSON.stringify(value)).replaceAll('=', '');
    const jwt = (claims: object) => `${part({ alg: 'HS256' })}.${part(claims)}.${secret}`;
    if (habits.tokens === 'stated') {
      const value = habits.claimsUser ? jwt({ sub: userId }) : secret;
      tokenUsers.set(value, userId);
      knownExpiries.set(value, clock.now() + world.tokenTtlMs);
      return { value, expiry: end };
    }
    const expiry = Math.floor(end / 1_000) * 1_000;
    const value = jwt({ sub: userId, exp: expiry / 1_000 });
    tokenUsers.set(value, userId);
    knownExpiries.set(value, habits.clockAheadMs === 0 ? expiry : Number.POSITIVE_INFINITY);
    return { value, expiry };
  };
  /** The user's id as the application has it. */
  const nameOf = (userId: string): string | number | undefined => {
    const email = `${userId}@example.test`;
    switch (habits.names) {
      case 'email':
        return email;
      case 'number':
        return Number(userId.replace(/\D/g, ''));
      case 'none':
        return undefined;
      case 'sometimes':
        return signIns % 2 === 1 ? email : undefined;
      default:
        return userId;
    }
  };
  const deadToken = (): WireAnswer => {
    seen.unauthorized += 1;
    switch (habits.deadToken) {
      case 'coded-403':
        return [403, { error: 'token_expired' }];
      case 'challenge-403':
        return [403, { message: 'Forbidden' }, { 'www-authenticate': 'Bearer realm="api", error="invalid_token"' }];
      case 'coded-200':
        return flat(200, 'TOKEN_EXPIRED', {}, 'Invalid or expired token');
      case 'flat-401':
        return invalidToken();
      default:
        return [Number(habits.deadToken), { message: 'Session expired' }];
    }
  };
  const sessionOver = (isReuse: boolean): WireAnswer => {
    if (isReuse) seen.reuses += 1;
    if (habits.sessionOver === 'nested-401') return nested(401, 'INVALID_REFRESH_TOKEN');
    return [habits.sessionOver === 'grant-400' ? 400 : 200, { error: 'invalid_grant', error_description: 'no' }];
  };
  const isOdd = habits.spelling === 'odd';
  const idWord = (id: unknown): unknown => (isOdd && typeof id === 'string' ? Number(id) : id);
  const oddWord = (name: string, value: unknown): unknown => {
    if (['id', 'jobId', 'job_id', 'resultId', 'result_id'].includes(name)) return idWord(value);
    if (name === 'progress') return `${value}%`;
    return name === 'status' && typeof value === 'string' ? value.toUpperCase() : value;
  };
  const spell = (kind: RowKind, row: WireRow): WireRow => {
    if (kind === 'result' && resultOf && row.test_result !== null)
      return { ...row, test_result: resultOf(jobIdOf(row)) };
    // A status row may not know its result yet.
    const known = kind === 'status' && dice() >= 0.9 ? { ...row, resultId: null } : row;
    const { userId: _, user_id: __, ...anonymous } = known;
    const shown = habits.anonymousRows && (kind === 'status' || kind === 'job') ? anonymous : known;
    if (!isOdd) return shown;
    // The words of events are plain.
    const words = Object.entries(shown).filter(([name]) => kind !== 'event' || name !== 'status');
    return { ...shown, ...Object.fromEntries(words.map(([name, value]) => [name, oddWord(name, value)])) };
  };
  const wire = wireContract({
    clock,
    tokenLifeMs: world.tokenTtlMs,
    ...(refreshIntervalMs !== undefined && { refreshIntervalMs }),
    planOf: (_, now) => planJob(world, habits, now),
    isAuthDown: () => state.outage,
    outageTakesRefresh: habits.outageTakesRefresh,
    outageSparesSockets: habits.outageSparesSockets,
    health: habits.health,
    mint,
    statesLife: habits.tokens === 'stated',
    idsOf(serial) {
      const [jobId, resultId, earlier] = isOdd
        ? [String(serial), String(serial + 100_000), String(serial + 200_000)]
        : [`job-${serial}`, `result-${serial}`, `earlier-result-${serial}`];
      return { jobId, resultId, shownResultId: habits.deduplicates ? earlier : resultId };
    },
    deadToken,
    sessionOver,
    spell,
    eventsNameJobs: world.eventsNameJobs && !habits.deduplicates,
    saysStarted: habits.saysStarted,
    isMute: (job) => state.offline || state.silent || lostAt.has(job),
  });

  // --- bad days: what this server answers in place of the contract

  const refusals = {
    'validation-400': [400, 'VALIDATION_ERROR'],
    'validation-422': [422, 'VALIDATION_ERROR'],
    'credit-402': [402, 'INSUFFICIENT_TOKENS'],
  } as const;
  const submit = async (userId: string, key: string, answers: unknown): Promise<WireAnswer> => {
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
    if (state.refusal) return refusalOf(state.refusal);
    const place = `${userId} ${key}`;
    const known = habits.keys === 'off' ? undefined : wire.jobOfKey(userId, key);
    if (!known && habits.keys === 'on' && submitting.has(place)) {
      return nested(409, 'REQUEST_IN_PROGRESS', { 'retry-after': '1' });
    }
    submitting.add(place);
    const job = known ?? wire.accept(userId);
    if (!known) {
      seen.submissionsAccepted += 1;
      seen.accepted.push({ at: clock.time(), userId, answers: sortedJson(answers) });
      if (habits.submitMs > 0) await later(habits.submitMs);
    }
    submitting.delete(place);
    wire.keepKey(userId, key, job);
    const [status, body, headers = {}] = wire.submitted(job, habits.keys === 'off' ? null : known ? 'HIT' : 'MISS');
    const { 'x-idempotency-supported': announced, ...others } = headers;
    return [status, body, habits.announcesKeys && announced ? headers : others];
  };
  const refusalOf = ({
    status,
    code = refusalCodes[status],
    details,
    retryAfterMs = 60_000,
  }: SubmissionRefusal): WireAnswer => {
    if (status === 429) return flat(status, code, { 'retry-after': String(Math.ceil(retryAfterMs / 1_000)) });
    seen.refused.push(clock.time());
    return [status, { success: false, error: { code, message: 'no', ...(details && { details }) } }];
  };
  /** The archive's rows of a finished job may be late. */
  const isLate = ({ doneAt }: WireJob) => clock.time() >= doneAt && clock.time() < doneAt + habits.lateRowMs;
  const isListed = (job: WireJob) =>
    !habits.listsLate ||
    clock.time() >= job.acceptedAt + LATE_LIST_MS ||
    (habits.keys !== 'on' && !spoiltJobs.has(job.jobId));
  /** The list of jobs is never empty: there is one of yesterday. */
  const listOf = (userId: string): WireAnswer => {
    const own = wire.jobsOf(userId).filter((job) => !lostAt.has(job) && isListed(job));
    const old = {
      job_id: isOdd ? '999999' : 'job-of-yesterday',
      user_id: userId,
      status: 'completed',
      result_id: isOdd ? '999998' : 'result-of-yesterday',
      created_at: new Date(startedAt - DAY_MS).toISOString(),
    };
    const all = [...own.toReversed().map(wire.jobRow), spell('job', old)];
    return ok({ jobs: all.map((row) => ({ ...row, user_id: userId })) });
  };
  /** A row of another job, or of this one with another owner, that is complete in itself. */
  const foreignRow = (route: string, id: string, userId: string): WireAnswer => {
    const isOtherJob = state.foreignRows === 'job';
    const owner = isOtherJob ? userId : 'user-9';
    const shown = idWord(isOtherJob ? (isOdd ? '777' : 'other') : id);
    if (route === 'result') {
      return ok({ id: shown, user_id: owner, test_result: { of: 'foreign' } });
    }
    if (route === 'job') return ok({ job_id: shown, user_id: owner, status: 'failed', result_id: null });
    return ok({ jobId: shown, userId: owner, status: 'failed', progress: 0, resultId: null });
  };
  /** What a read route answers in place of the row of this job, if anything. */
  const insteadOfRow = (job: WireJob, { route, id }: WireRequest, userId: string): WireAnswer | null => {
    if (lostAt.has(job)) return nested(404, 'NOT_FOUND');
    if (job.userId !== userId) return null;
    // The status names its user by the job that was asked for: only rows of the archive can be those of another user.
    const isForeign = state.foreignRows === 'job' || (state.foreignRows === 'user' && route !== 'status');
    // Where no row names an owner, only a client that has found its job in the list can know.
    if (isForeign && !(habits.anonymousRows && toldJobs.has(job.jobId))) return foreignRow(route, id, userId);
    if (route !== 'status') return isLate(job) ? nested(404, 'NOT_FOUND') : null;
    if (forgotten.has(job)) return nested(404, 'NOT_FOUND');
    const isGone = habits.goneRowMs !== null && clock.time() >= job.doneAt + habits.goneRowMs;
    return isGone ? nested(410, 'GONE') : null;
  };
  const work = async (request: WireRequest, answers: unknown): Promise<WireAnswer> => {
    const { route } = request;
    if (route === 'refresh' || route === 'health') return wire.answer(request);
    if (state.down) return [503, '<html>down</html>', dice() < 0.5 ? { 'retry-after': '7' } : {}];
    const userId = wire.userOf(request.token);
    if (userId === null) return wire.answer(request);
    if (route === 'submit') return await submit(userId, request.key ?? '', answers);
    if (route === 'jobs') return listOf(userId);
    const job = wire.jobOf(request.id);
    return (job && insteadOfRow(job, request, userId)) ?? wire.answer(request);
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
    if (route === 'submit') seen.unreadableSubmissions.push(clock.time());
    return garbled(text, spell.how);
  };

  const later = (ms: number) => new Promise<void>((resolve) => void clock.setTimeout(resolve, ms, null));
  type Init = { method?: string; headers: Record<string, string>; body?: string; signal: AbortSignal };
  /** The network of a page. Its answers are the part of a `Response` that the client reads. */
  const fetchAs = (page: () => number) => answering(page) as unknown as typeof globalThis.fetch;
  const answering = (page: () => number) => async (url: string, init: Init) => {
    const { route, id } = router(init.method, url);
    const name = route ?? 'login-page';
    const token = init.headers.Authorization?.replace('Bearer ', '') ?? null;
    const request: SeenRequest = {
      route: name,
      at: clock.time(),
      page: page(),
      user: tokenUsers.get(token ?? '') ?? null,
      id,
      key: init.headers['Idempotency-Key'] ?? null,
      body: init.body ?? '',
    };
    seen.requests.push(request);
    if (clock.now() >= (knownExpiries.get(token ?? '') ?? Number.POSITIVE_INFINITY)) seen.expiredTokens += 1;
    // A tab that was open before, in a browser without storage events, does not know of it.
    const toldTo = told.get(request.user);
    const mayKnow = toldTo !== undefined && (request.page === toldTo.page || request.page > toldTo.pages);
    if (name === 'submit' && mayKnow) seen.submittedAgain += 1;
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
      const handled = (asked: WireRoute) =>
        work({ route: asked, id, token, key: init.headers['Idempotency-Key'] ?? null, cookie: jar }, sent);
      if (name === 'submit' && !front && state.breakSubmit-- > 0) {
        void handled(name);
        throw new TypeError('reset');
      }
      const [status, body, said = {}] =
        route === null ? loginPage() : front ? frontReply(front.answer, clock.time()) : await handled(route);
      const date = habits.saysDate && !front ? { date: new Date(clock.time()).toUTCString() } : {};
      const headers: Record<string, string> = { ...date, ...said };
      await later(delay / 2);
      const dropped = (name === 'refresh' && state.loseRefresh-- > 0) || (name === 'submit' && state.loseSubmit-- > 0);
      if (dropped || state.offline || dice() < world.loss / 2) throw new TypeError('reset');
      // The browser takes the cookie, whether or not the page still waits for the answer.
      if (name === 'refresh' && status === 200 && !front) jar = wire.cookieOf(signedInUser) ?? jar;
      // An answer that the client no longer waits for is not heard, and cannot be obeyed.
      if (headers['retry-after'] && !init.signal.aborted) request.retryAfter = Number(headers['retry-after']);
      const text = front ? String(typeof body === 'string' ? body : JSON.stringify(body)) : textOf(name, status, body);
      // A foreign success and an empty row do not differ from a result that is not there yet.
      const isShowable = parsesAsJson(text) && !text.includes('"of":"foreign"');
      if (name === 'result' && status === 200 && !isShowable)
        seen.unreadableResults.push({ at: clock.time(), page: request.page });
      const isWhole = name === 'submit' && status === 202 && text === JSON.stringify(body) && !front;
      const { jobId } = (body as { data?: { jobId?: unknown } }).data ?? {};
      const toldJob = isWhole ? String(jobId) : null;
      // What the client no longer waits for is lost to it, and not unreadable.
      if (name === 'submit' && !isWhole && !init.signal.aborted) spoiltJobs.add(String(jobId));
      return {
        toldJob,
        response: {
          ...responseOf([status, text, headers]),
          ...(name === 'result' && habits.slowBodyMs > 0 && { body: slowBody(text, aborted) }),
        },
      };
    };
    try {
      const { response, toldJob } = await Promise.race([exchange(), aborted]);
      if (toldJob !== null) {
        toldJobs.add(toldJob);
        if (!told.has(request.user)) told.set(request.user, { page: request.page, pages: state.page });
      }
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
  class FakeSocket implements FeedSocket, WireSocket {
    listeners = new Map<string, ((payload: unknown, details?: unknown) => void)[]>();
    anyListeners: ((event: string, payload: unknown) => void)[] = [];
    isOpen = false;
    /** Whose events it brings; null until the server has said so. */
    user: string | null = null;

    on(event: string, listener: (payload: unknown, details?: unknown) => void) {
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
      wire.opened(this);
      clock.setTimeout(
        () => {
          if (!this.isOpen) return;
          if (state.offline || state.noSockets || state.down) this.end('connect_error', { message: 'websocket error' });
          else this.send('connect', undefined);
        },
        world.latencyMs,
        null,
      );
    }
    emit(event: string, payload: unknown) {
      const token = (payload as { token: string }).token;
      seen.authentications.push({ at: clock.time(), user: tokenUsers.get(token) ?? null });
      if (clock.now() >= (knownExpiries.get(token) ?? Number.POSITIVE_INFINITY)) seen.expiredTokens += 1;
      clock.setTimeout(
        () => {
          if (this.isOpen && event === 'authenticate') wire.authenticate(this, token);
        },
        world.latencyMs,
        null,
      );
    }
    disconnect() {
      this.isOpen = false;
      sockets.delete(this);
      wire.closed(this);
    }
    drop(inOrder = false) {
      this.send('disconnect', 'transport close', { context: { code: inOrder ? 1005 : 1006, wasClean: inOrder } });
      this.disconnect();
    }
    end(event: string, payload: unknown) {
      this.send(event, payload);
      this.disconnect();
    }
    send(event: string, payload: unknown, details?: unknown) {
      if (event === 'authenticated') this.user = (payload as { userId: string }).userId;
      if (event === 'analysis-complete') seen.completionsHeard.push(clock.time());
      for (const listener of this.listeners.get(event) ?? []) listener(payload, details);
      if (!ownEvents.has(event)) for (const listener of this.anyListeners) listener(event, payload);
    }
  }
  const tell = (userId: string | null, event: string, payload: unknown): void => {
    if (!state.offline && !state.silent) wire.tell(userId, event, payload);
  };

  return {
    fetch,
    /** The network of one page: its requests are counted as that page's own. */
    fetchOf: (page: number) => fetchAs(() => page),
    /** From now on something in front of the API answers. @param forMs how long; 0 for one request */
    putInFront: (route: WorldRoute | 'any', answer: FrontAnswer, forMs: number) =>
      void fronts.push({ ...cast(route, forMs), answer }),
    /** From now on answers arrive spoilt. @param forMs how long; 0 for one answer */
    garble: (route: WorldRoute, how: Garbling, forMs: number) => void garblings.push({ ...cast(route, forMs), how }),
    forgetAll() {
      for (const job of wire.jobs()) if (!lostAt.has(job)) lostAt.set(job, clock.time());
    },
    load: (async () => ({ io: () => new FakeSocket() })) satisfies LoadSocketIo,
    seen,
    state,
    /** What is open on the network: requests under way, sockets. */
    open: () => ({ requests: open.size, sockets: sockets.size }),
    /** The users whose events open sockets bring. */
    listeningUsers: () => [...sockets].flatMap(({ user }) => user ?? []),
    secrets: () => [...knownExpiries.keys()],
    /** Every access token that was issued, and its user. */
    tokenUsers: (): ReadonlyMap<string, string> => tokenUsers,
    jobs: () =>
      wire.jobs().map((job) => {
        const { jobId, resultId, shownResultId, userId, acceptedAt, doneAt } = job;
        return {
          jobId,
          resultId,
          shownResultId,
          userId,
          acceptedAt,
          doneAt,
          lostAt: lostAt.get(job) ?? null,
          isTold: toldJobs.has(jobId),
        };
      }),
    signIn(userId: string) {
      // One browser: a sign-in ends the session of the previous user, on most servers.
      if (!habits.keepsSessions) wire.endSessions();
      signIns += 1;
      // Who has signed in meets no login page.
      for (const it of fronts) if (it.route === 'any' && it.answer.startsWith('login-')) it.left = 0;
      const { accessToken, cookie, lifeMs } = wire.signIn(userId);
      jar = cookie;
      signedInUser = userId;
      return { accessToken, ...(habits.tokens === 'stated' && { expiresIn: lifeMs / 1_000 }), userId: nameOf(userId) };
    },
    hasSession: () => jar !== null && jar === wire.cookieOf(signedInUser),
    /**
     * From now on the API refuses submissions: the status alone says how. Null: it accepts them again.
     *
     * @example
     * world.backend.refuseSubmissions({ status: 422, details: { age: 'must be at least 13' } });
     */
    refuseSubmissions(refusal: SubmissionRefusal | SubmissionRefusal['status'] | null) {
      state.refusal = typeof refusal === 'number' ? { status: refusal } : refusal;
    },
    endTokens: wire.endTokens,
    revoke: wire.endSessions,
    restart: () => wire.jobs().forEach((job) => forgotten.add(job)),
    /** @param inOrder as a server does that shuts down */
    dropSockets: (inOrder = false) => [...sockets].forEach((socket) => socket.drop(inOrder)),
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
      for (const job of wire.jobs()) {
        const { doneAt } = job;
        if (clock.time() < doneAt) continue;
        for (const _ of [1, 2]) wire.announce(job, statusAt(job, doneAt));
      }
    },
    staleEvents: () =>
      wire
        .jobs()
        .forEach((job) => tell(job.userId, 'analysis-started', { jobId: idWord(job.jobId), status: 'processing' })),
  };
}

export type FakeBackend = ReturnType<typeof fakeBackend>;

/** The job of a result that is there. */
const jobIdOf = ({ test_result: result }: WireRow): string => String((result as { of: unknown }).of);

function parsesAsJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** JSON with sorted keys: the same content is the same text. */
function sortedJson(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
