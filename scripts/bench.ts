/* npm run --silent bench -- outcomes | fleet | overhead | latency | docs: one command for each question; see bench/ and docs/benchmarks.md */
import { docsCommand } from '../bench/report/command.ts';
import { fleetCommand } from '../bench/fleet/command.ts';
import { latencyCommand } from '../bench/latency/command.ts';
import { outcomesCommand } from '../bench/outcomes/command.ts';
import { overheadCommand } from '../bench/overhead/command.ts';

const usage = `usage: npm run --silent bench -- outcomes [--worlds N] [--seed S] [--outages SHARE] [--json]
       npm run --silent bench -- fleet [--clients N] [--others N] [--seed S] [--contestants ours,…] [--json]
       npm run --silent bench -- overhead [--monitors N,N,…] [--assessments N,N,…] [--rounds N] [--json]
       npm run --silent bench -- latency [--rounds N] [--json]
       npm run --silent bench -- docs [--worlds N] [--clients N] [--others N] [--only outcomes,fleet,overhead,latency,size]`;

const commands: Record<string, (args: string[]) => Promise<number>> = {
  outcomes: outcomesCommand,
  fleet: fleetCommand,
  overhead: overheadCommand,
  latency: latencyCommand,
  docs: docsCommand,
};

const [name = '', ...args] = process.argv.slice(2);
const command = commands[name];
if (!command) {
  process.stderr.write(`${usage}\n`);
  process.exit(2);
}
try {
  process.exitCode = await command(args);
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n${usage}\n`);
  process.exitCode = 2;
}
