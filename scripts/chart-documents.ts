import { readFileSync } from 'node:fs';
import { assessmentMachine } from '../src/machines/assessment-machine.ts';
import {
  declaredTransitions,
  explore,
  type ModelMap,
  pathsOver,
  stateClass,
  stateName,
  statesOf,
} from '../src/testing/index.ts';
import { toMermaid, toOverview } from './chart-diagrams.ts';

/** The command that updates the documents. */
export const REGENERATE = 'npm run --silent chart';

/** The generated documents of the chart, by path, in a form that a review can compare. */
export function chartDocuments(map: ModelMap = explore(assessmentMachine)): Readonly<Record<string, string>> {
  const diagram = toMermaid(assessmentMachine);
  const chart = [
    '# The chart',
    `Generated from \`src/machines\` by \`${REGENERATE}\`; a test fails when it is out of date. The source gives the reasons.`,
    counts(map),
    '## The diagram',
    `\`\`\`mermaid\n${diagram}\`\`\``,
    '## Every state',
    states(),
    '## Every transition',
    '`done` is the answer of a call, `broken` a defect in it, `after` a timer, and `always` waits for no event. Guards are evaluated from top to bottom.',
    table(),
  ].join('\n\n');
  return {
    'docs/assessment.mmd': diagram,
    'docs/overview.mmd': toOverview(assessmentMachine),
    'docs/chart.md': `${chart}\n`,
    'README.md': withPicture(readFileSync('README.md', 'utf8'), toOverview(assessmentMachine)),
  };
}

/** The README shows the overview between two marks. */
function withPicture(readme: string, overview: string): string {
  return readme.replace(
    /(<!-- chart: [^\n]*-->\n)[\s\S]*(<!-- \/chart -->)/,
    (_, begin: string, end: string) => `${begin}\n\`\`\`mermaid\n${overview}\`\`\`\n\n${end}`,
  );
}

function counts(map: ModelMap): string {
  const vertices = [...map.vertices.values()];
  const steps = vertices.reduce((sum, { edges }) => sum + edges.length, 0);
  const paths = pathsOver(map);
  const rows = [
    ['States in the chart', statesOf(assessmentMachine).length - 1],
    ['Declared transitions, all of them walked', declaredTransitions(assessmentMachine).length],
    ['Reachable states, told apart by everything that a guard reads', vertices.length],
    ['… without ids and counts', new Set(vertices.map(({ snapshot }) => stateClass(snapshot))).size],
    ['Possible steps, each checked against the rules', steps],
    ['Paths walked on live actors', paths.length],
    ['… with this many steps', paths.reduce((sum, { events }) => sum + events.length, 0)],
  ];
  return [
    '| What | How many |',
    '| --- | ---: |',
    ...rows.map(([what, count]) => `| ${what} | ${count?.toLocaleString('en')} |`),
  ].join('\n');
}

function states(): string {
  return statesOf(assessmentMachine)
    .flatMap((node) => (node.description ? [`- \`${stateName(node)}\`: ${node.description}`] : []))
    .join('\n');
}

function table(): string {
  const code = (text: string) => (text ? `\`${text}\`` : '');
  const rows = declaredTransitions(assessmentMachine).map(({ from, event, guard, target, actions }) =>
    [from, event, guard, target, actions.map(code).join(' ')].map((it, column) => (column < 4 ? code(it) : it)),
  );
  return [
    '| from | event | guard | target | actions |',
    '| --- | --- | --- | --- | --- |',
    ...rows.map((cells) => `| ${cells.join(' | ')} |`),
  ].join('\n');
}
