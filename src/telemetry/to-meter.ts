import type { MonitorEvent } from '../lib/log.ts';
import { bounds, measure } from '../services/measure.ts';

/** The part of an OpenTelemetry `Meter` that {@link toMeter} needs. */
export interface Meter {
  createHistogram(
    name: string,
    options: { unit: string; advice: { explicitBucketBoundaries: number[] } },
  ): { record(value: number, attributes: Record<string, string | number>): void };
}

/**
 * Records the durations of requests, refreshes and assessments with OpenTelemetry: `assessment_monitor.request.duration`,
 * `assessment_monitor.token.refresh.duration` and `assessment_monitor.assessment.duration`, in seconds, with the attributes `route`,
 * `outcome`, `http.response.status_code` and `error.type`.
 *
 * A reader of metrics in a page loses what it holds when the page closes: there, use `toBeacon`.
 *
 * @example
 * const client = createAssessmentClient({ baseUrl, onEvent: toMeter(metrics.getMeter('assessments')) });
 */
export function toMeter(meter: Meter): (event: MonitorEvent) => void {
  const histograms = Object.fromEntries(
    Object.entries(bounds).map(([of, explicitBucketBoundaries]) => [
      of,
      meter.createHistogram(`assessment_monitor.${of}.duration`, {
        unit: 's',
        advice: { explicitBucketBoundaries: [...explicitBucketBoundaries] },
      }),
    ]),
  );
  return (event) => {
    const measured = measure(event);
    if (!measured) return;
    const [of, seconds, outcome, error, route] = measured;
    histograms[of]?.record(seconds, {
      outcome,
      ...(route && { route }),
      ...('status' in event && event.status && { 'http.response.status_code': event.status }),
      ...(error && { 'error.type': `${error}` }),
    });
  };
}
