import { type ActorRefFrom, createActor } from 'xstate';
import { boundMachine, equip } from '../actors/bind-machine.ts';
import { callSafely } from '../lib/call-safely.ts';
import { isPartOf } from '../lib/is-part-of.ts';
import type { assessmentMachine } from '../machines/assessment-machine.ts';
import type { AssessmentOutput } from '../machines/assessment-setup.ts';
import type { JobRecord } from '../services/job-store.ts';
import type { Services } from './create-services.ts';
import { type AssessmentSnapshot, type AssessmentView, stateNameOf, toView } from './view.ts';

/** One assessment, from submission to its end. It lives in the client: components come and go. */
export interface Assessment<Result = unknown> {
  /** Also its idempotency key. Stable over reloads. */
  readonly id: string;
  /** What a page shows. The same object until something visible changes. */
  getSnapshot(): AssessmentView<Result>;
  /** Calls back when {@link getSnapshot} changes. Returns the unsubscription. */
  subscribe(listener: () => void): () => void;
  /** Resolves when the assessment has ended, however it ended. Stays pending if the client is disposed of first. */
  settled(): Promise<AssessmentView<Result>>;
  /** Nobody wants the result any more. The server may finish it all the same. */
  cancel(): void;
  /** In phase `delayed`: waits for another monitoring timeout. */
  keepWaiting(): void;
  /** In phase `unconfirmed`: sends the answers once more, at the risk of a second charge. */
  sendAgain(): void;
  /** The running machine, for XState users. */
  readonly actor: ActorRefFrom<typeof assessmentMachine>;
}

/** Starts an assessment from its record and keeps the record up to date until the result was shown. */
export function startAssessment<Submission, Result>(
  services: Services<Submission, Result>,
  record: JobRecord,
  begin: 'assessment.submit' | 'assessment.resume',
): Assessment<Result> {
  const { clock, inspect, jobs, log, tokens, monitoringTimeoutMs } = services;
  const { submissionId: id, submittedAt } = record;

  const actor = createActor(boundMachine(), {
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
    },
    ...(inspect && { inspect: (inspected) => callSafely(() => inspect(inspected), log) }),
  });
  const desk = equip(actor, services, { submission: record.submission as Submission | undefined, submittedAt });
  const watchers = new Set<() => void>();
  const waiting: ((view: AssessmentView<Result>) => void)[] = [];
  let state = stateNameOf(actor.getSnapshot());
  let view = toView<Result>(actor.getSnapshot());
  /** What the store has of it. */
  let saved: JobRecord = { outcomeUnknown: false, ...record };
  /** Stopped is not over: the page is closing, and the assessment goes on with the next one. */
  const isOver = () => actor.getSnapshot().status === 'done';

  const remember = (snapshot: AssessmentSnapshot): void => {
    const { jobId, resultId, deadlineAt, userId, outcomeUnknown: isAsked } = snapshot.context;
    // What is on its way may have arrived when the page dies now. Without a key the next page must ask before it sends again.
    const isAtRisk = !services.idempotent && snapshot.matches({ active: { submitting: 'sending' } });
    const known = { jobId, resultId, deadlineAt, userId, outcomeUnknown: isAsked || isAtRisk };
    if (isPartOf(known, saved)) return;
    // Accepted: from now on the server has the answers, and they need not lie around.
    const submission = jobId === null ? record.submission : undefined;
    saved = { version: 1, submissionId: id, submittedAt, submission, ...known };
    jobs.save(saved);
  };
  /** A result that nobody has seen yet stays resumable: the tab may be closed before anybody looks. */
  const forgetWhenShown = (): void => {
    if (isOver() && (view.phase !== 'completed' || watchers.size > 0 || waiting.length > 0)) jobs.remove(id);
  };
  const report = (output: AssessmentOutput<Result>): void => {
    if (output.outcome === 'cancelled' && output.reason === 'another-user')
      log({ type: 'job.dropped', reason: 'another-user' });
    const code = output.outcome === 'failed' ? output.problem.code : null;
    log({ type: 'assessment.settled', assessmentId: id, outcome: output.outcome, code, ms: clock.now() - submittedAt });
  };
  const observe = (snapshot: AssessmentSnapshot): void => {
    const before = { state, view };
    state = stateNameOf(snapshot);
    view = toView(snapshot, view);
    if (state !== before.state)
      log({ type: 'state.changed', assessmentId: id, from: before.state, to: state, cause: desk.cause });
    if (snapshot.status === 'active') remember(snapshot);
    if (snapshot.status === 'done') report(snapshot.output as AssessmentOutput<Result>);
    if (view !== before.view) for (const watcher of watchers) callSafely(watcher, log);
    forgetWhenShown();
    if (snapshot.status === 'done') for (const resolve of waiting.splice(0)) resolve(view);
  };

  actor.subscribe({
    next: observe,
    // A defect must not reach the global error handler of the page; the log names it.
    error: (error) => log({ type: 'listener.failed', error: error instanceof Error ? error.name : 'unknown' }),
  });
  actor.start();
  actor.send({ type: begin });

  return {
    id,
    actor,
    getSnapshot: () => view,
    subscribe(listener) {
      watchers.add(listener);
      forgetWhenShown();
      return () => void watchers.delete(listener);
    },
    settled: () =>
      new Promise((resolve) => {
        waiting.push(resolve);
        forgetWhenShown();
        if (isOver()) waiting.splice(0).forEach((it) => it(view));
      }),
    cancel: () => actor.send({ type: 'assessment.cancel' }),
    keepWaiting: () => actor.send({ type: 'assessment.keepWaiting', deadlineAt: clock.now() + monitoringTimeoutMs() }),
    sendAgain: () => actor.send({ type: 'assessment.sendAgain' }),
  };
}
