import type { Conditions } from './conditions.ts';
import { rollOf } from './dice.ts';
import { fakeJobs, type ServerJob } from './fake-jobs.ts';
import { fakeSessions } from './fake-sessions.ts';
import type { Route, World } from './story.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** A request as it arrives at the server. */
export interface ServerRequest {
  route: Route;
  /** Of the job or the result. */
  id: string;
  token: string | null;
  /** The refresh token, which only the browser and the server ever see. */
  cookie: string | null;
  key: string | null;
  body: string;
}

export interface Reply {
  status: number;
  body: unknown;
  headers: Record<string, string>;
  /** A new refresh token for the browser's cookie jar. */
  setCookie?: string;
}

/** Who hears what the server says of its own accord. */
export type Audience = (userId: string | null, event: string, payload: unknown) => void;

/**
 * The wire contract in virtual time. It goes by true time, whatever the client's clock says, and counts what only it can see.
 */
export function fakeServer(world: World, clock: VirtualClock, conditions: Conditions) {
  const sessions = fakeSessions(world, clock);
  let audience: Audience = () => {};
  let requests = 0;
  const seen = {
    /** Refresh tokens that came a second time. */
    reusedCookies: [] as string[],
    unauthorized: 0,
    /** Somebody asked for somebody else's job. */
    forbidden: 0,
  };

  const announce = (job: ServerJob, what: 'started' | 'ended'): void => {
    const named = world.eventsNameJobs ? { jobId: job.jobId } : {};
    if (what === 'started') audience(job.userId, 'analysis-started', { jobId: job.jobId, status: 'processing' });
    else if (world.jobFails)
      audience(job.userId, 'analysis-failed', { ...named, status: 'failed', result_id: null, error_message: 'no' });
    else audience(job.userId, 'analysis-complete', { ...named, status: 'completed', result_id: job.resultId });
  };
  const jobs = fakeJobs(world, clock, announce);

  const refresh = (cookie: string | null): Reply => {
    const verdict = sessions.refresh(cookie);
    switch (verdict.type) {
      case 'issued': {
        const body = { idToken: verdict.accessToken, expiresIn: String(world.tokenTtlMs / 1_000) };
        return { ...data(body), setCookie: verdict.refreshToken };
      }
      case 'limited':
        return slowDown(Math.ceil(verdict.retryAfterMs / 1_000));
      default:
        if (verdict.reuse && cookie !== null) seen.reusedCookies.push(cookie);
        return nested(401, 'INVALID_REFRESH_TOKEN', 'Operation failed');
    }
  };
  const slowDown = (seconds: number, status = 429): Reply =>
    world.retryAfterIn === 'header'
      ? { ...flat(status, 'RATE_LIMIT_EXCEEDED'), headers: { 'retry-after': String(seconds) } }
      : flat(status, 'RATE_LIMIT_EXCEEDED', { retryAfter: seconds });
  const unavailable = (): Reply => {
    // A gateway speaks JSON, what stands in front of it speaks HTML, and some say when to come back.
    const roll = rollOf(world.seed, 'unavailable', requests);
    if (roll < 0.4) return { status: 503, body: '<html>down</html>', headers: roll < 0.2 ? { 'retry-after': '7' } : {} };
    return roll < 0.7 ? flat(504, 'GATEWAY_TIMEOUT') : nested(500, 'INTERNAL_ERROR', 'oops');
  };

  const statusOf = (job: ServerJob): string => {
    if (jobs.isVisiblyDone(job)) return world.jobFails ? 'failed' : 'completed';
    return clock.time() < job.acceptedAt + world.jobMs / 5 ? 'queued' : 'processing';
  };
  const status = (job: ServerJob): Reply =>
    data({
      jobId: job.jobId,
      status: statusOf(job),
      progress: { queued: 0, processing: 25, completed: 100, failed: 0 }[statusOf(job)],
      resultId: world.tellsResultId ? job.resultId : null,
      ...(statusOf(job) === 'failed' ? { error: 'no' } : {}),
    });
  const row = (job: ServerJob): Reply =>
    data({ job_id: job.jobId, user_id: job.userId, status: statusOf(job), result_id: job.resultId });
  const result = (job: ServerJob): Reply => {
    const isThere = jobs.isVisiblyDone(job) && !world.jobFails;
    return data({ id: job.resultId, test_result: isThere ? { archetype: 'The Sailor', of: job.answers } : null });
  };

  const answer = (request: ServerRequest): Reply => {
    const { route, id, token, cookie, key, body } = request;
    if (conditions.is('serverDown')) return unavailable();
    if (route === 'refresh') return refresh(cookie);
    const verified = conditions.is('outage') ? null : sessions.verify(token);
    if (!verified) {
      seen.unauthorized += 1;
      return flat(401, 'INVALID_TOKEN');
    }
    if (route === 'balance') return data({ token_balance: 4 });
    if (route === 'submit') {
      const job = jobs.accept(verified.userId, body, key);
      const resultId = world.tellsResultId ? { resultId: job.resultId } : {};
      return { ...data({ jobId: job.jobId, ...resultId, status: 'queued', remainingTokens: 4 }), status: 202 };
    }
    const job = route === 'result' ? jobs.byResultId(id) : jobs.byJobId(id);
    if (!job || (route === 'status' && job.forgotten)) return nested(404, 'NOT_FOUND', 'Job not found');
    if (job.userId !== verified.userId) {
      seen.forbidden += 1;
      return nested(403, 'FORBIDDEN', 'Access denied');
    }
    if (conditions.is('busy') && route !== 'job') return slowDown(20);
    return { status, job: row, result }[route](job);
  };

  return {
    seen,
    sessions,
    jobs,
    announce,
    answer(request: ServerRequest): Reply {
      requests += 1;
      const reply = answer(request);
      return { ...reply, headers: { ...reply.headers, date: new Date(clock.time()).toUTCString() } };
    },
    /** What a socket's `authenticate` comes to: the user, or null. */
    authenticate: (token: string | null): string | null =>
      conditions.is('outage') ? null : (sessions.verify(token)?.userId ?? null),
    onSay: (listener: Audience) => void (audience = listener),
    say: (...said: Parameters<Audience>) => audience(...said),
  };
}

export type FakeServer = ReturnType<typeof fakeServer>;

const data = (value: unknown): Reply => ({ status: 200, body: { success: true, data: value }, headers: {} });

/** The dialect of the gateway. */
const flat = (status: number, error: string, more: object = {}): Reply => ({
  status,
  body: { success: false, error, message: error === 'INVALID_TOKEN' ? 'Invalid or expired token' : 'no', ...more },
  headers: {},
});

/** The dialect of the services behind it. */
const nested = (status: number, code: string, message: string): Reply => ({
  status,
  body: { success: false, error: { code, message } },
  headers: {},
});
