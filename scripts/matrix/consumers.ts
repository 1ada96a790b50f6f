import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

/* The projects of consumers, each as small as it can be. All of them install the packed tarball. */

export interface Consumer {
  name: string;
  /** Part of the test command too. */
  isFast?: boolean;
  /** Beside the package itself, by name. */
  dependencies: Record<string, string>;
  /** More fields of its package.json. */
  manifest?: Record<string, unknown>;
  files: Record<string, string>;
  /** Commands in the project's folder; `node` is this process's own. The last one has to print `ready`, if it prints anything. */
  commands: string[][];
  /** What the last command prints, in place of `ready`. */
  prints?: RegExp;
  /** Runs beside the reference backend, whose address and test user are in its environment. */
  needsBackend?: boolean;
  /** Runs the project in Chromium: its script serves a page, which has to show `ready` without an error. */
  serves?: boolean;
}

const own = createRequire(import.meta.url)('../../package.json') as { devDependencies: Record<string, string> };
const pick = (...names: string[]) =>
  Object.fromEntries(names.map((name) => [name, own.devDependencies[name] ?? 'latest']));
const REACT_19 = { react: '^19.0.0', 'react-dom': '^19.0.0' };
const REACT_18 = { react: '^18.3.1', 'react-dom': '^18.3.1' };
const VITE = { ...pick('vite'), '@vitejs/plugin-react': '^6.3.0' };

/** Uses the client without a socket; prints `ready`. */
const entry = `
import { createAssessmentClient } from 'assessment-monitor';
const client = createAssessmentClient({ baseUrl: 'https://api.example.test', socket: false });
console.log(client.resume().length === 0 ? 'ready' : 'broken');
client.dispose();
`;
const page = `
import { createRoot } from 'react-dom/client';
import { createAssessmentClient } from 'assessment-monitor';
import { AssessmentProvider, useAssessment } from 'assessment-monitor/react';
const client = createAssessmentClient({ baseUrl: '' });
function Phase() { return <p>{useAssessment().phase}</p>; }
createRoot(document.getElementById('root')).render(
  <AssessmentProvider client={client}><Phase /></AssessmentProvider>);
`;
const viteFiles = {
  'index.html': '<div id="root"></div><script type="module" src="/main.jsx"></script>',
  'main.jsx': page,
  'vite.config.js': `import react from '@vitejs/plugin-react';\nexport default { plugins: [react()] };`,
};
/** A bundler of webpack's kind. Warnings are allowed: the optional peer is missing. */
const webpackFiles = (load: string) => ({
  'main.js': entry,
  // A bundle for pages finds its further files by `self`, which Node does not have.
  'run.cjs': "globalThis.self = globalThis; require('./out/main.cjs');",
  'build.mjs': `${load}
bundle({
  mode: 'production', target: 'web', entry: './main.js',
  output: { path: import.meta.dirname ?? process.cwd() + '/out', filename: 'main.cjs', publicPath: '' },
}, (error, stats) => {
  if (error || stats.hasErrors()) { console.error(error ?? stats.toString({ all: false, errors: true })); process.exit(1); }
});`.replace('import.meta.dirname ?? ', ''),
});
const bundled = { 'main.js': entry };

/** TypeScript without \`skipLibCheck\`, in one way of resolving modules. */
function typescript(version: string, resolution: 'bundler' | 'node16' | 'node10'): Consumer {
  const isDeprecated = resolution === 'node10' && Number(version.split('.')[0]) >= 6;
  return {
    name: `TypeScript ${version}, ${resolution}`,
    dependencies: { ...REACT_19, '@types/react': '^19.0.0', typescript: `~${version}.0` },
    files: {
      'main.tsx': `
import { createAssessmentClient, type AssessmentClient } from 'assessment-monitor';
import { restOperations } from 'assessment-monitor/adapters';
import { watchDurably } from 'assessment-monitor/durable';
import { createInspector, type InspectedEvent } from 'assessment-monitor/inspect';
import { useAssessment } from 'assessment-monitor/react';
import { openAsyncStore } from 'assessment-monitor/react-native';
import { explore } from 'assessment-monitor/testing';
export const client: AssessmentClient = createAssessmentClient({ baseUrl: '' });
export const kind = (event: InspectedEvent): '@xstate.actor' | '@xstate.event' | '@xstate.snapshot' => event.type;
// @ts-expect-error: the types are resolved, and none of them is any
export const wrong: number = client;
export { createInspector, explore, openAsyncStore, restOperations, useAssessment, watchDurably };`,
      'tsconfig.json': JSON.stringify({
        compilerOptions: {
          noEmit: true,
          strict: true,
          skipLibCheck: false,
          target: 'es2022',
          lib: ['es2022', 'dom', 'dom.iterable'],
          types: [],
          jsx: 'react-jsx',
          module: resolution === 'node16' ? 'node16' : 'esnext',
          moduleResolution: resolution,
          ...(isDeprecated ? { ignoreDeprecations: '6.0' } : {}),
        },
        files: ['main.tsx'],
      }),
    },
    commands: [['node', 'node_modules/typescript/bin/tsc', '-p', '.']],
  };
}

/** Node, of this machine or from the npm package \`node\`. */
function node(version: string | null): Consumer {
  const command = version ? 'node_modules/node/bin/node' : 'node';
  return {
    name: `Node ${version ?? process.versions.node}: import and require`,
    dependencies: version ? { node: `^${version}.0.0` } : {},
    files: {
      'main.mjs': entry,
      'main.cjs': `
const { createAssessmentClient } = require('assessment-monitor');
createAssessmentClient({ baseUrl: '' }).dispose();
console.log('ready');`,
    },
    commands: [
      [command, 'main.mjs'],
      [command, 'main.cjs'],
    ],
  };
}

/** Runs an assessment to its end with what an engine of React Native has, and without what it lacks. */
const reactNative = {
  'strip.mjs': `import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import stripTypes from 'flow-remove-types';
mkdirSync('rn');
for (const [from, to] of [['URL.js', 'URL.mjs'], ['URLSearchParams.js.flow', 'URLSearchParams.mjs'], ['URLSearchParams.js', 'URLSearchParams.mjs']]) {
  const source = readFileSync('package/Libraries/Blob/' + from, 'utf8');
  const stripped = stripTypes(source, { all: true }).toString()
    .replace("import NativeBlobModule from './NativeBlobModule';", 'const NativeBlobModule = null;')
    .replaceAll("'./URLSearchParams'", "'./URLSearchParams.mjs'");
  writeFileSync('rn/' + to, stripped);
}`,
  'main.mjs': `import abort from 'abort-controller/dist/abort-controller.js';
import { TextDecoder } from '@kayahr/text-encoding/no-encodings';
import { URL } from './rn/URL.mjs';
for (const name of ['crypto', 'BroadcastChannel', 'MessageChannel', 'structuredClone', 'navigator', 'Event', 'EventTarget'])
  delete globalThis[name];
const { AbortController, AbortSignal } = abort;
Object.assign(globalThis, { URL, AbortController, AbortSignal, TextDecoder, window: globalThis });
const { createAssessmentClient } = await import('assessment-monitor');
const { appPage, openAsyncStore } = await import('assessment-monitor/react-native');
const stored = new Map();
const storage = await openAsyncStore({
  getAllKeys: async () => [...stored.keys()], getItem: async (key) => stored.get(key) ?? null,
  setItem: async (key, value) => void stored.set(key, value), removeItem: async (key) => void stored.delete(key),
});
const job = { jobId: 'job-1', resultId: 'result-1', status: 'completed', progress: 100 };
const answers = { submit: [202, { ...job, status: 'queued' }], status: [200, job], results: [200, { id: 'result-1', test_result: {} }] };
const client = createAssessmentClient({
  baseUrl: 'https://api.example.test', socket: false, storage,
  page: appPage({ currentState: 'active', addEventListener: () => ({ remove() {} }) }),
  fetch: async (url) => {
    const [status, data] = answers[Object.keys(answers).find((route) => url.includes(route))] ?? [404, null];
    return { status, headers: { get: () => null }, text: async () => JSON.stringify({ success: status < 300, data }) };
  },
});
client.signedIn({ accessToken: 'e30.eyJzdWIiOiJ1c2VyIn0.x', expiresIn: 3600 });
const { phase } = await client.submit({ answer: 1 }).settled();
await storage.written();
client.dispose();
console.log(phase === 'completed' && !new URL('https://a.test/').href.includes('null') ? 'ready' : phase);`,
};

/** A folder of examples/, as `degit` copies it. */
function example(name: string, rest: Pick<Consumer, 'commands'> & Partial<Consumer>): Consumer {
  const folder = join(import.meta.dirname, '../../examples', name);
  const isOwn = (path: string) => !/^(package(-lock)?\.json|README\.md|node_modules|dist|\.next)($|\/)/.test(path);
  const paths = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((it) => it.isFile())
    .map((it) => join(it.parentPath, it.name).slice(folder.length + 1))
    .filter(isOwn);
  const { dependencies, ...manifest } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  const { 'assessment-monitor': _, ...others } = dependencies;
  return {
    name: `example ${name}`,
    dependencies: others,
    manifest,
    files: Object.fromEntries(paths.map((path) => [path, readFileSync(join(folder, path), 'utf8')])),
    ...rest,
  };
}
const build = [['npm', 'run', 'build', '--silent']];

export const consumers: readonly Consumer[] = [
  example('foreign-api', { isFast: true, commands: [['node', 'main.mjs']], prints: /^completed: 42$/ }),
  example('own-machine', { commands: [['node', 'main.mjs']], prints: /^enrolled: completed$/ }),
  example('node-script', { commands: [['node', 'main.mjs']], prints: /"archetype"/, needsBackend: true }),
  example('vanilla', { commands: build, prints: /built in/ }),
  example('vite-react', { commands: build, prints: /built in/ }),
  example('next-app', { commands: build, prints: /Compiled/ }),
  {
    name: 'esbuild without socket.io-client',
    isFast: true,
    dependencies: { esbuild: '^0.28.0' },
    files: {
      ...bundled,
      'build.mjs': `import { build } from 'esbuild';
await build({ entryPoints: ['main.js'], bundle: true, format: 'esm', outfile: 'out/main.mjs', logLevel: 'error' });`,
    },
    commands: [
      ['node', 'build.mjs'],
      ['node', 'out/main.mjs'],
    ],
  },
  { ...node(null), isFast: true },
  { ...typescript('6.0', 'bundler'), isFast: true },
  { ...typescript('6.0', 'node16'), isFast: true },
  {
    name: 'Rollup without socket.io-client',
    dependencies: { rollup: '^4.0.0', '@rollup/plugin-node-resolve': '^16.0.0' },
    files: {
      ...bundled,
      'build.mjs': `import { rollup } from 'rollup';
import resolve from '@rollup/plugin-node-resolve';
const bundle = await rollup({ input: 'main.js', plugins: [resolve({ browser: true })], onLog() {} });
await bundle.write({ dir: 'out', format: 'es', entryFileNames: '[name].mjs' });`,
    },
    commands: [
      ['node', 'build.mjs'],
      ['node', 'out/main.mjs'],
    ],
  },
  {
    name: 'webpack without socket.io-client',
    dependencies: { webpack: '^5.112.0' },
    files: webpackFiles("import bundle from 'webpack';"),
    commands: [
      ['node', 'build.mjs'],
      ['node', 'run.cjs'],
    ],
  },
  {
    name: 'Rspack without socket.io-client',
    dependencies: { '@rspack/core': '^2.3.0' },
    files: webpackFiles("import { rspack as bundle } from '@rspack/core';"),
    commands: [
      ['node', 'build.mjs'],
      ['node', 'run.cjs'],
    ],
  },
  {
    name: 'Parcel without socket.io-client',
    dependencies: { parcel: '^2.16.0' },
    manifest: { alias: { 'socket.io-client': false } },
    files: bundled,
    commands: [
      [
        'node',
        'node_modules/parcel/lib/bin.js',
        'build',
        'main.js',
        '--dist-dir',
        'out',
        '--no-source-maps',
        '--no-cache',
      ],
      ['node', 'out/main.js'],
    ],
  },
  {
    name: 'Vite, React 19, with socket.io-client',
    dependencies: { ...REACT_19, ...VITE, ...pick('socket.io-client') },
    files: {
      ...viteFiles,
      'check.mjs': `import { readdirSync, readFileSync } from 'node:fs';
const chunks = readdirSync('dist/assets').map((name) => readFileSync('dist/assets/' + name, 'utf8'));
console.log(chunks.some((text) => text.includes('EIO')) ? 'ready' : 'socket.io-client is not bundled');`,
    },
    commands: [
      ['node', 'node_modules/vite/bin/vite.js', 'build', '--logLevel', 'error'],
      ['node', 'check.mjs'],
    ],
  },
  {
    name: 'Vite, React 18, without socket.io-client',
    dependencies: { ...REACT_18, ...VITE },
    files: viteFiles,
    commands: [['node', 'node_modules/vite/bin/vite.js', 'build', '--logLevel', 'error']],
  },
  {
    name: 'Next, app router',
    dependencies: { ...REACT_19, next: '^16.4.0' },
    files: {
      'app/layout.jsx': `export default ({ children }) => <html lang="en"><head><link rel="icon" href="data:," /></head><body>{children}</body></html>;`,
      // A server component that uses the provider directly: the package itself says 'use client'.
      'app/page.jsx': `import { Assessment } from './assessment';\nexport default () => <Assessment />;`,
      'app/assessment.jsx': `'use client';
import { useEffect, useState } from 'react';
import { createAssessmentClient } from 'assessment-monitor';
import { AssessmentProvider, useAssessment } from 'assessment-monitor/react';
const client = createAssessmentClient({ baseUrl: '', socket: false });
function Phase() {
  const { phase } = useAssessment();
  const [isHydrated, setHydrated] = useState(false);
  useEffect(() => setHydrated(true), []);
  return <p>{phase} {isHydrated ? 'ready' : 'rendered'}</p>;
}
export function Assessment() { return <AssessmentProvider client={client}><Phase /></AssessmentProvider>; }`,
      'app/server/page.jsx': `import { useAssessment } from 'assessment-monitor/react';
export default () => <p>{typeof useAssessment}</p>;`,
      'next.config.mjs': `export default { turbopack: { root: process.cwd() } };`,
    },
    commands: [['node', 'node_modules/next/dist/bin/next', 'build']],
    serves: true,
  },
  {
    name: 'Jest with babel-jest',
    dependencies: {
      ...REACT_19,
      jest: '^30.0.0',
      'babel-jest': '^30.0.0',
      '@babel/core': '^7.29.0',
      '@babel/preset-env': '^7.29.0',
    },
    files: {
      'jest.config.cjs': `module.exports = {
  transformIgnorePatterns: ['/node_modules/(?!(assessment-monitor|jose)/)'],
};`,
      'babel.config.cjs': `module.exports = { presets: [['@babel/preset-env', { targets: { node: 'current' } }]] };`,
      'main.test.js': `import { createAssessmentClient } from 'assessment-monitor';
import { useAssessment } from 'assessment-monitor/react';
test('loads', () => {
  createAssessmentClient({ baseUrl: 'https://api.example.test' }).dispose();
  expect(typeof useAssessment).toBe('function');
});`,
    },
    commands: [['node', 'node_modules/jest/bin/jest.js', '--silent']],
  },
  {
    name: 'Vitest with jsdom',
    dependencies: { ...REACT_19, ...pick('vitest', 'vite', 'jsdom') },
    files: {
      'vitest.config.js': `export default { test: { environment: 'jsdom' } };`,
      'main.test.js': `import { expect, it } from 'vitest';
import { createAssessmentClient } from 'assessment-monitor';
import { useAssessment } from 'assessment-monitor/react';
it('loads', () => {
  createAssessmentClient({ baseUrl: '' }).dispose();
  expect(typeof useAssessment).toBe('function');
});`,
    },
    commands: [['node', 'node_modules/vitest/vitest.mjs', 'run', '--reporter=dot']],
  },
  {
    name: 'React Native 0.76: its URL and AbortController in a plain engine',
    dependencies: { 'abort-controller': '^3.0.0', 'flow-remove-types': '^2.0.0', '@kayahr/text-encoding': '^2.0.0' },
    files: reactNative,
    commands: [
      ['npm', 'pack', 'react-native@0.76.9', '--silent'],
      ['tar', '-xzf', 'react-native-0.76.9.tgz', 'package/Libraries/Blob'],
      ['node', 'strip.mjs'],
      ['node', 'main.mjs'],
    ],
  },
  node('22'),
  node('24'),
  typescript('5.4', 'bundler'),
  typescript('5.4', 'node16'),
  typescript('5.4', 'node10'),
  typescript('5.9', 'bundler'),
  typescript('5.9', 'node16'),
  typescript('6.0', 'node10'),
  typescript('7.0', 'bundler'),
  typescript('7.0', 'node16'),
];
