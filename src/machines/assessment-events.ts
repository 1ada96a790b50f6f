import { type Problem, toProblem } from '../lib/errors.ts';
import type { RefreshOutcome, ResultOutcome, StatusOutcome, SubmitOutcome } from './assessment-outcomes.ts';

/*
 * Everything that the chart hears. The chart declares its events itself, so that it depends on no service; the services send
 * structurally compatible ones, and the types of `bind-machine.ts` check that they fit.
 */

/** What the WebSocket reports. Ids are null where the server does not name them. */
export type FeedEvent =
  /** The feed is connected and authenticated. */
  | { type: 'feed.live' }
  | { type: 'feed.lost' }
  | {
      type: 'job.progressed';
      jobId: string | null;
      resultId: string | null;
      status: 'processing';
      /** 0 to 100 */
      percent: number | null;
    }
  | { type: 'job.completed'; jobId: string | null; resultId: string | null }
  | { type: 'job.failed'; jobId: string | null; resultId: string | null; message: string }
  | { type: 'balance.changed'; balance: number };

/** What the token service reports. No event carries a token. */
export type TokenEvent =
  /** The token should be renewed now: it expires soon, or it has expired. */
  | { type: 'token.expiring' }
  /** Something says that the server takes the token again: what waits for the end of an outage continues. */
  | { type: 'token.recovered' }
  | { type: 'token.renewed'; generation: number; userId: string | null }
  /** Only a sign-in helps now. */
  | { type: 'session.ended'; reason: 'signed-out' | 'rejected' }
  /** A sign-in, by the same user or by another. */
  | { type: 'session.restored'; userId: string | null };

/** The page can work again after it could not, or time has passed unnoticed. */
export interface PageEvent {
  type: 'page.resumed';
  reason: 'visible' | 'online' | 'pageshow' | 'resume' | 'clock-jump';
}

/** What the user decides. */
export type UserEvent =
  | { type: 'assessment.submit' }
  | { type: 'assessment.resume' }
  | { type: 'assessment.cancel' }
  /** The user wants to wait longer: until `deadlineAt`, ms since the epoch. */
  | { type: 'assessment.keepWaiting'; deadlineAt: number }
  /** The user decides that a submission of unknown outcome is sent once more. */
  | { type: 'assessment.sendAgain' };

export type AssessmentEvent =
  | UserEvent
  /** Another tab of the same browser learned that the server accepted this submission. */
  | { type: 'submission.known'; jobId: string; resultId: string | null }
  /** The monitoring timeout has changed: the deadline is `byMs` later, or earlier where it is negative. */
  | { type: 'deadline.moved'; byMs: number }
  /** The chart's own timer, armed at `deadlineAt`. */
  | { type: 'deadline.passed' }
  | FeedEvent
  | TokenEvent
  | PageEvent;

/** How any call of the chart can end. Outcomes are distinguished by `type`, across all calls. */
export type CallOutcome = SubmitOutcome | StatusOutcome | ResultOutcome | RefreshOutcome;
type OutcomeType = CallOutcome['type'];

/**
 * The outcome that an event delivers, or null when the event is not the answer of a call. XState types the answers of
 * invoked actors only where they are invoked, so this is the one place that reads them.
 */
export const outcomeIn = (event: { type: string }): CallOutcome | null =>
  event.type.startsWith('xstate.done.actor.') ? ((event as { output?: CallOutcome }).output ?? null) : null;

/**
 * The outcome that an event delivers, narrowed to one type: XState's `assertEvent`, for answers.
 *
 * @throws Error when the event delivers anything else, which is a defect of the chart
 * @example
 * noteAccepted: assign(({ event }) => ({ jobId: assertOutcome(event, 'accepted').jobId }));
 */
export function assertOutcome<Type extends OutcomeType>(
  event: { type: string },
  type: Type,
): Extract<CallOutcome, { type: Type }> {
  const outcome = outcomeIn(event);
  if (outcome?.type === type) return outcome as Extract<CallOutcome, { type: Type }>;
  throw new Error(`expected the outcome "${type}" in "${event.type}", but it delivers "${outcome?.type}"`);
}

/** The problem that an event reports: a defect of an actor, or the problem of a failed call. */
export function problemIn(event: { type: string }): Problem | null {
  if ('error' in event) return toProblem(event.error);
  const outcome = outcomeIn(event);
  return outcome && 'problem' in outcome ? outcome.problem : null;
}

/** The wait that the server asked for in the answer of a call, ms; null where it named none. */
export function retryAfterIn(event: { type: string }): number | null {
  const outcome = outcomeIn(event);
  return outcome && 'retryAfterMs' in outcome ? (outcome.retryAfterMs ?? null) : null;
}
