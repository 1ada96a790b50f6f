import type { Problem } from '../lib/errors.ts';

/*
 * How the calls of the chart can end. Outcomes are values: a call that the server refuses is as ordinary as one that it
 * answers, and the chart says what each of them means for the assessment. Only defects are thrown.
 */

/** The server did not accept the token of this generation; null when there was none to send, and nothing was sent. */
export interface Unauthorized {
  type: 'unauthorized';
  generation: number | null;
}

/** Time can heal it. `retryAfterMs` is what the server asked for, clamped, or null. */
export interface Transient {
  type: 'transient';
  retryAfterMs: number | null;
  problem: Problem;
}

/** The API refused the submission in its own words. From any other call it counts as a failed call. */
export interface Rejected {
  type: 'rejected';
  problem: Problem;
}

export type SubmitOutcome =
  | { type: 'accepted'; jobId: string; resultId: string | null; balance: number | null; deadlineAt: number }
  | Unauthorized
  | Transient
  /**
   * Sent, and the answer was lost: the server may have accepted it. It is repeated under the same key where the server recognises
   * keys, unless `isFinal` says that a repetition may start a second job.
   */
  | { type: 'unconfirmed'; retryAfterMs: number | null; problem: Problem; isFinal?: boolean }
  | Rejected;

/** What the server says of a job that still runs; null where it does not say. */
export interface ProgressReport {
  status: 'queued' | 'processing';
  /** 0 to 100 */
  percent: number | null;
  queuePosition: number | null;
}

export type StatusOutcome =
  | ({ type: 'running'; retryAfterMs?: number | null } & ProgressReport)
  | { type: 'completed'; resultId: string | null }
  /** `isConfirmed: false`: a worker may still take the failure back, so the status is asked for again. Default true. */
  | { type: 'failed'; problem: Problem; isConfirmed?: boolean }
  | Unauthorized
  | Transient
  | Rejected;

export type ResultOutcome<Result = unknown> =
  | { type: 'ready'; result: Result }
  /** It arrived and cannot be shown. `isConfirmed: false`: it is fetched again. Default true. */
  | { type: 'invalid'; problem: Problem; isConfirmed?: boolean }
  | Unauthorized
  | Transient
  | Rejected;

export type RefreshOutcome =
  | { type: 'renewed' }
  /** It could not be renewed now, and does not have to be: it still holds. */
  | { type: 'holds' }
  /** No usable token yet. */
  | { type: 'wait'; retryAfterMs: number }
  /** A fresh token is refused: wait, and use it again. */
  | { type: 'outage'; retryAfterMs: number }
  /** The session is over. */
  | { type: 'rejected' };
