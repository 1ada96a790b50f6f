import { parseArgs } from 'node:util';
import { callAsBuilt } from '../as-built.ts';
import {
  type measureOverhead,
  modes,
  type OverheadReport,
  overheadShortcomings,
  type RivalName,
  rivals,
} from './run-overhead.ts';

/** @param monitors numbers of monitors side by side */
export const overheadAsBuilt = (monitors: number[]): Promise<OverheadReport> =>
  callAsBuilt<typeof measureOverhead>('overhead/run-overhead.ts', 'measureOverhead', monitors);

/** `bench -- overhead`. @returns the exit code */
export async function overheadCommand(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: { json: { type: 'boolean' }, monitors: { type: 'string', default: '1,100,1000' } },
  });
  const monitors = values.monitors.split(',').map(Number);
  if (!monitors.every((it) => Number.isInteger(it) && it > 0)) {
    throw new Error('--monitors are whole numbers from 1 on, with commas between them');
  }
  const report = await overheadAsBuilt(monitors);
  if (values.json) process.stdout.write(`${JSON.stringify(report)}\n`);
  else process.stdout.write(`${overheadTable(report).join('\n')}\n`);
  const lines = overheadShortcomings(report);
  const say = values.json ? process.stderr : process.stdout;
  say.write(lines.length === 0 ? 'Ours costs no more than what one would assemble.\n' : `${lines.join('\n')}\n`);
  return lines.length === 0 ? 0 : 1;
}

/** In Markdown. */
export function overheadTable({ costs }: OverheadReport): string[] {
  const rows = modes.flatMap((mode) =>
    (Object.keys(rivals) as RivalName[]).flatMap((name) =>
      costs[mode][name].map(
        (it) =>
          `| ${mode} | ${rivals[name].title} | ${it.monitors} | ${it.cpuMsPerAssessment.toFixed(2)} | ${(it.heapPerMonitor / 1_000).toFixed(1)} | ${it.requestsPerAssessment.toFixed(1)} |`,
      ),
    ),
  );
  return [
    '| mode | who | monitors | CPU, ms an assessment | heap, kB a monitor | requests an assessment |',
    '| --- | --- | ---: | ---: | ---: | ---: |',
    ...rows,
  ];
}
