import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Browser } from 'playwright-core';
import { createServer, preview } from 'vite';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { type Backend, startBackend } from '../../backend/index.ts';
import { packPackage, TARBALL_VARIABLE } from '../../scripts/pack.ts';
import { launchChromium } from './chromium.ts';

/*
 * What a reader of the README does: a new Vite project, the package as npm would deliver it, the snippet unchanged.
 */

const root = fileURLToPath(new URL('../../', import.meta.url));
let folder: string;
let project: string;
let backend: Backend;
let browser: Browser;

beforeAll(async () => {
  [folder, backend, browser] = await Promise.all([
    mkdtemp(join(tmpdir(), 'assessment-monitor-')),
    startBackend({ accessTokenTtlMs: 60_000, jobDurationMs: 600_000 }),
    launchChromium(),
  ]);
  project = join(folder, 'new-project');
  await mkdir(project);
  await writeProject(project, process.env[TARBALL_VARIABLE] ?? (await packPackage(folder)));
  await run(project, 'install', '--prefer-offline', '--no-audit', '--no-fund');
  await run(project, 'run', 'build');
}, 240_000);
afterAll(async () => {
  await Promise.all([browser?.close(), backend?.close()]);
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

it('a new project with the packed package runs the snippet of the README, through the end of a token to the result', async () => {
  const site = await preview({ root: project, preview: { port: 0 } });
  onTestFinished(() => site.close());
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
  await page.context().close();
});

it('hot reload replaces a component, and runs the module of the client again, while an assessment continues', async () => {
  const development = await createServer({ root: project, server: { port: 0 }, logLevel: 'warn' });
  onTestFinished(() => development.close());
  await development.listen();
  const { submissionsAccepted, socketsOpened } = backend.counts();
  const page = await browser.newPage();
  let loads = 0;
  page.on('load', () => (loads += 1));
  await page.goto(`${development.resolvedUrls?.local[0]}hot.html`);
  await page.getByRole('button', { name: 'Submit' }).click();
  await page.getByText('Now: waiting').waitFor();
  await expect.poll(() => backend.openConnections().sockets).toBe(1);
  const loadsBefore = loads;

  await edit('page.tsx', 'Now:', 'At this moment:');
  await page.getByText('At this moment: waiting').waitFor();
  await edit('client.ts', 'v1', 'v2');
  await page.getByText('client v2').waitFor();
  await page.getByText('At this moment: waiting').waitFor();
  backend.finishJobs();
  await page.getByText('At this moment: completed').waitFor();
  expect(loads).toBe(loadsBefore);
  expect(backend.counts()).toMatchObject({
    submissionsAccepted: submissionsAccepted + 1,
    socketsOpened: socketsOpened + 1,
  });
  await page.context().close();
});

it('a new project with the packed package serves the viewer on this machine, until Ctrl+C', async () => {
  const command = join(project, 'node_modules/.bin/assessment-monitor');
  const running = spawn(command, ['inspect', '--port', '0', '--json'], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void running.kill('SIGKILL'));
  const [line] = (await once(running.stdout, 'data')) as [Buffer];
  const { url } = JSON.parse(String(line)) as { url: string };
  const page = await browser.newPage();
  const asked: string[] = [];
  page.on('request', (request) => asked.push(new URL(request.url()).origin));
  await page.goto(url);
  await page.getByText('No page is inspected yet.').waitFor();
  expect(new Set(asked)).toEqual(new Set([url]));
  await page.context().close();

  const [answer] = await once(get(url, { headers: { Host: 'viewer.example.test' } }), 'response');
  expect(answer).toMatchObject({ statusCode: 403 });
  running.kill('SIGINT');
  expect(await once(running, 'exit')).toEqual([0, null]);
});

const edit = async (name: string, before: string, after: string) => {
  const path = join(project, name);
  await writeFile(path, (await readFile(path, 'utf8')).replace(before, after));
};

/** Runs npm as a newcomer's shell does: without what vitest tells its children. */
function run(cwd: string, ...args: string[]) {
  const isForeign = (name: string) => /^(NODE_ENV$|VITEST)/.test(name);
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !isForeign(name)));
  return promisify(execFile)('npm', args, { cwd, env });
}

/** What `npm create vite` writes, in short, with the versions that this package is developed with. */
async function writeProject(project: string, tarball: string): Promise<void> {
  const manifest = async (path: string) =>
    JSON.parse(await readFile(join(root, path), 'utf8')) as Record<string, Record<string, string>>;
  const versions = {
    ...(await manifest('package.json')).devDependencies,
    ...(await manifest('demo/package.json')).dependencies,
  };
  const pick = (...names: (keyof typeof versions)[]) => Object.fromEntries(names.map((name) => [name, versions[name]]));
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
      export default { plugins: [react()], server: { proxy }, preview: { proxy } };`,
    'index.html':
      '<link rel="icon" href="data:," /><div id="root"></div><script type="module" src="/main.tsx"></script>',
    'main.tsx': snippet?.[1] ?? '',
    // Apart, so that they can be replaced apart.
    'hot.html': '<link rel="icon" href="data:," /><div id="root"></div><script type="module" src="/hot.tsx"></script>',
    'hot.tsx': `
      import { createRoot } from 'react-dom/client';
      import { Page } from './page';
      createRoot(document.getElementById('root')).render(<Page />);`,
    'client.ts': `
      import { createAssessmentClient } from 'assessment-monitor';
      export const version = 'v1';
      const kept = import.meta.hot?.data ?? {};
      export const client = (kept.client ??= createAssessmentClient({ baseUrl: '' }));`,
    'page.tsx': `
      import { AssessmentProvider, useAssessment } from 'assessment-monitor/react';
      import { client, version } from './client';
      async function begin(submit) {
        const body = JSON.stringify({ email: 'user@example.test', password: 'correct-horse' });
        const headers = { 'Content-Type': 'application/json' };
        const { data } = await (await fetch('/api/auth/v2/login', { method: 'POST', headers, body })).json();
        client.signedIn({ accessToken: data.idToken, expiresIn: data.expiresIn });
        submit({ assessment_data: { riasec: { social: 80 } } });
      }
      function Assessment() {
        const { phase, submit } = useAssessment();
        return <p><button onClick={() => begin(submit)}>Submit</button> client {version} <b>Now: {phase}</b></p>;
      }
      export const Page = () => <AssessmentProvider client={client}><Assessment /></AssessmentProvider>;`,
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(project, name), text);
}
