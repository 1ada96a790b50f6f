import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Tests with a document, which a worker loads once for all of them. */
const withDocument = [
  'test/react/!(server|over-loopback).test.tsx',
  'test/testing/worked-example.test.tsx',
  'test/lib/storage.test.ts',
  'test/client/{environment,kept-alive}.test.ts',
];
/** Tests that give their worker a document without the rest of a browser: no other file may get it. */
const apart = 'test/react/over-loopback.test.tsx';
/** What takes longest begins first: a long file that begins last keeps a core idle. */
const longest = [
  'worlds/worlds',
  'consumers/consumers',
  'browser/new-project',
  'machines/invariants',
  'browser/page',
  'browser/firefox',
  'browser/switches',
  'react/react-18',
  'servers/hostile-page',
  'browser/tabs',
  'browser/users',
  'browser/tc-9',
  'browser/viewer',
  'platform/baseline',
  'docs/code-blocks',
  'machines/rules',
].map((name) => `/test/${name}.test.ts`);

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const found = longest.findIndex((name) => moduleId.endsWith(name));
      return found === -1 ? longest.length : found;
    };
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}

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
    // A worker loads the package once for all of its files: in a worker for each, loading it took half of the CPU time.
    isolate: false,
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        test: { name: 'node', include: ['test/**/*.test.{ts,tsx}'], exclude: [apart, ...withDocument] },
      },
      { extends: true, test: { name: 'apart', include: [apart], isolate: true } },
      { extends: true, test: { name: 'with a document', include: withDocument } },
    ],
  },
});
