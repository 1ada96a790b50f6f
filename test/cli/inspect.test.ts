import { describe, expect, it } from 'vitest';
import { run } from '../../src/cli/inspect.ts';

/* The command without its viewer, which only the packed package has: `test/browser/new-project.test.ts` runs that one. */

async function runWith(args: string[], env: Record<string, string> = {}) {
  const said: string[] = [];
  const told: string[] = [];
  const code = await run(args, {
    env,
    input: (async function* () {})(),
    say: (line) => void said.push(line),
    tell: (text) => void told.push(text),
    isInteractive: false,
    signal: AbortSignal.abort(),
  });
  return { code, said, told: told.join('') };
}

describe('assessment-monitor inspect', () => {
  it('explains itself', async () => {
    expect(await runWith(['--help'])).toMatchObject({ code: 0, said: [], told: expect.stringContaining('--port') });
  });

  it.each([
    ['a port that is no number', ['--port', 'many'], {}],
    ['a port that does not exist', ['--port', '70000'], {}],
    ['a port of the environment that is no number', [], { PORT: '-1' }],
    ['an option that it does not know', ['--open'], {}],
  ])('refuses %s, says why and how it is used, and serves nothing', async (_, args, env) => {
    const { code, said, told } = await runWith(args, env);
    expect([code, said]).toEqual([2, []]);
    expect(told).toContain('Usage: assessment-monitor inspect');
    expect(told.split('\n')[0]).not.toBe('');
  });
});
