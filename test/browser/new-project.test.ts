import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Browser } from 'playwright-core';
import { preview, type PreviewServer } from 'vite';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Backend, startBackend } from '../../demo/backend/index.ts';
import { packPackage, TARBALL_VARIABLE } from '../../scripts/pack.ts';
import { launchChromium } from './chromium.ts';

/*
 * What somebody does who has read the README: a new Vite project, the package as npm would deliver it, the snippet unchanged.
 */

const root = fileURLToPath(new URL('../../', import.meta.url));
let folder: string;
let backend: Backend;
let browser: Browser;
let site: PreviewServer;

beforeAll(async () => {
  [folder, backend, browser] = await Promise.all([
    mkdtemp(join(tmpdir(), 'assessment-monitor-')),
    startBackend({ accessTokenTtlMs: 60_000, jobDurationMs: 600_000 }),
    launchChromium(),
  ]);
  const project = join(folder, 'new-project');
  await mkdir(project);
  await writeProject(project, process.env[TARBALL_VARIABLE] ?? packPackage(folder));
  await run(project, 'install', '--prefer-offline', '--no-audit', '--no-fund');
  await run(project, 'run', 'build');
  site = await preview({ root: project, preview: { port: 0 } });
}, 240_000);
afterAll(async () => {
  await site?.close();
  await Promise.all([browser?.close(), backend?.close()]);
  await rm(folder, { recursive: true, force: true });
});

it('a new project with the packed package runs the snippet of the README, through the end of a token to the result', async () => {
  const page = await browser.newPage({ locale: 'en-GB' });
  const said: string[] = [];
  page.on('console', (message) => message.type() === 'error' && said.push(message.text()));
  page.on('pageerror', (error) => said.push(error.message));
  await page.goto(site.resolvedUrls?.local[0] ?? '');
  await page.getByRole('button', { name: 'Sign in and submit' }).click();
  await page.getByRole('progressbar').waitFor();
  await expect.poll(() => backend.openConnections().sockets).toBe(1);
  await expect.poll(() => backend.counts().statusCalls).toBeGreaterThan(0);

  backend.endTokens();
  backend.finishJobs();
  await page.getByText('"archetype"').waitFor();
  expect(backend.counts()).toMatchObject({ submissionsAccepted: 1, refreshes: 1, unauthorizedAnswers: 1 });
  // Chromium says so itself of every answer that is a 401; nothing else was said.
  expect(said.filter((it) => !it.includes('401 (Unauthorized)'))).toEqual([]);
});

/** Runs npm as a newcomer's shell does: without what vitest tells its children. */
function run(cwd: string, ...args: string[]) {
  const isForeign = (name: string) => /^(NODE_ENV$|VITEST)/.test(name);
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !isForeign(name)));
  return promisify(execFile)('npm', args, { cwd, env });
}

/** What `npm create vite` writes, in short, with the versions that this package is developed with. */
async function writeProject(project: string, tarball: string): Promise<void> {
  const { devDependencies } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
    devDependencies: Record<string, string>;
  };
  const pick = (...names: string[]) => Object.fromEntries(names.map((name) => [name, devDependencies[name]]));
  const snippet = /```tsx\n(import \{ createAssessmentClient .*?)```/s.exec(
    await readFile(join(root, 'README.md'), 'utf8'),
  );
  const files = {
    'package.json': JSON.stringify({
      private: true,
      type: 'module',
      scripts: { build: 'tsc && vite build' },
      dependencies: { 'assessment-monitor': `file:${tarball}`, ...pick('react', 'react-dom', 'socket.io-client') },
      devDependencies: pick('@types/react', '@types/react-dom', '@vitejs/plugin-react', 'typescript', 'vite'),
    }),
    'tsconfig.json': JSON.stringify({
      compilerOptions: {
        target: 'ES2022',
        module: 'ESNext',
        moduleResolution: 'bundler',
        jsx: 'react-jsx',
        strict: true,
        skipLibCheck: true,
        noEmit: true,
        types: [],
      },
      include: ['main.tsx'],
    }),
    'vite.config.ts': `
      import react from '@vitejs/plugin-react';
      const server = ${JSON.stringify(backend.url)};
      const proxy = { '/api': server, '/socket.io': { target: server, ws: true } };
      export default { plugins: [react()], preview: { proxy } };`,
    'index.html':
      '<link rel="icon" href="data:," /><div id="root"></div><script type="module" src="/main.tsx"></script>',
    'main.tsx': snippet?.[1] ?? '',
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(project, name), text);
}
