import type { MonitorEvent } from '../lib/log.ts';
import { bounds, measure } from '../services/measure.ts';

/** The part of a `Window` that {@link toBeacon} needs. */
export interface BeaconPage {
  readonly navigator: { sendBeacon(url: string, body: string): boolean };
  addEventListener(type: 'visibilitychange' | 'pagehide', listener: () => void): void;
}

/**
 * Counts in the page, and sends what is new to `url` by `sendBeacon` whenever the page is hidden, shown, left or closed. The other end
 * is `assessment-monitor/collect`. The body is a string, so that a request to another origin needs no CORS preflight.
 *
 * Call it once in a page. Where there is no page, as on a server, it does nothing.
 *
 * @param page @default window
 * @example
 * const client = createAssessmentClient({ baseUrl, onEvent: toBeacon('/metrics/beacon') });
 */
export function toBeacon(
  url: string,
  page: BeaconPage | null | undefined = globalThis.document?.defaultView,
): (event: MonitorEvent) => void {
  /** By series: the sum of seconds, then the number in each bucket; null, or missing at the end, where that is 0. */
  let news: Record<string, number[]> = {};
  const send = (): void => {
    const body = JSON.stringify(news);
    // A full queue refuses the beacon: the next one brings the same.
    if (body !== '{}' && page?.navigator.sendBeacon(url, body)) news = {};
  };
  page?.addEventListener('visibilitychange', send);
  page?.addEventListener('pagehide', send);
  return (event) => {
    const measured = measure(event);
    if (!measured) return;
    const [of, seconds, outcome, error, route] = measured;
    const series = (news[[of, route, outcome, error].join('|')] ??= []);
    // The bucket after the last bound that is too low.
    const bucket = 1 + bounds[of].filter((bound) => seconds > bound).length;
    series[0] = (series[0] ?? 0) + seconds;
    series[bucket] = (series[bucket] ?? 0) + 1;
  };
}
