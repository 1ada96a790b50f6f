import { type VirtualClock, type WireAnswer, wireContract, type WireRequest } from 'assessment-monitor/testing';

export interface ServerOptions {
  clock: VirtualClock;
  tokenLifeMs: number;
  jobMs: (userId: string) => number;
  /** What the health route says during an outage. @default 'honest' */
  health?: 'honest' | 'lying' | 'missing';
  /** Hears of every request that arrived, and what it was answered. */
  onRequest?: (request: WireRequest, answer: WireAnswer) => void;
}

/** The server of the benchmarks: the wire contract for many users at once. It trusts no client and reports what it saw. */
export function createServer({ clock, tokenLifeMs, jobMs, health = 'honest', onRequest }: ServerOptions) {
  /** What is wrong at the moment. */
  const state = { authOutage: false, outageTakesRefresh: true };
  const wire = wireContract({
    clock,
    tokenLifeMs,
    planOf: (userId, now) => [{ at: now + jobMs(userId), status: 'completed' }],
    isAuthDown: () => state.authOutage,
    outageTakesRefresh: () => state.outageTakesRefresh,
    health,
  });
  return {
    ...wire,
    state,
    answer(request: WireRequest): WireAnswer {
      const answer = wire.answer(request);
      onRequest?.(request, answer);
      return answer;
    },
  };
}

export type BenchServer = ReturnType<typeof createServer>;
