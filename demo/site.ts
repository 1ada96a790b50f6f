import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname } from 'node:path';
import { gzipSync } from 'node:zlib';

/** Answers requests for the files of a site, and 404 to any other. */
export type Site = (request: IncomingMessage, response: ServerResponse) => unknown;

/** The files of a site by their paths. */
export type SiteFiles = ReadonlyMap<string, string | Uint8Array>;

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
};

/** Serves a site from memory, compressed where the browser takes it. */
export function siteOf(files: SiteFiles): Site {
  const compressed = new Map<string, Uint8Array>();
  const compress = (name: string, file: string | Uint8Array): Uint8Array => {
    const known = compressed.get(name) ?? gzipSync(file);
    compressed.set(name, known);
    return known;
  };
  return (request, response) => {
    // A target such as `//` is no URL, so it is not parsed as one.
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
    const name = path === '/' ? '/index.html' : path;
    const file = files.get(name);
    response.setHeader('Content-Type', types[extname(name)] ?? 'text/plain');
    if (file === undefined) return response.writeHead(404).end('not found');
    // The name of an asset has a digest of what is in it.
    response.setHeader(
      'Cache-Control',
      name.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
    );
    response.setHeader('Vary', 'Accept-Encoding');
    if (!/\bgzip\b/.test(request.headers['accept-encoding'] ?? '')) return response.end(file);
    return response.setHeader('Content-Encoding', 'gzip').end(compress(name, file));
  };
}
