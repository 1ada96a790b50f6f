import type { MonitorEvent } from '../lib/log.ts';

/** What is measured, each as a histogram of seconds. */
export type Measured = 'request' | 'token.refresh' | 'assessment';

/** The upper bounds of the buckets, in seconds. Assessments are asked about by 2, 4 and 6 minutes. */
export const bounds: Readonly<Record<Measured, readonly number[]>> = {
  request: [0.1, 0.5, 1, 2.5, 5, 10, 30],
  'token.refresh': [0.1, 0.5, 1, 2.5, 5, 10, 30],
  assessment: [30, 60, 120, 240, 360, 600, 1_800],
};

/** A tuple, because the names of fields are most of what a function of the telemetry weighs. */
type Measurement = readonly [
  of: Measured,
  seconds: number,
  outcome: string,
  /** The cause of a refused token, the status of a failed request, or the code of a problem; empty or null for a success. */
  error: string | number | null,
  /** Empty for anything but a request. */
  route: string,
];

/**
 * The measurement that an event is, or undefined. Calls without a token, refreshes and looks at
 * the health route, are no requests here, as in `metrics()`.
 *
 * @example
 * measure({ type: 'refresh.finished', outcome: 'refreshed', ms: 120 }); // ['token.refresh', 0.12, 'refreshed', '', '']
 */
export function measure(event: MonitorEvent): Measurement | undefined {
  if (!('ms' in event)) return undefined;
  const { outcome } = event;
  // A clock that was set back in between makes a duration negative.
  const seconds = Math.max(0, event.ms / 1_000);
  if ('code' in event) return ['assessment', seconds, outcome, event.code, ''];
  if (!('status' in event)) return ['token.refresh', seconds, outcome, '', ''];
  if (event.generation === null) return undefined;
  return [
    'request',
    seconds,
    outcome,
    outcome === 'ok' ? '' : (event.cause ?? event.status ?? 'no_answer'),
    event.route,
  ];
}
