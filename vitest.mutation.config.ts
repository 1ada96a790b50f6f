import { defineConfig } from 'vitest/config';

/**
 * For mutation testing: the quick tests in virtual time and over loopback, without a browser or stories of half a minute. The walk and
 * the rules are not among them: they explore the chart once for all their tests, and Stryker could not tell which of them sees what.
 * Nor is what reads the comments of the chart: mutants have none.
 */
export default defineConfig({
  resolve: { tsconfigPaths: true },
  test: {
    include: [
      'test/services/**/*.test.ts',
      'test/lib/**/*.test.ts',
      'test/machines/{emitted,guards,named-paths,notes}.test.ts',
    ],
    testTimeout: 20_000,
  },
});
