import { join } from 'node:path';
import { expect, it } from 'vitest';
import { runVitest } from '../support/run-vitest.ts';

it(
  'opens, submits and resumes, and passes the tests of its services, in an engine without the newest methods',
  { timeout: 300_000 },
  async () => {
    const { failed, passed } = await runVitest(join(import.meta.dirname, 'old-engine.config.ts'));
    expect(failed).toEqual([]);
    expect(passed).toBeGreaterThan(30);
  },
);
