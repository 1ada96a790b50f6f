import { type Actor, type AnyActorRef, createActor } from 'xstate';
import type { BoundMachine } from '../actors/bind-machine.ts';
import { callSafely } from '../lib/call-safely.ts';
import type { ErrorCode, Problem } from '../lib/errors.ts';
import { isPartOf } from '../lib/is-part-of.ts';
import type { assessmentMachine } from '../machines/assessment-machine.ts';
import type { AssessmentOutput } from '../machines/assessment-setup.ts';
import type { JobRecord, RecordedDelay } from '../services/job-store.ts';
import type { Services } from './create-services.ts';
import { type AssessmentSnapshot, type AssessmentView, delayOf, stateNameOf, toView } from './view.ts';

/** One assessment, from its submission to its end. The client owns it, so it outlives the components that show it. */
export interface Assessment<Result = unknown> {
  /**
   * Also the idempotency key of the submission, unless the user had sent the same answers before a sign-out: these keep their key. Stable
   * over reloads.
   */
  readonly id: string;
  /** The view of the assessment. The same object until something visible changes. */
  getSnapshot(): AssessmentView<Result>;
  /** Calls the listener when {@link getSnapshot} changes. Returns the unsubscription. */
  subscribe(listener: () => void): () => void;
  /**
   * Resolves when the assessment has ended, whatever the outcome: as `cancelled` when its user is no longer signed in. Stays pending if
   * the client is disposed of first.
   */
  settled(): Promise<AssessmentView<Result>>;
  /**
   * Stops watching and drops the assessment. The server may still finish its job. A job that another tab has got accepted, and that
   * this tab does not know yet, stays with that tab.
   */
  cancel(): void;
  /** In phase `delayed`: waits for another monitoring timeout. */
  keepWaiting(): void;
  /**
   * In phase `unconfirmed`: sends the answers once more, at the risk of a second charge. Nothing is sent when another tab has got them
   * accepted: its job is then watched here too.
   */
  sendAgain(): void;
  /**
   * The running machine, for XState users.
   *
   * @example
   * const isPaused = useSelector(assessment.actor, (snapshot) => snapshot.hasTag('parked')); // of @xstate/react
   */
  readonly actor: Actor<typeof assessmentMachine>;
}

/** An assessment as the client holds it. */
export interface OwnedAssessment<Result> extends Assessment<Result> {
  /** Its user is not signed in any more: it ends here, nothing of it stays in memory, and its job waits for that user. */
  leave(): void;
}

/** The API refused the answers in its own words: there is no job, and the same answers would be refused again. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set([
  'validation',
  'insufficient-credit',
  'forbidden',
  'too-large',
  'rejected',
]);

/** Starts an assessment from its record, and keeps the record up to date until the result has been shown. */
export function startAssessment<Submission, Result>(
  services: Services<Submission, Result>,
  bound: BoundMachine<Submission>,
  record: JobRecord,
  begin: 'assessment.submit' | 'assessment.resume',
): OwnedAssessment<Result> {
  const { clock, inspect, jobs, log, tokens, monitoringTimeoutMs, settingChanges$ } = services;
  const { submissionId: id, submittedAt, answersDigest } = record;

  const release = bound.add(id, {
    submission: record.submission as Submission | undefined,
    submittedAt,
    jobId: record.jobId,
    resultId: record.resultId,
    // Another page has sent the answers, and their outcome is not known here.
    lostAt: record.sentAt ?? null,
    owner: record.owner ?? null,
    keepOwner(owner) {
      saved = { ...saved, owner };
      jobs.note(id, { owner });
    },
  });
  /** The type of the event that the machine processes, or processed last. Subscribers receive snapshots without their events. */
  let cause = 'xstate.init';
  const actor = createActor(bound.machine, {
    clock,
    input: {
      submissionId: id,
      deadlineAt: record.deadlineAt,
      idempotent: services.idempotent,
      userId: record.userId,
      jobId: record.jobId,
      resultId: record.resultId,
      outcomeUnknown: record.outcomeUnknown ?? false,
      refreshDue: tokens.isRefreshDue(),
      finished: record.shownAt !== undefined,
      overdue: record.delay !== undefined && record.deadlineAt <= clock.now(),
      delay: record.delay ? problemOf(record.delay) : null,
      ...(record.progress && { progress: { ...record.progress, queuePosition: null } }),
    },
    inspect: (inspected) => {
      const isOwn = inspected.actorRef.sessionId === inspected.rootId;
      if (isOwn && inspected.type === '@xstate.microstep') cause = inspected.event.type;
      if (inspect) callSafely(() => inspect(inspected), log);
    },
  });
  const watchers = new Set<() => void>();
  const waiting: ((view: AssessmentView<Result>) => void)[] = [];
  let state = stateNameOf(actor.getSnapshot());
  let view = toView<Result>(actor.getSnapshot(), undefined, undefined, services.messages);
  /** The record as the store has it. */
  let saved: JobRecord = { outcomeUnknown: false, ...record };
  /** What the record tells the next page of the view. */
  let noted = { progress: actor.getSnapshot().context.progress, delay: record.delay };
  let isLeft = false;
  /** Ended by the machine, or by a defect in it. A stopped assessment has not ended: the next page resumes it. */
  const hasEnded = () => isLeft || ['done', 'error'].includes(actor.getSnapshot().status);

  /** The job that another tab has got accepted, while this tab knows of none. */
  const jobOfAnotherTab = () => {
    const shared = actor.getSnapshot().context.jobId === null ? jobs.read(id) : null;
    return shared && shared.jobId !== null ? { jobId: shared.jobId, resultId: shared.resultId } : null;
  };
  /** Takes over the job of another tab. @returns whether there is one */
  const learn = (): boolean => {
    const job = actor.getSnapshot().status === 'active' ? jobOfAnotherTab() : null;
    if (!job) return false;
    actor.send({ type: 'submission.known', ...job });
    return true;
  };
  const remember = (snapshot: AssessmentSnapshot): void => {
    const { jobId, resultId, deadlineAt, userId, outcomeUnknown: isAsked } = snapshot.context;
    // A submission in flight may arrive although the page closes now. Without a key the next page must ask before it sends again.
    const isAtRisk = !services.idempotent && !isAsked && snapshot.matches({ active: { submitting: 'sending' } });
    const sender = isAtRisk ? jobs.tabId : saved.sender;
    const known = { jobId, resultId, deadlineAt, userId, outcomeUnknown: isAsked || isAtRisk, sender };
    if (isPartOf(known, saved)) return jobs.restore(id);
    const shared = jobId === null ? jobs.read(id) : null;
    if (shared && shared.jobId !== null) return;
    // Another tab has begun to send since this one looked: its claim stays, and this tab does not send.
    const isClaimed = shared?.outcomeUnknown && shared.sender !== jobs.tabId && shared.sender !== saved.sender;
    const claim = isClaimed ? { outcomeUnknown: true, sender: shared.sender } : {};
    // From the acceptance on the server has the answers, so the store drops them.
    const submission = jobId === null ? record.submission : undefined;
    const { key, sentAt, taken, claimedAt, claimedBy } = shared ?? {};
    const { progress, delay, shownAt } = saved;
    // Another tab may have learned it.
    const owner = saved.owner ?? jobs.read(id)?.owner;
    saved = {
      version: 1,
      submissionId: id,
      submittedAt,
      answersDigest,
      key,
      submission,
      owner,
      progress,
      delay,
      shownAt,
      sentAt,
      taken,
      claimedAt,
      claimedBy,
      ...known,
      ...claim,
    };
    jobs.save(saved);
  };
  /** Keeps what the next page shows first. */
  const note = (snapshot: AssessmentSnapshot): void => {
    const { progress } = snapshot.context;
    const delay = delayOf(snapshot);
    const isSameDelay = delay?.code === noted.delay?.code && delay?.retryAt === noted.delay?.retryAt;
    if (progress === noted.progress && isSameDelay) return;
    noted = { progress, delay };
    const news = { progress: { status: progress.status, percent: progress.percent }, delay };
    saved = { ...saved, ...news };
    jobs.note(id, news);
  };
  /**
   * Erases the record when the job is of no further use to the user, a while after that with option `keepResult`. A result that has not
   * been shown yet stays resumable: the tab may close before a component reads it. A failed job stays too, since some servers complete it
   * after all.
   */
  const settleRecord = (): void => {
    if (isLeft || actor.getSnapshot().status !== 'done') return;
    const output = actor.getSnapshot().output as AssessmentOutput<Result>;
    switch (output.outcome) {
      case 'completed':
        if (watchers.size > 0 || waiting.length > 0) jobs.shown(id);
        return;
      case 'cancelled':
        if (output.reason === 'another-user') jobs.setAside(id);
        else if (!jobOfAnotherTab()) jobs.remove(id);
        return;
      case 'failed':
        if (output.jobId === null) {
          if (REFUSALS.has(output.problem.code)) jobs.remove(id);
        } else if (saved.failedAt === undefined) {
          saved = { ...saved, jobId: output.jobId, submission: undefined, failedAt: clock.now() };
          jobs.save(saved);
        }
    }
  };
  const report = (output: AssessmentOutput<Result>): void => {
    // A result that is shown again after a reload has been counted.
    if (record.shownAt !== undefined) return;
    const code = output.outcome === 'failed' ? output.problem.code : null;
    log({ type: 'assessment.settled', assessmentId: id, outcome: output.outcome, code, ms: clock.now() - submittedAt });
  };
  const observe = (snapshot: AssessmentSnapshot): void => {
    if (isLeft) return;
    const before = { state, view };
    state = stateNameOf(snapshot);
    view = toView(snapshot, view, bound.detailsOf(id), services.messages);
    if (state !== before.state) log({ type: 'state.changed', assessmentId: id, from: before.state, to: state, cause });
    if (snapshot.status === 'active') {
      remember(snapshot);
      note(snapshot);
    }
    if (snapshot.context.jobId !== null) unwatch();
    if (snapshot.status === 'done') report(snapshot.output as AssessmentOutput<Result>);
    if (view !== before.view) for (const watcher of watchers) callSafely(watcher, log);
    settleRecord();
    if (hasEnded()) settle();
  };
  const settle = (): void => {
    release();
    unwatch();
    moving.unsubscribe();
    for (const resolve of waiting.splice(0)) resolve(view);
  };

  const unwatch = record.jobId === null ? jobs.watch(id, learn) : () => {};
  let timeoutMs = monitoringTimeoutMs();
  const moving = settingChanges$.subscribe((name) => {
    if (name !== 'monitoringTimeoutMs') return;
    const byMs = monitoringTimeoutMs() - timeoutMs;
    timeoutMs += byMs;
    if (byMs !== 0) actor.send({ type: 'deadline.moved', byMs });
  });
  actor.subscribe({
    next: observe,
    // A client that was disposed of stops its actors without an ending.
    complete() {
      unwatch();
      moving.unsubscribe();
    },
    // A defect in the machine. The store keeps the record, so the next page resumes the job.
    error(error) {
      log({ type: 'listener.failed', error: error instanceof Error ? error.name : 'unknown' });
      stopChildren(actor.getSnapshot());
      observe(actor.getSnapshot());
    },
  });
  actor.start();
  actor.send({ type: begin });

  return {
    id,
    actor,
    getSnapshot: () => view,
    subscribe(listener) {
      watchers.add(listener);
      settleRecord();
      return () => void watchers.delete(listener);
    },
    settled: () =>
      new Promise((resolve) => {
        waiting.push(resolve);
        settleRecord();
        if (hasEnded()) waiting.splice(0).forEach((it) => it(view));
      }),
    leave() {
      if (isLeft) return;
      isLeft = true;
      actor.stop();
      jobs.setAside(id);
      view = { id, jobId: view.jobId, progress: view.progress, phase: 'cancelled' };
      for (const watcher of watchers) callSafely(watcher, log);
      settle();
    },
    cancel: () => actor.send({ type: 'assessment.cancel' }),
    keepWaiting: () => actor.send({ type: 'assessment.keepWaiting', deadlineAt: clock.now() + monitoringTimeoutMs() }),
    sendAgain() {
      if (!learn()) actor.send({ type: 'assessment.sendAgain' });
    },
  };
}

/** A recorded delay as the chart keeps it. */
const problemOf = ({ code, retryAt }: RecordedDelay): Problem => ({
  code,
  message: 'as before the reload',
  ...(retryAt !== undefined && { retryAt }),
});

/** XState leaves the children of a machine that throws running; their requests and subscriptions must not outlive it. */
function stopChildren({ children }: AssessmentSnapshot): void {
  for (const child of Object.values(children) as AnyActorRef[]) {
    if (child.getSnapshot().status === 'active') child.send({ type: 'xstate.stop' });
  }
}
