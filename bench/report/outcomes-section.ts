import { outcomesTables, shortcomings } from '../outcomes/report.ts';
import { runOutcomes } from '../outcomes/run-outcomes.ts';
import { usualShares } from '../outcomes/world.ts';
import type { Section } from './section.ts';

const titles = {
  short: 'Short: 0 to 2 minutes',
  medium: 'Medium: 2 to 4 minutes',
  long: 'Long: 4 to 6 minutes',
  longest: 'Longest: 6 to 10 minutes',
};
/** An outage in every world needs fewer worlds to be seen. */
const FEWER = 2;

/** What becomes of an assessment. */
export const outcomesSection: Section = async ({ worlds, seed }) => {
  const onProgress = (line: string) => void process.stderr.write(`${line}\n`);
  const usual = await runOutcomes({ worlds, seed, onProgress });
  const some = Math.max(1, Math.round(worlds / FEWER));
  const outages = await runOutcomes({ worlds: some, seed, shares: { ...usualShares, authOutage: 1 }, onProgress });
  return [
    '## Outcomes: is the result shown?',
    '',
    `\`npm run --silent bench -- outcomes --worlds ${worlds} --seed ${seed}\``,
    '',
    `${worlds.toLocaleString('en')} worlds for each length of a job, in virtual time, the same for everybody. In each, one user submits one`,
    'questionnaire and waits. A request takes 100 to 500 ms there and back; 2 % get lost, half of them on their way there and half on their way',
    'back, and a quarter of those is never answered. Half of the tokens live 5 minutes and half an hour, and their age at the submission is',
    'random. The socket breaks up to twice. The server rotates the refresh token, ends the old access token with it, takes a refresh token that',
    'comes twice for theft, and grants one refresh a minute. In 15 % of the worlds the page is reloaded, in 30 % a second page of the site is open',
    'and asks for the balance once a minute, and in 0.4 % the auth service is down for half a minute to three: it is there 99.9 % of the time.',
    'A user who is asked to sign in does so after 20 s; one whose submission failed presses the button again after 10 s.',
    '',
    ...outcomesTables(usual).flatMap(({ name, table }) => [`### ${titles[name]}`, '', ...table, '']),
    '- **claimed**: what the owners of the old client said of it before and after its repair. Those claims were never measured.',
    '- **shown**: of the jobs that the server finished, for users who are signed in at the end; one that never got submitted counts as not shown. 10 minutes after the job was done is too late.',
    '- **INVALID_TOKEN shown**: assessments that showed their user an error which came from that answer, in whatever words.',
    '- **submissions**: jobs that the server accepted for each assessment. More than one costs the user a credit.',
    '- **requests**: all that reached the server, those of the second page included; connections of sockets are not among them.',
    '- **done to result**: of the jobs that were shown. A contestant that shows few is measured on its lucky few.',
    '- **logouts**: how often a user was asked to sign in. Where the answer to a refresh is lost with its cookie, no client can prevent that.',
    '',
    ...ahead(shortcomings(usual)),
    '',
    '### When the auth service is down',
    '',
    `\`npm run --silent bench -- outcomes --worlds ${some} --seed ${seed} --outages 1\``,
    '',
    'The same with an outage in every world: every token is refused with INVALID_TOKEN, over HTTP and by sockets, and in half of the worlds',
    'nothing is refreshed either.',
    '',
    ...outcomesTables(outages).flatMap(({ name, table }) => [`**${titles[name]}**`, '', ...table, '']),
    ...ahead(shortcomings(outages)),
    '',
    '### What this does not say',
    '',
    '- The faults of the network are drawn as requests come, so that a contestant with more requests meets more of them, but not the same ones.',
    '- The old client is rebuilt from what was measured of it (see [parity](parity.md)), and knows the lifetime of its tokens. Its',
    '  attempts end with the fifth poll, and one lost poll after that ends the assessment: that, more than tokens, is what it fails of here.',
    '- The poller meets a server that it was not made for: in its own world a 401 comes with a challenge, which its policy answers, and a new',
    '  token does not end the old one. It repeats a lost request with the token that the request had, and has no answer to a 401.',
    '- The assembled stack learns that a token has ended from the 401 that says so. Users see nothing of that; the count of INVALID_TOKEN does. It',
    '  polls every 10 s beside its socket. With 45 s, as ours does, its requests come close to ours, and it is slower where the socket is down.',
    '- Sleeping laptops, frozen tabs, wrong clocks and users who sign out are not among these worlds; `verify` plays those with ours alone.',
    '',
  ];
};

function ahead(lines: readonly string[]): string[] {
  if (lines.length === 0)
    return ['Ours keeps its promise and is ahead of everybody in success, requests and time to the result.'];
  return ['Where ours breaks its promise or is not ahead:', '', ...lines.map((line) => `- ${line}`)];
}
