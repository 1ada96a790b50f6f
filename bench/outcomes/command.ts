import { parseArgs } from 'node:util';
import { outcomesTables, shortcomings } from './report.ts';
import { runOutcomes } from './run-outcomes.ts';
import { healths, usualShares } from './world.ts';

/** `bench -- outcomes`. @returns the exit code */
export async function outcomesCommand(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      json: { type: 'boolean' },
      worlds: { type: 'string', default: '1000' },
      seed: { type: 'string', default: '1' },
      health: { type: 'string', default: 'honest' },
      outages: { type: 'string', default: String(usualShares.authOutage) },
    },
  });
  const [worlds, seed, authOutage] = [values.worlds, values.seed, values.outages].map(Number) as [
    number,
    number,
    number,
  ];
  if (!Number.isInteger(worlds) || worlds < 1 || !Number.isInteger(seed) || !(authOutage >= 0 && authOutage <= 1)) {
    throw new Error('--worlds is a number from 1 on, --seed a whole number, --outages a share from 0 to 1');
  }
  const health = healths.find((it) => it === values.health);
  if (health === undefined) throw new Error(`--health is one of ${healths.join(', ')}`);
  const report = await runOutcomes({
    worlds,
    seed,
    shares: { ...usualShares, authOutage },
    health,
    onProgress: (line) => process.stderr.write(`${line}\n`),
  });
  const lines = shortcomings(report);
  if (values.json) process.stdout.write(`${JSON.stringify(report)}\n`);
  else for (const { name, table } of outcomesTables(report)) process.stdout.write(`${name}\n${table.join('\n')}\n\n`);
  const say = values.json ? process.stderr : process.stdout;
  say.write(lines.length === 0 ? 'Ours is ahead everywhere.\n' : `${lines.join('\n')}\n`);
  return lines.length === 0 ? 0 : 1;
}
