import { join } from 'node:path';
import { build } from 'vite';
import { defineConfig } from 'vitest/config';

/*
 * The tests of this folder with React 18; `react-18.test.ts` runs them. All packages that import React are bundled with it
 * first: otherwise they resolve React 19.
 */
const root = join(import.meta.dirname, '../..');
const outDir = process.env.REACT_18_BUNDLE ?? join(root, 'node_modules/.react-18');
const react18 = [
  { find: /^react(?=\/|$)/, replacement: 'react-18' },
  { find: /^react-dom(?=\/|$)/, replacement: 'react-dom-18' },
];
const entries = [
  'react',
  'react/jsx-runtime',
  'react/jsx-dev-runtime',
  'react-dom',
  'react-dom/client',
  'react-dom/server',
  'react-dom/test-utils',
  '@xstate/react',
  '@testing-library/react',
];
const fileOf = (entry: string) => entry.replaceAll(/[@/]/g, '_');

await build({
  root,
  configFile: false,
  logLevel: 'warn',
  mode: 'development',
  resolve: { alias: react18 },
  ssr: { noExternal: true, external: ['xstate'] },
  build: {
    ssr: true,
    outDir,
    emptyOutDir: true,
    minify: false,
    rolldownOptions: { input: Object.fromEntries(entries.map((entry) => [fileOf(entry), entry])) },
  },
});

export default defineConfig({
  root,
  resolve: {
    tsconfigPaths: true,
    alias: entries.map((entry) => ({
      find: new RegExp(`^${entry}$`),
      replacement: join(outDir, `${fileOf(entry)}.js`),
    })),
  },
  test: {
    // One worker loads the package once for all files, which halves the CPU time.
    isolate: false,
    include: ['test/react/**/*.test.tsx'],
    // React 18 has no Activity.
    exclude: ['test/react/activity.test.tsx'],
    env: { REACT_MAJOR: '18' },
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
