/*
 * npm run --silent parity            plays every case and writes docs/parity.md
 * npm run --silent parity -- --json  plays every case and prints what came of it, on one line
 *
 * Ends with 0 only if no user is worse off than with the client before, and none is left without a result that the server has.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type ParityCase, parityCases } from '../e2e/scenarios/parity.ts';
import { runStory, type StoryReport } from '../e2e/scenarios/run-story.ts';

type Played = { played: ParityCase; report: StoryReport };

const { values } = parseArgs({ options: { json: { type: 'boolean' } } });
const rows: Played[] = [];
// One after the other: side by side they would disturb each other's times.
for (const played of parityCases) {
  process.stderr.write(`${played.happens}\n`);
  rows.push({ played, report: await runStory(played.story) });
}

/** The server had a result, and the user was not shown it. */
const isWithoutResult = ({ report }: Played) => report.outcome !== 'completed' && report.serverHasResult;
const isWorse = ({ played, report }: Played) => !report.ok || (played.wasShown && report.outcome !== 'completed');
const worse = rows.filter(isWorse).map(({ played }) => played.happens);
const withoutResult = rows.filter(isWithoutResult).map(({ played }) => played.happens);

if (values.json) {
  const cases = rows.map(
    ({ played: { happens, after, ours }, report: { ok, outcome, server, msFromServerDoneToResult } }) => ({
      happens,
      before: after,
      ours,
      ok,
      outcome,
      refreshCalls: server.refreshCalls,
      refusedCalls: server.unauthorizedAnswers,
      msFromServerDoneToResult,
    }),
  );
  process.stdout.write(`${JSON.stringify({ cases: rows.length, worse, withoutResult, rows: cases })}\n`);
} else {
  writeFileSync(new URL('../docs/parity.md', import.meta.url), document(rows));
  process.stdout.write(`docs/parity.md: ${rows.length} cases, ${worse.length} worse than before\n`);
}
process.exitCode = worse.length + withoutResult.length === 0 ? 0 : 1;

function document(all: readonly Played[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const body = all.map(({ played, report }) => {
    const seconds = Math.ceil((report.msFromServerDoneToResult ?? 0) / 1_000);
    const delay = report.msFromServerDoneToResult === null ? '–' : `under ${seconds} s`;
    const { refreshCalls, unauthorizedAnswers } = report.server;
    const verdict = isWorse({ played, report }) ? '**worse**' : played.wasShown ? 'as good or better' : 'better';
    const { happens, before, after, ours } = played;
    return line([
      happens,
      before,
      after,
      ours,
      report.outcome,
      `${refreshCalls} / ${unauthorizedAnswers}`,
      delay,
      verdict,
    ]);
  });
  const head = [
    'what happens',
    'the old client',
    '… after its repair',
    'ours',
    'phase',
    'refresh / refused calls',
    'done to shown',
    'verdict',
  ];
  return `# Beside the client before

What was measured of the client that this package replaces, with a scripted clock and its own code, and what ours does with the
same case: played for real over loopback against the reference backend, seconds scaled down. Written by \`npm run --silent parity\`;
each row is a story in \`e2e/scenarios/parity.ts\` and a test in \`test/e2e/parity.test.ts\`.

"Done to shown" is the time from the end of the job on the server to the result on the page.

${[line(head), line(head.map(() => '---')), ...body].join('\n')}
`;
}
