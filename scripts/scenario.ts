/*
 * npm run --silent scenario -- NAME [--json]     one story, for real, over loopback
 * npm run --silent scenario -- --all [--json]    all of them, one after the other
 * npm run --silent scenario -- tabs --tabs 8     one with many tabs of a real Chromium; there are four, and `--all` leaves them out
 * npm run --silent scenario -- --list            what there is
 * npm run --silent scenario -- NAME --inspect ws://localhost:4700     is seen in the viewer of `npm run inspect`
 */
import { parseArgs } from 'node:util';
import { createInspector } from 'assessment-monitor/inspect';
import { runStory, type StoryReport } from '../e2e/scenarios/run-story.ts';
import { stories } from '../e2e/scenarios/stories.ts';
import { runTabs, tabsStories, type TabsReport } from '../e2e/tabs/run-tabs.ts';
import { CHROMIUM_VARIABLE, ensureChromium } from '../e2e/chromium.ts';

const usage = 'usage: npm run --silent scenario -- NAME [--json] [--tabs N] | --all [--json] | --list';

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        json: { type: 'boolean' },
        list: { type: 'boolean' },
        all: { type: 'boolean' },
        tabs: { type: 'string', default: '8' },
        inspect: { type: 'string' },
      },
    });
  } catch (error) {
    return stop(`${(error as Error).message}\n${usage}`);
  }
}

function stop(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}

function print(report: StoryReport | TabsReport): void {
  const { scenario, timeline, expectations, outcome, ok } = report;
  const lines = timeline.map(({ seconds, text, tone }) => {
    const mark = { plain: ' ', good: '+', trouble: '!' }[tone];
    return `  ${(seconds < 0 ? '' : seconds.toFixed(1)).padStart(5)} s ${mark} ${text}`;
  });
  const checks = Object.entries(expectations).map(([name, met]) => `  ${met ? 'yes' : 'NO '}  ${name}`);
  process.stdout.write(
    `${scenario}: ${outcome}\n${lines.join('\n')}\n\n${checks.join('\n')}\n${ok ? 'as it should be' : 'NOT AS IT SHOULD BE'}\n`,
  );
}

const { values, positionals } = readArguments();
if (values.list) {
  for (const { name, about } of [...stories, ...tabsStories]) process.stdout.write(`${name.padEnd(30)} ${about}\n`);
  process.exit(0);
}
const chosen = values.all ? stories : stories.filter(({ name }) => positionals.includes(name));
const withTabs = tabsStories.filter(({ name }) => !values.all && positionals.includes(name));
const tabs = Number(values.tabs);
if (!Number.isInteger(tabs) || tabs < 2 || tabs > 50) stop(`--tabs is a whole number from 2 to 50\n${usage}`);
const count = chosen.length + withTabs.length;
if (count === 0 || (!values.all && count !== positionals.length)) {
  stop(`no such scenario: ${positionals.join(', ') || '(none named)'}\n${usage}`);
}
const inspector = values.inspect === undefined ? undefined : createInspector({ url: values.inspect, enabled: true });
const reports: (StoryReport | TabsReport)[] = [];
for (const story of chosen) {
  const report = await runStory(story, inspector?.inspect);
  reports.push(report);
  if (!values.json) print(report);
}
for (const story of withTabs) {
  process.env[CHROMIUM_VARIABLE] = ensureChromium();
  const report = await runTabs(story, tabs);
  reports.push(report);
  if (!values.json) print(report);
}
if (values.json) process.stdout.write(`${JSON.stringify(reports.length === 1 ? reports[0] : reports)}\n`);
process.exitCode = reports.every(({ ok }) => ok) ? 0 : 1;
inspector?.stop();
// Stopped or not, it keeps looking for a viewer that is not there.
setTimeout(() => process.exit(), 500).unref();
