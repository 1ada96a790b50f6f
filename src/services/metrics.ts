import type { MonitorEvent, RefusalCause, RouteName } from '../lib/log.ts';

/** Numbers to watch in production, counted since the client was created. */
export interface Metrics {
  /** Answered API calls; refreshes and looks at the health route are not counted. */
  requests: number;
  /** How many of these answers were INVALID_TOKEN or another 401. */
  invalidTokenAnswers: number;
  /**
   * `invalidTokenAnswers` by cause; a cause that has not occurred is absent.
   *
   * @example
   * client.metrics().invalidTokenCauses.outage ?? 0; // fresh tokens that the server refused
   */
  invalidTokenCauses: Readonly<Partial<Record<RefusalCause, number>>>;
  /** `invalidTokenAnswers / requests`, 0 to 1. The goal is below 0.001. */
  invalidTokenRate: number;
  refreshAttempts: number;
  refreshSuccesses: number;
  /** `refreshSuccesses / refreshAttempts`, 0 to 1; null before the first attempt. The goal is above 0.99. */
  refreshSuccessRate: number | null;
  assessments: { completed: number; failed: number; cancelled: number };
  /** Mean time from the submission to the result of completed assessments, ms; null before the first. */
  averageMonitoringMs: number | null;
  /** The rates that exceed their alert thresholds. */
  alerts: readonly ('invalid-token-rate' | 'refresh-failure-rate')[];
}

/** Alert thresholds: more than 1 % of requests, more than 5 % of refresh attempts. */
const MAX_INVALID_TOKEN_RATE = 0.01;
const MAX_REFRESH_FAILURE_RATE = 0.05;
/** Below these counts a rate is too noisy for an alert. */
const MIN_REQUESTS = 100;
const MIN_REFRESHES = 20;

/** Calls that the rate of refused tokens does not count. */
const WITHOUT_TOKEN: ReadonlySet<RouteName> = new Set(['refresh', 'health']);

/**
 * Computes the metrics from the log.
 *
 * @example
 * const metrics = createMetrics();
 * metrics.record({ type: 'refresh.finished', outcome: 'refreshed', ms: 120 });
 * metrics.read().refreshSuccessRate; // 1
 */
export function createMetrics() {
  let requests = 0;
  let invalidTokenAnswers = 0;
  const invalidTokenCauses: Partial<Record<RefusalCause, number>> = {};
  let refreshAttempts = 0;
  let refreshSuccesses = 0;
  let monitoringMs = 0;
  const assessments = { completed: 0, failed: 0, cancelled: 0 };

  return {
    record(event: MonitorEvent): void {
      if (event.type === 'request.finished' && !WITHOUT_TOKEN.has(event.route) && event.status !== null) {
        requests += 1;
        if (event.outcome === 'unauthorized') {
          const { cause = 'unknown' } = event;
          invalidTokenAnswers += 1;
          invalidTokenCauses[cause] = (invalidTokenCauses[cause] ?? 0) + 1;
        }
      } else if (event.type === 'refresh.finished') {
        refreshAttempts += 1;
        if (event.outcome === 'refreshed') refreshSuccesses += 1;
      } else if (event.type === 'assessment.settled') {
        assessments[event.outcome] += 1;
        if (event.outcome === 'completed') monitoringMs += event.ms;
      }
    },
    read(): Metrics {
      const invalidTokenRate = requests === 0 ? 0 : invalidTokenAnswers / requests;
      const refreshSuccessRate = refreshAttempts === 0 ? null : refreshSuccesses / refreshAttempts;
      const alerts: Metrics['alerts'][number][] = [];
      if (requests >= MIN_REQUESTS && invalidTokenRate > MAX_INVALID_TOKEN_RATE) alerts.push('invalid-token-rate');
      // Counted from the failures: `1 - rate` is a little more than 5 % when one of twenty failed.
      const refreshFailures = refreshAttempts - refreshSuccesses;
      if (refreshAttempts >= MIN_REFRESHES && refreshFailures / refreshAttempts > MAX_REFRESH_FAILURE_RATE) {
        alerts.push('refresh-failure-rate');
      }
      return {
        requests,
        invalidTokenAnswers,
        invalidTokenCauses: { ...invalidTokenCauses },
        invalidTokenRate,
        refreshAttempts,
        refreshSuccesses,
        refreshSuccessRate,
        assessments: { ...assessments },
        averageMonitoringMs: assessments.completed === 0 ? null : monitoringMs / assessments.completed,
        alerts,
      };
    },
  };
}
