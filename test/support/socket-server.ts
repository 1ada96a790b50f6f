import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server, type Socket } from 'socket.io';

export interface SocketServer {
  readonly url: string;
  /** Which tokens came in, and on which connection. */
  readonly authentications: readonly { token: unknown; connection: string }[];
  /** Every connection that there was. */
  readonly connections: readonly Socket[];
  /** Tokens that are refused the way the notification service does it: an event, then the end of the connection. */
  readonly refused: Set<unknown>;
  /** Calls the listener with each new connection, before the client can send on it. */
  onConnection(listener: (socket: Socket) => void): void;
  close(): Promise<void>;
}

/** A real Socket.IO server on the loopback interface that knows the `authenticate` of the contract. */
export async function startSocketServer(): Promise<SocketServer> {
  const authentications: { token: unknown; connection: string }[] = [];
  const connections: Socket[] = [];
  const refused = new Set<unknown>();
  const http = createServer();
  const io = new Server(http);
  io.on('connection', (socket) => {
    connections.push(socket);
    socket.on('authenticate', ({ token }: { token: unknown }) => {
      authentications.push({ token, connection: socket.id });
      if (!refused.has(token)) return socket.emit('authenticated', { success: true });
      socket.emit('auth_error', { message: 'Invalid or expired token' });
      return socket.disconnect(true);
    });
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');

  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    authentications,
    connections,
    refused,
    onConnection: (listener) => void io.on('connection', listener),
    close: () => io.close(),
  };
}
