import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Section } from './section.ts';

const EXAMPLE = fileURLToPath(new URL('../../examples/durable-dbos', import.meta.url));

interface Cost {
  rssMB: number;
  heapMB: number;
  processMB: number;
}

/** What a durable watch costs while it sleeps. Needs PostgreSQL on this machine. */
export const durableSection: Section = async () => {
  const printed = execFileSync('npm', ['run', '--silent', 'measure'], { cwd: EXAMPLE, encoding: 'utf8' });
  const { watches, dbos, loop } = JSON.parse(printed) as { watches: number; dbos: Cost; loop: Cost };
  const row = (name: string, { rssMB, heapMB, processMB }: Cost, kept: string) =>
    `| ${name} | ${rssMB} | ${heapMB} | ${processMB} | ${kept} |`;
  return [
    '## Durable: what a sleeping watch costs',
    '',
    '`npm run --silent measure`, in `examples/durable-dbos`',
    '',
    `${watches.toLocaleString('en')} watches of jobs that run, all of them asleep until their next status call, in one process: the growth of its resident memory`,
    'and of its heap after a collection, and the resident memory of the whole process. **A bare loop** polls with a timer: it knows neither a',
    'deadline nor a refused token, and loses every job with its process.',
    '',
    '| who | resident, MB | heap, MB | the process, MB | survives its process |',
    '| --- | ---: | ---: | ---: | --- |',
    row('`watchDurably` on DBOS', dbos, 'yes'),
    row('a bare loop', loop, 'no'),
    '',
  ];
};
