/* What the dashboard shows: a title, the unit, and one expression for each line of a panel. */

export interface Panel {
  title: string;
  unit: 'percentunit' | 's' | 'reqps';
  lines: readonly { legend: string; expr: string }[];
}

const requests = 'assessment_monitor_request_duration_seconds';
const refreshes = 'assessment_monitor_token_refresh_duration_seconds';
const assessments = 'assessment_monitor_assessment_duration_seconds';
const answered = `${requests}_count{error_type!="no_answer"}`;
const rate = (series: string, window = '10m'): string => `sum(rate(${series}[${window}]))`;
const share = (part: string, whole: string): string => `${rate(part)} / ${rate(whole)}`;
const quantile = (q: number, series: string, by = ''): string =>
  `histogram_quantile(${q}, sum by (le${by}) (rate(${series}_bucket[10m])))`;
/** Of the assessments that took up to so many seconds, and more than so many. */
const successBetween = (from: number, to: number): string => {
  const ended = (outcome: string, le: number) =>
    le === 0 ? '0' : `sum(increase(${assessments}_bucket{outcome=~"${outcome}",le="${le}"}[1h]))`;
  const between = (outcome: string) => `(${ended(outcome, to)} - ${ended(outcome, from)})`;
  return `${between('completed')} / ${between('completed|failed')}`;
};

export const panels: readonly Panel[] = [
  {
    title: 'INVALID_TOKEN, share of answers (alert: 1 %)',
    unit: 'percentunit',
    lines: [{ legend: 'share', expr: share(`${requests}_count{outcome="unauthorized"}`, answered) }],
  },
  {
    title: 'INVALID_TOKEN by cause',
    unit: 'reqps',
    lines: [
      {
        legend: '{{error_type}}',
        expr: `sum by (error_type) (rate(${requests}_count{outcome="unauthorized"}[10m]))`,
      },
    ],
  },
  {
    title: 'Token refresh success (alert: below 95 %)',
    unit: 'percentunit',
    lines: [{ legend: 'refreshed', expr: share(`${refreshes}_count{outcome="refreshed"}`, `${refreshes}_count`) }],
  },
  {
    title: 'Average monitoring duration',
    unit: 's',
    lines: [
      {
        legend: 'completed',
        expr: share(`${assessments}_sum{outcome="completed"}`, `${assessments}_count{outcome="completed"}`),
      },
    ],
  },
  {
    title: 'Success of short, medium and long assessments',
    unit: 'percentunit',
    lines: [
      { legend: 'under 2 min', expr: successBetween(0, 120) },
      { legend: '2 to 4 min', expr: successBetween(120, 240) },
      { legend: '4 to 6 min', expr: successBetween(240, 360) },
    ],
  },
  {
    title: 'Calls of the API, 95th percentile by route',
    unit: 's',
    lines: [{ legend: '{{route}}', expr: quantile(0.95, requests, ', route') }],
  },
  {
    title: 'Answers by outcome',
    unit: 'reqps',
    lines: [{ legend: '{{outcome}}', expr: `sum by (outcome) (rate(${requests}_count[10m]))` }],
  },
  {
    title: 'Failed assessments by code',
    unit: 'reqps',
    lines: [
      { legend: '{{error_type}}', expr: `sum by (error_type) (rate(${assessments}_count{outcome="failed"}[1h]))` },
    ],
  },
];
