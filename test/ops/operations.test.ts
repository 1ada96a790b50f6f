import { execFile } from 'node:child_process';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Backend, startBackend } from '../../backend/index.ts';
import { type LoopbackServer, startServer } from '../support/http-server.ts';

/* The commands of docs/operations.md, run as they are there: only `npx assessment-monitor` is the command of the sources. */

const COMMAND = `${process.execPath} --import tsx ${fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))}`;
const hasPromtool = spawnSync('promtool', ['--version']).status === 0;
const blocks = [...readFileSync('docs/operations.md', 'utf8').matchAll(/```sh\n([^`]*)```/g)].map(
  ([, text = '']) => text,
);

let backend: Backend;
let prometheus: LoopbackServer;
beforeAll(async () => {
  backend = await startBackend({ jobDurationMs: 500, refreshIntervalMs: 0, initialBalance: 10 });
  prometheus = await startServer();
  prometheus.reply(200, { data: { result: [{ value: [0, '0.001'] }] } });
});
afterAll(() => Promise.all([backend.close(), prometheus.close()]));

it('there are commands on the page', () => {
  expect(blocks.length).toBeGreaterThan(2);
});

it.each(blocks)('runs: %s', { timeout: 180_000 }, async (block) => {
  // The message of the skip is that of ops.test.ts.
  if (block.includes('promtool') && !hasPromtool) return;
  // The ratios of a server that counts the same everywhere are 1: the command says so by its exit code.
  const isHealth = block.includes(' health ');
  const script = `set -e\n${block.replaceAll('npx assessment-monitor', COMMAND)}`;
  const env = { ...process.env, API: backend.url, PROMETHEUS: prometheus.url };
  const ran = promisify(execFile)('sh', ['-c', script], { env });
  if (isHealth) {
    await expect(ran).rejects.toMatchObject({ code: 1 });
    return;
  }
  const { stdout } = await ran;
  expect(stdout).toMatch(/PASSED|SUCCESS/);
});
