import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { format } from 'oxfmt';
import { DEFAULT_CLIENTS } from '../fleet/command.ts';
import { durableSection } from './durable-section.ts';
import { fleetSection } from './fleet-section.ts';
import { latencySection } from './latency-section.ts';
import { outcomesSection } from './outcomes-section.ts';
import { overheadSection } from './overhead-section.ts';
import type { Section } from './section.ts';
import { sizeSection } from './size-section.ts';

const FILE = 'docs/benchmarks.md';
/** In the order of the document, by the first word of their headings. */
const sections: Readonly<Record<string, Section>> = {
  outcomes: outcomesSection,
  fleet: fleetSection,
  overhead: overheadSection,
  latency: latencySection,
  size: sizeSection,
  durable: durableSection,
};

/**
 * `bench -- docs`: measures, and writes the document with its plots. With `--only fleet,size` it measures these sections and keeps the
 * others as they are.
 *
 * @returns the exit code
 */
export async function docsCommand(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      worlds: { type: 'string', default: '10000' },
      clients: { type: 'string', default: String(DEFAULT_CLIENTS) },
      others: { type: 'string' },
      seed: { type: 'string', default: '1' },
      only: { type: 'string', default: Object.keys(sections).join(',') },
    },
  });
  const only = new Set(values.only.split(','));
  if (![...only].every((name) => Object.hasOwn(sections, name))) {
    throw new Error(`--only takes a list of ${Object.keys(sections).join(', ')}`);
  }
  const clients = Number(values.clients);
  const others = Number(values.others ?? clients);
  const options = { worlds: Number(values.worlds), clients, others, seed: Number(values.seed) };
  if (Object.values(options).some((it) => !Number.isInteger(it) || it < 1)) throw new Error('whole numbers from 1 on');
  const written = writtenSections();
  const lines = introduction();
  for (const [name, section] of Object.entries(sections)) {
    if (only.has(name)) {
      const [heading = '', ...rest] = await section(options);
      lines.push(heading, '', measuredOn(), ...rest);
    } else lines.push(written.get(name) ?? '');
  }
  const { code } = await format(FILE, lines.join('\n'), { printWidth: 120 });
  writeFileSync(FILE, code);
  process.stderr.write(`wrote ${FILE}\n`);
  return 0;
}

/** The sections of the document as it is. */
function writtenSections(): Map<string, string> {
  const document = existsSync(FILE) ? readFileSync(FILE, 'utf8') : '';
  const parts = document.split(/^(?=## )/m).slice(1);
  return new Map(parts.map((part) => [/^## (\w+)/.exec(part)?.[1]?.toLowerCase() ?? '', part]));
}

const measuredOn = (): string =>
  `_Measured ${new Date().toISOString().slice(0, 10)} with Node ${process.versions.node} on ${cpus().length} cores of ${cpus()[0]?.model.trim()}._`;

const compared = [
  '@tanstack/query-core',
  'axios',
  'axios-auth-refresh',
  'socket.io-client',
  '@azure/core-lro',
  '@azure/core-rest-pipeline',
  'xstate',
  '@xstate/react',
  'rxjs',
  'zod',
  'jose',
];

function introduction(): string[] {
  const version = (name: string) =>
    (JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')) as { version: string }).version;
  return [
    '# Benchmarks',
    '',
    '<!-- written by "npm run --silent bench -- docs": do not edit -->',
    '',
    `With ${compared.map((name) => `${name} ${version(name)}`).join(', ')}.`,
    '',
    'Who takes part, each a small file in `bench/contestants` that names the pages of documentation which it follows:',
    '',
    '- **before**: the old client as its owners describe it. It reads its token from the storage for each call, and never refreshes it.',
    '- **after**: the old client with its repair: `ensureValidToken` before each poll, within the limits of that client.',
    '- **assembled**: TanStack Query, axios, axios-auth-refresh and socket.io-client, wired as their documentation says.',
    "- **coreLro**: the Azure SDK's poller with its bearer token policy.",
    '- **ours**: this package with every option at its default.',
    '',
  ];
}
