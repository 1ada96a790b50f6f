import type { Server as HttpServer } from 'node:http';
import { Server, type Socket } from 'socket.io';
import type { ServerCounts, ServerLog } from './counts.ts';
import { sentAt } from './app.ts';
import { type Faults, msOf } from './faults.ts';
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
  faults: Faults;
  /** Aborts when the server closes: handshakes that hang end then. */
  closing: AbortSignal;
}

const AUTH_DEADLINE_MS = 10_000;

/** The Socket.IO side of the wire contract: authentication by event, one room per user, no replay of what was missed. */
export function createSockets({ server, options, counts, log, sessions, jobs, faults, closing }: SocketDeps) {
  const io = new Server(server, {
    path: '/socket.io/',
    pingInterval: 25_000,
    pingTimeout: 60_000,
    // The HTTP side of this port belongs to others.
    serveClient: false,
    // As the original: polling is HTTP, and a page of another origin needs the headers.
    cors: { origin: true, credentials: true },
    maxHttpBufferSize: 100_000,
    destroyUpgrade: false,
    allowRequest: (request, callback) => {
      const answer = () => callback(null, options().sockets === 'accept');
      const fault = faults.handshake();
      if (fault?.kind === 'reset') request.socket.destroy();
      else if (fault?.kind === 'delay') later(msOf(fault), answer);
      // Upgraded already: Node no longer closes it by itself.
      else if (fault?.kind === 'hang') closing.addEventListener('abort', () => request.socket.destroy());
      else answer();
    },
  });
  const timers = new Set<NodeJS.Timeout>();
  const later = (ms: number, act: () => void): void => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      act();
    }, ms);
    timers.add(timer);
  };
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
    const verdict = await sessions.verify(token, sentAt((payload as { sentAt?: unknown }).sentAt));
    if (!verdict.ok) return refuse('Invalid or expired token', true);
    if (!options().quirks.includes('rooms-pile-up')) {
      for (const joined of socket.rooms) if (joined.startsWith('user:')) await socket.leave(joined);
    }
    await socket.join(room(verdict.userId));
    counts.socketsAuthenticated += 1;
    log.write({ kind: 'socket', text: 'a socket was authenticated', generation: verdict.generation });
    const { userId } = verdict;
    socket.emit('authenticated', { success: true, userId, email: sessions.addressOf(userId), tokenType: 'jwt' });
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
    socket.on('authenticate', (payload: unknown) => {
      authenticate(socket, payload).catch(() => socket.disconnect(true));
    });
    socket.on('disconnect', () => {
      clearTimeout(deadline);
      log.write({ kind: 'socket', text: 'a socket was closed' });
    });
  });

  const emit = (userId: string, name: string, payload: object): void => {
    const send = (content: unknown = payload) => void io.to(room(userId)).emit(name, content);
    const fault = faults.event();
    if (fault?.kind === 'lose') return;
    if (fault?.kind === 'delay') return later(msOf(fault), send);
    if (fault?.kind === 'malformed') return send([null, 'neither here nor there']);
    if (fault?.kind === 'duplicate') send();
    send();
  };
  const tell = (event: JobEvent): void => {
    if (event.type === 'balance') {
      if (!options().quirks.includes('no-balance-events')) {
        emit(event.userId, 'token-balance-update', { balance: event.balance });
      }
      return;
    }
    const { job } = event;
    const common = { assessment_name: job.name, timestamp: new Date().toISOString() };
    const isUnnamed = options().quirks.includes('events-without-job-id') || job.duplicateOf !== null;
    const named = isUnnamed ? {} : { jobId: job.jobId };
    if (event.type === 'started') {
      // The real server names the job in this one.
      const ids = { jobId: job.jobId, resultId: job.resultId };
      const message = 'Your analysis has started';
      emit(job.userId, 'analysis-started', { ...common, ...ids, status: 'processing', message });
    } else if (event.type === 'completed') {
      emit(job.userId, 'analysis-complete', {
        ...common,
        ...named,
        result_id: jobs.shownResultId(job),
        status: 'completed',
      });
    } else {
      const failure = { result_id: null, status: 'failed', error_message: FAILURE_TEXT };
      const isUnknown = options().quirks.includes('unknown-kind-of-job');
      emit(job.userId, isUnknown ? 'analysis-unknown' : 'analysis-failed', { ...common, ...named, ...failure });
    }
  };
  jobs.listen(tell);

  const each = (act: (socket: Socket) => void): void => {
    for (const socket of io.of('/').sockets.values()) act(socket);
  };
  return {
    open: () => io.of('/').sockets.size,
    /** As when the network breaks: without a word. Long polling has no connection that could break. */
    drop: () =>
      each(({ conn }) => {
        if (conn.transport.name === 'websocket')
          (conn.transport as unknown as { socket: { terminate(): void } }).socket.terminate();
        else conn.close(true);
      }),
    /** As `close` of Socket.IO does, which a server that is replaced calls. */
    closeAll: () => each(({ conn }) => conn.close(true)),
    /** As when the server disconnects a client. */
    kick: () => each((socket) => socket.disconnect(true)),
    kickUser: (userId: string) => io.in(room(userId)).disconnectSockets(true),
    close: () => {
      for (const timer of timers) clearTimeout(timer);
      each((socket) => socket.disconnect(true));
      io.engine.close();
    },
  };
}
