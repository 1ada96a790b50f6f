import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname } from 'node:path';

/** Answers requests for the files of a site, and 404 to any other. */
export type Site = (request: IncomingMessage, response: ServerResponse) => void;

/** The files of a site by their paths. */
export type SiteFiles = ReadonlyMap<string, string | Uint8Array>;

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
};

/** Serves a site from memory. */
export const siteOf =
  (files: SiteFiles): Site =>
  (request, response) => {
    // A target such as `//` is no URL, so it is not parsed as one.
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
    const name = path === '/' ? '/index.html' : path;
    const file = files.get(name);
    response.writeHead(file === undefined ? 404 : 200, { 'Content-Type': types[extname(name)] ?? 'text/plain' });
    response.end(file ?? 'not found');
  };
