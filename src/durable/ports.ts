import type { Pacing } from '../actors/delays.ts';
import type { Clock } from '../lib/clock.ts';
import type { Problem } from '../lib/errors.ts';
import type { RefreshOutcome, ResultOutcome, StatusOutcome, SubmitOutcome } from '../machines/assessment-outcomes.ts';
import type { AssessmentOutput, JobInput, SubmitInput } from '../machines/assessment-setup.ts';

/**
 * What a durable engine does for a watch: it stores what has happened, and after a crash runs the same function again, which then
 * receives what is stored.
 */
export interface DurableEngine {
  /**
   * Runs `run` and stores its result under `name`; where a result is stored already, it returns that. A process that dies in between
   * runs it a second time. Names are unique within a watch, and the same in each replay. Results are plain JSON.
   */
  step<T>(name: string, run: () => Promise<T>): Promise<T>;
  /** Returns `ms` after its first call, however often the process dies in between. */
  sleep(name: string, ms: number): Promise<void>;
}

/**
 * The calls of a watch, with the outcomes of the chart's own. Each resolves its credential itself, each time: neither its input nor its
 * outcome holds one. What is thrown counts as a defect, and the call is repeated.
 */
export interface DurableCalls {
  /** Sends the answers under `submissionId` as idempotency key: this call may be repeated after it has succeeded. */
  submitAssessment(input: SubmitInput, signal: AbortSignal): Promise<SubmitOutcome>;
  checkStatus(input: JobInput, signal: AbortSignal): Promise<StatusOutcome>;
  /** Makes sure that the result is there. The result itself does not leave the step: engines store step results in clear. */
  fetchResult(input: JobInput, signal: AbortSignal): Promise<ResultOutcome>;
  /** Gets another token, after the API has refused one. */
  refreshToken(input: { refusedGeneration: number | null }, signal: AbortSignal): Promise<RefreshOutcome>;
}

/** Where the result is. The watch does not hold the result. */
export interface WatchResult {
  readonly jobId: string | null;
  /** Null where the server has named none. */
  readonly resultId: string | null;
}

/** How a watch ends: as the assessment does, or with the reason why it cannot continue by itself. */
export type WatchOutput =
  | AssessmentOutput<WatchResult>
  | {
      /**
       * - `unconfirmed`: the answers were sent, the reply was lost, and a repetition may start a second job: the user decides.
       * - `auth-failed`: the watcher's own credential is refused. The job is not affected.
       * - `timed-out`: the job has not ended within `limitMs`.
       */
      readonly outcome: 'unconfirmed' | 'auth-failed' | 'timed-out';
      readonly jobId: string | null;
      readonly problem: Problem;
    };

export interface WatchOptions {
  /** The whole watch ends after this time with `timed-out`, ms. @default 86_400_000, a day */
  limitMs?: number | undefined;
  /** A call without an answer ends after this time, ms: a submission as `unconfirmed`, any other as failed. @default 60_000 */
  callTimeoutMs?: number | undefined;
  /** The waits of the chart. @default the client's, but polls 5 s apart at first and 30 s later: no user looks on */
  pacing?: Partial<Pacing> | undefined;
  /** Read inside steps only. @default systemClock */
  clock?: Clock | undefined;
}
