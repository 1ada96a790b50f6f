import { type AssessmentSnapshot, type Edge, endsPort, nameOf } from 'assessment-monitor/testing';
import type { Problem } from '../../src/lib/errors.ts';
import { type AssessmentContext, PATIENCE } from '../../src/machines/assessment-setup.ts';
import { isAboutOurJob, isHint, saidBy } from './said.ts';

/*
 * What an assessment should have learned from one step, written down a second time and from the other side: not what each
 * transition does, but what each fact depends on.
 */

/** What is known after a step, as it should be. */
export function learned(edge: Edge): AssessmentContext {
  const { context } = edge.before;
  return {
    ...context,
    ...ids(edge),
    ...token(edge),
    ...deadline(edge),
    ...trouble(edge),
    feedLive: is(edge, 'feed.live') || (context.feedLive && !is(edge, 'feed.lost', 'jobFeed: over', 'jobFeed: defect')),
    finished: context.finished || isFinishedBy(edge),
    outcomeUnknown:
      (context.outcomeUnknown || isLost(edge)) &&
      !(is(edge, 'assessment.sendAgain') && isAsked(edge)) &&
      !isAcceptance(edge),
    hinted: (context.hinted || isNotedHint(edge)) && !is(edge, 'after heartbeat') && !isEndOfDoubt(edge),
    unhurried: (context.unhurried || isQuietLoss(edge)) && !isReasonToHurry(edge),
    progress: progress(edge),
  };
}

type Learned = Partial<AssessmentContext>;

const is = (edge: Edge, ...said: string[]): boolean => said.includes(saidBy(edge));
const isAt = (snapshot: AssessmentSnapshot, state: string): boolean =>
  `.${nameOf(snapshot.value)}.`.includes(`.${state}.`);

/** What the outcome of a call, or an event, brings along. */
const detail = <T>({ event }: Edge, key: string, otherwise: T): T => {
  const said = 'output' in event ? event.output : event;
  return typeof said === 'object' && said !== null && key in said ? ((said as Record<string, T>)[key] as T) : otherwise;
};

const isUnauthorized = (edge: Edge) => saidBy(edge).endsWith(': unauthorized');
/** The first refusal of a token, while the feed tells of the job. */
const isForgiven = (edge: Edge) =>
  isUnauthorized(edge) &&
  isAt(edge.before, 'reconciling') &&
  edge.before.context.feedLive &&
  edge.before.context.refusedGeneration === null &&
  detail(edge, 'generation', null) !== null;
/** A submission whose answer was lost, on a server that would not recognise a second one, or that has taken the first. */
const isLost = (edge: Edge) =>
  is(edge, 'submitAssessment: unconfirmed') && (!edge.before.context.idempotent || detail(edge, 'isFinal', false));
/** Another tab has learned the job of this submission, which this one did not know. */
const isToldItsJob = (edge: Edge) => is(edge, 'submission.known') && edge.before.context.jobId === null;
const isAcceptance = (edge: Edge) => is(edge, 'submitAssessment: accepted') || isToldItsJob(edge);
const isFinishedBy = (edge: Edge) =>
  is(edge, 'checkStatus: completed') || (is(edge, 'job.completed') && isAboutOurJob(edge));
/** A result that cannot be shown for the last time. */
const isUseless = (edge: Edge) => is(edge, 'fetchResult: invalid') && detail(edge, 'isConfirmed', true);
/** A refusal of a call about a job is a failed call: something in front of the API may have answered. */
const isFailure = (edge: Edge) =>
  (/^(submitAssessment|checkStatus|fetchResult|refreshToken): (transient|unconfirmed|invalid|wait|outage|defect)$/.test(
    saidBy(edge),
  ) ||
    is(edge, 'checkStatus: rejected', 'fetchResult: rejected')) &&
  !isLost(edge) &&
  !isUseless(edge);
const isGoodAnswer = (edge: Edge) => isAcceptance(edge) || is(edge, 'checkStatus: running') || isFinishedBy(edge);
/** By the user whose assessment it is. */
const isSignIn = (edge: Edge) => is(edge, 'token.renewed', 'session.restored') && !isAt(edge.after, 'cancelled');
/** The user is asked, and this is the answer. */
const isAsked = ({ before, event }: Edge) =>
  event.type === 'assessment.sendAgain'
    ? isAt(before, 'unconfirmed')
    : isAt(before, 'timed-out') || (isAt(before, 'submitting') && before.context.timedOut);
const isMoreTime = (edge: Edge) => is(edge, 'assessment.keepWaiting') && isAsked(edge) && !isPutOff(edge);
/** The server has asked for minutes: an attempt before that would be put off again. */
const isPutOff = ({ before }: Edge) =>
  isAt(before, 'timed-out') && before.context.failures > 0 && (before.context.retryAfterMs ?? 0) >= 60_000;
/** An assessment that waits too long waits less long by another timeout, or is looked at once more. */
const isNewDeadline = (edge: Edge) => is(edge, 'deadline.moved') && isAt(edge.before, 'timed-out') && !isPutOff(edge);
/** A hint is followed at once by what only waits, and kept in mind by all others. */
const isNotedHint = (edge: Edge) =>
  isHint(edge) && !isAt(edge.before, 'polling.waiting') && !isAt(edge.before, 'timed-out.resting');

/** The feed breaks while nothing else happens. */
const isQuietLoss = (edge: Edge) => is(edge, 'feed.lost') && isAt(edge.before, 'listening');
/** The refused token is good again: the look that was put off for it is taken. */
const isEndOfDoubt = (edge: Edge) =>
  is(edge, 'token.recovered') &&
  isAt(edge.before, 'ws-monitoring.listening') &&
  edge.before.context.refusedGeneration !== null;
/** What was waited for was the auth service, and no call about the job has failed. */
const isOutageOver = (edge: Edge) => is(edge, 'token.recovered') && isAt(edge.before, 'refreshing-token.waiting');
/** Also without a feed, which may be lost for every client, a good answer is no reason to hurry. */
const isLookOverFeed = (edge: Edge) => is(edge, 'checkStatus: running') && edge.before.context.feedLive;
/** The look was taken, or a reader would miss it, or the way to it had to be cleared first. */
const isReasonToHurry = (edge: Edge) =>
  is(edge, 'after heartbeat', 'page.resumed') ||
  isLookOverFeed(edge) ||
  isEndOfDoubt(edge) ||
  isUnauthorized(edge) ||
  isAcceptance(edge) ||
  isFinishedBy(edge) ||
  isAt(edge.after, 'auth-failed') ||
  isAt(edge.after, 'timed-out');

function ids(edge: Edge): Learned {
  const { jobId, resultId, userId } = edge.before.context;
  const isAccepted = isAcceptance(edge);
  return {
    jobId: isAccepted ? detail(edge, 'jobId', null) : jobId,
    resultId: isAccepted || isFinishedBy(edge) ? (detail<string | null>(edge, 'resultId', null) ?? resultId) : resultId,
    userId: isSignIn(edge) ? (userId ?? detail(edge, 'userId', null)) : userId,
  };
}

function token(edge: Edge): Learned {
  const { refreshDue, refusedGeneration } = edge.before.context;
  if (isForgiven(edge)) return { refreshDue, refusedGeneration: detail(edge, 'generation', null) };
  if (isUnauthorized(edge)) return { refreshDue: true, refusedGeneration: detail(edge, 'generation', null) };
  if (is(edge, 'refreshToken: renewed', 'refreshToken: holds', 'refreshToken: outage')) {
    return { refreshDue: false, refusedGeneration: null };
  }
  if (isSignIn(edge)) return { refreshDue: false, refusedGeneration: null };
  if (is(edge, 'checkStatus: running', 'checkStatus: completed')) return { refreshDue, refusedGeneration: null };
  // A wait for a refresh asks once more whether the token of that generation is the one to use.
  if (is(edge, 'token.recovered') && !(isAt(edge.before, 'refreshing-token.waiting') && refreshDue)) {
    return { refreshDue, refusedGeneration: null };
  }
  // A submission in the air is answered first; every other state is paused by the end of the session.
  const isEnded = is(edge, 'session.ended') && isAt(edge.before, 'submitting.sending');
  const isDoubtOver =
    (is(edge, 'after heartbeat', 'after pollDelay') || isFinishedBy(edge)) && refusedGeneration !== null;
  return { refreshDue: refreshDue || is(edge, 'token.expiring') || isEnded || isDoubtOver, refusedGeneration };
}

function deadline(edge: Edge): Learned {
  const { deadlineAt, overdue, timedOut } = edge.before.context;
  if (is(edge, 'submitAssessment: accepted') || isMoreTime(edge)) {
    return { deadlineAt: detail(edge, 'deadlineAt', 0), overdue: false, timedOut: false };
  }
  if (is(edge, 'assessment.keepWaiting') && isPutOff(edge)) {
    return { deadlineAt: detail(edge, 'deadlineAt', 0), overdue: false, timedOut };
  }
  if (is(edge, 'deadline.moved')) {
    return {
      deadlineAt: deadlineAt + detail(edge, 'byMs', 0),
      overdue: false,
      timedOut: timedOut && !isNewDeadline(edge),
    };
  }
  // A job that another tab has submitted, or that runs within its deadline after all, is not delayed until that is known again.
  const isLookedAtAgain =
    (isAt(edge.before, 'auth-failed') && isSignIn(edge)) ||
    isToldItsJob(edge) ||
    (is(edge, 'checkStatus: running') && !overdue);
  return {
    overdue: overdue || is(edge, 'deadline.passed'),
    deadlineAt,
    timedOut: (timedOut && !isLookedAtAgain) || isAt(edge.after, 'timed-out'),
  };
}

function trouble(edge: Edge): Learned {
  const { failures, retryAfterMs, problem } = edge.before.context;
  const isNewStart = isMoreTime(edge) || isNewDeadline(edge) || (isAt(edge.before, 'auth-failed') && isSignIn(edge));
  const isVerdict = is(edge, 'checkStatus: failed', 'submitAssessment: rejected') || isLost(edge) || isUseless(edge);
  const counted = isVerdict
    ? { failures, retryAfterMs: detail<number | null>(edge, 'retryAfterMs', null) }
    : isFailure(edge)
      ? { failures: Math.min(PATIENCE, failures + 1), retryAfterMs: detail<number | null>(edge, 'retryAfterMs', null) }
      : isGoodAnswer(edge)
        ? // Only a job that runs is asked for again.
          { failures: 0, retryAfterMs: is(edge, 'checkStatus: running') ? detail(edge, 'retryAfterMs', null) : null }
        : isOutageOver(edge)
          ? { failures: 0, retryAfterMs: null }
          : { failures: isNewStart ? 0 : failures, retryAfterMs };
  const isNewState = (state: string) => isAt(edge.after, state) && !isAt(edge.before, state);
  const known = isGoodAnswer(edge) || isNewStart ? null : (problemOf(edge) ?? problem);
  return {
    ...counted,
    problem: isNewState('auth-failed')
      ? {
          code: 'sign-in-required',
          message: 'the session has ended; the assessment is kept and resumes after a sign-in',
        }
      : isNewState('timed-out')
        ? (known ?? { code: 'timed-out', message: 'the deadline passed and the analysis still runs' })
        : known,
  };
}

/** The problem that a step tells of, if it does. */
function problemOf(edge: Edge): Problem | null {
  const { event } = edge;
  if ('error' in event) return endsPort(event) ? null : { code: 'unexpected', message: event.error.name };
  return detail<Problem | null>(edge, 'problem', null);
}

function progress(edge: Edge): AssessmentContext['progress'] {
  const { progress: before } = edge.before.context;
  const isReport = is(edge, 'checkStatus: running') || (is(edge, 'job.progressed') && isAboutOurJob(edge));
  if (!isReport) return before;
  const said = detail<'queued' | 'processing'>(edge, 'status', 'queued');
  const status = before.status === 'queued' ? said : 'processing';
  return {
    status,
    percent: Math.max(before.percent, detail<number | null>(edge, 'percent', null) ?? 0),
    queuePosition: status === 'queued' ? detail<number | null>(edge, 'queuePosition', null) : null,
  };
}
