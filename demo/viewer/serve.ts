import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import { redactEvent } from 'assessment-monitor/inspect';
import { buildSite } from '../build-site.ts';

export interface ViewerServer {
  readonly url: string;
  close(): Promise<void>;
}

/** Where actors are named by their ids. Each process that is inspected counts its own from nought. */
const idKeys = ['sessionId', 'rootId', 'parentId', 'sourceId'];
/** For a window that is opened later. */
const MOST_TOLD = 2_000;

/**
 * Serves the viewer on the loopback interface: a page, a WebSocket for those who are inspected, and what they say as server-sent
 * events for the page. What the page may load and whom it may talk to is this server alone, and the browser sees to it.
 *
 * @param options.port TCP port; 0 takes a free one
 */
export async function serveViewer({ port }: { port: number }): Promise<ViewerServer> {
  const site = await buildSite(new URL('./', import.meta.url));
  // Of this run: a window that outlives the server continues with the next one.
  const run = Date.now().toString(36);
  const told: { id: number; line: string }[] = [];
  const windows = new Set<(line: string) => void>();
  const hear = (text: string, source: number): void => {
    const event = asEvent(text, `${run}-${source}`);
    if (event === null) return;
    const id = (told.at(-1)?.id ?? 0) + 1;
    const line = `id: ${run}.${id}\ndata: ${JSON.stringify(event)}\n\n`;
    told.push({ id, line });
    if (told.length > MOST_TOLD) told.shift();
    for (const show of windows) show(line);
  };

  const server = createServer((request, response) => {
    response.setHeader('Content-Security-Policy', "default-src 'self'; img-src data:");
    // By the name of another host it would belong to another page.
    if (!/^(localhost|127\.0\.0\.1)(:\d+)?$/.test(request.headers.host ?? '')) {
      response.writeHead(403).end('only by its own name');
      return;
    }
    if (request.url !== '/events') return site(request, response);
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
    // A window that was cut off says what it heard last.
    const [lastRun, last] = String(request.headers['last-event-id']).split('.');
    const heard = lastRun === run ? Number(last) : 0;
    for (const { id, line } of told) if (id > heard) response.write(line);
    const show = (line: string): void => void response.write(line);
    windows.add(show);
    response.once('close', () => windows.delete(show));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, 'localhost', resolve);
  });
  const sockets = new WebSocketServer({ server, maxPayload: 1_000_000 });
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
    const event = redactEvent(JSON.parse(text) as Record<string, unknown>);
    if (!String(event.type).startsWith('@xstate.')) return null;
    const ids = idKeys.filter((key) => typeof event[key] === 'string').map((key) => [key, `${source}-${event[key]}`]);
    return { ...event, ...Object.fromEntries(ids) };
  } catch {
    return null;
  }
}
