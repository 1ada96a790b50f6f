import type { MonitorEvent } from '../lib/log.ts';

type Fields = Record<string, unknown>;

/** The part of Sentry's SDK that {@link toSentry} needs. */
export interface Sentry {
  addBreadcrumb(breadcrumb: { category: string; message: string; level: 'info' | 'warning'; data: Fields }): void;
  captureMessage(message: string, context: { level: 'error' | 'warning'; tags: Record<string, string> }): void;
}

/** What is wrong with the page, the server or the configuration, and does not mend itself. */
const issues: ReadonlySet<string> = new Set([
  'answer.unreadable',
  'result.invalid',
  'token.unsendable',
  'settings.invalid',
  'listener.failed',
] satisfies MonitorEvent['type'][]);

/**
 * Leaves a breadcrumb for each event, and reports failed assessments and defects as issues: one issue for each kind, with the fields
 * of the event as tags.
 *
 * @example
 * const client = createAssessmentClient({ baseUrl, onEvent: toSentry(Sentry) });
 */
export function toSentry(sentry: Sentry): (event: MonitorEvent) => void {
  return (event) => {
    const { type: message, ...data } = event;
    const isFailed = event.type === 'assessment.settled' && event.outcome === 'failed';
    const isRefused = event.type === 'request.finished' && event.outcome === 'unauthorized';
    const category = 'assessment-monitor';
    sentry.addBreadcrumb({ category, message, level: isFailed || isRefused ? 'warning' : 'info', data });
    if (!isFailed && !issues.has(message)) return;
    const tags = Object.entries(data).map(([name, value]) => [name, `${value}`]);
    sentry.captureMessage(`${category}: ${message}`, {
      level: isFailed ? 'error' : 'warning',
      tags: Object.fromEntries(tags),
    });
  };
}
