import { latencyAsBuilt, latencyShortcomings, latencyTable } from '../latency/command.ts';
import type { Section } from './section.ts';

const ROUNDS = 500;

/** From done on the server to the result in hand. */
export const latencySection: Section = async () => {
  const report = await latencyAsBuilt(ROUNDS);
  const lines = latencyShortcomings(report);
  return [
    '## Latency: from done on the server to the result in hand',
    '',
    `\`npm run --silent bench -- latency --rounds ${ROUNDS}\``,
    '',
    'For real, over loopback with real sockets, the server in a thread of its own. The bare script does nothing but wait for the event and',
    'GET the result: no client can be faster. It, ours and the assembled stack take turns. Those who find out by asking wait side by side for',
    'the same moment, 20 of each, submitted over ten seconds and done a minute later: the old client, which cannot match the events of its',
    'socket, before and after its repair; the Azure poller; and ours where sockets are blocked.',
    '',
    ...latencyTable(report),
    '',
    `Ours takes ${report.ratio.toFixed(2)} times as long as the bare script: the answer is checked, and a chart decides what it means.`,
    '',
    ...lines.map((line) => `- ${line}`),
    '',
  ];
};
