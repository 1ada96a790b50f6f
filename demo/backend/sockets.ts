import type { Server as HttpServer } from 'node:http';
import { Server, type Socket } from 'socket.io';
import type { ServerCounts, ServerLog } from './counts.ts';
import { FAILURE_TEXT, type JobEvent, type Jobs } from './jobs.ts';
import type { BackendOptions } from './options.ts';
import type { Sessions } from './sessions.ts';

export interface SocketDeps {
  server: HttpServer;
  options: () => BackendOptions;
  counts: ServerCounts;
  log: ServerLog;
  sessions: Sessions;
  jobs: Jobs;
}

const AUTH_DEADLINE_MS = 10_000;

/** The Socket.IO side of the wire contract: authentication by event, one room per user, no replay of what was missed. */
export function createSockets({ server, options, counts, log, sessions, jobs }: SocketDeps) {
  const io = new Server(server, {
    path: '/socket.io/',
    pingInterval: 25_000,
    pingTimeout: 60_000,
    // The HTTP side of this port belongs to others.
    serveClient: false,
    destroyUpgrade: false,
    allowRequest: (_, callback) => callback(null, options().sockets === 'accept'),
  });
  const room = (userId: string) => `user:${userId}`;

  const authenticate = async (socket: Socket, payload: unknown): Promise<void> => {
    const refuse = (message: string, kick: boolean): void => {
      counts.socketsRefused += 1;
      log.write({ kind: 'socket', text: `auth_error: ${message}` });
      socket.emit('auth_error', { message });
      if (kick) socket.disconnect(true);
    };
    const token: unknown = (payload as { token?: unknown } | null | undefined)?.token;
    // A missing payload crashes the original server; here it is a missing token.
    if (typeof token !== 'string' || token === '') return refuse('Token required', false);
    const verdict = await sessions.verify(token);
    if (!verdict.ok) return refuse('Invalid or expired token', true);
    for (const joined of socket.rooms) if (joined.startsWith('user:')) await socket.leave(joined);
    await socket.join(room(verdict.userId));
    counts.socketsAuthenticated += 1;
    log.write({ kind: 'socket', text: 'a socket was authenticated', generation: verdict.generation });
    socket.emit('authenticated', { success: true, userId: verdict.userId, tokenType: 'jwt' });
    return undefined;
  };

  io.on('connection', (socket) => {
    counts.socketsOpened += 1;
    log.write({ kind: 'socket', text: 'a socket was opened' });
    const isAuthenticated = () => [...socket.rooms].some((it) => it.startsWith('user:'));
    const deadline = setTimeout(() => {
      if (isAuthenticated()) return;
      counts.socketsRefused += 1;
      socket.emit('auth_error', { message: 'Authentication timeout' });
      socket.disconnect(true);
    }, AUTH_DEADLINE_MS);
    socket.on('authenticate', (payload: unknown) => void authenticate(socket, payload));
    socket.on('disconnect', () => {
      clearTimeout(deadline);
      log.write({ kind: 'socket', text: 'a socket was closed' });
    });
  });

  const tell = (event: JobEvent): void => {
    if (event.type === 'balance') {
      io.to(room(event.userId)).emit('token-balance-update', { balance: event.balance });
      return;
    }
    const { job } = event;
    const named = options().quirks.includes('events-without-job-id') ? {} : { jobId: job.jobId };
    const common = { ...named, assessment_name: job.name, timestamp: new Date().toISOString() };
    const user = io.to(room(job.userId));
    if (event.type === 'started') {
      user.emit('analysis-started', {
        ...common,
        resultId: job.resultId,
        status: 'processing',
        message: 'Your analysis has started',
      });
    } else if (event.type === 'completed') {
      user.emit('analysis-complete', { ...common, result_id: job.resultId, status: 'completed' });
    } else {
      user.emit('analysis-failed', { ...common, result_id: null, status: 'failed', error_message: FAILURE_TEXT });
    }
  };
  jobs.listen(tell);

  const each = (act: (socket: Socket) => void): void => {
    for (const socket of io.of('/').sockets.values()) act(socket);
  };
  return {
    open: () => io.of('/').sockets.size,
    /** As when the network breaks: nobody says goodbye. */
    drop: () => each((socket) => socket.conn.close(true)),
    /** As when the server wants somebody gone. */
    kick: () => each((socket) => socket.disconnect(true)),
    close: () => {
      each((socket) => socket.disconnect(true));
      io.engine.close();
    },
  };
}
