import { parseArgs } from 'node:util';
import { callAsBuilt } from '../as-built.ts';
import type { Cost } from './play-overhead.ts';
import {
  type measureOverhead,
  modes,
  type OverheadPlan,
  type OverheadReport,
  overheadShortcomings,
  pages,
  rivals,
} from './run-overhead.ts';
import { attachments } from './telemetry.ts';

export const overheadAsBuilt = (plan: OverheadPlan): Promise<OverheadReport> =>
  callAsBuilt<typeof measureOverhead>('overhead/run-overhead.ts', 'measureOverhead', plan);

/** `bench -- overhead`. @returns the exit code */
export async function overheadCommand(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      json: { type: 'boolean' },
      monitors: { type: 'string', default: '1,100,1000' },
      assessments: { type: 'string', default: '1,10,100' },
      rounds: { type: 'string', default: '15' },
    },
  });
  const [monitors, assessments] = [wholeNumbers(values.monitors), wholeNumbers(values.assessments)];
  const rounds = Number(values.rounds);
  if (!monitors || !assessments || !Number.isInteger(rounds) || rounds < 0) {
    throw new Error(
      '--monitors and --assessments are whole numbers from 1 on, with commas between them; --rounds is one, 0 for none',
    );
  }
  const report = await overheadAsBuilt({ monitors, assessments, rounds });
  if (values.json) process.stdout.write(`${JSON.stringify(report)}\n`);
  else {
    const tables = [overheadTable(report), oneClientTable(report), telemetryTable(report)];
    process.stdout.write(`${tables.map((lines) => lines.join('\n')).join('\n\n')}\n`);
  }
  const lines = overheadShortcomings(report);
  const say = values.json ? process.stderr : process.stdout;
  say.write(lines.length === 0 ? 'Ours costs no more than what one would assemble.\n' : `${lines.join('\n')}\n`);
  return lines.length === 0 ? 0 : 1;
}

/** From a list such as `1,10,100`; undefined where it is none. An empty list measures nothing. */
function wholeNumbers(list: string): number[] | undefined {
  const numbers = list === '' ? [] : list.split(',').map(Number);
  return numbers.every((it) => Number.isInteger(it) && it > 0) ? numbers : undefined;
}

const figures = (it: Cost) => [
  it.cpuMsPerAssessment.toFixed(2),
  it.cpuMsPerRequest.toFixed(2),
  (it.heapPerMonitor / 1_000).toFixed(1),
  it.requestsPerAssessment.toFixed(1),
];
const table = (headings: readonly string[], rows: readonly (readonly (string | number)[])[]): string[] => [
  `| ${headings.join(' | ')} |`,
  `| ${headings.map((_, index) => (index < 2 ? '---' : '---:')).join(' | ')} |`,
  ...rows.map((cells) => `| ${cells.join(' | ')} |`),
];
const measured = [
  'CPU, ms an assessment',
  'CPU, ms a request',
  'heap, kB a monitor',
  'requests an assessment',
] as const;

type Measured = OverheadReport['costs' | 'oneClient'];
const costTable = (counted: string, costs: Measured, titleOf: (name: string) => string): string[] =>
  table(
    ['mode', 'who', counted, ...measured],
    modes.flatMap((mode) =>
      Object.entries(costs[mode]).flatMap(([name, those]) =>
        those.map((it) => [mode, titleOf(name), it.monitors, ...figures(it)]),
      ),
    ),
  );

/** A client for each assessment, in Markdown. */
export const overheadTable = ({ costs }: OverheadReport): string[] =>
  costTable('monitors', costs, (name) => rivals[name as keyof typeof rivals].title);

/** One client for all assessments, in Markdown. */
export const oneClientTable = ({ oneClient }: OverheadReport): string[] =>
  costTable('assessments', oneClient, (name) => pages[name as keyof typeof pages].title);

/** One client with something that hears its events, in Markdown. */
export const telemetryTable = ({ telemetry }: OverheadReport): string[] =>
  table(
    ['mode', 'attached', 'assessments', ...measured, 'CPU beside nothing attached', 'share of what is attached'],
    modes.flatMap((mode) =>
      Object.entries(telemetry[mode]).flatMap(([name, those]) =>
        those.map((it) => [
          mode,
          name === 'nothing' ? name : attachments[name as keyof typeof attachments].title,
          it.monitors,
          ...figures(it),
          `${it.cpuRatio.toFixed(2)} x`,
          `${(100 * it.addedShare).toFixed(1)} %`,
        ]),
      ),
    ),
  );
