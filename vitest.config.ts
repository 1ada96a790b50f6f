import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

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
  'machines/rules',
].map((name) => `/test/${name}.test.ts`);

/** The longest first, and last those with an environment of their own, which other files cannot share a worker with. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rankOf = ({ moduleId }: TestSpecification) => {
      if (readFileSync(moduleId, 'utf8').includes('// @vitest-environment')) return longest.length + 1;
      const found = longest.findIndex((name) => moduleId.endsWith(name));
      return found === -1 ? longest.length : found;
    };
    const ranks = new Map(files.map((file) => [file, rankOf(file)]));
    const rank = (file: TestSpecification) => ranks.get(file) ?? 0;
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
    include: ['test/**/*.test.{ts,tsx}'],
  },
});
