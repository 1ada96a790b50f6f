import { defineConfig } from 'vitest/config';

export default defineConfig({
  // Tests import the package by its name, as its users do; tsconfig.json maps that name to the sources.
  resolve: { tsconfigPaths: true },
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
