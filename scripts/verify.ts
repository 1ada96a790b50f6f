/*
 * npm run --silent verify -- [--json] [--worlds N] [--seed S]
 *
 * The four layers of proof in one command: every transition walked on a live actor, the rules held against every state and step
 * that can be reached, random worlds in virtual time, a tenth as many of two users who take turns on one computer, and the golden
 * chart. Exit 1 on any violation.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import fc from 'fast-check';
import { assessmentMachine } from '../src/machines/assessment-machine.ts';
import { declaredTransitions, explore, liveStage, pathsOver, walk } from '../src/testing/index.ts';
import { anyWorld, type AnyWorldOptions } from '../src/testing/worlds/any-world.ts';
import { runWorld } from '../src/testing/worlds/run-world.ts';
import { tellStory } from '../src/testing/worlds/world.ts';
import { type Rule, rules } from '../test/machines/rules.ts';
import { chartDocuments, REGENERATE } from './chart-documents.ts';

interface Invariant {
  name: string;
  /** How many steps, or worlds, it was held against. */
  checked: number;
  violations: number;
}

const USAGE = 'usage: npm run --silent verify -- [--json] [--worlds N] [--seed S]';
const say = (line: string) => process.stderr.write(`${line}\n`);

function readArguments(): { json: boolean; worlds: number; seed: number } {
  try {
    const { values } = parseArgs({
      options: { json: { type: 'boolean' }, worlds: { type: 'string', default: '2000' }, seed: { type: 'string' } },
    });
    const worlds = Number(values.worlds);
    const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
    if (!Number.isInteger(worlds) || worlds < 0 || !Number.isInteger(seed))
      throw new Error('--worlds and --seed are whole numbers');
    return { json: values.json ?? false, worlds, seed };
  } catch (error) {
    say(`${(error as Error).message}\n${USAGE}`);
    process.exit(2);
  }
}

async function walkEverything(map: ReturnType<typeof explore>) {
  const stage = liveStage(assessmentMachine);
  const paths = pathsOver(map);
  let violations = 0;
  for (const path of paths) {
    await walk(stage, path).catch((error: unknown) => {
      violations += 1;
      if (violations <= 3) say((error as Error).message);
    });
  }
  const uncovered = stage
    .untaken()
    .map(({ from, event, guard, target }) => `${from}: ${event}${guard ? ` [${guard}]` : ''} -> ${target}`);
  return { paths: paths.length, violations, uncovered };
}

function holdRules(map: ReturnType<typeof explore>, edges: number): Invariant[] {
  return Object.values<Rule>(rules).map(({ name, check }) => {
    const violations = check(map);
    for (const line of violations.slice(0, 3)) say(`${name}: ${line}`);
    return { name, checked: edges, violations: violations.length };
  });
}

async function playWorlds(runs: number, seed: number, options: AnyWorldOptions = {}) {
  const invariants = new Map<string, Invariant>();
  let violations = 0;
  for (const world of fc.sample(anyWorld(fc, options), { numRuns: runs, seed })) {
    const verdict = await runWorld(world);
    for (const [name, isKept] of Object.entries(verdict.rules)) {
      const invariant = invariants.get(name) ?? { name, checked: 0, violations: 0 };
      invariants.set(name, {
        name,
        checked: invariant.checked + 1,
        violations: invariant.violations + Number(!isKept),
      });
    }
    if (verdict.violations.length === 0) continue;
    violations += 1;
    // The tests shrink such a world to a shorter story: SEED=… WORLDS=… npx vitest run test/worlds
    if (violations <= 10) say(`${[...verdict.violations, tellStory(world)].join('\n')}\n${JSON.stringify(world)}`);
  }
  return { invariants: [...invariants.values()], violations };
}

function compareDocuments(): Invariant {
  const documents = Object.entries(chartDocuments());
  const old = documents.filter(([path, text]) => readFileSync(path, 'utf8') !== text);
  for (const [path] of old)
    say(`${path} does not show the chart as it is: run "${REGENERATE}" and look at what is different`);
  return { name: 'the documents show the chart as it is', checked: documents.length, violations: old.length };
}

const { json, worlds, seed } = readArguments();
const startedAt = performance.now();
const map = explore(assessmentMachine);
const vertices = [...map.vertices.values()];
const edges = vertices.reduce((sum, vertex) => sum + vertex.edges.length, 0);
const declared = declaredTransitions(assessmentMachine).length;
const walked = await walkEverything(map);
const played = await playWorlds(worlds, seed);
const turns = Math.ceil(worlds / 10);
const playedByTwo = await playWorlds(turns, seed, { families: ['users'] });
const invariants: Invariant[] = [
  { name: 'a live actor does at every step what the chart says', checked: walked.paths, violations: walked.violations },
  ...holdRules(map, edges),
  ...played.invariants,
  ...playedByTwo.invariants.map((it) => ({ ...it, name: `two users: ${it.name}` })),
  compareDocuments(),
];
const report = {
  states: vertices.length,
  edges,
  paths: walked.paths,
  transitionsDeclared: declared,
  transitionsCovered: declared - walked.uncovered.length,
  uncovered: walked.uncovered,
  invariants,
  worlds: { runs: worlds, violations: played.violations, seed },
  worldsOfTwoUsers: { runs: turns, violations: playedByTwo.violations, seed },
  seconds: Math.round((performance.now() - startedAt) / 100) / 10,
};
const isGood = walked.uncovered.length === 0 && invariants.every(({ violations }) => violations === 0);

if (json) process.stdout.write(`${JSON.stringify(report)}\n`);
else {
  const number = (value: number) => value.toLocaleString('en').padStart(9);
  const rows = invariants.map(
    ({ name, checked, violations }) => `${violations === 0 ? 'kept  ' : 'BROKEN'} ${number(checked)}  ${name}`,
  );
  process.stdout.write(
    [
      `states reached      ${number(report.states)}`,
      `steps possible      ${number(report.edges)}`,
      `paths walked        ${number(report.paths)}`,
      `transitions walked  ${number(report.transitionsCovered)} of ${declared}`,
      ...report.uncovered.map((it) => `  never taken: ${it}`),
      `worlds played       ${number(worlds)} with seed ${seed}, ${played.violations} of them broken`,
      `… of two users     ${number(turns)} with seed ${seed}, ${playedByTwo.violations} of them broken`,
      '',
      '         checked  rule',
      ...rows,
      '',
      `${isGood ? 'Everything holds' : 'SOMETHING IS BROKEN'}, after ${report.seconds} s.`,
      '',
    ].join('\n'),
  );
}
process.exitCode = isGood ? 0 : 1;
