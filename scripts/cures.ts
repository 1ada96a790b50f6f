/*
 * npm run --silent cures -- [--json] [--worlds 3000] [--seed S] [--only A1,A3] [--write]
 *
 * Takes one cure after the other out of a copy of the sources, and lets the random search find what is missing. A world counts when it
 * breaks a rule that the intact client keeps in the same world. `--write` writes the table into docs/verification.md. The exit code is 1
 * when nothing notices that a cure is missing, or when an edit no longer applies.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { cures } from './cures/cures.ts';
import { type Finding, openCopy } from './cures/take-out.ts';

const USAGE = 'usage: npm run --silent cures -- [--json] [--worlds N] [--seed S] [--only IDS] [--write]';
const DOCUMENT = 'docs/verification.md';
const root = fileURLToPath(new URL('..', import.meta.url));

const { values } = parseArgs({
  options: {
    json: { type: 'boolean' },
    worlds: { type: 'string', default: '3000' },
    seed: { type: 'string', default: '20261126' },
    only: { type: 'string' },
    write: { type: 'boolean' },
  },
});
const [worlds, seed] = [Number(values.worlds), Number(values.seed)];
const wanted = values.only?.split(',');
const chosen = cures.filter(({ id }) => wanted?.includes(id) ?? true);
if (!Number.isInteger(worlds) || worlds < 0 || !Number.isInteger(seed) || chosen.length !== (wanted ?? cures).length) {
  process.stderr.write(`${USAGE}\n`);
  process.exit(2);
}

const copy = openCopy(root);
const findings: Finding[] = [];
try {
  for (const cure of chosen) {
    const finding = await copy.search(cure, worlds, seed);
    findings.push(finding);
    const by =
      finding.layer === 'worlds' ? `after ${finding.worlds} worlds: ${finding.rules[0]}` : `by ${finding.layer}`;
    const line = finding.layer === null ? 'is found by NOTHING' : `is found ${by}`;
    process.stderr.write(`${finding.id.padEnd(4)} ${line} (${finding.seconds} s)\n`);
  }
} finally {
  copy.close();
}

const missed = findings.filter(({ layer }) => layer === null).length;
if (values.json) process.stdout.write(`${JSON.stringify({ worlds, seed, missed, cures: findings })}\n`);
else process.stdout.write(`${tableOf(findings)}\n\n${findings.length - missed} found, ${missed} missed\n`);
if (values.write) {
  const [before = '', rest = ''] = readFileSync(DOCUMENT, 'utf8').split(/(?<=<!-- cures -->\n)/);
  const after = rest.slice(rest.indexOf('<!-- /cures -->'));
  writeFileSync(DOCUMENT, `${before}\n${tableOf(findings)}\n\n${after}`);
}
process.exitCode = missed === 0 ? 0 : 1;

/** The findings as a table of Markdown. */
function tableOf(rows: readonly Finding[]): string {
  const cells = rows.map(({ id, without, layer, worlds: played, rules }) =>
    layer === 'worlds'
      ? [id, without, layer, String(played), rules[0] ?? '']
      : [id, without, layer ?? 'nothing', '', ''],
  );
  const all = [['cure', 'without it', 'found by', 'worlds played', 'rule that was broken'], ...cells];
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  const line = (row: readonly string[]) => `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`;
  const [head, ...body] = all.map(line);
  return [head, `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...body].join('\n');
}
