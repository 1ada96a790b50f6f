/// <reference types="node" />
import { parseArgs } from 'node:util';
import { exit, messageOf, type RunCommand } from './terminal.ts';

/** What the build puts at dist/viewer/server.js. */
interface PackedViewer {
  serveViewer(options: { port: number }): Promise<{ readonly url: string; close(): Promise<void> }>;
}

const VIEWER = new URL('../viewer/server.js', import.meta.url);
const PORT = '4700';
const LAST_PORT = 65_535;
const USAGE = `Usage: assessment-monitor inspect [--port ${PORT}] [--json]

Serves the viewer for inspected machines on this machine, until Ctrl+C.
  --port  TCP port, 0 for a free one; also the environment variable PORT
  --json  prints one line when the viewer is ready: { "url": … }
`;

/** Serves the viewer for machines that `assessment-monitor/inspect` sends, on the loopback interface. */
export const run: RunCommand = async (args, { env, say, tell, signal }) => {
  let port: number;
  let isJson = false;
  try {
    const { values } = parseArgs({
      args,
      options: { port: { type: 'string' }, json: { type: 'boolean' }, help: { type: 'boolean' } },
    });
    if (values.help) {
      tell(USAGE);
      return exit.good;
    }
    isJson = values.json ?? false;
    port = portIn(values.port ?? env.PORT ?? PORT);
  } catch (error) {
    tell(`${messageOf(error)}\n\n${USAGE}`);
    return exit.usage;
  }
  try {
    // Only the packed package has it, so there is no import that the compiler could follow.
    const { serveViewer } = (await import(VIEWER.href)) as PackedViewer;
    const viewer = await serveViewer({ port });
    if (isJson) say(JSON.stringify({ url: viewer.url }));
    else tell(welcome(viewer.url));
    await aborted(signal);
    await viewer.close();
    return exit.good;
  } catch (error) {
    const isTaken = (error as { code?: unknown }).code === 'EADDRINUSE';
    tell(isTaken ? `Port ${port} is taken; --port names another one.\n` : `${messageOf(error)}\n`);
    return exit.bad;
  }
};

function portIn(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= LAST_PORT) return port;
  throw new Error(`The port is a number from 0 to ${LAST_PORT}, not ${text}.`);
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });

const welcome = (url: string): string => `
  assessment-monitor inspector: ${url}
  A page opens it in a window:        createInspector({ url: '${url}' })
  A page or a process sends to it:    createInspector({ url: '${url.replace('http', 'ws')}' })
  Without NODE_ENV=development:       add enabled: true
  Ctrl+C ends it.

`;
