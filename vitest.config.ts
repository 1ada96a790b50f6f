import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (file: string) => fileURLToPath(new URL(`./src/${file}`, import.meta.url));

/** Tests import the package by its name, as its users do; these aliases point that name at the source. */
export const alias = {
  'assessment-monitor/react': source('react/index.ts'),
  'assessment-monitor/testing': source('testing/index.ts'),
  'assessment-monitor/inspect': source('inspect/index.ts'),
  'assessment-monitor': source('index.ts'),
};

export default defineConfig({
  resolve: { alias },
  test: {
    include: ['test/**/*.test.{ts,tsx}'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // A condition that is waited for is there at once, or the machine is busy.
    expect: { poll: { timeout: 20_000 } },
    // Vitest leaves one core free, which on two cores is half of them; many tests here wait for sockets, not for a core.
    maxWorkers: '100%',
    reporters: ['default'],
  },
});
