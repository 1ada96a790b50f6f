import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build, type Rolldown } from 'vite';
import { ensureBuilt } from './ensure-built.ts';

/*
 * What an application's bundle gains by an import, as Vite builds it for production: minified, gzipped, React left out. Code that is
 * loaded on use is counted like the rest, except for that of the ports, which only a client with ports of its own ever loads. Vite's
 * helper that loads it is not counted, because it is one for all of an application, and others have none. Both are weighed by themselves.
 */

/** What each of them imports. */
export const imports = {
  core: `export { createAssessmentClient } from 'assessment-monitor';`,
  react: `export { AssessmentProvider, useAssessment, useAssessmentSelector } from 'assessment-monitor/react';`,
  durable: `export { watchDurably } from 'assessment-monitor/durable';`,
  toMeter: `export { toMeter } from 'assessment-monitor/telemetry';`,
  toSentry: `export { toSentry } from 'assessment-monitor/telemetry';`,
  toLines: `export { toLines } from 'assessment-monitor/telemetry';`,
  toBeacon: `export { toBeacon } from 'assessment-monitor/telemetry';`,
  /** One function, to see that the rest is left out. */
  texts: `export { describeProblem } from 'assessment-monitor';`,
  socketIo: `export { io } from 'socket.io-client';`,
  /** What `bench/contestants/assembled.ts` is put together from, as a page in React has it: with its hooks, like ours. */
  assembled: `
    export { QueryClient, QueryClientProvider, useMutation, useQuery } from '@tanstack/react-query';
    export { default as axios } from 'axios';
    export { createAuthRefresh } from 'axios-auth-refresh';
    export { io } from 'socket.io-client';`,
  /** The same without React, as the benchmarks run it. */
  assembledCore: `
    export { MutationObserver, QueryClient, QueryObserver } from '@tanstack/query-core';
    export { default as axios } from 'axios';
    export { createAuthRefresh } from 'axios-auth-refresh';
    export { io } from 'socket.io-client';`,
  /** Two SDKs that keep a token fresh, and know nothing of jobs. */
  oidc: `export { UserManager } from 'oidc-client-ts';`,
  supabase: `export { AuthClient } from '@supabase/auth-js';`,
} as const;

/** It need not exist; from its folder the package's name leads to what is built. */
const ENTRY_FILE = fileURLToPath(new URL('entry.ts', import.meta.url));

const PRELOAD_HELPER = '\0vite/preload-helper.js';

const react = ['react', 'react-dom'];
/** The package's dependencies, beside React. */
const dependencies = ['xstate', '@xstate/react', 'rxjs', 'zod', 'jose'];
/** The dependencies that an application of this kind has already. */
const shared = ['xstate', '@xstate/react', 'rxjs', 'zod'];

/**
 * Bundles `code` and weighs it.
 *
 * @param without packages that the application has anyway, or that are not counted
 * @returns gzipped bytes
 */
async function weigh(
  code: string,
  without: readonly string[] = [],
  {
    withHelper = false,
    firstOnly = false,
    portsOnly = false,
  }: { withHelper?: boolean; firstOnly?: boolean; portsOnly?: boolean } = {},
): Promise<number> {
  const entry = 'virtual:entry';
  const left = [...react, ...without];
  const { output } = (await build({
    configFile: false,
    logLevel: 'error',
    define: { 'process.env.NODE_ENV': '"production"' },
    plugins: [
      {
        name: 'entry',
        resolveId: (id) => (id === entry ? ENTRY_FILE : undefined),
        load: (id) => (id === ENTRY_FILE ? code : undefined),
      },
      {
        name: 'no-helper',
        enforce: 'pre',
        load: (id) =>
          id === PRELOAD_HELPER && !withHelper ? 'export const __vitePreload = (load) => load();' : undefined,
      },
    ],
    build: {
      write: false,
      target: 'es2022',
      modulePreload: false,
      rolldownOptions: {
        input: entry,
        // As in a page of one's own, code that is loaded on use takes what it shares from the code that is there.
        preserveEntrySignatures: 'allow-extension',
        external: (id) => left.some((it) => id === it || id.startsWith(`${it}/`)),
      },
    },
  })) as Rolldown.RolldownOutput;
  const chunks = output.filter((it) => it.type === 'chunk');
  const strangers = chunks.flatMap(({ moduleIds }) => moduleIds).filter((id) => id.includes('/dist/durable/'));
  if (strangers.length > 0 && code !== imports.durable)
    throw new Error(`${strangers.join(', ')} is in a bundle that does not import it`);
  const counted = chunks.filter((chunk) => isOfPorts(chunk) === portsOnly);
  return (firstOnly ? firstChunks(counted) : counted).reduce(
    (sum, chunk) => sum + gzipSync(chunk.code, { level: 9 }).length,
    0,
  );
}

/** Only a client with ports of its own ever loads it. */
const isOfPorts = ({ moduleIds }: Rolldown.OutputChunk): boolean =>
  moduleIds.some((id) => id.endsWith('/dist/client/own-ports.js'));

/** The code of the chunks that a page loads before any `import()` runs. */
function firstChunks(chunks: readonly Rolldown.OutputChunk[]): Rolldown.OutputChunk[] {
  const wanted = new Set(chunks.filter(({ isEntry }) => isEntry).map(({ fileName }) => fileName));
  for (const name of wanted)
    for (const it of chunks) if (it.fileName === name) it.imports.forEach((i) => wanted.add(i));
  return chunks.filter(({ fileName }) => wanted.has(fileName));
}

/** Gzipped bytes. */
export interface Sizes {
  /** The marginal cost in an application that has xstate, @xstate/react, rxjs and zod already: our own code and jose. */
  marginal: number;
  /** What an application loads at its start when it loads the whole client on use, by `import('assessment-monitor')`. */
  onUse: number;
  /** Our own code, core and React, without its dependencies. */
  ours: number;
  core: number;
  texts: number;
  /** What a client with an API, a token source, a refresh or a feed of its own loads on use, beside the core. */
  ports: number;
  /** The durable watcher, in a server that has xstate, rxjs and zod. */
  durable: number;
  coreReact: number;
  withSocketIo: number;
  assembled: number;
  assembledCore: number;
  oidc: number;
  supabase: number;
  /** Each function of `assessment-monitor/telemetry` by itself. */
  toMeter: number;
  toSentry: number;
  toLines: number;
  toBeacon: number;
  /** Vite's, for code that is loaded on use. */
  helper: number;
}

/** A function of the telemetry is not worth thinking about. */
const telemetry = { toMeter: 500, toSentry: 500, toLines: 500, toBeacon: 510 };

/** What may not be outgrown: what was reached, and a little more. */
export const budgets: Partial<Sizes> = { marginal: 42_400, ours: 41_900, texts: 1_900, ports: 6_500, ...telemetry };

/** Weighs what `npm run build` leaves; it builds first where that is older than the sources. */
export async function measureSizes(): Promise<Sizes> {
  ensureBuilt();
  const { core, texts, durable, react: hooks, socketIo, assembled, assembledCore, oidc, supabase } = imports;
  const coreReact = `${core}\n${hooks}`;
  const onUse = `export const load = () => import('socket.io-client');`;
  // The core loads Socket.IO on use: it is counted where it is asked for.
  return {
    marginal: await weigh(coreReact, [...shared, 'socket.io-client']),
    onUse: await weigh(`export const load = () => import('assessment-monitor');`, [], {
      withHelper: true,
      firstOnly: true,
    }),
    ours: await weigh(coreReact, [...dependencies, 'socket.io-client']),
    core: await weigh(core, ['socket.io-client']),
    texts: await weigh(texts),
    ports: await weigh(core, [...dependencies, 'socket.io-client'], { portsOnly: true }),
    durable: await weigh(durable, shared),
    coreReact: await weigh(coreReact, ['socket.io-client']),
    withSocketIo: await weigh(`${coreReact}\n${socketIo}`),
    assembled: await weigh(assembled),
    assembledCore: await weigh(assembledCore),
    oidc: await weigh(oidc),
    supabase: await weigh(supabase),
    toMeter: await weigh(imports.toMeter),
    toSentry: await weigh(imports.toSentry),
    toLines: await weigh(imports.toLines),
    toBeacon: await weigh(imports.toBeacon),
    helper:
      (await weigh(onUse, ['socket.io-client'], { withHelper: true })) - (await weigh(onUse, ['socket.io-client'])),
  };
}
