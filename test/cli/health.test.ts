import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { run } from '../../src/cli/health.ts';
import { type LoopbackServer, startServer } from '../support/http-server.ts';
import { runCommand } from './terminal.ts';

let prometheus: LoopbackServer;
beforeEach(async () => {
  prometheus = await startServer();
});
afterEach(() => prometheus.close());

/** Answers with the first value whose text is part of the query; 0 for any other. */
function counting(values: Readonly<Record<string, number>>): void {
  prometheus.answer((response, { path }) => {
    const query = new URL(path, prometheus.url).searchParams.get('query') ?? '';
    const value = Object.entries(values).find(([part]) => query.includes(part))?.[1] ?? 0;
    response.end(JSON.stringify({ data: { result: [{ value: [0, String(value)] }] } }));
  });
}
const health = (...args: string[]) => runCommand(run, ['--prometheus', prometheus.url, ...args]);
const good = {
  'request_duration_seconds_count{outcome="unauthorized"': 5,
  'request_duration_seconds_count{error_type': 1_000,
  'refresh_duration_seconds_count{': 1,
  'refresh_duration_seconds_count[': 100,
  'assessment_duration_seconds_count{outcome="failed"': 2,
  'assessment_duration_seconds_count{outcome=~': 100,
};

describe('assessment-monitor health', () => {
  it('exits with 0 where all ratios hold, and says each of them', async () => {
    counting(good);
    const { code, said } = await health('--over', '24h');
    expect(code).toBe(0);
    expect(said).toEqual([
      'ok   INVALID_TOKEN of all answers: 0.50 % (5 of 1000; at most 1.00 %)',
      'ok   failed token refreshes: 1.00 % (1 of 100; at most 5.00 %)',
      'ok   failed assessments: 2.00 % (2 of 100; at most 5.00 %)',
    ]);
    expect(decodeURIComponent(prometheus.requests[0]?.path ?? '')).toContain('[24h]');
  });

  it.each([
    ['request_duration_seconds_count{outcome="unauthorized"', 20],
    ['refresh_duration_seconds_count{', 6],
    ['assessment_duration_seconds_count{outcome="failed"', 6],
  ])('exits with 1 where %s counts %i', async (series, count) => {
    counting({ ...good, [series]: count });
    const { code, json } = await health('--json');
    expect([code, json()['ok']]).toEqual([1, false]);
  });

  it('exits with 3 where nothing was counted, or there is no answer', async () => {
    counting({});
    expect((await health()).code).toBe(3);
    prometheus.reply(500, {});
    expect((await health()).code).toBe(3);
    expect((await runCommand(run, ['--prometheus', 'http://127.0.0.1:1'])).code).toBe(3);
  });

  it('refuses a window that is none', async () => {
    expect((await health('--over', '1 hour')).code).toBe(2);
    expect((await runCommand(run, [])).code).toBe(2);
  });
});
