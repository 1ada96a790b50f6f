import { type ContestantName, contestants } from '../contestants/index.ts';
import type { Outcome } from './play.ts';
import type { Bound } from './omniscient.ts';
import { quantile } from './quantile.ts';
import type { BucketName, Health } from './world.ts';

/** What one contestant made of the worlds of one bucket. */
export interface Summary {
  /** Share of finished jobs that were shown, of users who are signed in at the end. */
  shown: number;
  invalidTokenShown: number;
  invalidTokenPerRequest: number;
  refreshes: number;
  /** Null where nothing was refreshed. */
  refreshSuccess: number | null;
  submissionsPerAssessment: number;
  requestsPerAssessment: number;
  /** Null where nothing was shown. */
  msDoneToResultMedian: number | null;
  msDoneToResultP99: number | null;
  logouts: number;
  /** Of the worlds with an outage: from the later of done and the end of the outage. Null where nothing was shown. */
  msAfterBothMedian: number | null;
  msAfterBothP99: number | null;
}

export interface OutcomesReport {
  seed: number;
  health: Health;
  /** In each bucket. */
  worlds: number;
  buckets: { name: BucketName; contestants: Record<ContestantName, Summary>; omniscient: Bound }[];
}

export function summarise(outcomes: readonly Outcome[]): Summary {
  const sum = (pick: (outcome: Outcome) => number) => outcomes.reduce((total, outcome) => total + pick(outcome), 0);
  const refreshes = sum((it) => it.refreshes);
  const timesOf = (pick: (outcome: Outcome) => number | null) =>
    outcomes.flatMap((outcome) => pick(outcome) ?? []).toSorted((a, b) => a - b);
  const times = timesOf((it) => it.msDoneToResult);
  const afterBoth = timesOf((it) => it.msAfterBoth);
  return {
    shown: sum((it) => Number(it.shown)) / sum((it) => Number(it.signedIn)),
    invalidTokenShown: sum((it) => Number(it.invalidTokenShown)),
    invalidTokenPerRequest: sum((it) => it.invalidTokenAnswers) / sum((it) => it.requests),
    refreshes,
    refreshSuccess: refreshes === 0 ? null : sum((it) => it.refreshesGranted) / refreshes,
    submissionsPerAssessment: sum((it) => it.submissions) / outcomes.length,
    requestsPerAssessment: sum((it) => it.requests) / outcomes.length,
    msDoneToResultMedian: quantile(times, 0.5),
    msDoneToResultP99: quantile(times, 0.99),
    logouts: sum((it) => it.logouts),
    msAfterBothMedian: quantile(afterBoth, 0.5),
    msAfterBothP99: quantile(afterBoth, 0.99),
  };
}

/** Where ours breaks its promise or is not ahead, one line each. None: everything holds. */
export function shortcomings({ buckets }: OutcomesReport): string[] {
  return buckets.flatMap(({ name, contestants: { ours, ...others } }) => [
    ...brokenPromises(ours).map((line) => `${name}: ours ${line}`),
    ...Object.entries(others).flatMap(([other, its]) =>
      notAhead(ours, its).map((line) => `${name}: ours is not better than "${other}" in ${line}`),
    ),
  ]);
}

function brokenPromises(ours: Summary): string[] {
  return [
    ours.shown < 1 && `shows ${percent(ours.shown)} of the jobs`,
    ours.invalidTokenShown > 0 && `shows INVALID_TOKEN ${ours.invalidTokenShown} times`,
    ours.submissionsPerAssessment !== 1 && `submits ${ours.submissionsPerAssessment} times`,
    ours.invalidTokenPerRequest >= 0.001 && `is answered INVALID_TOKEN in ${percent(ours.invalidTokenPerRequest)}`,
  ].filter((line) => line !== false);
}

/**
 * Where everything is shown there is no more to be had: in success, ours may be level there. Times are those of the jobs that were
 * shown; of a contestant that shows less than 99 in 100, the 99th user waits for ever.
 */
function notAhead(ours: Summary, other: Summary): string[] {
  const median = (its: Summary) => (its.shown < 0.5 ? Infinity : (its.msDoneToResultMedian ?? Infinity));
  const p99 = (its: Summary) => (its.shown < 0.99 ? Infinity : (its.msDoneToResultP99 ?? Infinity));
  return [
    (ours.shown < other.shown || (ours.shown === other.shown && ours.shown < 1)) && 'success',
    ours.requestsPerAssessment >= other.requestsPerAssessment && 'requests',
    median(ours) >= median(other) && 'time to result (median)',
    p99(ours) >= p99(other) && 'time to result (99th)',
  ].filter((line) => line !== false);
}

/** The claims of the old client's owners, which were never measured. */
const claimed: Partial<Record<BucketName, Partial<Record<ContestantName, string>>>> = {
  short: { before: '95 %', after: '98 %' },
  medium: { before: '70 %', after: '97 %' },
  long: { before: '30 %', after: '95 %' },
};

const percent = (share: number, digits = 2) => `${(share * 100).toFixed(digits)} %`;
const seconds = (ms: number | null) => (ms === null ? '–' : `${(ms / 1_000).toFixed(2)} s`);

const columns: [title: string, cell: (its: Summary, bucket: BucketName, name: ContestantName) => string][] = [
  ['claimed', (_, bucket, name) => claimed[bucket]?.[name] ?? '–'],
  ['shown', (its) => percent(its.shown)],
  ['INVALID_TOKEN shown', (its) => String(its.invalidTokenShown)],
  ['… per request', (its) => percent(its.invalidTokenPerRequest, 3)],
  ['refreshes', (its) => String(its.refreshes)],
  ['… granted', (its) => (its.refreshSuccess === null ? '–' : percent(its.refreshSuccess, 1))],
  ['submissions', (its) => its.submissionsPerAssessment.toFixed(3)],
  ['requests', (its) => its.requestsPerAssessment.toFixed(1)],
  ['done to result, median', (its) => seconds(its.msDoneToResultMedian)],
  ['99th', (its) => seconds(its.msDoneToResultP99)],
  ['after both, median', (its) => seconds(its.msAfterBothMedian)],
  ['after both, 99th', (its) => seconds(its.msAfterBothP99)],
  ['logouts', (its) => String(its.logouts)],
];

/** The bound stands under the times alone. */
function boundCell(title: string, { medianMs, p99Ms, afterBothMedianMs, afterBothP99Ms }: Bound): string {
  const times: Record<string, number | null> = {
    'done to result, median': medianMs,
    '99th': p99Ms,
    'after both, median': afterBothMedianMs,
    'after both, 99th': afterBothP99Ms,
  };
  const ms = times[title];
  return ms === undefined ? '' : seconds(ms);
}

/** One Markdown table for each bucket: claimed beside measured. */
export function outcomesTables({ buckets }: OutcomesReport): { name: BucketName; table: string[] }[] {
  const row = (cells: string[]) => `| ${cells.join(' | ')} |`;
  return buckets.map(({ name, contestants: summaries, omniscient }) => ({
    name,
    table: [
      row(['who', ...columns.map(([title]) => title)]),
      row(['---', ...columns.map(() => '---:')]),
      ...(Object.keys(contestants) as ContestantName[]).map((its) =>
        row([its, ...columns.map(([, cell]) => cell(summaries[its], name, its))]),
      ),
      row(['_polite omniscient_', ...columns.map(([title]) => boundCell(title, omniscient))]),
    ],
  }));
}
