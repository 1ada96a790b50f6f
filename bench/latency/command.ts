import { parseArgs } from 'node:util';
import { callAsBuilt } from '../as-built.ts';
import type { LatencyReport, measureLatency } from './measure-latency.ts';

export const latencyAsBuilt = (rounds: number): Promise<LatencyReport> =>
  callAsBuilt<typeof measureLatency>('latency/measure-latency.ts', 'measureLatency', rounds);

/** `bench -- latency`. @returns the exit code */
export async function latencyCommand(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: { json: { type: 'boolean' }, rounds: { type: 'string', default: '200' } },
  });
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds is a number from 1 on');
  const report = await latencyAsBuilt(rounds);
  if (values.json) process.stdout.write(`${JSON.stringify(report)}\n`);
  else {
    const line = (name: string, { median, p95 }: { median: number; p95: number }) =>
      `${name.padEnd(12)} median ${median.toFixed(2).padStart(7)} ms   95th ${p95.toFixed(2).padStart(7)} ms\n`;
    process.stdout.write(`From done on the server to the result in hand, ${rounds} rounds\n`);
    process.stdout.write(line('bare script', report.bare) + line('ours', report.ours));
    process.stdout.write(`ours takes ${report.ratio.toFixed(2)} times as long as the bare script\n`);
  }
  // The promise of the WebSocket path.
  return report.ratio <= 1.5 ? 0 : 1;
}
