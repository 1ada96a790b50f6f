import type { MonitorEvent } from 'assessment-monitor';

/*
 * The searches over log lines of `toLines`, for Datadog and CloudWatch Logs Insights. They are made of the types of the events: a field
 * or a value that no event has does not compile.
 */

type EventType = MonitorEvent['type'];
type Fields<Type extends EventType> = Partial<Omit<Extract<MonitorEvent, { type: Type }>, 'type'>>;

export interface LogQuery {
  title: string;
  event: EventType;
  where: Readonly<Record<string, unknown>>;
  /** A field whose mean is asked for; otherwise the number of lines is. */
  mean?: string;
}

function query<Type extends EventType>(
  title: string,
  event: Type,
  where: Fields<Type> = {},
  mean?: keyof Fields<Type> & string,
): LogQuery {
  return { title, event, where, ...(mean && { mean }) };
}

export const logQueries: readonly LogQuery[] = [
  query('Every INVALID_TOKEN answer', 'request.finished', { outcome: 'unauthorized' }),
  query('INVALID_TOKEN by a clock that is wrong', 'request.finished', { outcome: 'unauthorized', cause: 'skew' }),
  query('INVALID_TOKEN by a rotation', 'request.finished', { outcome: 'unauthorized', cause: 'stale-generation' }),
  query('INVALID_TOKEN by a verifier that is down', 'request.finished', { outcome: 'unauthorized', cause: 'outage' }),
  query('INVALID_TOKEN during a status poll', 'request.finished', { outcome: 'unauthorized', route: 'status' }),
  query('Token refreshes that worked', 'refresh.finished', { outcome: 'refreshed' }),
  query('Token refreshes that the server limited', 'refresh.finished', { outcome: 'limited' }),
  query('Token refreshes that ended the session', 'refresh.finished', { outcome: 'rejected' }),
  query('All token refreshes', 'refresh.finished'),
  query('Average monitoring duration, ms', 'assessment.settled', { outcome: 'completed' }, 'ms'),
  query('Assessments that failed', 'assessment.settled', { outcome: 'failed' }),
  query('Users who were asked to sign in', 'state.changed', { to: 'auth-failed' }),
  query('Assessments that exceeded the monitoring timeout', 'state.changed', { to: 'timed-out' }),
  query('The WebSocket was lost', 'feed.lost'),
  query('A switch reached the page', 'settings.changed'),
  query('A setting that makes no sense', 'settings.invalid'),
];

const conditions = ({ event, where }: LogQuery): [path: string, value: string][] => [
  ['logger', 'assessment-monitor'],
  ['event.type', event],
  ...Object.entries(where).map(([name, value]): [string, string] => [`event.${name}`, String(value)]),
];

/** A search of Datadog's log explorer; for a mean, measure the attribute it names. */
export const datadog = (it: LogQuery): string =>
  conditions(it)
    .map(([path, value]) => `@${path}:"${value}"`)
    .join(' ');

/** A query of CloudWatch Logs Insights. */
export const cloudWatch = (it: LogQuery): string =>
  `filter ${conditions(it)
    .map(([path, value]) => `${path} = "${value}"`)
    .join(' and ')} | stats ${it.mean ? `avg(event.${it.mean})` : 'count(*)'}`;

/** The queries as `docs/operations.md` has them. */
export const queriesAsMarkdown = (): string =>
  logQueries.map((it) => `**${it.title}**\n\n\`\`\`text\n${datadog(it)}\n${cloudWatch(it)}\n\`\`\`\n`).join('\n');
