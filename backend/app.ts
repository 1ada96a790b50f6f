import { createHash } from 'node:crypto';
import type { HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { cors } from 'hono/cors';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import { createMiddleware } from 'hono/factory';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { z } from 'zod';
import { type Answer, flat, nested, nestedV2, ok } from './answers.ts';
import type { ServerCounts, ServerLog, Visits } from './counts.ts';
import { codeOf, type Faults, msOf } from './faults.ts';
import { healthRoutes } from './health-routes.ts';
import { FAILURE_TEXT, type Job, type Jobs } from './jobs.ts';
import type { BackendOptions, LimitScope, Quirk, RouteName } from './options.ts';
import { createRateLimits } from './rate-limits.ts';
import { analyse } from './sample-result.ts';
import type { Sessions } from './sessions.ts';

interface Env {
  Bindings: HttpBindings;
  Variables: { sentAt: number; userId: string; generation: number; isExpired: boolean; body: unknown };
}

export interface AppDeps {
  options: () => BackendOptions;
  counts: ServerCounts;
  visits: Visits;
  log: ServerLog;
  sessions: Sessions;
  jobs: Jobs;
  faults: Faults;
  /** Drops the sockets of a user. */
  disconnectUser: (userId: string) => void;
  /** Aborts when the server closes: hanging requests end then. */
  closing: AbortSignal;
}

/** Long enough not to be forgotten, and dressed so that no script can read it and no other site can send it. */
const REFRESH_COOKIE = 'refresh';
const COOKIE = { prefix: 'host', path: '/', httpOnly: true, secure: true, sameSite: 'Strict' } as const;
const PASSWORD = 'correct-horse';
/** Names the visitor of a page, see `createVisits`. */
const VISIT_HEADER = 'x-visit';
/** Clients on this machine, which share the clock of the server, may say when a request left. ms since the epoch. */
export const SENT_AT_HEADER = 'x-sent-at';
/** How long the original takes to write down what it has answered: of two that arrive together it recognises neither. */
const SLOW_STORE_MS = 50;
const PAGE = '<!doctype html><title>Access denied</title><p>INVALID_TOKEN</p>';
const MONTH_MS = 30 * 24 * 3_600_000;
const MAX_BODY = 10 * 1_024 * 1_024;

const score = z.number().int().min(0).max(100);
const assessment = z.looseObject({
  riasec: z.record(z.string(), score),
  ocean: z.record(z.string(), score).optional(),
  viaIs: z.record(z.string(), score).optional(),
});
/** The generic form, and the flat one that older clients send. */
const submissionSchema = z.union([
  z.looseObject({ assessment_data: assessment, assessment_name: z.string().optional() }),
  assessment,
]);
const loginSchema = z.looseObject({
  email: z.string().optional(),
  username: z.string().optional(),
  password: z.string(),
});
const keySchema = z.string().regex(/^[A-Za-z0-9_-]{1,255}$/);

/** The HTTP side of the wire contract. */
export function createApp({
  options,
  counts,
  visits,
  log,
  sessions,
  jobs,
  faults,
  disconnectUser,
  closing,
}: AppDeps): Hono<Env> {
  const app = new Hono<Env>();
  const has = (quirk: Quirk) => options().quirks.includes(quirk);
  /** Copies of requests that arrive twice. One is enough: they meet no faults of their own. */
  const echoes = new WeakSet<Request>();
  /** Submissions by user and idempotency key. Two that arrive together share one promise, and so one job. */
  const submissions = new Map<string, { fingerprint: string; at: number; answer: Promise<Answer> }>();
  let refreshing = 0;
  const rateLimits = createRateLimits(options);

  const send = (c: Context<Env>, { status, body, headers }: Answer) => c.json(body, status, headers);
  /** An error of a service, with the empty details and the time that the original adds. */
  const worded = (answer: Answer): Answer => {
    if (!has('original-errors')) return answer;
    const { error } = answer.body as { error?: object };
    const more = { details: {}, timestamp: new Date().toISOString() };
    return { ...answer, body: { ...answer.body, error: { ...more, ...error } } };
  };

  /** Counts, delays and breaks: everything that happens to a request before and after its work. */
  const route = (name: RouteName, count?: keyof ServerCounts) =>
    createMiddleware<Env>(async (c, next) => {
      c.set('sentAt', sentAt(c.req.header(SENT_AT_HEADER)));
      if (count) counts[count] += 1;
      const breakOff = () => {
        c.env.outgoing.destroy();
        return RESPONSE_ALREADY_SENT;
      };
      const fault = echoes.has(c.req.raw) ? undefined : faults.request(name);
      if (options().latencyMs > 0) await pause(options().latencyMs, closing);
      if (fault?.kind === 'delay') await pause(msOf(fault), closing);
      if (fault?.kind === 'hang') {
        await new Promise((resolve) => {
          closing.addEventListener('abort', resolve, { once: true });
          c.env.outgoing.once('close', resolve);
        });
        return breakOff();
      }
      if (fault?.kind === 'reset') return breakOff();
      if (fault?.kind === 'status') {
        const status = (fault.status ?? 503) as ContentfulStatusCode;
        if (status === 401) counts.unauthorizedAnswers += 1;
        log.write({ kind: 'request', route: name, status, text: `${name}: ${status} on purpose` });
        const answer =
          status === 401
            ? flat(401, 'INVALID_TOKEN', 'Invalid or expired token')
            : nested(status, codeOf(status), 'A fault on purpose');
        const headers = { ...(fault.retryAfter && { 'Retry-After': fault.retryAfter }), ...fault.headers };
        if (fault.body === undefined) return c.json(answer.body, status, headers);
        return c.body(fault.body, status, { 'Content-Type': fault.contentType ?? 'application/json', ...headers });
      }
      if (fault?.kind === 'html') {
        const status = (fault.status ?? 403) as ContentfulStatusCode;
        log.write({ kind: 'request', route: name, status, text: `${name}: a page with ${status}` });
        return c.html(PAGE, status, fault.headers);
      }
      if (fault?.kind === 'redirect') return c.redirect(fault.location ?? 'https://login.invalid/', 302);
      if (fault?.kind === 'duplicate') {
        const echo = c.req.raw.clone();
        echoes.add(echo);
        await Promise.all([app.fetch(echo, c.env), next()]);
      } else await next();
      const status = c.res.status;
      if (status === 401 && name !== 'login' && name !== 'v1Login' && name !== 'refresh')
        counts.unauthorizedAnswers += 1;
      const generation = c.get('generation') as number | undefined;
      visits.note(c.req.header(VISIT_HEADER), {
        route: name,
        status,
        isReplay: c.res.headers.get('x-idempotency-cache') === 'HIT',
        isExpired: c.get('isExpired') === true,
      });
      log.write({
        kind: 'request',
        route: name,
        status,
        text: `${name}: ${status}`,
        ...(generation === undefined ? {} : { generation }),
      });
      if (fault?.kind === 'drop-answer') {
        c.res = undefined;
        c.res = breakOff();
      } else if (fault?.kind === 'truncate') {
        const whole = await c.res.text();
        const headers = { 'Content-Type': 'application/json', 'Content-Length': String(Buffer.byteLength(whole)) };
        c.res = new Response(brokenOff(whole, closing, breakOff), { status, headers });
      } else if (fault?.kind === 'dribble') {
        c.res = new Response(dribble(await c.res.text(), msOf(fault), closing), { status, headers: c.res.headers });
      } else if (fault?.kind === 'body') {
        c.res = new Response(fault.body ?? '', {
          status: fault.status ?? status,
          headers: { 'Content-Type': fault.contentType ?? 'application/json', ...fault.headers },
        });
      } else if (fault?.kind === 'date') {
        c.header('Date', new Date(Date.now() + (fault.ms ?? MONTH_MS)).toUTCString());
      } else if (fault?.kind === 'slow-body') {
        c.res = new Response(inParts(await c.res.text(), msOf(fault), closing), { status, headers: c.res.headers });
      } else if (fault?.kind === 'cut' || fault?.kind === 'nan' || fault?.kind === 'foreign-row') {
        const spoilt = spoil(await c.res.text(), fault.kind);
        c.res = new Response(spoilt, { status, headers: { 'Content-Type': 'application/json' } });
      }
      return undefined;
    });

  /** The gateway's check of the access token, with the gateway's answers. */
  const authorised = createMiddleware<Env>(async (c, next) => {
    const [scheme, token] = (c.req.header('authorization') ?? '').split(' ');
    if (scheme !== 'Bearer' || !token) return send(c, flat(401, 'UNAUTHORIZED', 'Access token is required'));
    const verdict = await sessions.verify(token, c.get('sentAt'));
    if (verdict.generation !== undefined) c.set('generation', verdict.generation);
    if (!verdict.ok) {
      if (verdict.isExpired) c.set('isExpired', true);
      const isOfService =
        options().authOutage && has('outage-takes-refresh') && c.req.path.startsWith('/api/assessment/');
      const refusal = flat(401, 'INVALID_TOKEN', 'Invalid or expired token');
      return send(c, isOfService ? worded(nested(401, 'UNAUTHORIZED', 'Authentication failed')) : refusal);
    }
    c.set('userId', verdict.userId);
    return next();
  });
  /** The gateway lets everybody through to the results where it has that quirk. */
  const authorisedForResults = createMiddleware<Env>((c, next) =>
    has('public-results') ? next() : authorised(c, next),
  );
  const json = createMiddleware<Env>(async (c, next) => {
    const text = await c.req.text();
    try {
      c.set('body', text === '' ? {} : JSON.parse(text));
    } catch {
      if (has('original-errors')) return send(c, worded(nested(500, 'INTERNAL_ERROR', 'Internal server error')));
      return send(c, nested(400, 'VALIDATION_ERROR', 'The body is not JSON'));
    }
    return next();
  });
  const noStore = createMiddleware<Env>(async (c, next) => {
    await next();
    c.header('Cache-Control', 'no-store');
  });
  const gatewayCors = cors({
    origin: (origin) => origin,
    credentials: true,
    allowMethods: ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS'],
    allowHeaders: ['Content-Type', 'Authorization', 'X-Service-Key', 'X-Internal-Service'],
  });
  app.use('/api/*', (c, next) => (has('gateway-cors') ? gatewayCors(c, next) : next()));
  app.use('/api/auth/*', noStore);
  app.use(
    '/api/*',
    bodyLimit({
      maxSize: MAX_BODY,
      onError: (c) => c.json(nested(413, 'PAYLOAD_TOO_LARGE', 'The body is larger than 10 MB').body, 413),
    }),
  );

  /** By user where there is one, else by address. */
  const limited = (scope: LimitScope) =>
    createMiddleware<Env>(async (c, next) => {
      const userId = c.get('userId') as string | undefined;
      const taken = rateLimits.take(scope, userId ?? c.env.incoming.socket.remoteAddress ?? '');
      for (const [name, value] of Object.entries(taken?.headers ?? {})) c.header(name, value);
      return taken?.refusal ? send(c, taken.refusal) : next();
    });
  app.use('/api/*', limited('general'));
  app.route('/', healthRoutes(jobs, options));

  // --- assessments

  app.post('/api/assessment/submit', route('submit', 'submitCalls'), authorised, limited('submit'), json, async (c) => {
    const userId = c.get('userId');
    const isWeak = has('weak-idempotency');
    const key =
      keySchema.safeParse(c.req.header('idempotency-key') ?? c.req.header('x-idempotency-key')).data ??
      (isWeak ? keyWithoutAnswers(userId, c.get('body')) : undefined);
    if (!key || !options().idempotency) {
      const answer = submit(userId, c.get('body'));
      await work(answer);
      const told = has('announces-keys') ? { 'X-Idempotency-Supported': 'true', 'X-Idempotency-TTL-Hours': '24' } : {};
      return send(c, { ...worded(answer), headers: told });
    }
    const scope = isWeak ? key : `${userId} ${key}`;
    const fingerprint = createHash('sha256')
      .update(JSON.stringify(c.get('body')))
      .digest('hex');
    const before = submissions.get(scope);
    if (before && !isWeak && before.fingerprint !== fingerprint) {
      return send(c, nested(422, 'IDEMPOTENCY_KEY_REUSED', 'This key was used for other answers'));
    }
    const headers = {
      'X-Idempotency-Supported': 'true',
      'X-Idempotency-TTL-Hours': '24',
      'X-Idempotency-Key': key.slice(0, 16),
    };
    if (before) {
      counts.submissionReplays += 1;
      log.write({ kind: 'job', text: 'a submission came again under its key and was recognised' });
      const original = {
        'X-Idempotency-Cache': 'HIT',
        'X-Idempotency-Original-Timestamp': new Date(before.at).toISOString(),
      };
      return send(c, { ...(await before.answer), headers: { ...headers, ...original } });
    }
    const answer = submit(userId, c.get('body'));
    // Only what was accepted is remembered: a refused submission may be corrected under the same key.
    const remember = () => submissions.set(scope, { fingerprint, at: Date.now(), answer: Promise.resolve(answer) });
    if (answer.status === 202 && isWeak)
      void pause(Math.max(SLOW_STORE_MS, options().submitMs), closing).then(remember);
    else if (answer.status === 202) remember();
    await work(answer);
    return send(c, { ...answer, headers: { ...headers, 'X-Idempotency-Cache': 'MISS' } });
  });

  /** What an accepted submission takes. */
  const work = async ({ status }: Answer): Promise<void> => {
    if (status === 202 && options().submitMs > 0) await pause(options().submitMs, closing);
  };
  const submit = (userId: string, body: unknown): Answer => {
    const parsed = submissionSchema.safeParse(body);
    if (!parsed.success) {
      return nested(400, 'VALIDATION_ERROR', 'Some answers are missing or out of range', fieldMessages(body));
    }
    const balance = jobs.balanceOf(userId);
    if (balance < 1)
      return nested(402, 'INSUFFICIENT_TOKENS', 'Not enough credit', { required: 1, available: balance });
    const job = jobs.accept(userId, nameOf(parsed.data), parsed.data);
    // Paid for, written down, and never worked on: the credit comes back when the sweeper finds it.
    if (jobs.isQueueDown()) return nested(500, 'QUEUE_ERROR', 'The job could not be queued');
    return accepted(job);
  };
  const accepted = (job: Job): Answer =>
    ok(
      {
        jobId: job.jobId,
        resultId: job.resultId,
        status: 'queued',
        estimatedProcessingTime: '2-5 minutes',
        queuePosition: jobs.queuePosition(job),
        tokenCost: 1,
        remainingTokens: jobs.balanceOf(job.userId),
      },
      'Assessment submitted',
      202,
    );

  /** Another user's job is forbidden, an unknown one not found. */
  const owned = (
    job: Job | undefined,
    userId: string | null,
    notFound: Answer,
    found: (job: Job) => Answer,
  ): Answer => {
    if (!job) return notFound;
    return userId === null || job.userId === userId
      ? found(job)
      : nested(403, 'FORBIDDEN', 'This belongs to another user');
  };

  /** The same answers once more, for another credit, under the ids that the job has. */
  app.post('/api/assessment/retry', route('retry'), authorised, limited('submit'), json, (c) => {
    const { jobId, resultId } = (c.get('body') ?? {}) as { jobId?: unknown; resultId?: unknown };
    const id = has('original-errors') ? jobId : (jobId ?? resultId);
    if (typeof id !== 'string') return send(c, nested(400, 'VALIDATION_ERROR', 'A jobId is needed'));
    const userId = c.get('userId');
    const retry = (job: Job): Answer => {
      const available = jobs.balanceOf(userId);
      if (available < 1) return nested(402, 'INSUFFICIENT_TOKENS', 'Not enough credit', { required: 1, available });
      jobs.retry(job);
      return accepted(job);
    };
    const job = jobs.get(id) ?? jobs.byResult(id);
    return send(c, owned(job, userId, nested(404, 'NOT_FOUND', 'Job not found'), retry));
  });

  app.get('/api/assessment/queue/status', route('queue'), authorised, (c) => {
    const jobStats = jobs.statistics();
    const { queued } = jobStats;
    const estimates = [
      [10, '10+ minutes'],
      [5, '5-10 minutes'],
      [0, '1-5 minutes'],
    ] as const;
    const estimatedWaitTime = estimates.find(([more]) => queued > more)?.[1] ?? 'Less than a minute';
    const activeWorkers = jobs.isQueueDown() ? 0 : 1;
    const data = {
      queueLength: queued,
      activeWorkers,
      averageProcessingTime: '3.2 minutes',
      estimatedWaitTime,
      jobStats,
    };
    return send(c, ok(data, 'Queue status'));
  });

  app.get('/api/assessment/status/:id', route('status', 'statusCalls'), authorised, (c) =>
    send(
      c,
      owned(jobs.tracked(c.req.param('id')), c.get('userId'), nested(404, 'NOT_FOUND', 'Job not found'), (job) =>
        ok(
          {
            jobId: job.jobId,
            status: job.status,
            progress: { queued: 0, processing: 25, completed: 100, failed: 0 }[job.status],
            createdAt: new Date(job.acceptedAt).toISOString(),
            updatedAt: new Date(job.updatedAt).toISOString(),
            queuePosition: job.status === 'queued' ? jobs.queuePosition(job) : 0,
            userId: job.userId,
            resultId: job.status === 'completed' && has('completed-without-result-id') ? null : jobs.shownResultId(job),
            assessmentName: job.name,
            ...(job.status === 'failed' ? { error: FAILURE_TEXT } : {}),
          },
          'Job status',
        ),
      ),
    ),
  );

  app.get('/api/archive/results/:id', route('result', 'resultCalls'), authorisedForResults, limited('archive'), (c) => {
    const id = c.req.param('id');
    if (has('original-errors') && !z.uuid().safeParse(id).success) {
      const details = [{ field: 'id', message: '"id" must be a valid GUID', value: id.slice(0, 100) }];
      return send(
        c,
        nested(400, 'VALIDATION_ERROR', 'Invalid parameters', details, { timestamp: new Date().toISOString() }),
      );
    }
    return send(
      c,
      owned(
        archived(jobs.byResult(id)),
        has('public-results') ? null : c.get('userId'),
        nested(404, 'RESULT_NOT_FOUND', 'Analysis result not found'),
        (job) => ({
          status: 200,
          body: {
            success: true,
            data: {
              id: job.resultId,
              user_id: job.userId,
              test_data: job.answers,
              test_result: job.result ?? (has('result-before-done') ? analyse(job.answers) : null),
              is_public: false,
              created_at: new Date(job.acceptedAt).toISOString(),
              updated_at: new Date(job.updatedAt).toISOString(),
            },
          },
        }),
      ),
    );
  });

  app.get('/api/archive/jobs/:id', route('job', 'jobCalls'), authorised, limited('archive'), (c) =>
    send(
      c,
      owned(archived(jobs.get(c.req.param('id'))), c.get('userId'), nested(404, 'NOT_FOUND', 'Job not found'), (job) =>
        ok(jobRow(job), 'Job'),
      ),
    ),
  );
  app.get('/api/archive/jobs', route('jobs', 'jobsCalls'), authorised, limited('archive'), (c) => {
    const rows = jobs.of(c.get('userId')).map(jobRow);
    return send(c, ok({ jobs: rows, pagination: { page: 1, limit: rows.length, total: rows.length } }, 'Jobs'));
  });
  const jobRow = (job: Job) => ({
    job_id: job.jobId,
    user_id: job.userId,
    status: jobs.archivedStatus(job),
    result_id: jobs.shownResultId(job),
    assessment_name: job.name,
    error_message: jobs.archivedStatus(job) === 'failed' ? FAILURE_TEXT : null,
    created_at: new Date(job.acceptedAt).toISOString(),
    updated_at: new Date(job.updatedAt).toISOString(),
    completed_at: job.endedAt === null ? null : new Date(job.endedAt).toISOString(),
  });
  /** The archive's rows of a finished job may be late. */
  const archived = (job: Job | undefined): Job | undefined => (job && jobs.isArchived(job) ? job : undefined);

  // --- sessions

  app.get('/api/auth/token-balance', route('balance', 'balanceCalls'), authorised, (c) => {
    const userId = c.get('userId');
    return send(c, ok({ user_id: userId, token_balance: jobs.balanceOf(userId) }, 'Balance'));
  });

  const credentials = (body: unknown, unknownCode = 'EMAIL_NOT_FOUND'): { userId: string } | Answer => {
    const { email, username, password } = loginSchema.safeParse(body).data ?? {};
    const address = email ?? username ?? '';
    if (!address || password === undefined)
      return nested(400, 'VALIDATION_ERROR', 'An address and a password are needed');
    if (!address.endsWith('@example.test')) return nested(404, unknownCode, 'There is no account with this address');
    if (password !== PASSWORD) return nested(401, 'INVALID_PASSWORD', 'The password is wrong');
    return { userId: sessions.userIdOf(address) };
  };
  const giveRefreshToken = (c: Context<Env>, refreshToken: string): object => {
    if (options().refreshTransport === 'body') return { refreshToken };
    setCookie(c, REFRESH_COOKIE, refreshToken, {
      ...COOKIE,
      httpOnly: !has('readable-cookie'),
      maxAge: Math.round(options().refreshTokenTtlMs / 1_000),
    });
    return {};
  };
  const v2Answer = (data: unknown, message: string): Answer => ({
    status: 200,
    body: { success: true, message, data, timestamp: new Date().toISOString() },
  });

  app.post('/api/auth/v2/login', route('login'), limited('auth'), json, async (c) => {
    const who = credentials(c.get('body'));
    if ('status' in who) return send(c, { ...who, body: { ...who.body, message: 'Operation failed' } });
    const { idToken, refreshToken, expiresIn } = await sessions.logIn(who.userId);
    const { email } = c.get('body') as { email: string };
    const data = {
      uid: who.userId,
      email,
      displayName: 'Demo user',
      photoURL: null,
      idToken,
      expiresIn,
      ...giveRefreshToken(c, refreshToken),
    };
    return send(c, v2Answer(data, 'Login successful using auth v2'));
  });

  app.post('/api/auth/v2/refresh', route('refresh', 'refreshCalls'), limited('auth'), json, async (c) => {
    if (options().authOutage && has('outage-takes-refresh'))
      return send(c, flat(503, 'SERVICE_UNAVAILABLE', 'The auth service is unavailable'));
    refreshing += 1;
    counts.maxConcurrentRefreshes = Math.max(counts.maxConcurrentRefreshes, refreshing);
    try {
      const { refreshToken: inBody } = (c.get('body') ?? {}) as { refreshToken?: unknown };
      const token = options().refreshTransport === 'cookie' ? getCookie(c, REFRESH_COOKIE, 'host') : inBody;
      const outcome = await sessions.refresh(typeof token === 'string' ? token : undefined);
      if (outcome.type === 'limited') {
        counts.refreshesLimited += 1;
        const isSilent = has('limit-without-retry-after');
        const { retryAfter } = outcome;
        const answer = flat(429, 'RATE_LIMIT_EXCEEDED', 'Too many refreshes', isSilent ? {} : { retryAfter });
        return send(c, { ...answer, ...(isSilent ? {} : { headers: { 'Retry-After': String(retryAfter) } }) });
      }
      if (outcome.type === 'rejected') {
        counts.refreshesRejected += 1;
        return send(c, nestedV2(401, 'INVALID_REFRESH_TOKEN', 'The refresh token is invalid'));
      }
      counts.refreshes += 1;
      const { idToken, refreshToken, expiresIn } = outcome;
      return send(
        c,
        v2Answer(
          { idToken, expiresIn, ...giveRefreshToken(c, refreshToken) },
          'Token refreshed successfully using auth v2',
        ),
      );
    } finally {
      refreshing -= 1;
    }
  });

  app.post('/api/auth/v2/logout', route('logout'), authorised, (c) => {
    sessions.logOut((c.req.header('authorization') ?? '').slice('Bearer '.length));
    deleteCookie(c, REFRESH_COOKIE, { ...COOKIE });
    return send(c, v2Answer(null, 'Logout successful'));
  });

  app.post('/api/auth/login', route('v1Login'), limited('auth'), json, async (c) => {
    const who = credentials(c.get('body'), has('original-errors') ? 'IDENTIFIER_NOT_FOUND' : undefined);
    if ('status' in who) return send(c, who);
    const user = { id: who.userId, user_type: 'user', is_active: true, token_balance: jobs.balanceOf(who.userId) };
    return send(c, ok({ user, token: await sessions.logInV1(who.userId) }, 'Login successful'));
  });
  app.post('/api/auth/logout', route('v1Logout'), authorised, (c) => send(c, ok(null, 'Logout successful')));

  /** A debug route that was left open, as in the original. */
  app.post('/api/notifications/debug/disconnect/:userId', (c) => {
    if (!has('public-debug-route')) return send(c, flat(404, 'NOT_FOUND', 'No such route'));
    disconnectUser(c.req.param('userId'));
    return send(c, ok(null, 'Disconnected'));
  });

  app.all('/api/assessment/*', (c) =>
    send(
      c,
      has('original-errors')
        ? worded(nested(401, 'UNAUTHORIZED', 'Authorization header required'))
        : flat(404, 'NOT_FOUND', 'No such route'),
    ),
  );
  app.notFound((c) => send(c, flat(404, 'NOT_FOUND', 'No such route')));
  app.onError((_, c) => c.json(nested(500, 'INTERNAL_ERROR', 'Something went wrong').body, 500));
  return app;
}

/** When a message left, by the best estimate: never later than its arrival. */
export function sentAt(told: unknown): number {
  const at = typeof told === 'number' || typeof told === 'string' ? Number(told) : Number.NaN;
  return Math.min(Date.now(), at || Date.now());
}

const nameOf = (body: unknown): string =>
  String((body as { assessment_name?: unknown } | null)?.assessment_name ?? 'AI-Driven Talent Mapping');

/** The key of a submission that came without one, as the original makes it: it forgets the answers. */
const keyWithoutAnswers = (userId: string, body: unknown): string =>
  createHash('sha256')
    .update(`${userId} ${nameOf(body)} ${new Date().toISOString().slice(0, 10)}`)
    .digest('hex');

/** Which answers are wrong, by name. */
function fieldMessages(body: unknown): Record<string, string> {
  const data = (body as { assessment_data?: unknown } | null)?.assessment_data ?? body;
  const issues = assessment.safeParse(data).error?.issues ?? [];
  return Object.fromEntries(issues.map(({ path, message }) => [path.join('.') || 'assessment_data', message]));
}

/** A body whose second half never comes: the connection breaks. */
function brokenOff(text: string, signal: AbortSignal, breakOff: () => void): ReadableStream<Uint8Array> {
  let isBegun = false;
  return new ReadableStream({
    async pull(controller) {
      if (isBegun) {
        // A moment, so that the first half is on its way.
        await pause(10, signal);
        breakOff();
        return controller.close();
      }
      isBegun = true;
      controller.enqueue(new TextEncoder().encode(text.slice(0, text.length / 2)));
      return undefined;
    },
  });
}

/** A body that comes byte by byte, too slowly for any client to wait for it. */
function dribble(text: string, ms: number, signal: AbortSignal): ReadableStream<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  let sent = 0;
  return new ReadableStream({
    async pull(controller) {
      await pause(ms, signal);
      if (sent === bytes.length || signal.aborted) return controller.close();
      controller.enqueue(bytes.slice(sent, (sent += 1)));
    },
  });
}

/** A body that arrives in ten parts over `ms`. */
function inParts(text: string, ms: number, signal: AbortSignal): ReadableStream<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  const size = Math.max(1, Math.ceil(bytes.length / 10));
  let sent = 0;
  return new ReadableStream({
    async pull(controller) {
      await pause(ms / 10, signal);
      if (sent >= bytes.length || signal.aborted) return controller.close();
      controller.enqueue(bytes.slice(sent, (sent += size)));
    },
  });
}

/** JSON that is broken, or a row that names another job and another user. */
function spoil(text: string, kind: 'cut' | 'nan' | 'foreign-row'): string {
  if (kind === 'cut') return text.slice(0, text.length / 2);
  if (kind === 'nan') return text.replace(/\}$/, ',"score":NaN}');
  const id = '00000000-0000-4000-8000-000000000000';
  return text
    .replace(/"(jobId|job_id|id)":"[^"]*"/, `"$1":"${id}"`)
    .replace(/"(userId|user_id)":"[^"]*"/, '"$1":"user-of-another-account"');
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const finish = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', finish);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    signal.addEventListener('abort', finish);
  });
}
