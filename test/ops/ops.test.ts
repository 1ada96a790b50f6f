import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MonitorEvent } from 'assessment-monitor';
import { toLines } from 'assessment-monitor/telemetry';
import { describe, expect, it } from 'vitest';
import { dashboardJson } from '../../ops/build-dashboard.ts';
import { panels } from '../../ops/dashboard-panels.ts';
import { cloudWatch, datadog, logQueries, queriesAsMarkdown } from '../../ops/queries.ts';
import { invalidToken, openScriptedWorld, status } from '../support/scripted-world.ts';

const hasPromtool = spawnSync('promtool', ['--version']).status === 0;
const NO_PROMTOOL = 'promtool is missing, and with it the checks of the alerts: apt-get install prometheus (Debian)';
if (!hasPromtool) process.stderr.write(`${NO_PROMTOOL}\n`);

/** @returns what promtool printed; @throws Error with that where it failed */
function promtool(...args: string[]): string {
  const { status: code, stdout, stderr } = spawnSync('promtool', args, { encoding: 'utf8' });
  if (code !== 0) throw new Error(`${stdout}\n${stderr}`);
  return stdout;
}

describe.skipIf(!hasPromtool)('the rules of ops, with promtool', () => {
  it('fire when a rate exceeds its threshold, and are silent in a clean hour', () => {
    expect(promtool('check', 'rules', 'ops/alerts.yml')).toContain('3 rules found');
    expect(promtool('test', 'rules', 'ops/alerts.test.yml')).toContain('SUCCESS');
  });

  it('can be parsed in every panel of the dashboard', () => {
    const exprs = panels.flatMap(({ lines }) => lines.map(({ expr }) => expr));
    const folder = mkdtempSync(join(tmpdir(), 'assessment-monitor-'));
    try {
      const file = join(folder, 'rules.yml');
      const rules = exprs.map((expr, index) => ({ record: `panel:${index}`, expr }));
      writeFileSync(file, JSON.stringify({ groups: [{ name: 'panels', rules }] }));
      expect(promtool('check', 'rules', file)).toContain(`${exprs.length} rules found`);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('the dashboard', () => {
  it('is up to date: npm run dashboard writes it', () => {
    expect(JSON.parse(readFileSync('ops/dashboard.json', 'utf8'))).toEqual(JSON.parse(dashboardJson()));
  });

  it('asks for series of the collector only', async () => {
    const { createCollector } = await import('assessment-monitor/collect');
    const text = createCollector().prometheus();
    const alerts = readFileSync('ops/alerts.yml', 'utf8');
    const asked = [alerts, ...panels.flatMap(({ lines }) => lines.map(({ expr }) => expr))].join('\n');
    const names = new Set(asked.match(/assessment_monitor_\w+/g));
    expect(names.size).toBeGreaterThan(5);
    for (const name of names) expect(text).toContain(`${name}{`);
  });
});

/** Lines of a real client: an expiry, a refused token, a sign-in that is needed, a result. */
async function realLines(): Promise<{ lines: string[]; events: MonitorEvent[] }> {
  const lines: string[] = [];
  const write = toLines((line) => lines.push(line));
  const events: MonitorEvent[] = [];
  let refresh = true;
  const world = openScriptedWorld(
    {
      status: ({ count, at }) =>
        count === 3 || count === 4 ? invalidToken() : status(at > 4_500_000 ? 'completed' : 'processing'),
    },
    {
      socket: false,
      settings: () => ({ refresh }),
      onEvent(event) {
        events.push(event);
        write(event);
      },
    },
  );
  world.signIn('first', 300);
  const assessment = world.submit();
  await world.run(400_000);
  refresh = false;
  await world.run(4_000_000);
  refresh = true;
  await world.run(700_000);
  expect(assessment.getSnapshot().phase).toBe('completed');
  world.close();
  return { lines, events };
}

const valueAt = (line: object, path: string): unknown =>
  path.split('.').reduce<unknown>((value, name) => (value as Record<string, unknown> | undefined)?.[name], line);
/** The search that a text of either service describes, run over lines. */
function searched(lines: readonly string[], text: string): number {
  const wanted = [...text.matchAll(/@?([\w.]+)(?::| = )"([^"]*)"/g)].map(([, path = '', value = '']) => [path, value]);
  return lines.filter((line) => {
    const read = JSON.parse(line) as object;
    return wanted.every(([path = '', value]) => String(valueAt(read, path)) === value);
  }).length;
}

describe('the log searches', () => {
  it('find the lines of a real client that their titles promise, in the words of both services', async () => {
    const { lines, events } = await realLines();
    const found = new Map(logQueries.map((it) => [it.title, searched(lines, datadog(it))]));
    for (const it of logQueries) {
      const { event: type, where } = it;
      const expected = events.filter(
        (event) =>
          event.type === type && Object.entries(where).every(([name, value]) => valueAt(event, name) === value),
      ).length;
      expect([it.title, found.get(it.title), searched(lines, cloudWatch(it))]).toEqual([it.title, expected, expected]);
    }
    const missing = [
      'Every INVALID_TOKEN answer',
      'Token refreshes that worked',
      'Average monitoring duration, ms',
      'Users who were asked to sign in',
      'A switch reached the page',
    ].filter((title) => !found.get(title));
    expect(missing).toEqual([]);
  });

  it('are in docs/operations.md as they are generated', () => {
    expect(readFileSync('docs/operations.md', 'utf8')).toContain(queriesAsMarkdown());
  });
});
