import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import react from '@vitejs/plugin-react';
import { build, type Rolldown } from 'vite';

/** Answers requests for the files of a site, and 404 to any other. */
export type Site = (request: IncomingMessage, response: ServerResponse) => void;

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
};

/**
 * Builds a page of ours from the package's sources; takes about a second. It is held in memory, so that tests that build
 * the same one at the same time do not sweep away each other's files.
 *
 * @example
 * createServer(await buildSite(new URL('./viewer/', import.meta.url))).listen(4_700, 'localhost');
 */
export async function buildSite(folder: URL): Promise<Site> {
  const built = (await build({
    configFile: false,
    logLevel: 'warn',
    root: fileURLToPath(folder),
    plugins: [react()],
    // tsconfig.json maps the package's name to its sources.
    resolve: { tsconfigPaths: true },
    build: { write: false, chunkSizeWarningLimit: 1_000 },
  })) as Rolldown.RolldownOutput;
  const files = new Map(
    built.output.map((file) => [`/${file.fileName}`, file.type === 'chunk' ? file.code : file.source]),
  );
  return (request, response) => {
    // A target such as `//` is no URL, so it is not parsed as one.
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
    const name = path === '/' ? '/index.html' : path;
    const file = files.get(name);
    response.writeHead(file === undefined ? 404 : 200, { 'Content-Type': types[extname(name)] ?? 'text/plain' });
    response.end(file ?? 'not found');
  };
}
