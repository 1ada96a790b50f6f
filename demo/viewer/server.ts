import type { AddressInfo } from 'node:net';
import { contentSecurityPolicy, createLocalServer, LOOPBACK_ADDRESS } from '@assessment-monitor/backend/local-server';
import { WebSocketServer } from 'ws';
import type { Site } from '../site.ts';
import { asInspected } from './inspected.ts';

export interface ViewerServer {
  readonly url: string;
  close(): Promise<void>;
}

/** Where actors are named by their ids. Each process that is inspected counts its own from nought. */
const idKeys = ['sessionId', 'rootId', 'parentId', 'sourceId'] as const;
/** Kept for a window that is opened later. */
const MOST_TOLD = 2_000;
const MOST_TOLD_BYTES = 16_000_000;
/** Bytes of one event. The definition of a large machine is the largest. */
const MAX_EVENT_BYTES = 1_000_000;
/** Senders, and windows, at one time. */
const MOST_CONNECTIONS = 100;

/** A developer's page may show the viewer in a frame: `createInspector({ iframe })`. Pages of other machines may not. */
const FRAMED_BY = ['http://localhost:*', 'http://127.0.0.1:*', 'https://localhost:*', 'https://127.0.0.1:*'].join(' ');

/**
 * Serves the viewer on the loopback interface: a page, a WebSocket for those who are inspected, and what they say as server-sent
 * events for the page. The Content Security Policy lets the page load from and connect to this server alone.
 *
 * @param options.port TCP port; 0 takes a free one
 * @param options.site the page, see `build-site.ts`
 */
export async function serveSite({ port, site }: { port: number; site: Site }): Promise<ViewerServer> {
  // Of this run: a window that outlives the server continues with the next one.
  const run = Date.now().toString(36);
  const told: { id: number; line: string }[] = [];
  let toldBytes = 0;
  const windows = new Set<(line: string) => void>();
  const hear = (text: string, source: number): void => {
    const event = asEvent(text, `${run}-${source}`);
    if (event === null) return;
    const id = (told.at(-1)?.id ?? 0) + 1;
    const line = `id: ${run}.${id}\ndata: ${JSON.stringify(event)}\n\n`;
    told.push({ id, line });
    toldBytes += line.length;
    while (told.length > MOST_TOLD || toldBytes > MOST_TOLD_BYTES) toldBytes -= told.shift()?.line.length ?? toldBytes;
    for (const show of windows) show(line);
  };

  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_EVENT_BYTES });
  const server = createLocalServer({
    audience: (path) => (path === '/events' ? 'own' : 'loopback'),
    takesBody: () => false,
    request(request, response, path) {
      response.setHeader('Content-Security-Policy', contentSecurityPolicy(FRAMED_BY));
      response.setHeader('Cross-Origin-Resource-Policy', 'same-origin');
      response.setHeader('Referrer-Policy', 'no-referrer');
      if (path !== '/events') return site(request, response);
      if (windows.size >= MOST_CONNECTIONS) return response.writeHead(503).end();
      response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
      // A window that was cut off says what it heard last.
      const [lastRun, last] = String(request.headers['last-event-id']).split('.');
      const heard = lastRun === run ? Number(last) : 0;
      for (const { id, line } of told) if (id > heard) response.write(line);
      const show = (line: string): void => {
        // A window that does not read reconnects later and asks for what is kept.
        if (response.writableLength > 2 * MOST_TOLD_BYTES) response.destroy();
        else response.write(line);
      };
      windows.add(show);
      response.once('close', () => windows.delete(show));
      return undefined;
    },
    upgrade(request, socket, head) {
      if (sockets.clients.size >= MOST_CONNECTIONS) return false;
      sockets.handleUpgrade(request, socket, head, (opened) => sockets.emit('connection', opened, request));
      return true;
    },
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, LOOPBACK_ADDRESS, resolve);
  });
  let sources = 0;
  sockets.on('connection', (socket) => {
    const source = (sources += 1);
    socket.on('message', (data) => hear(String(data), source));
    // A sender that breaks off is one that has ended.
    socket.on('error', () => {});
  });
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}`,
    async close() {
      for (const socket of sockets.clients) socket.terminate();
      await new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      });
    },
  };
}

/** An event as the page gets it, its actors told apart from those of other sources; null if it is none. */
function asEvent(text: string, source: string): object | null {
  try {
    const event = asInspected(JSON.parse(text)) as Record<string, unknown> | null;
    if (!event) return null;
    const ids = idKeys.flatMap((key) => (typeof event[key] === 'string' ? [[key, `${source}-${event[key]}`]] : []));
    return { ...event, ...Object.fromEntries(ids) };
  } catch {
    return null;
  }
}
