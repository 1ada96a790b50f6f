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
  const lines = latencyShortcomings(report);
  if (values.json) process.stdout.write(`${JSON.stringify(report)}\n`);
  else
    process.stdout.write(
      `${latencyTable(report).join('\n')}\nours takes ${report.ratio.toFixed(2)} times as long as the bare script\n`,
    );
  const say = values.json ? process.stderr : process.stdout;
  say.write(lines.length === 0 ? 'Ours keeps its promise.\n' : `${lines.join('\n')}\n`);
  return lines.length === 0 ? 0 : 1;
}

const MAX_RATIO = 1.2;
/** The GET of the result, on a busy machine. */
const GET_MS = 500;

/** Where ours breaks its promise, one line each. */
export function latencyShortcomings({ ratio, pollers: { oursPolling, longestIntervalMs } }: LatencyReport): string[] {
  return [
    ...(ratio > MAX_RATIO
      ? [`ours takes ${ratio.toFixed(2)} times as long as the bare script, more than ${MAX_RATIO}`]
      : []),
    ...(oursPolling.max > longestIntervalMs + GET_MS
      ? [`without a socket ours took ${seconds(oursPolling.max)}, longer than a poll interval and the GET`]
      : []),
  ];
}

const milliseconds = (ms: number) => `${ms.toFixed(2)} ms`;
const seconds = (ms: number) => `${(ms / 1_000).toFixed(2)} s`;

/** In Markdown. */
export function latencyTable({ bare, ours, assembled, pollers }: LatencyReport): string[] {
  const woken = (who: string, { median, p95 }: typeof bare) =>
    `| ${who} | ${milliseconds(median)} | ${milliseconds(p95)} | |`;
  const polled = (who: string, { median, max }: typeof pollers.before) =>
    `| ${who} | ${seconds(median)} | | ${seconds(max)} |`;
  return [
    '| who | median | 95th | longest |',
    '| --- | ---: | ---: | ---: |',
    woken('the bare script', bare),
    woken('ours', ours),
    woken('assembled', assembled),
    polled('ours without a socket', pollers.oursPolling),
    polled('before', pollers.before),
    polled('after', pollers.after),
    polled('coreLro', pollers.coreLro),
  ];
}
