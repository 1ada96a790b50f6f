import type { MonitorEvent } from '../lib/log.ts';

/**
 * Writes each event as one line of JSON, for log searches: `{ "logger": "assessment-monitor", "at": 1764179472000, "event": { … } }`.
 * The event is an object of its own, because log services read `status` and `message` at the top as theirs.
 *
 * @param write receives a line without its line break
 * @example
 * const client = createAssessmentClient({ baseUrl, onEvent: toLines(console.log) });
 */
export function toLines(write: (line: string) => void): (event: MonitorEvent & { at: number }) => void {
  return ({ at, ...event }) => write(JSON.stringify({ logger: 'assessment-monitor', at, event }));
}
