import { afterEach, describe, expect, it } from 'vitest';
import { type Backend, type BackendOptions, startBackend } from '../../backend/index.ts';
import { sampleAnswers } from '../../demo/sample-answers.ts';
import { checkBackend, type ConformanceReport } from '../../src/testing/conformance.ts';

let backend: Backend | undefined;
afterEach(async () => {
  await backend?.close();
  backend = undefined;
});

const check = async (options: Partial<BackendOptions> = {}): Promise<ConformanceReport> => {
  backend = await startBackend({ accessTokenTtlMs: 600_000, jobDurationMs: 500, ...options });
  const account = { email: 'user@example.test', password: 'correct-horse' };
  return checkBackend({ baseUrl: backend.url, account, submission: sampleAnswers, jobTimeoutMs: 10_000 });
};

describe('the conformance check', () => {
  it('finds nothing to say about the reference backend', async () => {
    const { differences, kept } = await check();
    expect(differences).toEqual([]);
    expect(kept).toHaveLength(8);
  });

  it.each([
    ['no-idempotency', { idempotency: false }],
    ['no-job-id-in-events', { quirks: ['events-without-job-id'] }],
    ['result-before-done', { quirks: ['result-before-done'] }],
    ['refresh-not-rotating', { quirks: ['refresh-without-rotation'] }],
    ['cookie-not-http-only', { quirks: ['readable-cookie'] }],
    ['cookie-not-http-only', { refreshTransport: 'body' }],
    ['limit-without-retry-after', { quirks: ['limit-without-retry-after'] }],
    ['no-refresh-limit', { refreshIntervalMs: 0 }],
    ['no-events', { sockets: 'refuse' }],
  ] as const)('finds "%s", and only that, where it was planted', async (id, options) => {
    const { differences } = await check(options as Partial<BackendOptions>);
    expect(differences.map((it) => it.id)).toEqual([id]);
    for (const { what, cost } of differences) expect(`${what} ${cost}`).toMatch(/^[A-Z].*\. .*\.$/);
  });

  it('says so when no server is there, or when answers make no sense', async () => {
    const { differences } = await check({
      faults: [{ route: 'submit', kind: 'body', body: '<html>', contentType: 'text/html' }],
    });
    expect(differences.map((it) => it.id)).toEqual(['answers-differ']);
    const account = { email: 'user@example.test', password: 'correct-horse' };
    const nobody = await checkBackend({ baseUrl: 'http://127.0.0.1:9', account, submission: {} });
    expect(nobody.differences.map((it) => it.id)).toEqual(['unreachable']);
  });
});
