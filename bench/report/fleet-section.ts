import { measureFleet, plotFile } from '../fleet/command.ts';
import { fleetShortcomings, fleetTables } from '../fleet/report.ts';
import type { Section } from './section.ts';

/** What clients do to the server that they share. */
export const fleetSection: Section = async ({ clients, others, seed }) => {
  const report = await measureFleet({ clients, otherClients: others, seed });
  const lines = fleetShortcomings(report);
  return [
    '## Fleet: what it does to the server',
    '',
    `\`npm run --silent bench -- fleet --clients ${clients} --others ${others} --seed ${seed}\``,
    '',
    `${clients.toLocaleString('en')} browsers of ours and ${others.toLocaleString('en')} of each other contestant, in virtual time, one user and one job each, and one server for all`,
    'of them; rates are put in terms of 100,000 clients. They come within the first minute; three minutes after the beginning something happens to',
    'all of them at once; it ends after ten minutes, when the old client gives up whatever happens. Tokens live 5 minutes and are of any age,',
    'nothing else gets lost, and no job is done before the end.',
    '',
    '**steady** is the mean of the same fleet when nothing happens, **mean** and **peak** are of the seconds from the fault on; the peak is that of the',
    'worst single second, so that on a route with few requests chance alone makes a peak: the first table says how much. A client is **served**',
    'when a status call of its own was answered after the fault was over; it is **lost** when its page has given up or asks for a sign-in at the end.',
    'Connections are attempts to open a socket; in the steady state there are none: their peak after the fault is held against the mean of the',
    '75 s that follow it, the time in which a fleet should be back.',
    '',
    ...fleetTables(report).flatMap(({ name, title, table }) => [
      `### ${title.charAt(0).toUpperCase()}${title.slice(1)}`,
      '',
      ...table,
      '',
      ...(name === 'calm' ? [] : [`![Requests per second: ${title}](images/${plotFile(name)})`, '']),
    ]),
    ...(lines.length === 0
      ? ['Ours keeps its promise: no peak above 3 x the steady state, and everybody is served within 2 minutes.']
      : ['Where ours breaks its promise:', '', ...lines.map((line) => `- ${line}`)]),
    '',
    'Not measured: what the requests cost the server, queues that make answers slower, and browsers that throttle timers of hidden tabs.',
    '',
  ];
};
