import type { FeedSocket, LoadSocketIo } from '../../src/services/feed/socket-io.ts';

/** A socket whose events the test fires. It records what the client sends. */
export class FakeSocket implements FeedSocket {
  readonly url: string;
  readonly options: object;
  /** What the client sent, in order. */
  readonly sent: { event: string; payload: unknown }[] = [];
  /** Whether the client connected it and has not disconnected it since. */
  isOpen = false;
  private readonly anyListeners: ((event: string, payload: unknown) => void)[] = [];
  private listeners: { event: string; listener: (payload: unknown, details?: unknown) => void }[] = [];

  constructor(url: string, options: object) {
    this.url = url;
    this.options = options;
  }

  on(event: string, listener: (payload: unknown, details?: unknown) => void): void {
    this.listeners.push({ event, listener });
  }
  onAny(listener: (event: string, payload: unknown) => void): void {
    this.anyListeners.push(listener);
  }
  /** As in Socket.IO, the `onAny` listeners stay. */
  removeAllListeners(): void {
    this.listeners = [];
  }
  emit(event: string, payload: unknown): void {
    this.sent.push({ event, payload });
  }
  connect(): void {
    this.isOpen = true;
  }
  disconnect(): void {
    this.isOpen = false;
  }

  get listenerCount(): number {
    return this.listeners.length;
  }
  /** Fires an event of the server or of Socket.IO itself. */
  fire(event: string, payload?: unknown, details?: unknown): void {
    for (const { event: name, listener } of this.listeners) if (name === event) listener(payload, details);
    if (['connect', 'connect_error', 'disconnect'].includes(event)) return;
    for (const listener of this.anyListeners) listener(event, payload);
  }
  /** Fires the events from a connection to a live feed. */
  goLive(): void {
    this.fire('connect');
    this.fire('authenticated', { success: true });
  }
}

export interface FakeSocketIo {
  readonly load: LoadSocketIo;
  /** Number of loads of the module. */
  readonly loads: number;
  /** Every socket, in order of creation. */
  readonly sockets: readonly FakeSocket[];
  /** The newest one. */
  readonly socket: FakeSocket;
}

export function fakeSocketIo(): FakeSocketIo {
  const sockets: FakeSocket[] = [];
  let loads = 0;
  return {
    load() {
      loads += 1;
      return Promise.resolve({
        io: (url, options) => {
          const socket = new FakeSocket(url, options);
          sockets.push(socket);
          return socket;
        },
      });
    },
    get loads() {
      return loads;
    },
    sockets,
    get socket() {
      const socket = sockets.at(-1);
      if (!socket) throw new Error('no socket was made');
      return socket;
    },
  };
}
