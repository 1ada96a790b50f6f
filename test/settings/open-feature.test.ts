import { createHash } from 'node:crypto';
import { OFREPWebProvider } from '@openfeature/ofrep-web-provider';
import { OpenFeature, type Provider } from '@openfeature/web-sdk';
import { type RuntimeSettings, settingsFrom } from 'assessment-monitor';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type LoopbackServer, startServer } from '../support/http-server.ts';
import { openScriptedWorld } from '../support/scripted-world.ts';

/* settingsFrom with OpenFeature's web SDK and its OFREP provider, against a small OFREP server. */

let server: LoopbackServer;
let flags: Record<string, unknown> = {};
let isDown = false;
const seen = { notModified: 0, failed: 0 };

beforeEach(async () => {
  flags = {};
  isDown = false;
  server = await startServer();
  server.answer((response, { headers }) => {
    if (isDown) {
      seen.failed += 1;
      return void response.writeHead(500).end();
    }
    const body = JSON.stringify({
      flags: Object.entries(flags).map(([name, value]) => ({
        key: `assessment-monitor.${name}`,
        value,
        reason: 'STATIC',
        variant: 'v',
      })),
    });
    const etag = `"${createHash('sha1').update(body).digest('hex')}"`;
    if (headers['if-none-match'] === etag) {
      seen.notModified += 1;
      return void response.writeHead(304).end();
    }
    return void response.writeHead(200, { 'Content-Type': 'application/json', ETag: etag }).end(body);
  });
});
afterEach(async () => {
  await OpenFeature.close();
  await server.close();
});

const openSource = async () => {
  // Its types do not know `exactOptionalPropertyTypes`.
  const provider = new OFREPWebProvider({ baseUrl: server.url, pollInterval: 20 }) as unknown as Provider;
  await OpenFeature.setProviderAndWait(provider);
  return settingsFrom(OpenFeature.getClient());
};

it('means the defaults while there is no provider, or the first answer is an error', async () => {
  const source = settingsFrom(OpenFeature.getClient());
  expect(Object.values(source.get()).filter((value) => value !== true)).toEqual([]);
  isDown = true;
  await openSource().catch(() => {});
  const world = openScriptedWorld({}, { settings: source, socket: false });
  world.signIn('first', 60);
  world.submit();
  await world.run(120_000);
  expect([world.count('refresh'), world.phase()]).toEqual([1, 'waiting']);
  world.close();
});

it('takes the flags of an OFREP server, and keeps the last good values while it fails or sends nonsense', async () => {
  flags = { refresh: false, pollIntervalMs: 20_000 };
  const source = await openSource();
  let changes = 0;
  const unsubscribe = source.subscribe(() => (changes += 1));
  expect(source.get()).toEqual({ refresh: false, preventiveRefresh: undefined, pollIntervalMs: 20_000 });
  const becomes = async (wanted: RuntimeSettings): Promise<void> => {
    await expect.poll(() => source.get()).toEqual(wanted);
  };

  flags = { refresh: true, pollIntervalMs: 20_000, monitoringTimeoutMs: 60_000 };
  await becomes({ refresh: true, pollIntervalMs: 20_000, monitoringTimeoutMs: 60_000 });
  expect(changes).toBeGreaterThan(0);
  await expect.poll(() => seen.notModified).toBeGreaterThan(0);

  isDown = true;
  const failed = seen.failed;
  await expect.poll(() => seen.failed).toBeGreaterThan(failed + 1);
  expect(source.get()).toEqual({ refresh: true, pollIntervalMs: 20_000, monitoringTimeoutMs: 60_000 });

  isDown = false;
  flags = { refresh: 'off', pollIntervalMs: 'often', monitoringTimeoutMs: 90_000 };
  // The flags of another type keep their last good values.
  await becomes({ refresh: true, pollIntervalMs: 20_000, monitoringTimeoutMs: 90_000 });

  // A flag that is gone means the default.
  flags = { refresh: true };
  await becomes({ refresh: true });
  unsubscribe();
});

it('reaches an assessment that is under way', async () => {
  flags = { refresh: false };
  const source = await openSource();
  const world = openScriptedWorld({}, { settings: source, socket: false });
  world.signIn('first', 60);
  world.submit();
  await world.run(120_000);
  expect([world.count('refresh'), world.phase()]).toEqual([0, 'sign-in-needed']);
  flags = { refresh: true };
  await expect.poll(() => world.events.some(({ type }) => type === 'settings.changed')).toBe(true);
  await world.run(1_000);
  expect([world.count('refresh'), world.phase()]).toEqual([1, 'waiting']);
  world.close();
});
