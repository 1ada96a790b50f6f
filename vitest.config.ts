import { defineConfig } from 'vitest/config';

/** Folders whose tests start processes, browsers or servers, or change what a whole worker shares. */
const apart = ['backend', 'bench', 'browser', 'consumers', 'demo', 'e2e', 'fuzz', 'platform', 'servers', 'types'].map(
  (folder) => `test/${folder}/**/*.test.ts`,
);
const react18 = 'test/react/react-18.test.ts';

export default defineConfig({
  // Tests import the package by its name, as its users do; tsconfig.json maps that name to the sources.
  resolve: { tsconfigPaths: true },
  test: {
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // A condition that is waited for is there at once, or the machine is busy.
    expect: { poll: { timeout: 20_000 } },
    // Vitest leaves one core free, which on two cores is half of them; many tests here wait for sockets, not for a core.
    maxWorkers: '100%',
    reporters: ['default'],
    projects: [
      { extends: true, test: { name: 'apart', include: [...apart, react18] } },
      {
        extends: true,
        // One worker loads the chart once for all of its files, which halves the CPU time of these tests.
        test: { name: 'together', include: ['test/**/*.test.{ts,tsx}'], exclude: [...apart, react18], isolate: false },
      },
    ],
  },
});
