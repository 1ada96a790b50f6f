import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

/*
 * A server on a developer's machine is reachable from every page that the developer's browser opens. This one answers requests for
 * a loopback name only, so that a rebound DNS name reaches nothing, and checks who sends them; and no request ends its process.
 */

/** The pages that may use a path: those of this server, or those of any server on this machine. */
export type Audience = 'own' | 'loopback';

export interface LocalServerOptions {
  audience(path: string): Audience;
  /** Whether a path reads a body, and bounds it. A body for any other path is answered 413. */
  takesBody(path: string): boolean;
  request(request: IncomingMessage, response: ServerResponse, path: string): unknown;
  /** Takes over an upgrade; false refuses it. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, path: string): boolean;
}

const LOOPBACK = String.raw`(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?`;
const loopbackHost = new RegExp(`^${LOOPBACK}$`, 'i');
const loopbackOrigin = new RegExp(`^https?://${LOOPBACK}$`, 'i');

/** Whether an origin is one of this machine, whatever its port. */
export const isLoopbackOrigin = (origin: string): boolean => loopbackOrigin.test(origin);

/** The policy of a page that loads only from its own server. `ancestors`: the pages that may show it in a frame. */
export const contentSecurityPolicy = (ancestors = "'none'"): string =>
  [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    `frame-ancestors ${ancestors}`,
  ].join('; ');

/**
 * Creates a server for the loopback interface. Requests by another host name, and requests of other origins, are answered 403
 * before a route sees them.
 *
 * @example
 * const routes = { audience: () => 'own', takesBody: () => false, request: site, upgrade: () => false };
 * const server = createLocalServer(routes);
 * server.listen(4_700, LOOPBACK_ADDRESS);
 */
export function createLocalServer({ audience, takesBody, request: answer, upgrade }: LocalServerOptions): Server {
  const server = createServer((request, response) => {
    response.setHeader('X-Content-Type-Options', 'nosniff');
    for (const stream of [request, response]) stream.on('error', ignore);
    const path = pathOf(request);
    const refuse = (status: number, reason: string) =>
      void response
        .writeHead(status, { 'Content-Type': 'application/json', Connection: 'close' })
        .end(JSON.stringify({ error: reason }));
    const reason = refusal(request, audience(path));
    if (reason) return refuse(403, reason);
    if (hasBody(request) && !takesBody(path)) return refuse(413, 'This path takes no body.');
    run(() => answer(request, response, path)).catch(() => {
      if (!response.headersSent) response.writeHead(500).end();
      else response.destroy();
    });
  });
  // An upgraded socket loses Node's own listener, and an error without a listener ends the process.
  server.on('connection', (socket) => socket.on('error', ignore));
  server.on('upgrade', (request, socket, head) => {
    const path = pathOf(request);
    const isTaken = !refusal(request, audience(path)) && upgrade(request, socket, head, path);
    if (!isTaken)
      socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n', () => socket.destroy());
  });
  return server;
}

/** The only address that a development server binds to. */
export const LOOPBACK_ADDRESS = '127.0.0.1';

/**
 * The text of a body.
 *
 * @param limit in bytes
 * @returns null when it is longer than the limit
 * @throws Error when the client breaks off
 */
export async function readBody(request: IncomingMessage, limit: number): Promise<string | null> {
  if (Number(request.headers['content-length'] ?? 0) > limit) return null;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > limit) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;

/** The path without its query. A target such as `//` is no URL, so it is not parsed as one. */
export const pathOf = ({ url = '/' }: IncomingMessage): string => url.split('?', 1)[0] ?? '/';

/** Why a request is refused, or null. */
function refusal({ headers, method }: IncomingMessage, audience: Audience): string | null {
  const { host = '', origin, 'sec-fetch-site': site = 'none', 'sec-fetch-mode': mode } = headers;
  if (!loopbackHost.test(host)) return 'This server answers only to its own name.';
  if (origin !== undefined) {
    const isAllowed = audience === 'loopback' ? isLoopbackOrigin(origin) : origin === `http://${host}`;
    return isAllowed ? null : 'This server answers only to pages of this machine.';
  }
  // Browsers omit the origin of images, scripts and links. A link may lead here.
  const isLink = method === 'GET' && mode === 'navigate';
  const isForeign = audience === 'own' ? site !== 'same-origin' && site !== 'none' : site === 'cross-site';
  return isForeign && !isLink ? 'This server answers only to pages of this machine.' : null;
}

/** Turns what a handler throws into a rejection. */
const run = async (act: () => unknown): Promise<void> => void (await act());

function ignore(): void {}
