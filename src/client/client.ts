import { bindMachine } from '../actors/bind-machine.ts';
import { readAnswers } from './answers.ts';
import { type Assessment, type OwnedAssessment, startAssessment } from './assessment.ts';
import { throwIfAborted } from '../lib/abort.ts';
import { callSafely } from '../lib/call-safely.ts';
import { systemClock } from '../lib/clock.ts';
import { SignInRequiredError, TokenUnavailableError, UnauthorizedError } from '../lib/errors.ts';
import { isSameUser } from '../lib/identity.ts';
import type { AssessmentClientOptions } from './options.ts';
import { type IssuedToken, isSendable } from '../services/auth/access-token.ts';
import type { Log } from '../lib/log.ts';
import { createMetrics, type Metrics } from '../services/metrics.ts';
import type { JobRecord } from '../services/job-store.ts';
import { createClaims } from './claims.ts';
import { createSecondLook } from './second-look.ts';
import { submitOnce } from './submit-once.ts';
import { isReachable, randomIds } from './browser.ts';
import { createServices } from './create-services.ts';

/** The state that all assessments of a client share. */
export interface ClientSnapshot<Result = unknown> {
  /** In the order of submission; the last one is the newest. */
  readonly assessments: readonly Assessment<Result>[];
  /** The user's credit, as the server last reported it; null before that. */
  readonly balance: number | null;
}

export interface AssessmentClient<Submission = unknown, Result = unknown> {
  /**
   * Submits answers and monitors their job until the result arrives. The same answers of the same user, while under way, are one
   * assessment, whatever the order of their keys: a double click returns it, and after a reload or in another tab it is resumed. Answers
   * submitted before the sign-in continue what their user has submitted before.
   *
   * @throws TypeError when JSON cannot hold the answers, such as a FormData; it names the path and a remedy, and nothing is submitted
   */
  submit(submission: Submission): Assessment<Result>;
  /**
   * Resumes the assessments from before a reload, a crash or a closed tab, with the phase and the progress that were shown last. Never
   * submits an accepted job again. A result that has been shown is not shown again, unless option `keepResult` says so. A job that has
   * failed is not shown again, unless the server has completed it after all: it then joins {@link getSnapshot} by itself.
   */
  resume(): readonly Assessment<Result>[];
  /** Removes an assessment that has ended from {@link getSnapshot}. One under way stays. */
  dismiss(id: string): void;
  getSnapshot(): ClientSnapshot<Result>;
  /** Calls the listener when {@link getSnapshot} changes. Returns the unsubscription. */
  subscribe(listener: () => void): () => void;
  /**
   * The user has signed in: paused assessments of the same user resume. Those of another user leave the snapshot, and their jobs wait
   * for that user.
   */
  signedIn(session: IssuedToken): void;
  /**
   * The user has signed out: assessments and the balance leave the snapshot in every tab, and answers that were not accepted yet are
   * erased. A job of the user resumes when that user signs in again. Until {@link signedIn} nothing is sent, even after a reload and
   * with a cookie that is still good.
   */
  signedOut(): void;
  /**
   * A valid token for the application's own calls.
   *
   * @param forceRefresh refresh even a token that looks good; within a minute of the last refresh the current one is returned
   * @throws SignInRequiredError when the session has ended
   * @throws TokenUnavailableError when there is none now; it says when to try again
   */
  ensureValidToken(forceRefresh?: boolean): Promise<string>;
  /**
   * Requests the balance from the server and updates the snapshot. An expired token is refreshed first.
   *
   * @throws SignInRequiredError, TokenUnavailableError, TransientError or RejectedError
   */
  refreshBalance(): Promise<number>;
  /** The signals to watch in production. */
  metrics(): Metrics;
  /** Stops everything. Only a refresh in flight is left to end, since it may have rotated the token already. */
  dispose(): void;
}

/**
 * Creates the services and owns the assessments, outside of any component.
 *
 * @throws TypeError when `baseUrl` is not an address, or an option has a value that cannot work; it names the option
 * @example
 * const client = createAssessmentClient({ baseUrl: 'https://api.example.test' });
 * client.signedIn({ accessToken, expiresIn: 3600 });
 * const view = await client.submit(answers).settled();
 * if (view.phase === 'completed') show(view.result);
 *
 * // With an `api` of your own, its types are inferred.
 * const foreign = createAssessmentClient({ baseUrl: 'https://api.example.test', api });
 *
 * // Called without options, it takes the type of the answers alone and infers that of the result from the schema.
 * const typed = createAssessmentClient<Answers>()({ baseUrl: 'https://api.example.test', resultSchema });
 */
export function createAssessmentClient<Submission = unknown>(): <Found = Record<string, unknown>, Result = Found>(
  options: AssessmentClientOptions<Result, Submission, Found>,
) => AssessmentClient<Submission, Result>;
export function createAssessmentClient<Submission = unknown, Found = Record<string, unknown>, Result = Found>(
  options: AssessmentClientOptions<Result, Submission, Found>,
): AssessmentClient<Submission, Result>;
export function createAssessmentClient<Submission, Result>(
  options?: AssessmentClientOptions<Result, Submission, unknown>,
) {
  if (options !== undefined) return openClient(options);
  return (later: AssessmentClientOptions<Result, Submission, unknown>) => openClient(later);
}

function openClient<Submission, Result>(
  options: AssessmentClientOptions<Result, Submission, unknown>,
): AssessmentClient<Submission, Result> {
  const { clock = systemClock } = options;
  const metrics = createMetrics();
  const log: Log = (event) => {
    metrics.record(event);
    callSafely(() => options.onEvent?.({ ...event, at: clock.now() }));
  };
  const services = createServices<Submission, Result>(options, clock, log);
  const createId = options.createId ?? randomIds(log);
  const { api, jobs, tokens, monitoringTimeoutMs } = services;
  const bound = bindMachine({ ...services, api: submitOnce(api, jobs, services.idempotent) });

  /** The latest assessment of the answers with this digest. */
  const latest = new Map<string, OwnedAssessment<Result>>();
  const digests = new WeakMap<Assessment<Result>, string>();
  const listeners = new Set<() => void>();
  const disposal = new AbortController();
  /** By id, in the order of submission. */
  const assessments = new Map<string, OwnedAssessment<Result>>();
  let balance: number | null = null;
  /** Both are made when they are read, so that thousands of changes at once cost no copy each. */
  let list: readonly Assessment<Result>[] | null = null;
  let snapshot: ClientSnapshot<Result> | null = null;
  const getSnapshot = (): ClientSnapshot<Result> => {
    list ??= Array.from(assessments.values());
    return (snapshot ??= { assessments: list, balance });
  };
  const notify = (): void => {
    snapshot = null;
    for (const listener of listeners) callSafely(listener, log);
  };
  /** Counts the balances received and the users who left, so that a late answer can tell that it is out of date. */
  let balancesReceived = 0;
  const receiveBalance = (received: number): void => {
    balancesReceived += 1;
    if (balance === received) return;
    balance = received;
    notify();
  };
  /** A call of the application gets a fresh token once, and then an error that says what to do: never a bare 401. */
  const authorised = async <T>(call: () => Promise<T>): Promise<T> => {
    try {
      // A due refresh comes first: a call beside it would carry the token that it invalidates.
      await tokens.ensureValidToken();
      return await call();
    } catch (error) {
      if (!(error instanceof UnauthorizedError)) throw error;
      const outcome = await tokens.renew(error.generation);
      if (outcome.type === 'rejected') throw new SignInRequiredError();
      if ('retryAfterMs' in outcome) throw new TokenUnavailableError(outcome.retryAfterMs);
    }
    return call().catch((error: unknown) => {
      throw error instanceof UnauthorizedError ? new TokenUnavailableError(services.pacing.minDistanceMs) : error;
    });
  };
  const refreshBalance = async (): Promise<number> => {
    let receivedBefore = 0;
    const answered = await authorised(() => {
      receivedBefore = balancesReceived;
      return api.balance(disposal.signal);
    });
    if (balancesReceived === receivedBefore) receiveBalance(answered);
    return answered;
  };
  let isBalanceDue = false;
  let isBalanceAsked = false;
  /** One request at a time, however many ask. Failures do not matter here: a later event or submission reports the balance as well. */
  const refreshBalanceQuietly = (): void => {
    isBalanceDue = true;
    if (isBalanceAsked) return;
    isBalanceAsked = true;
    void (async () => {
      while (isBalanceDue) {
        isBalanceDue = false;
        await refreshBalance().catch(() => {});
      }
      isBalanceAsked = false;
    })();
  };

  /** Starts an assessment and adds it to the snapshot, after the others and in place of an ended one with the same id. */
  const add = (stored: JobRecord, how: 'assessment.submit' | 'assessment.resume'): Assessment<Result> => {
    // An assessment that began before the sign-in belongs to the user under whom it runs first.
    const record = { ...stored, userId: stored.userId ?? tokens.identity() };
    if (record.userId !== stored.userId) jobs.save(record);
    const assessment = startAssessment(services, bound, record, how);
    if (record.answersDigest !== undefined) {
      latest.set(record.answersDigest, assessment);
      digests.set(assessment, record.answersDigest);
    }
    let isBalanceKnown = false;
    const receivedBefore = balancesReceived;
    assessment.actor.on('balance.changed', ({ balance: reported, cause }) => {
      isBalanceKnown = true;
      const isAnswer = cause !== 'balance.changed';
      // With two submissions in flight the answer may be older than the balance received since.
      if (isAnswer && balancesReceived !== receivedBefore && reported !== balance) refreshBalanceQuietly();
      else receiveBalance(reported);
    });
    const unwatch = assessment.actor.subscribe({
      next({ context }) {
        if (context.jobId === null) return;
        unwatch.unsubscribe();
        if (!isBalanceKnown) refreshBalanceQuietly();
        isBalanceKnown = true;
      },
      // XState throws an error that any of its subscribers does not handle; the assessment reports it.
      error: () => {},
    });
    // The server refunds a failed job, and not every server reports it.
    assessment.actor.on('assessment.settled', ({ outcome }) => {
      if (outcome !== 'failed') return;
      if (isBalanceKnown) refreshBalanceQuietly();
      if (assessment.actor.getSnapshot().context.problem?.code === 'job-failed') secondLook.watch(assessment.id);
    });
    assessments.delete(assessment.id);
    assessments.set(assessment.id, assessment);
    list = null;
    return assessment;
  };
  const begin: typeof add = (record, how) => {
    const assessment = add(record, how);
    notify();
    return assessment;
  };
  const secondLook = createSecondLook(services, (record) => {
    const revived = {
      ...record,
      failedAt: undefined,
      delay: undefined,
      deadlineAt: clock.now() + monitoringTimeoutMs(),
    };
    jobs.save(revived);
    const { jobId, resultId } = revived;
    begin(revived, 'assessment.resume').actor.send({ type: 'job.completed', jobId, resultId });
  });
  const isOver = ({ actor }: Assessment<Result>) => actor.getSnapshot().status !== 'active';
  /** Its job may still be shown: it has not ended, or its result has not been shown yet. */
  const isUnderWay = (assessment: Assessment<Result>): boolean => {
    if (!isOver(assessment)) return true;
    const record = assessment.getSnapshot().phase === 'completed' ? jobs.read(assessment.id) : null;
    return record !== null && record.shownAt === undefined;
  };
  const isOfUser = ({ actor }: Assessment<Result>, userId: string | null): boolean =>
    isSameUser(actor.getSnapshot().context.userId, userId);
  const forget = (assessment: Assessment<Result>): void => {
    const digest = digests.get(assessment);
    if (digest !== undefined && latest.get(digest) === assessment) latest.delete(digest);
    secondLook.forget(assessment.id);
    assessments.delete(assessment.id);
    list = null;
  };

  /** Whether the application has begun to use assessments: those of a user who comes back then resume by themselves. */
  let isInUse = false;
  const resume = (): readonly Assessment<Result>[] => {
    throwIfAborted(disposal.signal);
    isInUse = true;
    const records = jobs.load(tokens.identity()).filter(({ submissionId }) => !assessments.has(submissionId));
    for (const { submissionId, failedAt } of records) if (failedAt !== undefined) secondLook.lookAt(submissionId);
    claims.look();
    const resumed = records
      .filter(({ failedAt }) => failedAt === undefined)
      .map((record) => add(record, 'assessment.resume'));
    if (resumed.length > 0) notify();
    return resumed;
  };
  const claims = createClaims({
    jobs,
    clock,
    settlingMs: services.pacing.settlingMs,
    submitTimeoutMs: services.submitTimeoutMs,
    userId: tokens.identity,
    list: (signal) => authorised(() => api.jobs(signal)),
    onClaimed(record) {
      if (disposal.signal.aborted || assessments.has(record.submissionId)) return;
      if (record.failedAt === undefined) begin(record, 'assessment.resume');
      else secondLook.lookAt(record.submissionId);
    },
  });
  let user = tokens.identity();
  /** Nothing of one user stays for the next one: neither in memory nor on the page. */
  const leave = (left: readonly OwnedAssessment<Result>[], isUserGone: boolean): void => {
    for (const assessment of left) {
      assessment.leave();
      forget(assessment);
    }
    const isBalanceGone = isUserGone && balance !== null;
    if (isUserGone) {
      balance = null;
      balancesReceived += 1;
    }
    if (left.length > 0 || isBalanceGone) notify();
  };
  const sessions = tokens.sessions$.subscribe((event) => {
    const before = user;
    switch (event.type) {
      case 'session.ended':
        if (event.reason === 'rejected') return;
        user = null;
        jobs.setAllAside();
        return leave([...assessments.values()], true);
      case 'session.restored':
      case 'token.renewed': {
        user = tokens.identity();
        const others = [...assessments.values()].filter((it) => !isOfUser(it, user));
        leave(others, !isSameUser(before, user));
        if (!isInUse) return;
        if (before !== user) resume();
        else if (event.type === 'session.restored') claims.look();
      }
    }
  });

  return {
    submit(submission) {
      throwIfAborted(disposal.signal);
      if (!options.fetch && !isReachable(options.baseUrl))
        throw new TypeError(
          'submit: baseUrl is a path, and there is no page that it belongs to; nothing was submitted',
        );
      isInUse = true;
      const { copy, digest } = readAnswers(submission);
      const userId = tokens.identity();
      const mine = latest.get(digest);
      if (mine && isUnderWay(mine) && isOfUser(mine, userId)) return mine;
      const shared = jobs.find(digest, userId);
      // The answers of a record that was set aside are erased; here they are again.
      if (shared) return begin(shared.jobId === null ? { ...shared, submission: copy } : shared, 'assessment.resume');
      const now = clock.now();
      const record = {
        version: 1,
        submissionId: createId(),
        jobId: null,
        resultId: null,
        deadlineAt: now + monitoringTimeoutMs(),
        userId,
        submittedAt: now,
        submission: copy,
        answersDigest: digest,
      } as const;
      jobs.save(record);
      return begin(record, 'assessment.submit');
    },
    resume,
    dismiss(id) {
      const dismissed = assessments.get(id);
      if (!dismissed || !isOver(dismissed)) return;
      const { status, value } = dismissed.actor.getSnapshot();
      // A dismissed result must not come back, even if it was never shown. A broken assessment may resume after a reload, and what
      // is left of a cancelled one belongs to another tab.
      if (status === 'done' && value !== 'cancelled') jobs.remove(id);
      forget(dismissed);
      notify();
    },
    getSnapshot,
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    signedIn(session) {
      throwIfAborted(disposal.signal);
      if (typeof session?.accessToken !== 'string' || session.accessToken === '') {
        throw new TypeError('signedIn: needs { accessToken }, a text that is not empty; the session is unchanged');
      }
      if (!isSendable(session.accessToken)) {
        throw new TypeError(
          'signedIn: the accessToken contains a character that no header can carry; the session is unchanged',
        );
      }
      tokens.signIn(session);
    },
    signedOut: () => tokens.signOut(),
    ensureValidToken: (forceRefresh) => tokens.ensureValidToken(forceRefresh),
    refreshBalance,
    metrics: metrics.read,
    dispose() {
      disposal.abort(new Error('this assessment client was disposed of'));
      for (const { actor } of assessments.values()) actor.stop();
      secondLook.dispose();
      claims.dispose();
      sessions.unsubscribe();
      services.feed.close();
      tokens.dispose();
      listeners.clear();
    },
  };
}
