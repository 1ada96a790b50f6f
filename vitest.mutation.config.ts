import { defineConfig } from 'vitest/config';
import { alias } from './vitest.config.ts';

/** For mutation testing: the quick tests in virtual time and over loopback, without a browser or stories of half a minute. */
export default defineConfig({
  resolve: { alias },
  test: {
    include: ['test/services/**/*.test.ts', 'test/machines/**/*.test.ts'],
    testTimeout: 20_000,
  },
});
