import { latencyAsBuilt } from '../latency/command.ts';
import type { Section } from './command.ts';

const ROUNDS = 200;

/** From done on the server to the result in hand. */
export const latencySection: Section = async () => {
  const { bare, ours, ratio } = await latencyAsBuilt(ROUNDS);
  const row = (title: string, { median, p95 }: typeof bare) =>
    `| ${title} | ${median.toFixed(2)} | ${p95.toFixed(2)} |`;
  return [
    '## Latency: from done on the server to the result in hand',
    '',
    `\`npm run --silent bench -- latency --rounds ${ROUNDS}\``,
    '',
    'For real, over loopback with real sockets, server and clients in one process. The bare script does nothing but wait for the event and',
    'GET the result: nobody can be faster. The two take turns.',
    '',
    '| who | median, ms | 95th, ms |',
    '| --- | ---: | ---: |',
    row('the bare script', bare),
    row('ours', ours),
    '',
    `Ours takes ${ratio.toFixed(2)} times as long as the bare script.`,
    '',
  ];
};
