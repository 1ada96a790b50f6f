/// <reference types="node" />
import { parseArgs } from 'node:util';
import { exit, messageOf, type RunCommand } from './terminal.ts';

const HELP = `assessment-monitor health --prometheus URL [--over 1h] [--json]

Asks a Prometheus for the ratios of the last hour, and exits by them.
  --prometheus URL   its address
  --over WINDOW      15m, 1h, 24h, 7d …; default 1h
  --json             one JSON object on the standard output

Exit code: 0 all ratios hold, 1 one does not, 2 wrong usage, 3 there is no answer or nothing was counted.`;

const REQUESTS = 'assessment_monitor_request_duration_seconds_count';
const REFRESHES = 'assessment_monitor_token_refresh_duration_seconds_count';
const ASSESSMENTS = 'assessment_monitor_assessment_duration_seconds_count';
const TIMEOUT_MS = 15_000;

interface Ratio {
  name: string;
  part: string;
  whole: string;
  /** What the part may be of the whole at most, 0 to 1. */
  most: number;
}
/** The thresholds of the alerts in `ops/alerts.yml`. */
const ratios: readonly Ratio[] = [
  {
    name: 'INVALID_TOKEN of all answers',
    part: `${REQUESTS}{outcome="unauthorized"}`,
    whole: `${REQUESTS}{error_type!="no_answer"}`,
    most: 0.01,
  },
  { name: 'failed token refreshes', part: `${REFRESHES}{outcome!="refreshed"}`, whole: REFRESHES, most: 0.05 },
  {
    name: 'failed assessments',
    part: `${ASSESSMENTS}{outcome="failed"}`,
    whole: `${ASSESSMENTS}{outcome=~"completed|failed"}`,
    most: 0.05,
  },
];

interface Measured {
  name: string;
  part: number;
  whole: number;
  /** Null where nothing was counted. */
  share: number | null;
  most: number;
  holds: boolean;
}

const options = {
  prometheus: { type: 'string' },
  over: { type: 'string', default: '1h' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

/** `assessment-monitor health`. */
export const run: RunCommand = async (args, { say, tell, signal }) => {
  let values: ReturnType<typeof parseArgs<{ options: typeof options }>>['values'];
  try {
    ({ values } = parseArgs({ args, options }));
    if (!values.help && !values.prometheus) throw new Error('--prometheus URL is missing');
    if (!/^\d+[smhdw]$/.test(values.over)) throw new Error(`--over: 15m, 1h or 24h, not ${values.over}`);
  } catch (error) {
    tell(`${messageOf(error)}\n\n${HELP}\n`);
    return exit.usage;
  }
  if (values.help) {
    say(HELP);
    return exit.good;
  }
  const { prometheus = '', over } = values;
  try {
    const measured: Measured[] = [];
    for (const { name, part, whole, most } of ratios) {
      const [some, all] = await Promise.all([part, whole].map((it) => ask(prometheus, it, over, signal)));
      const share = all ? (some ?? 0) / all : null;
      measured.push({ name, part: some ?? 0, whole: all ?? 0, share, most, holds: share === null || share <= most });
    }
    const isCounted = measured.some(({ whole }) => whole > 0);
    const holds = measured.every((it) => it.holds);
    const report = { ok: isCounted && holds, over, ratios: measured };
    if (values.json) say(JSON.stringify(report));
    else for (const it of measured) say(lineOf(it));
    if (!isCounted) tell(`Nothing was counted in the last ${over}: is Prometheus scraping the collector?\n`);
    return isCounted ? (holds ? exit.good : exit.bad) : exit.unknown;
  } catch (error) {
    if (signal.aborted) return exit.cancelled;
    tell(`Prometheus gives no answer: ${messageOf(error)}\n`);
    return exit.unknown;
  }
};

const percent = (share: number): string => `${(share * 100).toFixed(2)} %`;

function lineOf({ name, part, whole, share, most, holds }: Measured): string {
  if (share === null) return `–    ${name}: none was counted`;
  const numbers = `${Math.round(part)} of ${Math.round(whole)}`;
  return `${holds ? 'ok  ' : 'BAD '} ${name}: ${percent(share)} (${numbers}; at most ${percent(most)})`;
}

/** The increase of a counter over the window, all series together. */
async function ask(prometheus: string, series: string, over: string, signal: AbortSignal): Promise<number> {
  const query = new URLSearchParams({ query: `sum(increase(${series}[${over}]))` });
  const response = await fetch(`${prometheus.replace(/\/+$/, '')}/api/v1/query?${query.toString()}`, {
    signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
  });
  if (!response.ok) throw new Error(`status ${response.status}`);
  const body = (await response.json()) as { data?: { result?: { value?: [number, string] }[] } };
  const value = Number(body.data?.result?.[0]?.value?.[1] ?? 0);
  return Number.isFinite(value) ? value : 0;
}
