import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

const components = 'test/react/**/*.test.tsx';
/** Folders whose tests only compute: they start no process, browser or server, and have no DOM. */
const computing = [
  'actors',
  'client',
  'docs',
  'durable',
  'inspect',
  'lib',
  'machines',
  'messages',
  'services',
  'worlds',
].map((folder) => `test/${folder}/**/*.test.ts`);

export default defineConfig({
  // Tests import the package by its name, as its users do; tsconfig.json maps that name to the sources.
  resolve: { tsconfigPaths: true },
  test: {
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // A condition that is waited for is there at once, or the machine is busy.
    expect: { poll: { timeout: 20_000 } },
    // More workers than cores: many tests here wait for sockets and browsers, not for a core.
    maxWorkers: Math.ceil(availableParallelism() * 1.5),
    reporters: ['default'],
    projects: [
      {
        extends: true,
        test: { name: 'apart', include: ['test/**/*.test.{ts,tsx}'], exclude: [components, ...computing] },
      },
      // One worker loads the chart once for all of its files, which halves the CPU time of these tests.
      { extends: true, test: { name: 'together', include: computing, isolate: false } },
      { extends: true, test: { name: 'components', include: [components], isolate: false } },
    ],
  },
});
