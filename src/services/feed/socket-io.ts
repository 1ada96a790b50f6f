import { Observable } from 'rxjs';

/** The part of a Socket.IO client socket that the feed uses, so that tests can bring their own. */
export interface FeedSocket {
  on(event: string, listener: (payload: unknown) => void): unknown;
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

/** What happens on one socket. `closed` is its last event. */
export type SocketEvent =
  | { type: 'open'; send: (name: string, payload: unknown) => void }
  | { type: 'message'; name: string; payload: unknown }
  | { type: 'closed'; reason: string };

/**
 * One Socket.IO connection, opened on subscription and closed on unsubscription. It never reconnects by itself: Socket.IO gives
 * up after a disconnect by the server, and does not authenticate again, so reconnecting is the job of `job-feed.ts`.
 *
 * `send` exists only on an open socket: Socket.IO would keep an earlier message and send it later, with a token that may have
 * expired by then.
 */
export function connectSocket(io: OpenFeedSocket, { url, path, transports }: SocketAddress): Observable<SocketEvent> {
  return new Observable((subscriber) => {
    const socket = io(url, {
      path,
      transports: [...transports],
      reconnection: false,
      forceNew: true,
      autoConnect: false,
    });
    const close = (reason: string): void => {
      subscriber.next({ type: 'closed', reason });
      subscriber.complete();
    };
    socket.on('connect', () =>
      subscriber.next({ type: 'open', send: (name, payload) => void socket.emit(name, payload) }),
    );
    socket.on('connect_error', () => close('unreachable'));
    socket.on('disconnect', (reason) => close(typeof reason === 'string' ? reason : 'disconnected'));
    socket.onAny((name, payload) => subscriber.next({ type: 'message', name, payload }));
    socket.connect();
    return () => {
      socket.removeAllListeners();
      socket.disconnect();
    };
  });
}
