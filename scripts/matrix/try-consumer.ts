import { execFile, spawn } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { startBackend } from '../../backend/index.ts';
import { launchChromium } from '../../test/browser/chromium.ts';
import type { Consumer } from './consumers.ts';

export interface Outcome {
  name: string;
  passed: boolean;
  /** What failed, in a line; empty when nothing did. */
  reason: string;
}

/** Runs what a developer would run: without the variables of npm and Vitest that this process inherited. */
const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(NODE_ENV$|NODE_OPTIONS$|VITEST|npm_)/.test(name)),
);
const run = (cwd: string, [command = '', ...args]: string[], more: Record<string, string> = {}) =>
  promisify(execFile)(command === 'node' ? process.execPath : command, args, {
    cwd,
    env: { ...environment, NEXT_TELEMETRY_DISABLED: '1', CI: '1', ...more },
    maxBuffer: 64 * 1_024 * 1_024,
  });

/** The folders with what was installed into a project, by what it asked for. */
const installed = new Map<string, Promise<string>>();

/** Installs what a project depends on. The next project with the same dependencies links to it. */
async function install(project: string, manifest: Record<string, unknown>): Promise<void> {
  const { dependencies, devDependencies, overrides } = manifest;
  const key = JSON.stringify([dirname(project), dependencies, devDependencies, overrides]);
  const others = await installed.get(key);
  if (others !== undefined) return symlink(others, join(project, 'node_modules'));
  const command = ['npm', 'install', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];
  const own = run(project, command).then(() => join(project, 'node_modules'));
  installed.set(key, own);
  await own;
}

/** Writes the project, installs the tarball and what else it needs, and builds and runs it. */
export async function tryConsumer(consumer: Consumer, tarball: string, folder: string): Promise<Outcome> {
  const { name, dependencies, files, commands } = consumer;
  const project = join(folder, name.replace(/[^\w.]+/g, '-'));
  const manifest = {
    private: true,
    type: 'module',
    ...consumer.manifest,
    dependencies: { 'assessment-monitor': `file:${tarball}`, ...dependencies },
  };
  const backend = consumer.needsBackend ? await startBackend({ jobDurationMs: 3_000 }) : null;
  const account: Record<string, string> = backend
    ? { BASE_URL: backend.url, EMAIL: 'user@example.test', PASSWORD: 'correct-horse' }
    : {};
  try {
    for (const [path, text] of Object.entries({ 'package.json': JSON.stringify(manifest), ...files })) {
      await mkdir(dirname(join(project, path)), { recursive: true });
      await writeFile(join(project, path), text);
    }
    await install(project, manifest);
    let printed = '';
    for (const command of commands) printed = (await run(project, command, account)).stdout;
    const isSilent = !commands
      .at(-1)
      ?.at(-1)
      ?.match(/(main|check)\.[cm]js$/);
    const isExpected = consumer.prints ? consumer.prints.test(printed.trim()) : isSilent || printed.trim() === 'ready';
    if (!isExpected) throw new Error(`it printed ${printed.trim().slice(0, 200)}`);
    if (consumer.serves) await hydrate(project);
    return { name, passed: true, reason: '' };
  } catch (error) {
    return { name, passed: false, reason: reasonOf(error) };
  } finally {
    await backend?.close();
  }
}

/** Opens the page of a Next project. @throws Error when it logs an error or a hydration warning */
async function hydrate(project: string): Promise<void> {
  const server = spawn(process.execPath, ['node_modules/next/dist/bin/next', 'start', '-H', '127.0.0.1', '-p', '0'], {
    cwd: project,
    env: environment,
  });
  const browser = await launchChromium();
  try {
    const url = await new Promise<string>((resolve, reject) => {
      let printed = '';
      server.stdout.on('data', (chunk) => {
        printed += String(chunk);
        const found = /http:\/\/127\.0\.0\.1:\d+/.exec(printed)?.[0];
        if (found && /Ready/i.test(printed)) resolve(found);
      });
      server.once('exit', () => reject(new Error(`next start: ${printed}`)));
    });
    const said: string[] = [];
    const page = await browser.newPage();
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') said.push(message.text());
    });
    page.on('pageerror', (error) => said.push(error.message));
    const rendered = await (await fetch(url)).text();
    if (!rendered.includes('rendered')) throw new Error('the server did not render the page');
    await page.goto(url);
    await page.getByText('ready').waitFor();
    if (said.length > 0) throw new Error(said.join(' | '));
  } finally {
    await browser.close();
    server.kill();
  }
}

/** The lines that say what is wrong, without paths and colours. */
function reasonOf(error: unknown): string {
  const { stderr = '', stdout = '', message } = error as Error & { stderr?: string; stdout?: string };
  const lines = `${stderr}\n${stdout}\n${message}`
    // eslint-disable-next-line no-control-regex -- colours
    .replaceAll(/\u001b\[[\d;]*m/g, '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => /error|fail|cannot|can't|not found|printed/i.test(line));
  return lines.slice(0, 3).join(' / ').slice(0, 400) || message;
}
