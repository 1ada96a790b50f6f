import { overheadAsBuilt, overheadTable } from '../overhead/command.ts';
import { overheadShortcomings } from '../overhead/run-overhead.ts';
import type { Section } from './section.ts';

const MONITORS = [1, 100, 1_000];

/** What it costs to watch a job. */
export const overheadSection: Section = async () => {
  const report = await overheadAsBuilt(MONITORS);
  const lines = overheadShortcomings(report);
  return [
    '## Overhead: what it costs to watch',
    '',
    `\`npm run --silent bench -- overhead --monitors ${MONITORS.join(',')}\``,
    '',
    'So many assessments of 5.5 minutes side by side, in virtual time and in one process, each in a browser of its own, with tokens that live 5',
    'minutes. CPU time is measured from the submission to the result, and heap in mid-job after a collection; both hold the world around',
    'the client, which is the same for everybody. **A loop** is the least that can be done: it retries nothing, keeps nothing for a',
    'reload, and with a socket it asks nothing until the socket speaks.',
    '',
    ...overheadTable(report),
    '',
    ...(lines.length === 0
      ? ['Ours costs no more than what one would assemble.']
      : ['Where ours costs more than what one would assemble:', '', ...lines.map((line) => `- ${line}`)]),
    '',
    'A page has one client, which holds one machine for all its assessments; here every assessment brings a client and a machine of its own. Without a',
    'socket ours asks every 2 s at first and every 10 s after 45 s, where the assembled stack asks every 10 s from the beginning.',
    '',
  ];
};
