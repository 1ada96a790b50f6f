import { Observable } from 'rxjs';
import type { FeedTransport } from './transport.ts';
import { toJobFeedEvent } from './vocabulary.ts';

/** The part of a Socket.IO client socket that the feed uses, so that tests can bring their own. */
export interface FeedSocket {
  /** Socket.IO says more about a `disconnect` in `details`. */
  on(event: string, listener: (payload: unknown, details?: unknown) => void): unknown;
  /** Receives every event of the server, and none that Socket.IO fires itself. */
  onAny(listener: (event: string, payload: unknown) => void): unknown;
  removeAllListeners(): unknown;
  emit(event: string, payload: unknown): unknown;
  connect(): unknown;
  disconnect(): unknown;
}

/** Creates a socket, as `io` of socket.io-client does. */
export type OpenFeedSocket = (url: string, options: object) => FeedSocket;

/** Loads Socket.IO. The feed calls it once, when it needs its first socket, and again after a load that failed. */
export type LoadSocketIo = () => Promise<{ io: OpenFeedSocket }>;

export interface SocketAddress {
  /** Origin of the Socket.IO server; an empty string is the page's own. */
  url: string;
  path: string;
  /** Socket.IO transports, in the order in which they are tried. */
  transports: readonly string[];
}

/**
 * Whether the server closed the whole connection: a WebSocket by a close frame, long polling by a packet. A server does so to all clients
 * when it shuts down. A line that breaks, or a process that dies, leaves no close frame (code 1006), and `io server disconnect` is meant for
 * one client.
 *
 * @param details as of a `disconnect`: `context` is the CloseEvent of a WebSocket
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-7.1.4
 */
function isInOrder(details: unknown): boolean {
  const { context, description } = (details ?? {}) as {
    context?: { wasClean?: unknown } | null;
    description?: unknown;
  };
  return context?.wasClean === true || description === 'transport closed by the server';
}

/**
 * One Socket.IO connection. It never reconnects by itself: Socket.IO gives up after a disconnect by the server, and does not authenticate
 * again, so reconnecting is the job of `job-feed.ts`.
 *
 * The token is sent on an open socket only: Socket.IO would keep an earlier message and send it later, with a token that may have
 * expired by then.
 */
export const socketTransport =
  (io: OpenFeedSocket, { url, path, transports }: SocketAddress): FeedTransport =>
  (link) =>
    new Observable((subscriber) => {
      const socket = io(url, {
        path,
        transports: [...transports],
        reconnection: false,
        forceNew: true,
        autoConnect: false,
      });
      let isOpen = false;
      /** The generation of the token that was last sent. */
      let sent: number | null = null;
      const authenticate = async (): Promise<void> => {
        const token = await link.goodToken();
        // A session by cookie has no token to send: the status is polled.
        if (!token || token.value === '' || token.generation === sent || subscriber.closed) return;
        sent = token.generation;
        socket.emit('authenticate', { token: token.value });
      };
      const close = (reason: string, forAll = false): void => {
        subscriber.next({ type: 'closed', reason, forAll });
        subscriber.complete();
      };
      subscriber.add(link.renewed$.subscribe(() => void (isOpen && authenticate())));
      socket.on('connect', () => {
        isOpen = true;
        subscriber.next({ type: 'open' });
        void authenticate();
      });
      socket.on('connect_error', () => close('unreachable', true));
      socket.on('disconnect', (reason, details) =>
        close(typeof reason === 'string' ? reason : 'disconnected', isInOrder(details)),
      );
      socket.onAny((name, payload) => {
        if (name === 'auth_error' || name === 'auth-error') return close('refused');
        if (name === 'authenticated') return subscriber.next({ type: 'live' });
        const event = toJobFeedEvent(name, payload);
        if (event !== undefined) subscriber.next({ type: 'message', name, event });
      });
      socket.connect();
      return () => {
        socket.removeAllListeners();
        socket.disconnect();
      };
    });
