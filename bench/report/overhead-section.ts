import { oneClientTable, overheadAsBuilt, overheadTable, telemetryTable } from '../overhead/command.ts';
import { overheadShortcomings } from '../overhead/run-overhead.ts';
import type { Section } from './section.ts';

const MONITORS = [1, 100];
const ASSESSMENTS = [1, 10, 100];
const ROUNDS = 6;

/** What it costs to watch a job. */
export const overheadSection: Section = async () => {
  const report = await overheadAsBuilt({ monitors: MONITORS, assessments: ASSESSMENTS, rounds: ROUNDS });
  const lines = overheadShortcomings(report);
  return [
    '## Overhead: what it costs to watch',
    '',
    `\`npm run --silent bench -- overhead --monitors ${MONITORS.join(',')} --assessments ${ASSESSMENTS.join(',')} --rounds ${ROUNDS}\``,
    '',
    'So many assessments of 5.5 minutes side by side, in virtual time and in one process, with tokens that live 5 minutes. CPU time is measured',
    'from the submission to the result, the median of the runs; heap is the most of all runs, in mid-job after a collection, so rows of one',
    'assessment are high. Both hold the world around the client, which is the same for everybody. All of them',
    'take turns, so compare rows of one table; milliseconds depend on the machine and on its other work.',
    '',
    '### In a page: one client for all assessments',
    '',
    'This is what an application has: one page, one client, one session, one connection, and all assessments of the user in it. The row with one',
    'assessment bears the whole price of a client. With more of them, the client, its socket and its refreshes are shared.',
    '',
    ...oneClientTable(report),
    '',
    '### A client each',
    '',
    'Each assessment in a browser of its own, with a client, a machine and a session of its own: what many users cost in one process, such as a',
    'test or a server, and the upper bound for a page. **A loop** is the least that can be done: it watches one job, retries nothing, keeps',
    'nothing for a reload, and with a socket it asks nothing until the socket speaks.',
    '',
    ...overheadTable(report),
    '',
    '### With telemetry attached',
    '',
    'The page of the first table, with nothing on `onEvent`, with `toMeter` over the SDK of OpenTelemetry that exports once a minute, and with',
    '`toBeacon` in a page that is hidden once a minute. The last column is the time within what is attached, its setup and its exports included,',
    'beside the time of everything else in the same run: it holds on a busy machine too. Where nothing is attached, nothing is called.',
    '',
    ...telemetryTable(report),
    '',
    ...(lines.length === 0
      ? ['Ours costs no more than what one would assemble.']
      : ['Where ours costs more than what one would assemble:', '', ...lines.map((line) => `- ${line}`)]),
    '',
    'Without a socket ours asks every 2 s at first and every 10 s after 45 s, where the assembled stack asks every 10 s from the beginning. A request',
    'of ours costs more than one of the assembled stack: the answer is checked, and a chart decides what it means.',
    '',
  ];
};
