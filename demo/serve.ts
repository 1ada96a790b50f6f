import { fileURLToPath } from 'node:url';
import { getRequestListener } from '@hono/node-server';
import { serveStatic } from '@hono/node-server/serve-static';
import react from '@vitejs/plugin-react';
import { Hono } from 'hono';
import { build } from 'vite';
import { type Backend, type BackendOptions, startBackend } from './backend/index.ts';

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

/** Where the built page goes: beside the packages, where no one looks for sources. */
const outDir = path('../node_modules/.cache/assessment-monitor-demo');

/** Builds the page, from the package's sources. Takes about a second. */
export async function buildPage(): Promise<void> {
  await build({
    configFile: false,
    logLevel: 'warn',
    root: path('./page'),
    plugins: [react()],
    resolve: {
      alias: {
        'assessment-monitor/inspect': path('../src/inspect/index.ts'),
        'assessment-monitor/react': path('../src/react/index.ts'),
        'assessment-monitor': path('../src/index.ts'),
      },
    },
    build: { outDir, emptyOutDir: true, chunkSizeWarningLimit: 1_000 },
  });
}

/**
 * The demo: the page and the reference backend in one process, on one port. Tokens live 8 s and a job takes 25 s, so that the
 * point is made in half a minute.
 */
export async function serveDemo(options: Partial<BackendOptions> = {}): Promise<Backend> {
  const page = new Hono().use('*', serveStatic({ root: outDir }));
  const serve = getRequestListener(page.fetch);
  return startBackend({
    accessTokenTtlMs: 8_000,
    jobDurationMs: 25_000,
    // "The minute" between two refreshes, scaled down with the tokens.
    refreshIntervalMs: 3_000,
    initialBalance: 100,
    ...options,
    control: true,
    fallback: (request, response) => void serve(request, response),
  });
}
