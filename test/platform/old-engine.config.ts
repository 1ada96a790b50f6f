import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

/* The client's tests in an engine without the newest methods; `old-engine.test.ts` runs them. */
export default defineConfig({
  root: join(import.meta.dirname, '../..'),
  resolve: { tsconfigPaths: true },
  test: {
    include: ['test/client/client.test.ts', 'test/client/environment.test.ts', 'test/services/job-store.test.ts'],
    // Of the client's tests over loopback, those that open, submit and resume.
    testNamePattern: /^(?!watching|sessions|the client itself)/,
    setupFiles: [join(import.meta.dirname, 'old-engine.ts')],
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
