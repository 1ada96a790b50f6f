import { expect, it } from 'vitest';
import { createHealthRequest } from '../../../src/services/auth/health-request.ts';
import { recordedLog } from '../../support/recorded-log.ts';
import { virtualClock } from '../../../src/testing/virtual-clock.ts';
import { responseOf, type WireAnswer } from '../../../src/testing/wire/answers.ts';

const signal = new AbortController().signal;

function openRoute(answer: WireAnswer | null) {
  const clock = virtualClock();
  const { log, of } = recordedLog();
  const sent: { url: string; init: RequestInit }[] = [];
  const fetch = (url: string, init: RequestInit) => {
    sent.push({ url, init });
    return answer === null ? new Promise<never>(() => {}) : Promise.resolve(responseOf(answer));
  };
  const ask = createHealthRequest({
    fetch: fetch as unknown as typeof globalThis.fetch,
    clock,
    log,
    baseUrl: 'https://api.test',
    path: '/health',
    timeoutMs: 5_000,
  });
  return { ask, clock, sent, of };
}

it.each<[string, WireAnswer, string]>([
  ['a success with JSON', [200, { status: 'healthy' }], 'up'],
  ['a success that names no status', [200, { ok: true }], 'up'],
  ['a success that says that the service is not well', [200, { status: 'unhealthy' }], 'down'],
  ['a server error', [503, { status: 'unhealthy' }], 'down'],
  ['the page of a gateway with 502', [502, '<html>'], 'down'],
  ['a page with 200', [200, '<html>'], 'unknown'],
  ['a route that does not exist', [404, { error: 'NOT_FOUND' }], 'unknown'],
  ['a route that wants a token', [401, { error: 'UNAUTHORIZED' }], 'unknown'],
  ['too many requests', [429, { error: 'RATE_LIMIT_EXCEEDED' }], 'unknown'],
])('reads %s', async (_case, answer, health) => {
  const { ask, sent, of } = openRoute(answer);
  expect(await ask(signal)).toBe(health);
  expect(sent).toHaveLength(1);
  expect(sent[0]?.url).toBe('https://api.test/health');
  expect(new Headers(sent[0]?.init.headers).get('authorization')).toBeNull();
  expect(of('request.finished')).toMatchObject([{ route: 'health', status: answer[0], generation: null }]);
});

it('takes a service that is silent for 5 s for one that is down', async () => {
  const { ask, clock } = openRoute(null);
  const asked = ask(signal);
  await clock.run(5_000);
  expect(await asked).toBe('down');
});
