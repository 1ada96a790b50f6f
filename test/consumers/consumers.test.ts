import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { consumers } from '../../scripts/matrix/consumers.ts';
import { tryConsumer } from '../../scripts/matrix/try-consumer.ts';
import { packPackage, TARBALL_VARIABLE } from '../../scripts/pack.ts';

/* The fast half of `npm run matrix`: real projects that install the packed package. */

let folder: string;
let tarball: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'assessment-monitor-consumers-'));
  tarball = process.env[TARBALL_VARIABLE] ?? (await packPackage(folder));
}, 240_000);
afterAll(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));

const fast = consumers.filter(({ isFast }) => isFast);

it.concurrent.each(fast)('the packed package works in: $name', { timeout: 240_000 }, async (consumer) => {
  expect(await tryConsumer(consumer, tarball, folder)).toMatchObject({ passed: true, reason: '' });
});
