import type { TimerOwner, VirtualClock, WireSocket } from 'assessment-monitor/testing';
import { io, type ManagerOptions, type Socket, type SocketOptions, WebSocket } from 'socket.io-client';
import type { BenchServer } from './server.ts';

export interface SocketNetwork {
  clock: VirtualClock;
  server: BenchServer;
  owner: TimerOwner;
  /** There and back, ms. */
  roundTripMs: () => number;
  /** Whether a connection comes about at all now. */
  isReachable: () => boolean;
  /** Hears of each attempt. */
  onConnect?: () => void;
}

export type OpenSocket = (options?: Partial<ManagerOptions & SocketOptions>) => Socket;

/**
 * The real socket.io-client over a WebSocket of this world: what connects, reconnects and gives up is the library's own code. Only the
 * bytes take another way.
 */
export function openSocketOver(network: SocketNetwork): { open: OpenSocket; closeAll: () => void } {
  const open = new Set<VirtualWebSocket>();
  class VirtualTransport extends WebSocket {
    override createSocket(): VirtualWebSocket {
      const socket = new VirtualWebSocket(network, () => open.delete(socket));
      open.add(socket);
      return socket;
    }
  }
  return {
    open: (options = {}) =>
      io('https://bench.test', {
        ...options,
        // A world of its own: managers are shared by address otherwise.
        forceNew: true,
        transports: [VirtualTransport] as unknown as string[],
      }),
    closeAll: () => open.forEach((socket) => socket.vanish()),
  };
}

/** The part of a WebSocket that engine.io-client uses, with a server at its other end that speaks the Socket.IO protocol. */
class VirtualWebSocket {
  onopen: () => void = () => {};
  onclose: (event: object) => void = () => {};
  onmessage: (event: { data: string }) => void = () => {};
  onerror: (event: object) => void = () => {};
  binaryType = '';
  readonly #network: SocketNetwork;
  readonly #oneWayMs: number;
  readonly #onEnd: () => void;
  #isOpenAtServer = false;
  #isClosedAtClient = false;
  readonly #serverEnd: WireSocket = {
    send: (event, payload) => this.#deliver(`42${JSON.stringify([event, payload])}`),
    end: (event, payload) => {
      if (!this.#isOpenAtServer) return;
      this.#serverEnd.send(event, payload);
      this.#deliver('41');
      this.#serverEnd.drop();
    },
    drop: (inOrder) => {
      this.#endAtServer();
      this.#toClient(() => this.#endAtClient(inOrder));
    },
  };

  constructor(network: SocketNetwork, onEnd: () => void) {
    this.#network = network;
    this.#oneWayMs = network.roundTripMs() / 2;
    this.#onEnd = onEnd;
    this.#toServer(() => {
      if (this.#isClosedAtClient) return;
      network.onConnect?.();
      if (!network.isReachable()) return this.#toClient(() => this.#endAtClient());
      this.#isOpenAtServer = true;
      network.server.opened(this.#serverEnd);
      this.#toClient(() => {
        if (!this.#isClosedAtClient) this.onopen();
      });
      // No heartbeat: connections of this world break with a bang, and a beat would only cost time.
      return this.#deliver(
        '0{"sid":"a","upgrades":[],"pingInterval":1000000000,"pingTimeout":20000,"maxPayload":1000000}',
      );
    });
  }

  send(data: string): void {
    this.#toServer(() => {
      if (!this.#isOpenAtServer) return;
      if (data === '40') return this.#deliver('40{"sid":"b"}');
      if (!data.startsWith('42')) return;
      const [event, payload] = JSON.parse(data.slice(2)) as [string, { token: string }];
      if (event === 'authenticate') this.#network.server.authenticate(this.#serverEnd, payload.token);
    });
  }
  close(): void {
    this.#toServer(() => this.#endAtServer());
    this.#toClient(() => this.#endAtClient());
  }
  /** The page is gone: it hears nothing of it. */
  vanish(): void {
    this.#endAtServer();
    this.#isClosedAtClient = true;
  }

  #deliver(data: string): void {
    this.#toClient(() => {
      if (!this.#isClosedAtClient) this.onmessage({ data });
    });
  }
  #endAtServer(): void {
    this.#isOpenAtServer = false;
    this.#network.server.closed(this.#serverEnd);
    this.#onEnd();
  }
  #endAtClient(inOrder = false): void {
    if (this.#isClosedAtClient) return;
    this.#isClosedAtClient = true;
    // Also one that never came about: a world must not hold what a browser has let go.
    this.#onEnd();
    this.onclose({ code: inOrder ? 1005 : 1006, wasClean: inOrder });
  }
  #toServer(work: () => void): void {
    this.#network.clock.setTimeout(work, this.#oneWayMs, null);
  }
  #toClient(work: () => void): void {
    this.#network.clock.setTimeout(work, this.#oneWayMs, this.#network.owner);
  }
}
