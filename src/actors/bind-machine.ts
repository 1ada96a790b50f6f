import {
  type AnyActorRef,
  type AnyStateNode,
  fromEventObservable,
  fromPromise,
  type Subscribable,
  toObserver,
} from 'xstate';
import { RejectedError, toProblem, TransientError, UnauthorizedError } from '../lib/errors.ts';
import { assessmentMachine } from '../machines/assessment-machine.ts';
import type {
  Rejected,
  ResultOutcome,
  StatusOutcome,
  SubmitOutcome,
  Transient,
  Unauthorized,
} from '../machines/assessment-outcomes.ts';
import { type AssessmentContext, isOurJob, jobOf } from '../machines/assessment-setup.ts';
import type { AssessmentApi, JobState } from '../services/api/assessment-api.ts';
import { type Backoff, backoff, jitter, type Random } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import type { JobFeed } from '../services/feed/job-feed.ts';
import type { JobFeedEvent } from '../services/feed/vocabulary.ts';
import { createPacer, type Pacer } from '../services/pacer.ts';
import type { PageEvent } from '../services/page-signals.ts';
import type { TokenService } from '../services/auth/token-service.ts';
import type { AssessmentSnapshot } from '../client/view.ts';

/** The waits of the chart, in ms. */
export interface Pacing {
  /** A young job is polled this often … */
  pollMinMs: number;
  /** … and an old one this often. */
  pollMaxMs: number;
  /** Between two status calls while the feed is live and quiet. */
  heartbeatMs: number;
  /** Between two looks at a job whose deadline has passed. */
  slowCheckMs: number;
  /** No two status calls of one assessment come closer than this, whatever the reason to call. */
  minDistanceMs: number;
  /** The archive is asked as well about a job that is older than this and still runs. */
  archiveAfterMs: number;
}

/** The services that all assessments of a client share. */
export interface AssessmentActorsOptions<Submission, Result> {
  api: AssessmentApi<Submission, Result>;
  tokens: TokenService;
  feed: JobFeed;
  resumed$: Subscribable<PageEvent>;
  clock: Clock;
  random: Random;
  pacing: Pacing;
  /** Read when a submission is accepted, ms. */
  monitoringTimeoutMs: () => number;
}

/** What the actors need to know of one assessment and the machine must not: answers do not belong into a snapshot. */
export interface Particulars<Submission> {
  submission: Submission | undefined;
  /** When the user pressed submit, ms since the epoch. */
  submittedAt: number;
}

type System = AnyActorRef['system'];

/** A machine, as far as its actors need to know it. */
interface Equipped extends Pick<AnyActorRef, 'system'> {
  getSnapshot(): AssessmentSnapshot;
}

/** What the actors of one running machine work with. */
interface Desk extends Particulars<unknown> {
  services: AssessmentActorsOptions<unknown, unknown>;
  machine: Equipped;
  pacer: Pacer;
  /** The result that the feed names at this moment: it was asked for before the chart has decided to. */
  ahead: Ahead | null;
  /** The type of the event that the machine takes, or took last. */
  cause: string;
}

const RETRY = { minMs: 300, baseMs: 1_000, capMs: 15_000 };
const POLL_RETRY = { minMs: 1_000, baseMs: 8_000, capMs: 45_000 };
/*
 * What a server does to one client it does to all. While all is well a client asks for the status once in 45 s; these take care that a fleet
 * does not ask three times as often because every feed broke, or every token was refused, in one moment.
 */
/** Before a job is looked at whose feed was lost, and between looks that fail. */
const LOST = { minMs: 5_000, baseMs: 25_000, capMs: 60_000, share: 1 / 4 };
/** Before a job is looked at whose feed is back. */
const BACK = { minMs: 0, baseMs: 16_000, capMs: 32_000, share: 1 / 8 };
/** Either grows from no more than its share of the job's age: a young one may have been done in that moment. */
const inProportion = ({ baseMs, share, ...bounds }: typeof LOST, ageMs: number): Backoff => ({
  ...bounds,
  baseMs: Math.min(baseMs, Math.max(0, ageMs * share)),
});
/** A token that was refused for the first time is renewed within so many heartbeats, or when it is needed. */
const DOUBT_HEARTBEATS = 2;
/** After a hint the status may lag behind the event by a moment. */
const HINT_MS = 3_000;
/** A job counts as old after this time, and is polled least often: what did not take seconds will take minutes. */
const OLD_MS = 45_000;

/**
 * Found by the running system: neither context nor input may hold a service, as both are stored and inspected. So the machine is bound
 * once, and not again for each client.
 */
const desks = new WeakMap<System, Desk>();

function deskOf(system: System): Desk {
  const desk = desks.get(system);
  if (!desk) throw new Error('this assessment was not equipped');
  return desk;
}

/** Gives a machine that was not started yet what its actors work with. @returns what is known of it at any time */
export function equip<Submission, Result>(
  machine: Equipped,
  services: AssessmentActorsOptions<Submission, Result>,
  { submission, submittedAt }: Particulars<Submission>,
): Pick<Desk, 'cause'> {
  const desk: Desk = {
    submission,
    submittedAt,
    services: services as AssessmentActorsOptions<unknown, unknown>,
    machine,
    pacer: createPacer(services.clock),
    ahead: null,
    cause: 'xstate.init',
  };
  desks.set(machine.system, desk);
  return desk;
}

/** Whatever the chart's reason to call: status calls keep their distance, and every call obeys Retry-After. */
async function paced<T extends { type: string; retryAfterMs?: number | null }>(
  kind: 'submit' | 'status' | 'result',
  { pacer, services: { pacing } }: Desk,
  signal: AbortSignal,
  call: () => Promise<T>,
): Promise<T | Failed> {
  await pacer.turn(kind, kind === 'status' ? pacing.minDistanceMs : 0, signal);
  signal.throwIfAborted();
  const outcome = await call().catch((error: unknown) => {
    signal.throwIfAborted();
    return failureOf(error);
  });
  if ('retryAfterMs' in outcome && outcome.retryAfterMs) pacer.postpone(kind, outcome.retryAfterMs);
  return outcome;
}

const submit = (desk: Desk, submissionId: string, signal: AbortSignal): Promise<SubmitOutcome> =>
  paced<SubmitOutcome>('submit', desk, signal, async () => {
    const { submission, pacer, services } = desk;
    if (submission === undefined) throw new TypeError('a resumed assessment has no answers to submit');
    try {
      const { retryAfterMs, ...accepted } = await services.api.submit(submission, submissionId, signal);
      if (retryAfterMs !== null) pacer.postpone('status', retryAfterMs);
      return { type: 'accepted', ...accepted, deadlineAt: services.clock.now() + services.monitoringTimeoutMs() };
    } catch (error) {
      if (!(error instanceof TransientError && error.maybeDone)) throw error;
      return { type: 'unconfirmed', retryAfterMs: error.retryAfterMs, problem: toProblem(error) };
    }
  });

const checkStatus = (desk: Desk, { jobId, canWait }: JobInput, signal: AbortSignal): Promise<StatusOutcome> =>
  paced('status', desk, signal, async () => {
    const { api, clock, pacing } = desk.services;
    const state = await stateOf(api, jobId, canWait, signal);
    const isOld = clock.now() - desk.submittedAt >= pacing.archiveAfterMs;
    return statusOf(state.type === 'running' && isOld ? await newerOf(api, state, jobId, signal) : state);
  });

type Api = AssessmentApi<unknown, unknown>;

/** A sweeper that gives up on a job tells the archive, and nobody else: the status would say "processing" for ever. */
async function newerOf(api: Api, state: JobState, jobId: string, signal: AbortSignal): Promise<JobState> {
  const archived = await api.job(jobId, signal).catch((error: unknown) => {
    signal.throwIfAborted();
    if (error instanceof UnauthorizedError) throw error;
    return state; // it was only asked to make sure
  });
  return archived.type === 'running' ? state : archived;
}

/** After a restart the status route has forgotten jobs that still run; the archive has not. */
async function stateOf(api: Api, jobId: string, canWait: boolean, signal: AbortSignal): Promise<JobState> {
  try {
    return await api.status(jobId, signal, canWait);
  } catch (error) {
    if (!isNotFound(error)) throw error;
    return await api.job(jobId, signal).catch((inner: unknown) => {
      throw isNotFound(inner)
        ? new TransientError('unavailable', 'the server does not know the job at the moment')
        : inner;
    });
  }
}

const askForResult = (desk: Desk, { jobId, resultId }: JobInput, signal: AbortSignal): Promise<ResultOutcome> =>
  paced<ResultOutcome>('result', desk, signal, async () => {
    const { api } = desk.services;
    const id = resultId ?? (await resultIdOf(api, jobId, signal));
    if (id === null) throw notThereYet();
    const state = await api.result(id, signal).catch((error: unknown) => {
      throw isNotFound(error) ? notThereYet() : error;
    });
    if (state.type === 'not-ready') throw notThereYet(state.retryAfterMs);
    if (state.type === 'ready') return state;
    return { type: 'invalid', problem: { code: 'invalid-result', message: `result ${id} does not fit its schema` } };
  });

interface Ahead {
  resultId: string;
  call: AbortController;
  outcome: Promise<ResultOutcome>;
}

/** Whoever listens will fetch the result that the feed names, but with a token in doubt. */
function askAhead(desk: Desk, event: JobFeedEvent): Ahead | null {
  if (event.type !== 'job.completed' || event.resultId === null) return null;
  const snapshot = desk.machine.getSnapshot();
  const { context } = snapshot;
  if (!isOurJob({ context, event }) || context.refusedGeneration !== null) return null;
  if (!snapshot.matches({ active: { 'ws-monitoring': 'listening' } })) return null;
  const { resultId } = event;
  const call = new AbortController();
  return { resultId, call, outcome: askForResult(desk, { ...jobOf(snapshot), resultId }, call.signal) };
}

/** What the feed says, as the chart is to hear it: the call leaves first, and the chart decides while it is on its way. */
const feedOf = (desk: Desk): Subscribable<JobFeedEvent> => ({
  subscribe: (listener) => {
    const observer = toObserver(listener);
    return desk.services.feed.events$.subscribe({
      ...observer,
      next(event) {
        desk.ahead = askAhead(desk, event);
        observer.next?.(event);
        desk.ahead = null;
      },
    });
  },
});

function fetchResult(desk: Desk, job: JobInput, signal: AbortSignal): Promise<ResultOutcome> {
  const { ahead } = desk;
  if (ahead?.resultId !== job.resultId) return askForResult(desk, job, signal);
  signal.addEventListener('abort', () => ahead.call.abort(signal.reason));
  return ahead.outcome;
}

async function resultIdOf(api: Api, jobId: string, signal: AbortSignal): Promise<string | null> {
  const state = await api.job(jobId, signal);
  return state.type === 'completed' ? state.resultId : null;
}

const waitAfter = ({ retryAfterMs, failures }: AssessmentContext, bounds: typeof RETRY, random: Random): number =>
  retryAfterMs ?? backoff(Math.max(0, failures - 1), bounds, random);

type Machine = typeof assessmentMachine;
let bound: Machine | null = null;

/** The chart with each of its ports bound to a service: one for all assessments, each of which is equipped with its own. */
export function boundMachine(): Machine {
  if (bound) return bound;
  bound = assessmentMachine.provide({
    actors: {
      submitAssessment: fromPromise(({ input, signal, system }) => submit(deskOf(system), input.submissionId, signal)),
      checkStatus: fromPromise(({ input, signal, system }) => checkStatus(deskOf(system), input, signal)),
      fetchResult: fromPromise(({ input, signal, system }) => fetchResult(deskOf(system), input, signal)),
      // No signal: a refresh that has begun is not broken off, whoever loses interest in it.
      refreshToken: fromPromise(({ input, system }) => deskOf(system).services.tokens.renew(input.refusedGeneration)),
      jobFeed: fromEventObservable(({ system }) => feedOf(deskOf(system))),
      tokenWatch: fromEventObservable(({ system }) => deskOf(system).services.tokens.events$),
      pageSignals: fromEventObservable(({ system }) => deskOf(system).services.resumed$),
    },
    delays: {
      pollDelay: ({ context, system }) => {
        const { submittedAt, services } = deskOf(system);
        const { clock, random, pacing } = services;
        const ageMs = clock.now() - submittedAt;
        if (context.unhurried)
          return context.retryAfterMs ?? backoff(context.failures, inProportion(LOST, ageMs), random);
        if (context.failures > 0) return waitAfter(context, POLL_RETRY, random);
        const age = Math.min(1, Math.max(0, ageMs / OLD_MS));
        return jitter(pacing.pollMinMs + (pacing.pollMaxMs - pacing.pollMinMs) * age, 0.2, random);
      },
      heartbeat: ({ context, system }) => {
        const { submittedAt, services } = deskOf(system);
        const { clock, random, pacing } = services;
        if (context.unhurried) return backoff(context.failures, inProportion(BACK, clock.now() - submittedAt), random);
        if (context.failures > 0) return waitAfter(context, LOST, random);
        if (context.hinted) return HINT_MS;
        return context.refusedGeneration === null
          ? jitter(pacing.heartbeatMs, 0.2, random)
          : random() * DOUBT_HEARTBEATS * pacing.heartbeatMs;
      },
      retryDelay: ({ context, system }) => waitAfter(context, RETRY, deskOf(system).services.random),
      // A little more than the limit says, so that a client whose timer is early does not ask in vain.
      refreshDelay: ({ context, system }) => {
        const { random } = deskOf(system).services;
        return waitAfter(context, RETRY, random) + Math.round(50 + random() * 200);
      },
      slowCheck: ({ system }) => {
        const { random, pacing } = deskOf(system).services;
        return jitter(pacing.slowCheckMs, 0.2, random);
      },
      untilDeadline: ({ context, system }) => Math.max(0, context.deadlineAt - deskOf(system).services.clock.now()),
    },
  });
  nameCauses(bound);
  warmUp(bound.root);
  return bound;
}

/** Subscribers of an actor are not told of the event behind a change. An inspector is, at the price of being told everything. */
function nameCauses(machine: Machine): void {
  const transition: Machine['transition'] = machine.transition.bind(machine);
  machine.transition = (snapshot, event, scope) => {
    deskOf(scope.system).cause = event.type;
    return transition(snapshot, event, scope);
  };
}

type JobInput = { submissionId: string; jobId: string; resultId: string | null; canWait: boolean };

/** XState works out a state's transitions when it is first entered. Done ahead, so that it is not done while a user waits. */
function warmUp(node: AnyStateNode): void {
  void [node.transitions, node.always, node.invoke, node.ownEvents];
  for (const child of Object.values(node.states)) warmUp(child);
}

type Failed = Unauthorized | Transient | Rejected;

/** An error of a service as an outcome of the chart. Defects stay errors. */
function failureOf(error: unknown): Failed {
  if (error instanceof UnauthorizedError) return { type: 'unauthorized', generation: error.generation };
  if (error instanceof TransientError) {
    return { type: 'transient', retryAfterMs: error.retryAfterMs, problem: toProblem(error) };
  }
  if (error instanceof RejectedError) return { type: 'rejected', problem: toProblem(error) };
  throw error;
}

function statusOf(state: JobState): StatusOutcome {
  return state.type === 'failed'
    ? { type: 'failed', problem: { code: 'job-failed', message: 'the server reports that the job failed' } }
    : state;
}

const notThereYet = (retryAfterMs: number | null = null) =>
  new TransientError('unavailable', 'the result is not there yet', { retryAfterMs });
const isNotFound = (error: unknown) => error instanceof RejectedError && error.status === 404;
