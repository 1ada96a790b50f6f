import { mkdirSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { plotFault } from './plot.ts';
import { type ContestantName, contestants } from '../contestants/index.ts';
import { type FleetOptions, type FleetReport, fleetShortcomings, fleetTables, runFleet } from './report.ts';

export const DEFAULT_CLIENTS = 10_000;
const IMAGES = 'docs/images';

/** `bench -- fleet`: prints the tables, and writes the plots where everybody is played. @returns the exit code */
export async function fleetCommand(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      json: { type: 'boolean' },
      clients: { type: 'string', default: String(DEFAULT_CLIENTS) },
      seed: { type: 'string', default: '1' },
      contestants: { type: 'string' },
      others: { type: 'string' },
    },
  });
  const [clients, seed, otherClients] = [values.clients, values.seed, values.others ?? values.clients].map(Number) as [
    number,
    number,
    number,
  ];
  if (![clients, otherClients].every((it) => Number.isInteger(it) && it > 0) || !Number.isInteger(seed)) {
    throw new Error('--clients and --others are numbers from 1 on, --seed a whole number');
  }
  const others = values.contestants?.split(',') as ContestantName[] | undefined;
  if (others && !others.every((name) => name in contestants)) {
    throw new Error(`--contestants are some of ${Object.keys(contestants).join(',')}`);
  }
  const report = await measureFleet({ clients, seed, otherClients, ...(others && { others }) });
  const lines = fleetShortcomings(report);
  if (values.json) process.stdout.write(`${JSON.stringify(report)}\n`);
  else for (const { title, table } of fleetTables(report)) process.stdout.write(`${title}\n${table.join('\n')}\n\n`);
  const say = values.json ? process.stderr : process.stdout;
  say.write(lines.length === 0 ? 'Ours keeps its promise.\n' : `${lines.join('\n')}\n`);
  return lines.length === 0 ? 0 : 1;
}

/** Plays everything and writes a plot of each fault. */
export async function measureFleet(options: FleetOptions): Promise<FleetReport> {
  const { report, runs } = await runFleet({ onProgress: (line) => process.stderr.write(`${line}\n`), ...options });
  if (options.others) return report;
  mkdirSync(IMAGES, { recursive: true });
  for (const { name } of report.faults) {
    if (name !== 'calm') writeFileSync(`${IMAGES}/${plotFile(name)}`, plotFault(name, runs));
  }
  return report;
}

/** Where the plot of a fault lies, in docs/images. */
export const plotFile = (fault: string) =>
  `fleet-${fault.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}.svg`;
