import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Backend, startBackend } from '../../backend/index.ts';
import { run } from '../../src/cli/check.ts';
import type { Terminal } from '../../src/cli/terminal.ts';

const account = { email: 'user@example.test', password: 'correct-horse' };

/** Runs the command, and keeps what it writes. */
async function check(args: string[], given: Partial<Terminal> & { stdin?: string } = {}) {
  let out = '';
  let err = '';
  const code = await run(args, {
    env: { ASSESSMENT_MONITOR_EMAIL: account.email, ASSESSMENT_MONITOR_PASSWORD: account.password },
    input: (async function* () {
      yield given.stdin ?? '';
    })(),
    say: (line) => void (out += `${line}\n`),
    tell: (text) => void (err += text),
    isInteractive: false,
    signal: new AbortController().signal,
    ...given,
  });
  return { code, out, err };
}

describe('assessment-monitor check', () => {
  let backend: Backend;
  beforeEach(async () => {
    backend = await startBackend({ accessTokenTtlMs: 600_000, jobDurationMs: 300 });
  });
  afterEach(() => backend.close());

  it('finds nothing in the reference backend, with credentials from the environment', async () => {
    const { code, out, err } = await check(['--base-url', `${backend.url}/`]);
    expect([code, err]).toEqual([0, '']);
    expect(out.trim().split('\n')).toHaveLength(9);
    expect(out).toMatch(/^kept {5}a bad token is answered 401$/m);
  });

  it('prints one JSON object on one line, the rest beside it, and fails by its exit code', async () => {
    backend.configure({ idempotency: false });
    const stdin = JSON.stringify(account);
    const { code, out, err } = await check(['--base-url', backend.url, '--json'], { env: {}, stdin });
    expect(code).toBe(1);
    expect(out.trim()).not.toContain('\n');
    expect(JSON.parse(out)).toMatchObject({ ok: false, differences: [{ id: 'no-idempotency' }] });
    expect(err).toContain('DIFFERS  no-idempotency');
    expect(out + err).not.toContain(account.password);
  });

  it.each([
    ['no address', [], {}],
    ['an address that is none', ['--base-url', 'nowhere'], {}],
    ['a password as an argument', ['--base-url', 'http://localhost', '--password', 'x'], {}],
    ['a timeout that is none', ['--base-url', 'http://localhost', '--timeout', 'soon'], {}],
    ['answers that cannot be read', ['--base-url', 'http://localhost', '--answers', 'no-such-file.json'], {}],
    ['no credentials', ['--base-url', 'http://localhost'], { env: {} }],
  ])('explains its usage for %s', async (_what, args, more) => {
    const { code, out, err } = await check(args, more);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain('assessment-monitor check --base-url URL');
  });

  it('says that a server cannot be reached, and helps', async () => {
    expect((await check(['--base-url', 'http://127.0.0.1:9'])).code).toBe(3);
    expect(await check(['--help'])).toMatchObject({ code: 0, out: expect.stringContaining('Exit code') as string });
  });
});
