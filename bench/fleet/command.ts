import { mkdirSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { plotFault } from './plot.ts';
import { type FleetReport, fleetShortcomings, fleetTables, runFleet } from './report.ts';

export const DEFAULT_CLIENTS = 10_000;
const IMAGES = 'docs/images';

/** `bench -- fleet`: prints the tables and writes the plots. @returns the exit code */
export async function fleetCommand(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      json: { type: 'boolean' },
      clients: { type: 'string', default: String(DEFAULT_CLIENTS) },
      seed: { type: 'string', default: '1' },
    },
  });
  const [clients, seed] = [Number(values.clients), Number(values.seed)];
  if (!Number.isInteger(clients) || clients < 1 || !Number.isInteger(seed)) {
    throw new Error('--clients is a number from 1 on, --seed a whole number');
  }
  const report = await measureFleet(clients, seed);
  const lines = fleetShortcomings(report);
  if (values.json) process.stdout.write(`${JSON.stringify(report)}\n`);
  else for (const { title, table } of fleetTables(report)) process.stdout.write(`${title}\n${table.join('\n')}\n\n`);
  const say = values.json ? process.stderr : process.stdout;
  say.write(lines.length === 0 ? 'Ours keeps its promise.\n' : `${lines.join('\n')}\n`);
  return lines.length === 0 ? 0 : 1;
}

/** Plays everything and writes a plot of each fault. */
export async function measureFleet(clients: number, seed: number): Promise<FleetReport> {
  const { report, runs } = await runFleet(clients, seed, (line) => process.stderr.write(`${line}\n`));
  mkdirSync(IMAGES, { recursive: true });
  for (const { name } of report.faults) {
    if (name !== 'calm') writeFileSync(`${IMAGES}/${plotFile(name)}`, plotFault(name, runs));
  }
  return report;
}

/** Where the plot of a fault lies, in docs/images. */
export const plotFile = (fault: string) =>
  `fleet-${fault.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}.svg`;
