import type { ErrorCode } from './errors.ts';
import type { Clock } from './clock.ts';

/** The calls of the API, by name: URLs carry ids and stay out of logs. */
export type RouteName = 'submit' | 'status' | 'result' | 'job' | 'balance' | 'refresh';

/** How a call ended. `aborted` is our own doing: the state that asked was left. */
export type RequestOutcome = 'ok' | 'unauthorized' | 'transient' | 'rejected' | 'aborted';

/** How a refresh ended; see `RefreshCoordinator`. */
export type RefreshOutcomeName = 'refreshed' | 'limited' | 'transient' | 'ambiguous' | 'rejected';

/**
 * Everything that happens, as data: one line each in a log that a person can search. No token, answer, result or address
 * is ever part of it; tokens appear by generation only.
 */
export type MonitorEvent =
  | { type: 'request.started'; route: RouteName; generation: number | null }
  | {
      type: 'request.finished';
      route: RouteName;
      outcome: RequestOutcome;
      status: number | null;
      generation: number | null;
      ms: number;
    }
  | { type: 'refresh.finished'; outcome: RefreshOutcomeName; ms: number }
  | { type: 'token.renewed'; generation: number; ttlMs: number | null; remainingMs: number | null }
  | { type: 'token.expiring'; generation: number | null }
  | { type: 'token.refused'; generation: number; outage: boolean }
  | { type: 'session.ended'; reason: 'signed-out' | 'rejected' }
  | { type: 'session.restored' }
  | { type: 'feed.connecting'; attempt: number }
  | { type: 'feed.live' }
  | { type: 'feed.lost'; reason: string }
  | { type: 'feed.ignored'; event: string; reason: 'malformed' }
  | { type: 'feed.unavailable'; reason: string }
  | { type: 'page.resumed'; reason: string }
  | { type: 'state.changed'; assessmentId: string; from: string; to: string; cause: string }
  | {
      type: 'assessment.settled';
      assessmentId: string;
      outcome: 'completed' | 'failed' | 'cancelled';
      code: ErrorCode | null;
      ms: number;
    }
  | { type: 'job.dropped'; reason: 'malformed' | 'old-version' | 'another-user' | 'no-submission' }
  | { type: 'storage.unavailable' }
  /** The browser lacks what tabs need to take turns: each looks after itself. */
  | { type: 'tabs.uncoordinated'; missing: 'locks' | 'channel' }
  | { type: 'listener.failed'; error: string };

/** Where services report what happens. It never throws. */
export type Log = (event: MonitorEvent) => void;

/** Reports that a call leaves. @returns how to report its end; `status` is null where there was no answer */
export function logCall(
  log: Log,
  clock: Clock,
  route: RouteName,
  generation: number | null,
): (outcome: RequestOutcome, status: number | null) => void {
  const startedAt = clock.now();
  log({ type: 'request.started', route, generation });
  return (outcome, status) =>
    log({ type: 'request.finished', route, outcome, status, generation, ms: clock.now() - startedAt });
}
