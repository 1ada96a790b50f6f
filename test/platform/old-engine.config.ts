import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

/*
 * Tests in an engine without the newest methods; `old-engine.test.ts` runs them. Those over loopback are left out: the framework of the
 * backend needs these methods.
 */
export default defineConfig({
  root: join(import.meta.dirname, '../..'),
  resolve: { tsconfigPaths: true },
  test: {
    // One worker loads the package once for all files.
    isolate: false,
    maxWorkers: 1,
    include: [
      'test/client/environment.test.ts',
      'test/services/*.test.ts',
      'test/services/auth/token-service-v1.test.ts',
      'test/services/auth/refresh-coordinator.test.ts',
    ],
    setupFiles: [join(import.meta.dirname, 'old-engine.ts')],
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
