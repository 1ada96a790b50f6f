import { bindMachine } from '../actors/bind-machine.ts';
import { type Assessment, startAssessment } from './assessment.ts';
import { throwIfAborted } from '../lib/abort.ts';
import { callSafely } from '../lib/call-safely.ts';
import { systemClock } from '../lib/clock.ts';
import { SignInRequiredError, TokenUnavailableError, UnauthorizedError } from '../lib/errors.ts';
import type { AssessmentClientOptions } from './options.ts';
import { type IssuedToken, isSendable } from '../services/auth/access-token.ts';
import type { Log } from '../lib/log.ts';
import { createMetrics, type Metrics } from '../services/metrics.ts';
import { randomIds } from './browser.ts';
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
   * Submits answers and monitors their job until the result arrives. Submitting the same answers again while the first
   * submission is under way returns the same assessment, so a double click costs nothing.
   *
   * @throws TypeError when the answers are not JSON; nothing is submitted
   */
  submit(submission: Submission): Assessment<Result>;
  /** Resumes the assessments from before a reload, a crash or a closed tab. Never submits an accepted job again. */
  resume(): readonly Assessment<Result>[];
  /** Removes an assessment that has ended from {@link getSnapshot}. One under way stays. */
  dismiss(id: string): void;
  getSnapshot(): ClientSnapshot<Result>;
  /** Calls the listener when {@link getSnapshot} changes. Returns the unsubscription. */
  subscribe(listener: () => void): () => void;
  /** The user has signed in: paused assessments of the same user resume, those of another user are dropped. */
  signedIn(session: IssuedToken): void;
  /** The user has signed out: assessments pause, and nothing is sent for them. */
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
 * @example
 * const client = createAssessmentClient({ baseUrl: 'https://api.example.test' });
 * client.signedIn({ accessToken, expiresIn: 3600 });
 * const view = await client.submit(answers).settled();
 * if (view.phase === 'completed') show(view.result);
 *
 * // Called without options, it takes the type of the answers alone and infers that of the result from the schema.
 * const typed = createAssessmentClient<Answers>()({ baseUrl: 'https://api.example.test', resultSchema });
 */
export function createAssessmentClient<Submission = unknown>(): <Result = Record<string, unknown>>(
  options: AssessmentClientOptions<Result>,
) => AssessmentClient<Submission, Result>;
export function createAssessmentClient<Submission = unknown, Result = Record<string, unknown>>(
  options: AssessmentClientOptions<Result>,
): AssessmentClient<Submission, Result>;
export function createAssessmentClient<Submission, Result>(options?: AssessmentClientOptions<Result>) {
  if (options === undefined) return (later: AssessmentClientOptions<Result>) => openClient<Submission, Result>(later);
  return openClient<Submission, Result>(options);
}

function openClient<Submission, Result>(
  options: AssessmentClientOptions<Result>,
): AssessmentClient<Submission, Result> {
  const { clock = systemClock } = options;
  const metrics = createMetrics();
  const log: Log = (event) => {
    metrics.record(event);
    callSafely(() => options.onEvent?.({ ...event, at: clock.now() }));
  };
  const services = createServices<Submission, Result>(options, clock, log);
  const createId = options.createId ?? randomIds(log);
  const bound = bindMachine(services);
  const { api, jobs, tokens, monitoringTimeoutMs } = services;

  const answersOf = new WeakMap<Assessment<Result>, string>();
  const listeners = new Set<() => void>();
  const disposal = new AbortController();
  let snapshot: ClientSnapshot<Result> = { assessments: [], balance: null };
  const change = (patch: Partial<ClientSnapshot<Result>>): void => {
    snapshot = { ...snapshot, ...patch };
    for (const listener of listeners) callSafely(listener, log);
  };
  /** Counts the balances received, so that a late answer can tell that a newer one came first. */
  let balancesReceived = 0;
  const receiveBalance = (balance: number): void => {
    balancesReceived += 1;
    if (balance !== snapshot.balance) change({ balance });
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
    const balance = await authorised(() => {
      receivedBefore = balancesReceived;
      return api.balance(disposal.signal);
    });
    if (balancesReceived === receivedBefore) receiveBalance(balance);
    return balance;
  };
  /** Failures do not matter here: a later event or submission reports the balance as well. */
  const refreshBalanceQuietly = (): void => void refreshBalance().catch(() => {});

  const add = (assessment: Assessment<Result>): Assessment<Result> => {
    let isBalanceKnown = false;
    const receivedBefore = balancesReceived;
    assessment.actor.on('balance.changed', ({ balance, cause }) => {
      isBalanceKnown = true;
      const isAnswer = cause !== 'balance.changed';
      // With two submissions in flight the answer may be older than the balance received since.
      if (isAnswer && balancesReceived !== receivedBefore && balance !== snapshot.balance) refreshBalanceQuietly();
      else receiveBalance(balance);
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
      if (outcome === 'failed' && isBalanceKnown) refreshBalanceQuietly();
    });
    change({ assessments: snapshot.assessments.concat(assessment) });
    return assessment;
  };
  const isOver = ({ actor }: Assessment<Result>) => actor.getSnapshot().status !== 'active';

  return {
    submit(submission) {
      throwIfAborted(disposal.signal);
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
        // A copy: later changes to the application's object must not change what is sent.
        submission: JSON.parse(answers) as unknown,
      } as const;
      jobs.save(record);
      const assessment = startAssessment(services, bound, record, 'assessment.submit');
      answersOf.set(assessment, answers);
      return add(assessment);
    },
    resume() {
      throwIfAborted(disposal.signal);
      const isKnown = (submissionId: string) => snapshot.assessments.some(({ id }) => id === submissionId);
      return jobs
        .load(tokens.userId())
        .filter(({ submissionId }) => !isKnown(submissionId))
        .map((record) => add(startAssessment(services, bound, record, 'assessment.resume')));
    },
    dismiss(id) {
      const dismissed = snapshot.assessments.find((it) => it.id === id && isOver(it));
      if (!dismissed) return;
      // A dismissed result must not come back, even if it was never shown. A broken assessment may resume after a reload.
      if (dismissed.actor.getSnapshot().status === 'done') jobs.remove(id);
      change({ assessments: snapshot.assessments.filter((it) => it !== dismissed) });
    },
    getSnapshot: () => snapshot,
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
      for (const { actor } of snapshot.assessments) actor.stop();
      services.feed.close();
      tokens.dispose();
      listeners.clear();
    },
  };
}
