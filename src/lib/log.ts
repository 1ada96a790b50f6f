import type { ErrorCode } from './errors.ts';
import type { Clock } from './clock.ts';

/** The calls of the API, by name: URLs carry ids and stay out of logs. */
export const routeNames = ['submit', 'status', 'result', 'job', 'jobs', 'balance', 'refresh', 'health'] as const;
export type RouteName = (typeof routeNames)[number];

/** How a call ended. `aborted`: the client cancelled it, because the state that sent it was left. */
export const requestOutcomes = ['ok', 'unauthorized', 'transient', 'rejected', 'aborted'] as const;
export type RequestOutcome = (typeof requestOutcomes)[number];

/**
 * Why the server refused a token, as far as the client can tell.
 *
 * - `expired`: the token expired while the request was under way, or the server says so.
 * - `stale-generation`: a refresh has replaced the token, or is under way and may have.
 * - `skew`: the token has expired by the server's clock only.
 * - `outage`: the token is fresh from a refresh and the server has accepted none since: its verifier is down.
 * - `revoked`: the server accepted this very token before, or says so. An outage begins with this cause.
 * - `dialect`: nothing is wrong with the token, and the refusal is another status than 401, or a login page.
 */
export const refusalCauses = [
  'expired',
  'stale-generation',
  'skew',
  'outage',
  'revoked',
  'dialect',
  'unknown',
] as const;
export type RefusalCause = (typeof refusalCauses)[number];

/** How a refresh ended; see `RefreshOutcome`. */
export const refreshOutcomes = ['refreshed', 'limited', 'transient', 'ambiguous', 'rejected'] as const;
export type RefreshOutcomeName = (typeof refreshOutcomes)[number];

/** A part of the platform that has a fallback. */
export type PlatformPart = 'crypto.randomUUID' | 'crypto.getRandomValues';

/** A field of `settings`; `settings` for all of it. */
export type SettingName =
  | 'settings'
  | 'refresh'
  | 'preventiveRefresh'
  | 'socket'
  | 'pollIntervalMs'
  | 'monitoringTimeoutMs';

/**
 * Everything that happens, as data: one searchable log line per event. Events never contain a token, an answer, a result or an
 * address. A token is identified by its generation only.
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
      /** Only where the outcome is `unauthorized`. */
      cause?: RefusalCause;
    }
  /** A success that does not fit the contract; `field` is the first that does not, by name. */
  | { type: 'answer.unreadable'; route: RouteName; field: string }
  /** The `api` of the application asked for an address on another origin, and nothing was sent. Once for each route. */
  | { type: 'address.refused'; route: RouteName }
  /** The `api` of the application threw what says nothing of an answer; `error` is its name. Once for each route and name. */
  | { type: 'call.threw'; route: RouteName; error: string }
  /** A result that cannot be shown, and why; `field` is the first that does not fit, by name. */
  | { type: 'result.invalid'; reason: string; field: string }
  /** A status word that is not understood and counts as running; empty where it is not a plain word. Named once. */
  | { type: 'status.unknown'; word: string }
  | { type: 'refresh.finished'; outcome: RefreshOutcomeName; ms: number }
  | { type: 'token.renewed'; generation: number; ttlMs: number | null; remainingMs: number | null }
  | { type: 'token.expiring'; generation: number | null }
  | { type: 'token.refused'; generation: number; outage: boolean }
  /** Something says that the server accepts the token again that it refused: a good answer, the socket, or the health route. */
  | { type: 'token.trusted'; generation: number; by: 'answer' | 'socket' | 'health' }
  /** The stored token contains a character that no header can carry. It counts as no token: only a sign-in helps. */
  | { type: 'token.unsendable' }
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
  /**
   * `expired`: a job that failed a day ago and has not completed after all, or a record that has become too old. `another-user` is logged
   * no more: such a job is set aside.
   */
  | { type: 'job.dropped'; reason: 'malformed' | 'old-version' | 'another-user' | 'no-submission' | 'expired' }
  /** The job of a user who is not signed in any more waits in the storage for that user: its ids, without answers. */
  | { type: 'job.aside' }
  /** This field of the application's `settings` has another value, and the client applies it to what runs. */
  | { type: 'settings.changed'; field: Exclude<SettingName, 'settings'> }
  /** The application's `settings` threw, or this field of it makes no sense; its last good value counts. Once per field. */
  | { type: 'settings.invalid'; field: SettingName }
  | { type: 'storage.unavailable' }
  /** A part of the platform is missing or throws, and a fallback is in use. Logged once for each client. */
  | { type: 'platform.missing'; what: PlatformPart }
  /** The browser lacks Web Locks or BroadcastChannel, so tabs do not coordinate their refreshes. */
  | { type: 'tabs.uncoordinated'; missing: 'locks' | 'channel' }
  | { type: 'listener.failed'; error: string };

/** Receives the events of all services. It never throws. */
export type Log = (event: MonitorEvent) => void;

/**
 * Logs the start of a call.
 *
 * @returns logs its end; `status` is null where there was no answer
 */
export function logCall(
  log: Log,
  clock: Clock,
  route: RouteName,
  generation: number | null,
): (outcome: RequestOutcome, status: number | null, cause?: RefusalCause | null) => void {
  const startedAt = clock.now();
  log({ type: 'request.started', route, generation });
  return (outcome, status, cause) => {
    const ms = clock.now() - startedAt;
    log({ type: 'request.finished', route, outcome, status, generation, ms, ...(cause && { cause }) });
  };
}
