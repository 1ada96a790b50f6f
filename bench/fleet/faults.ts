import type { BenchServer } from '../world/server.ts';

/** What can be wrong for all clients at once. */
export interface FleetWorld {
  server: BenchServer;
  /** Whether the server can be reached. */
  isThere: boolean;
}

export interface Fault {
  title: string;
  /** How long it lasts, ms: 0 for what is over in a moment. */
  forMs: number;
  begin(world: FleetWorld): void;
  end(world: FleetWorld): void;
  /** All clients sign in in the same minute, and their tokens end together; otherwise tokens are of any age. */
  tokensOfOneMinute?: boolean;
  /** To each client it looks as if its own line broke, so that it connects again at once: the peak of that is shown, and no promise holds it. */
  looksLonely?: boolean;
}

const nothing = () => {};

/** `calm` is the steady state that the others are held against. */
export const faults = {
  calm: { title: 'nothing happens', forMs: 0, begin: nothing, end: nothing },
  gone: {
    title: 'the server is gone for 60 s',
    forMs: 60_000,
    begin(world) {
      world.isThere = false;
      world.server.dropSockets();
    },
    end: (world) => void (world.isThere = true),
  },
  deploy: {
    title: 'a deploy closes every socket',
    forMs: 0,
    begin: ({ server }) => server.dropSockets(true),
    end: nothing,
  },
  crash: {
    title: 'a process dies with every socket, and another one takes over at once',
    forMs: 0,
    begin: ({ server }) => server.dropSockets(),
    end: nothing,
    looksLonely: true,
  },
  authOutage: {
    title: 'the auth service is down for 5 min',
    forMs: 300_000,
    begin: ({ server }) => void (server.state.authOutage = true),
    end: ({ server }) => void (server.state.authOutage = false),
  },
  sameMinute: {
    title: 'all tokens were issued in one minute',
    forMs: 0,
    begin: nothing,
    end: nothing,
    tokensOfOneMinute: true,
  },
} satisfies Record<string, Fault>;

export type FaultName = keyof typeof faults;
