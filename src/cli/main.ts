#!/usr/bin/env node
/// <reference types="node" />
import type { RunCommand } from './terminal.ts';

/** Each command in a file of its own, loaded on use. */
const commands: Readonly<Record<string, () => Promise<{ run: RunCommand }>>> = {
  check: () => import('./check.ts'),
  health: () => import('./health.ts'),
  inspect: () => import('./inspect.ts'),
  probe: () => import('./probe.ts'),
};

const [name = '', ...args] = process.argv.slice(2);
const load = Object.hasOwn(commands, name) ? commands[name] : undefined;
if (load) {
  const stopped = new AbortController();
  process.once('SIGINT', () => stopped.abort());
  process.once('SIGTERM', () => stopped.abort());
  const { run } = await load();
  process.exitCode = await run(args, {
    env: process.env,
    input: process.stdin,
    say: (line) => process.stdout.write(`${line}\n`),
    tell: (text) => process.stderr.write(text),
    isInteractive: process.stderr.isTTY === true,
    signal: stopped.signal,
  });
} else {
  process.stderr.write(
    `Usage: assessment-monitor ${Object.keys(commands).join(' | ')} [options]; --help after a command\n`,
  );
  process.exitCode = name === '--help' ? 0 : 2;
}
