import { type Assessment, startAssessment } from './assessment.ts';
import { callSafely } from '../lib/call-safely.ts';
import { SignInRequiredError, TokenUnavailableError, UnauthorizedError } from '../lib/errors.ts';
import type { AssessmentClientOptions } from './options.ts';
import type { IssuedToken } from '../services/auth/access-token.ts';
import type { Log } from '../lib/log.ts';
import { createMetrics, type Metrics } from '../services/metrics.ts';
import { createServices } from './create-services.ts';

/** What all assessments of a client have in common. */
export interface ClientSnapshot<Result = unknown> {
  /** In the order of their submission; the last one is the newest. */
  readonly assessments: readonly Assessment<Result>[];
  /** The user's credit as last heard from the server; null before that. */
  readonly balance: number | null;
}

export interface AssessmentClient<Submission = unknown, Result = unknown> {
  /**
   * Submits answers and watches over them until the result is there. The same answers submitted again while the first
   * submission is under way are the same assessment: a double click costs nothing.
   *
   * @throws TypeError when the answers are not JSON; nothing was submitted
   */
  submit(submission: Submission): Assessment<Result>;
  /** Goes on with what was under way before a reload, a crash or a closed tab. Never submits an accepted job again. */
  resume(): readonly Assessment<Result>[];
  /** Removes an assessment that has ended from {@link getSnapshot}. One that is under way stays. */
  dismiss(id: string): void;
  getSnapshot(): ClientSnapshot<Result>;
  /** Calls back when {@link getSnapshot} changes. Returns the unsubscription. */
  subscribe(listener: () => void): () => void;
  /** The user has signed in: parked assessments of the same user go on, those of another user are dropped. */
  signedIn(session: IssuedToken): void;
  /** The user has signed out: assessments are parked, and nothing is sent for them. */
  signedOut(): void;
  /**
   * A token for the application's own calls, sure to be valid now.
   *
   * @param forceRefresh refresh even if it looks good; within a minute of the last refresh the one that holds is returned
   * @throws SignInRequiredError when the session has ended
   * @throws TokenUnavailableError when there is none now; it says when to ask again
   */
  ensureValidToken(forceRefresh?: boolean): Promise<string>;
  /**
   * Asks the server for the balance; the snapshot follows. A token that died is renewed first.
   *
   * @throws SignInRequiredError, TokenUnavailableError, TransientError or RejectedError
   */
  refreshBalance(): Promise<number>;
  /** What to watch in production. */
  metrics(): Metrics;
  /** Stops everything. No timer, socket or request is left, but for a refresh that has begun: it may have rotated the token. */
  dispose(): void;
}

/**
 * Puts the services together and owns the assessments, outside of any component.
 *
 * @example
 * const client = createAssessmentClient({ baseUrl: 'https://api.example.test' });
 * client.signedIn({ accessToken, expiresIn: 3600 });
 * const view = await client.submit(answers).settled();
 * if (view.phase === 'completed') show(view.result);
 */
export function createAssessmentClient<Submission = unknown, Result = Record<string, unknown>>(
  options: AssessmentClientOptions<Result>,
): AssessmentClient<Submission, Result> {
  const { createId = () => crypto.randomUUID() } = options;
  const metrics = createMetrics();
  const log: Log = (event) => {
    metrics.record(event);
    callSafely(() => options.onEvent?.({ ...event, at: services.clock.now() }));
  };
  const services = createServices<Submission, Result>(options, log);
  const { api, clock, jobs, tokens, monitoringTimeoutMs } = services;

  const answersOf = new WeakMap<Assessment<Result>, string>();
  const listeners = new Set<() => void>();
  const disposal = new AbortController();
  let snapshot: ClientSnapshot<Result> = { assessments: [], balance: null };
  const change = (patch: Partial<ClientSnapshot<Result>>): void => {
    snapshot = { ...snapshot, ...patch };
    for (const listener of listeners) callSafely(listener, log);
  };
  /** How often a balance was heard, so that a late answer can tell that something newer was heard meanwhile. */
  let balancesHeard = 0;
  const hearBalance = (balance: number): void => {
    balancesHeard += 1;
    if (balance !== snapshot.balance) change({ balance });
  };
  /** The application's own calls get a better token once, and then an error that says what to do: never a bare 401. */
  const authorised = async <T>(call: () => Promise<T>): Promise<T> => {
    try {
      // Where a refresh is due it comes first: a call beside it would carry the token that it ends.
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
    let heardBefore = 0;
    const balance = await authorised(() => {
      heardBefore = balancesHeard;
      return api.balance(disposal.signal);
    });
    if (balancesHeard === heardBefore) hearBalance(balance);
    return balance;
  };
  /** Nobody waits for this one: a later event or submission brings the number as well. */
  const refreshBalanceQuietly = (): void => void refreshBalance().catch(() => {});

  const add = (assessment: Assessment<Result>): Assessment<Result> => {
    let isBalanceKnown = false;
    const heardBefore = balancesHeard;
    assessment.actor.on('balance.changed', ({ balance, cause }) => {
      isBalanceKnown = true;
      const isAnswer = cause !== 'balance.changed';
      // Two submissions at once: the answer may be older than what was heard since it was asked for, and it may not.
      if (isAnswer && balancesHeard !== heardBefore && balance !== snapshot.balance) refreshBalanceQuietly();
      else hearBalance(balance);
    });
    const unwatch = assessment.actor.subscribe(({ context }) => {
      if (context.jobId === null) return;
      unwatch.unsubscribe();
      if (!isBalanceKnown) refreshBalanceQuietly();
      isBalanceKnown = true;
    });
    // The credit of a failed job is given back, and not every server says so.
    assessment.actor.on('assessment.settled', ({ outcome }) => {
      if (outcome === 'failed' && isBalanceKnown) refreshBalanceQuietly();
    });
    change({ assessments: snapshot.assessments.concat(assessment) });
    return assessment;
  };
  const isOver = ({ actor }: Assessment<Result>) => actor.getSnapshot().status !== 'active';

  return {
    submit(submission) {
      disposal.signal.throwIfAborted();
      const answers = JSON.stringify(submission) as string | undefined;
      if (answers === undefined) throw new TypeError('submit: the answers must be JSON; nothing was submitted');
      const underWay = snapshot.assessments.find((it) => answersOf.get(it) === answers && !isOver(it));
      if (underWay) return underWay;
      const now = clock.now();
      const record = {
        version: 1,
        submissionId: createId(),
        jobId: null,
        resultId: null,
        deadlineAt: now + monitoringTimeoutMs(),
        userId: tokens.userId(),
        submittedAt: now,
        // A copy: what the application does to its object later must not change what is sent.
        submission: JSON.parse(answers) as unknown,
      } as const;
      jobs.save(record);
      const assessment = startAssessment(services, record, 'assessment.submit');
      answersOf.set(assessment, answers);
      return add(assessment);
    },
    resume() {
      disposal.signal.throwIfAborted();
      const isKnown = (submissionId: string) => snapshot.assessments.some(({ id }) => id === submissionId);
      return jobs
        .load(tokens.userId())
        .filter(({ submissionId }) => !isKnown(submissionId))
        .map((record) => add(startAssessment(services, record, 'assessment.resume')));
    },
    dismiss(id) {
      const dismissed = snapshot.assessments.find((it) => it.id === id && isOver(it));
      if (!dismissed) return;
      // Its result may not have been seen: it must not come back all the same. What broke off is not done, and may.
      if (dismissed.actor.getSnapshot().status === 'done') jobs.remove(id);
      change({ assessments: snapshot.assessments.filter((it) => it !== dismissed) });
    },
    getSnapshot: () => snapshot,
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    signedIn(session) {
      disposal.signal.throwIfAborted();
      if (typeof session?.accessToken !== 'string' || session.accessToken === '') {
        throw new TypeError('signedIn: needs { accessToken }, a text that is not empty; the session is unchanged');
      }
      tokens.signIn(session);
    },
    signedOut: () => tokens.signOut(),
    ensureValidToken: (forceRefresh) => tokens.ensureValidToken(forceRefresh),
    refreshBalance,
    metrics: metrics.read,
    dispose() {
      disposal.abort(new Error('this assessment client was disposed of'));
      for (const { actor } of snapshot.assessments) actor.stop();
      services.feed.close();
      tokens.dispose();
      listeners.clear();
    },
  };
}
