import type { FeedSocket } from '../../services/job-feed.ts';
import type { Conditions } from './conditions.ts';
import { rollOf } from './dice.ts';
import type { FakeServer } from './fake-server.ts';
import type { World } from './story.ts';
import type { VirtualClock } from './virtual-clock.ts';
import type { Witness } from './witness.ts';

/** An unauthenticated socket is thrown out after this time. */
const AUTH_DEADLINE_MS = 10_000;

/** All Socket.IO connections of the browser, and the server's end of them. */
export interface FakeSockets {
  /** A socket that is not connected yet. */
  open(page: number): FeedSocket;
  /** The connections break. `server`: it was the server's doing. */
  dropAll(reason?: 'transport close' | 'io server disconnect'): void;
  /** Connections of this page, being made or made. */
  openOf(page: number): number;
  /** The page is gone. */
  cut(page: number): void;
}

export function fakeSockets(
  world: World,
  { clock, conditions, server, witness }: { clock: VirtualClock; conditions: Conditions; server: FakeServer; witness: Witness },
): FakeSockets {
  const open = new Set<FakeSocket>();
  let connections = 0;
  const oneWay = () => world.latencyMs / 2;
  const isReachable = () => !['offline', 'noSockets', 'serverDown'].some((it) => conditions.is(it as 'offline'));

  class FakeSocket implements FeedSocket {
    readonly page: number;
    /** Whose events it hears. A socket that is authenticated as somebody else stays in the first room, too. */
    readonly rooms = new Set<string>();
    #listeners = new Map<string, ((payload: unknown) => void)[]>();
    #buffer: (() => void)[] = [];
    #state: 'closed' | 'connecting' | 'connected' = 'closed';
    /** Counts connections of this socket: what was sent on an earlier one does not arrive. */
    #era = 0;

    constructor(page: number) {
      this.page = page;
    }
    on(event: string, listener: (payload: unknown) => void): void {
      this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listener]);
    }
    removeAllListeners(): void {
      this.#listeners.clear();
    }
    connect(): void {
      if (this.#state !== 'closed') return;
      this.#state = 'connecting';
      open.add(this);
      connections += 1;
      const roll = rollOf(world.seed, 'connection', connections);
      // A proxy that blocks websockets may refuse them, or swallow them.
      if (!isReachable() && roll < 0.3) return;
      this.#later(world.latencyMs * (0.5 + roll), () => {
        const isUnlucky = !conditions.isClear() && rollOf(world.seed, 'bad connection', connections) < world.loss;
        if (!isReachable() || isUnlucky) return this.close('connect_error', { message: 'xhr poll error' });
        this.#state = 'connected';
        this.#later(AUTH_DEADLINE_MS, () => this.rooms.size === 0 && this.refuse('Authentication timeout'));
        this.receive('connect', undefined);
        for (const send of this.#buffer.splice(0)) send();
      });
    }
    emit(event: string, payload: unknown): void {
      // Socket.IO keeps what is sent before the connection stands, and sends it then.
      if (this.#state === 'connecting') return void this.#buffer.push(() => this.emit(event, payload));
      if (this.#state === 'closed' || event !== 'authenticate') return;
      const { token } = payload as { token: string };
      witness.sawToken(token, 'the feed');
      this.#later(oneWay(), () => {
        if (!isReachable()) return;
        const userId = server.authenticate(token);
        if (userId === null) return this.#later(oneWay(), () => this.refuse('Invalid or expired token'));
        this.rooms.add(userId);
        this.#later(oneWay(), () => this.receive('authenticated', { success: true, userId }));
      });
    }
    disconnect(): void {
      this.#state = 'closed';
      this.#era += 1;
      this.#buffer = [];
      this.rooms.clear();
      open.delete(this);
    }
    refuse(message: string): void {
      this.receive('auth_error', { message });
      if (open.has(this)) this.close('disconnect', 'io server disconnect');
    }
    close(event: string, payload: unknown): void {
      this.disconnect();
      this.receive(event, payload);
    }
    receive(event: string, payload: unknown): void {
      for (const listener of this.#listeners.get(event) ?? []) listener(payload);
    }
    hear(event: string, payload: unknown): void {
      if (this.#state !== 'connected' || this.rooms.size === 0) return;
      this.#later(oneWay(), () => {
        if (!conditions.is('silence') && isReachable() && !clock.isAsleep()) this.receive(event, payload);
      });
    }
    #later(ms: number, callback: () => void): void {
      const era = this.#era;
      clock.outside.setTimeout(() => {
        clock.whenAwake(() => {
          if (this.#era === era) callback();
        });
      }, ms);
    }
  }

  server.onSay((userId, event, payload) => {
    for (const socket of open) if (userId === null || socket.rooms.has(userId)) socket.hear(event, payload);
  });

  return {
    open: (page) => new FakeSocket(page),
    dropAll(reason = 'transport close') {
      for (const socket of open) socket.close('disconnect', reason);
    },
    openOf: (page) => [...open].filter((it) => it.page === page).length,
    cut(page) {
      for (const socket of open) {
        if (socket.page !== page) continue;
        socket.removeAllListeners();
        socket.disconnect();
      }
    },
  };
}
