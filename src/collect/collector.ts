import { refreshOutcomes, refusalCauses, requestOutcomes, routeNames } from '../lib/log.ts';
import { bounds, type Measured } from '../services/measure.ts';

/** Adds up what pages send, for Prometheus. */
export interface Collector {
  /**
   * Takes the body of a beacon. It comes from any sender: series and sizes are fixed, and whatever does not fit is left out.
   *
   * @returns whether the body was a beacon
   */
  take(body: string): boolean;
  /** All series in the text format of Prometheus, version 0.0.4. A series that nothing was counted in is there, with 0. */
  prometheus(): string;
}

/** Characters of a body. Browsers send no longer beacon. */
const MAX_BODY = 65_536;
/** Durations in one beacon. A page that polls each second for two hours has fewer. */
const MAX_COUNT = 10_000;
/** The longest duration that a beacon may tell of, s: a week. */
const LONGEST_S = 604_800;
/** What every error is that no series names. */
const OTHER = 'other';

const help: Readonly<Record<Measured, string>> = {
  request: 'Calls of the API, refreshes left out.',
  'token.refresh': 'Token refreshes.',
  assessment: 'Assessments, from the submission to their end.',
};
/** The errors that are worth telling apart, by outcome. Every other one is counted as `other`. */
const requestErrors: Readonly<Record<(typeof requestOutcomes)[number], readonly string[]>> = {
  ok: [''],
  aborted: ['no_answer'],
  unauthorized: refusalCauses,
  transient: ['no_answer', '200', '429', '500', '502', '503', '504', OTHER],
  rejected: ['400', '402', '403', '404', OTHER],
};
const problems = ['job-failed', 'invalid-result', 'validation', 'insufficient-credit', 'forbidden', OTHER];

interface Series {
  readonly of: Measured;
  readonly labels: string;
  sum: number;
  /** Durations in each bucket alone, the last one without a bound. */
  readonly counts: number[];
}

/**
 * Creates the collector of one server. It holds about 170 series and never more. Behind several servers, Prometheus scrapes each of them.
 *
 * @example
 * const collector = createCollector();
 * app.post('/metrics/beacon', async (c) => c.body(null, collector.take(await c.req.text()) ? 204 : 400));
 * app.get('/metrics', (c) => c.text(collector.prometheus()));
 */
export function createCollector(): Collector {
  const series = new Map<string, Series>();
  const add = (of: Measured, route: string, outcome: string, error: string): void => {
    const labels = Object.entries({ route, outcome, error_type: error }).filter(([, value]) => value !== '');
    series.set([of, route, outcome, error].join('|'), {
      of,
      labels: labels.map(([name, value]) => `${name}="${value}"`).join(','),
      sum: 0,
      counts: [...bounds[of], Number.POSITIVE_INFINITY].map(() => 0),
    });
  };
  for (const route of routeNames.filter((name) => name !== 'refresh' && name !== 'health'))
    for (const outcome of requestOutcomes)
      for (const error of requestErrors[outcome]) add('request', route, outcome, error);
  for (const outcome of refreshOutcomes) add('token.refresh', '', outcome, '');
  for (const outcome of ['completed', 'cancelled']) add('assessment', '', outcome, '');
  for (const error of problems) add('assessment', '', 'failed', error);
  const beacons = { taken: 0, refused: 0 };

  const seriesOf = (key: string): Series | undefined => {
    const of = key.slice(0, key.lastIndexOf('|') + 1);
    return series.get(key) ?? series.get(of + OTHER) ?? series.get(`${of}unknown`);
  };
  const takeEntries = (entries: readonly [string, unknown][]): void => {
    let left = MAX_COUNT;
    for (const [key, values] of entries) {
      const into = seriesOf(key);
      const told = into && readValues(values, bounds[into.of]);
      const total = told ? told.counts.reduce((sum, count) => sum + count, 0) : 0;
      if (!into || !told || total > left) continue;
      left -= total;
      into.sum += told.sum;
      told.counts.forEach((count, index) => {
        into.counts[index] = (into.counts[index] ?? 0) + count;
      });
    }
  };

  return {
    take(body) {
      const entries = entriesOf(body);
      beacons[entries ? 'taken' : 'refused'] += 1;
      if (entries) takeEntries(entries);
      return entries !== null;
    },
    prometheus() {
      const lines: string[] = [];
      for (const of of Object.keys(help) as Measured[]) {
        const name = `assessment_monitor_${of.replace('.', '_')}_duration_seconds`;
        lines.push(`# HELP ${name} ${help[of]}`, `# TYPE ${name} histogram`);
        for (const one of series.values()) if (one.of === of) lines.push(...linesOf(name, one));
      }
      lines.push(
        '# HELP assessment_monitor_beacons_total Beacons of pages.',
        '# TYPE assessment_monitor_beacons_total counter',
        `assessment_monitor_beacons_total{result="taken"} ${beacons.taken}`,
        `assessment_monitor_beacons_total{result="refused"} ${beacons.refused}`,
      );
      return `${lines.join('\n')}\n`;
    },
  };
}

function entriesOf(body: string): [string, unknown][] | null {
  if (typeof body !== 'string' || body.length > MAX_BODY) return null;
  try {
    const told: unknown = JSON.parse(body);
    const isObject = typeof told === 'object' && told !== null && !Array.isArray(told);
    return isObject ? Object.entries(told) : null;
  } catch {
    return null;
  }
}

/** The sum and the numbers of a series, or null where they cannot be true. */
function readValues(values: unknown, upTo: readonly number[]): { sum: number; counts: number[] } | null {
  if (!Array.isArray(values) || values.length > upTo.length + 2) return null;
  const [sum, ...counts] = Array.from({ length: upTo.length + 2 }, (_, index) => (values as unknown[])[index] ?? 0);
  const isCount = (it: unknown): it is number =>
    Number.isInteger(it) && (it as number) >= 0 && (it as number) <= MAX_COUNT;
  if (!counts.every(isCount)) return null;
  const most = counts.reduce((total, count, index) => total + count * (upTo[index] ?? LONGEST_S), 0);
  // A page adds up in floating point.
  return typeof sum === 'number' && sum >= 0 && sum <= most * 1.001 ? { sum, counts } : null;
}

function linesOf(name: string, { of, labels, sum, counts }: Series): string[] {
  let total = 0;
  const buckets = counts.map((count, index) => {
    total += count;
    return `${name}_bucket{${labels},le="${bounds[of][index] ?? '+Inf'}"} ${total}`;
  });
  return [...buckets, `${name}_sum{${labels}} ${sum}`, `${name}_count{${labels}} ${total}`];
}
