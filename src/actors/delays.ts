import { type Backoff, backoff, jitter, type Random } from '../lib/backoff.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import type { AssessmentContext } from '../machines/assessment-setup.ts';

/*
 * How long the chart waits, delay by delay. `pollDelay` is the poll interval.
 */

/** The configurable waits of the chart, in ms. */
export interface Pacing {
  /** Poll interval of a new job. @default 2_000 */
  pollMinMs: number;
  /** Poll interval of an old job; in between it grows with the job's age. @default 10_000 */
  pollMaxMs: number;
  /** Between two status calls while the feed is live and quiet. @default 45_000 */
  heartbeatMs: number;
  /** Between two status calls for a job whose deadline has passed. @default 60_000 */
  slowCheckMs: number;
  /** The least time between two status calls of one assessment, whatever the reason for them. @default 1_000 */
  minDistanceMs: number;
  /** A job that is older than this and still runs is also looked up in the archive. @default 600_000 */
  archiveAfterMs: number;
  /**
   * How long after a submission whose answer was lost its repetition, or the search for its job, may begin. A server stores the
   * idempotency key after its work: a repetition that comes sooner starts a second job. @default 5_000
   */
  settlingMs: number;
  /**
   * A job that the server reports as failed is asked for again this long before the failure is shown: a worker that retries takes
   * it back within 70 s. @default 90_000
   */
  failureConfirmationMs: number;
}

/** What the delays read besides the context. */
export interface DelayServices {
  clock: Clock;
  random: Random;
  pacing: Pacing;
  /** Instead of the poll intervals of `pacing`, ms; null for these. */
  pollIntervalMs: () => number | null;
}

/** A job counts as old after this time. At half a minute the interval is 4 s: a short job is shown within 5 s, also without a feed. */
const OLD_MS = 120_000;
/** After a hint the status may lag behind the event by a moment. */
const HINT_MS = 3_000;
/** After its first refusal a token is renewed within this many heartbeats, or when it is needed. */
const DOUBT_HEARTBEATS = 2;

const RETRY = { minMs: 300, baseMs: 1_000, capMs: 15_000 };
/** A result that cannot be shown hardly changes within seconds. */
const INVALID_RETRY = { minMs: 4_000, baseMs: 10_000, capMs: 60_000 };
const POLL_RETRY = { minMs: 1_000, baseMs: 8_000, capMs: 45_000 };
/*
 * A server that drops every feed, or refuses every token, does so to all clients in the same moment. A healthy client asks for the
 * status once in 45 s; the next two spread a fleet's calls, so that an outage does not triple its load (thundering herd).
 */
/** Before each status call while the feed is lost; longer while the calls fail. */
const LOST = { minMs: 5_000, baseMs: 30_000, capMs: 60_000, share: 1 / 4 };
/** Before the status call that follows the return of the feed. */
const BACK = { minMs: 0, baseMs: 16_000, capMs: 16_000, share: 1 / 8 };
/** Both start from at most their share of the job's age: a young job may have finished in that moment. */
const inProportion = ({ baseMs, share, ...bounds }: typeof LOST, ageMs: number): Backoff => ({
  ...bounds,
  baseMs: Math.min(baseMs, Math.max(0, ageMs * share)),
});

/** The waits of a client whose options name none. */
export const defaultPacing: Pacing = {
  pollMinMs: 2_000,
  pollMaxMs: 10_000,
  heartbeatMs: 45_000,
  slowCheckMs: 60_000,
  minDistanceMs: 1_000,
  archiveAfterMs: 600_000,
  failureConfirmationMs: 90_000,
  settlingMs: 5_000,
};

/**
 * The delays of the chart as a client has them: adaptive, jittered, and obedient to Retry-After.
 *
 * @param submittedAt when the user submitted this assessment, ms since the epoch
 * @example
 * const startedAt = Date.now();
 * const ours = assessmentMachine.provide({ delays: createDelays({}, () => startedAt) });
 */
export function createDelays(
  { clock = systemClock, random = Math.random, pacing = defaultPacing, pollIntervalMs }: Partial<DelayServices>,
  submittedAt: (submissionId: string) => number,
) {
  const ageMs = ({ submissionId }: AssessmentContext): number => clock.now() - submittedAt(submissionId);
  /** Retry-After wins; else the wait grows with the failures. */
  const retryWait = ({ retryAfterMs, failures }: AssessmentContext, bounds: Backoff): number =>
    retryAfterMs ?? backoff(Math.max(0, failures - 1), bounds, random);
  type Facts = { context: AssessmentContext };

  return {
    pollDelay: ({ context }: Facts): number => {
      const asked = context.retryAfterMs ?? 0;
      if (context.unhurried) {
        const spread = backoff(context.failures, inProportion(LOST, ageMs(context)), random);
        // What a running job was asked to wait for is no reason to come at once with all others.
        return context.failures > 0 && asked > 0 ? asked : Math.max(asked, spread);
      }
      if (context.failures > 0) return retryWait(context, POLL_RETRY);
      const age = Math.min(1, Math.max(0, ageMs(context) / OLD_MS));
      const byAge = pacing.pollMinMs + (pacing.pollMaxMs - pacing.pollMinMs) * age;
      return Math.max(asked, jitter(pollIntervalMs?.() ?? byAge, 0.2, random));
    },
    heartbeat: ({ context }: Facts): number => {
      if (context.unhurried) return backoff(0, inProportion(BACK, ageMs(context)), random);
      if (context.failures > 0) return retryWait(context, LOST);
      if (context.hinted) return HINT_MS;
      if (context.refusedGeneration !== null) return random() * DOUBT_HEARTBEATS * pacing.heartbeatMs;
      return Math.max(context.retryAfterMs ?? 0, jitter(pacing.heartbeatMs, 0.2, random));
    },
    retryDelay: ({ context }: Facts): number =>
      retryWait(context, context.problem?.code === 'invalid-result' ? INVALID_RETRY : RETRY),
    // Slightly longer than the limit: a client whose timer fires early would be refused.
    refreshDelay: ({ context }: Facts): number => retryWait(context, RETRY) + Math.round(50 + random() * 200),
    slowCheck: ({ context }: Facts): number => {
      const isConfirming = context.problem?.code === 'unconfirmed-failure';
      const ms = isConfirming ? Math.min(pacing.slowCheckMs, pacing.failureConfirmationMs / 6) : pacing.slowCheckMs;
      return Math.max(context.retryAfterMs ?? 0, jitter(ms, 0.2, random));
    },
    untilDeadline: ({ context }: Facts): number => Math.max(0, context.deadlineAt - clock.now()),
  };
}
