import { afterEach, describe, expect, it } from 'vitest';
import { type Backend, type BackendOptions, startBackend } from '../../backend/index.ts';
import { profiles } from '../../backend/profiles.ts';
import { run } from '../../src/cli/probe.ts';
import { runCommand } from './terminal.ts';

const PASSWORD = 'correct-horse';
const env = { ASSESSMENT_MONITOR_EMAIL: 'user@example.test', ASSESSMENT_MONITOR_PASSWORD: PASSWORD };
let backend: Backend | undefined;
afterEach(() => backend?.close());

async function probe(
  options: Partial<BackendOptions>,
  args: string[] = [],
  more: Parameters<typeof runCommand>[2] = {},
) {
  backend = await startBackend({ jobDurationMs: 1_000, accessTokenTtlMs: 60_000, ...options });
  const all = ['--base-url', backend.url, '--json', '--verbose', ...args];
  const result = await runCommand(run, all, { env, ...more });
  const report = result.json() as { ok: boolean; outcome: string; findings: { name: string; severity: string }[] };
  const faults = report.findings.filter(({ severity }) => severity === 'FAULT').map(({ name }) => name);
  return { ...result, report, faults };
}

describe('assessment-monitor probe', () => {
  it.each([
    ['strict', [] as string[]],
    ['original', ['--refresh-transport', 'body']],
  ] as const)('passes against the %s backend, with a refresh, and prints no secret', async (name, args) => {
    const options: Partial<BackendOptions> = profiles[name];
    const { code, report, faults, told, said } = await probe(
      { ...options, jobDurationMs: 1_000, refreshIntervalMs: 0, submitMs: 0 },
      [...args, '--expect-refresh'],
    );
    expect(faults).toEqual([]);
    expect(report).toMatchObject({ ok: true, outcome: 'completed', refreshes: 1 });
    expect(code).toBe(0);
    const written = `${told}${said.join('\n')}`;
    expect(written).not.toMatch(/eyJ|Bearer/);
    expect(written).not.toContain(PASSWORD);
    expect(written).toContain('"type":"assessment.settled"');
  });

  it.each<[string, Partial<BackendOptions>, string[]]>([
    ['token-verifier', { authOutage: true }, ['--timeout', '4']],
    ['job', { jobOutcome: 'failed', jobDurationMs: 300 }, ['--timeout', '5', '--no-socket']],
    ['result', { faults: [{ route: 'result', kind: 'status', status: 500 }] }, ['--timeout', '8']],
    [
      'refresh',
      { faults: [{ route: 'refresh', kind: 'status', status: 503 }] },
      ['--expect-refresh', '--timeout', '8'],
    ],
    ['submission', { initialBalance: 0 }, ['--timeout', '8']],
    ['readable-cookie', { quirks: ['readable-cookie'] }, ['--timeout', '8']],
    ['too-slow', { jobDurationMs: 60_000 }, ['--timeout', '3']],
  ])('names the planted fault %s and exits with 1', async (fault, options, args) => {
    const { code, faults } = await probe(options, args);
    expect(faults).toContain(fault);
    expect(code).toBe(1);
  });

  it('names a WebSocket that never is live as a warning, and passes by polling', async () => {
    const { code, report } = await probe({ sockets: 'refuse' });
    expect([code, report.findings]).toEqual([0, [expect.objectContaining({ name: 'socket', severity: 'warning' })]]);
  });

  it('names a sign-in that is refused, from credentials of the standard input', async () => {
    const input = JSON.stringify({ email: 'user@example.test', password: 'wrong-words' });
    const { code, faults, told, said } = await probe({}, [], { env: {}, input });
    expect([code, faults]).toEqual([1, ['sign-in']]);
    expect(`${told}${said.join('')}`).not.toContain('wrong-words');
  });

  it('stops at its bound of requests', async () => {
    const { code, faults, report } = await probe({ jobDurationMs: 60_000 }, ['--max-requests', '3', '--no-socket']);
    expect([code, faults, report.outcome]).toEqual([1, ['too-many-requests'], 'timed-out']);
    expect(backend?.counts().statusCalls).toBeLessThan(4);
  });

  it('cancels cleanly on Ctrl-C, with nothing left open', async () => {
    const stopped = new AbortController();
    const onTell = (text: string) => text.includes('"feed.live"') && stopped.abort();
    const { code, report } = await probe({ jobDurationMs: 60_000 }, [], { signal: stopped.signal, onTell });
    expect([code, report.outcome, report.findings]).toEqual([130, 'cancelled', []]);
    await expect.poll(() => backend?.openConnections()).toEqual({ sockets: 0, requests: 0 });
  });

  it.each([
    ['no address', []],
    ['no URL', ['--base-url', 'nowhere']],
    ['credentials as arguments', ['--base-url', 'http://127.0.0.1:1', '--password', 'x']],
    ['a bound of nothing', ['--base-url', 'http://127.0.0.1:1', '--max-requests', '0']],
  ])('refuses %s, with exit code 2 and its usage', async (_what, args) => {
    const { code, told, said } = await runCommand(run, args, { env });
    expect([code, said]).toEqual([2, []]);
    expect(told).toContain('assessment-monitor probe --base-url URL');
  });
});
