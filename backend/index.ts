import { setMaxListeners } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { createApp } from './app.ts';
import type { Backend } from './backend.ts';
import { CONTROL_PATH, handleControl } from './control.ts';
import { createLog, createVisits, noCounts } from './counts.ts';
import { createFaults } from './faults.ts';
import { createJobs } from './jobs.ts';
import { createLocalServer, LOOPBACK_ADDRESS } from './local-server.ts';
import { type BackendOptions, defaultOptions } from './options.ts';
import { createSessions } from './sessions.ts';
import { createSockets } from './sockets.ts';

export type { ServerCounts, ServerLogEntry } from './counts.ts';
export type { Backend, JobSummary } from './backend.ts';
export type { BackendOptions } from './options.ts';

export interface StartOptions extends Partial<BackendOptions> {
  /** Handles what is neither API nor socket: a page, say. Default 404. */
  fallback?: (request: IncomingMessage, response: ServerResponse) => unknown;
  /** The paths of the fallback that read a body. Default none. */
  fallbackBodies?: readonly string[];
  /** Whether `/__control` may change the behaviour over HTTP. Default false. */
  control?: boolean;
}

/**
 * Starts the backend on the loopback interface.
 *
 * @example
 * const backend = await startBackend({ accessTokenTtlMs: 5_000 });
 * backend.endTokens();
 * console.log(backend.counts().unauthorizedAnswers);
 * await backend.close();
 */
export async function startBackend({
  fallback,
  fallbackBodies = [],
  control = false,
  ...given
}: StartOptions = {}): Promise<Backend> {
  let current: BackendOptions = { ...defaultOptions, ...given };
  const options = () => current;
  const counts = noCounts();
  const visits = createVisits();
  const log = createLog();
  const sessions = createSessions(options, counts, log);
  const jobs = createJobs(options, counts, log);
  const faults = createFaults(options);
  const closing = new AbortController();
  // Every request that hangs listens to it.
  setMaxListeners(0, closing.signal);
  const app = createApp({
    options,
    counts,
    visits,
    log,
    sessions,
    jobs,
    faults,
    disconnectUser: (userId) => sockets.kickUser(userId),
    closing: closing.signal,
  });
  const api = getRequestListener(app.fetch);

  let requests = 0;
  const isSocketPath = (path: string) => path.startsWith('/socket.io/');
  const isApiPath = (path: string) => /^\/(api|health)(\/|$)/.test(path);
  // Socket.IO answers every request and upgrade of the server that it is attached to. This one listens nowhere.
  const socketServer = createServer();
  const server = createLocalServer({
    // The API is for pages of other servers on this machine too; the levers and the page are for the page alone.
    audience: (path) => (isSocketPath(path) || isApiPath(path) ? 'loopback' : 'own'),
    takesBody: (path) =>
      isSocketPath(path) || isApiPath(path) || (control && path === CONTROL_PATH) || fallbackBodies.includes(path),
    request(request, response, path) {
      if (isSocketPath(path)) return socketServer.emit('request', request, response);
      requests += 1;
      response.once('close', () => (requests -= 1));
      if (control && path === CONTROL_PATH) return handleControl(backend, request, response);
      if (isApiPath(path) || !fallback) return api(request, response);
      return fallback(request, response);
    },
    upgrade: (request, socket, head, path) => isSocketPath(path) && socketServer.emit('upgrade', request, socket, head),
  });
  const sockets = createSockets({
    server: socketServer,
    options,
    counts,
    log,
    sessions,
    jobs,
    faults,
    closing: closing.signal,
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(current.port, LOOPBACK_ADDRESS, resolve);
  });

  const backend: Backend = {
    url: `http://localhost:${(server.address() as AddressInfo).port}`,
    get options() {
      return current;
    },
    counts: () => ({ ...counts }),
    visit: visits.of,
    log: log.entries,
    onLog: log.listen,
    configure(change) {
      current = { ...current, ...change, port: current.port };
    },
    endTokens: sessions.endTokens,
    revokeSessions: sessions.revokeAll,
    dropSockets: sockets.drop,
    closeSockets: sockets.closeAll,
    kickSockets: sockets.kick,
    restart() {
      log.write({ kind: 'job', text: 'the service restarted and forgot its jobs' });
      jobs.forget();
      sockets.drop();
      server.closeAllConnections();
    },
    sweepJobs: jobs.sweep,
    faultsInjected: faults.injected,
    finishJobs: (outcome = 'completed') => jobs.finishAll(outcome),
    jobs: () =>
      jobs.all().map((job) => {
        const { jobId, resultId, userId, name, acceptedAt, endedAt } = job;
        return { jobId, resultId, userId, name, status: jobs.archivedStatus(job), acceptedAt, endedAt };
      }),
    openConnections: () => ({ sockets: sockets.open(), requests }),
    async close() {
      closing.abort();
      jobs.close();
      sockets.close();
      await new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      });
    },
  };
  return backend;
}
