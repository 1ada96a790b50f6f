import { Readable } from 'node:stream';
import type { RunCommand } from '../../src/cli/terminal.ts';

/** Runs a command in this process. @returns its exit code and what it wrote */
export async function runCommand(
  run: RunCommand,
  args: string[],
  {
    env = {},
    input = '',
    signal = new AbortController().signal,
    onTell = () => {},
  }: { env?: Record<string, string>; input?: string; signal?: AbortSignal; onTell?: (text: string) => void } = {},
) {
  const said: string[] = [];
  let told = '';
  const code = await run(args, {
    env,
    input: Readable.from([input]),
    say: (line) => said.push(line),
    tell(text) {
      told += text;
      onTell(text);
    },
    isInteractive: false,
    signal,
  });
  return { code, said, told, json: () => JSON.parse(said.join('\n')) as Record<string, unknown> };
}
