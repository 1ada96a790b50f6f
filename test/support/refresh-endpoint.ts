import type { RefreshAnswer } from '../../src/services/auth/refresh-coordinator.ts';
import { type Deferred, deferred } from './deferred.ts';
import { settle } from '../../src/testing/virtual-clock.ts';

export interface RefreshEndpoint {
  readonly request: () => Promise<RefreshAnswer>;
  /** How many requests have arrived. */
  readonly requests: number;
  /** Answers the oldest request that waits, and lets the answer take effect. */
  answer(answer: RefreshAnswer): Promise<void>;
}

/** A refresh endpoint that answers when the test says so. */
export function refreshEndpoint(): RefreshEndpoint {
  const waiting: Deferred<RefreshAnswer>[] = [];
  let requests = 0;
  return {
    request() {
      const answer = deferred<RefreshAnswer>();
      waiting.push(answer);
      requests += 1;
      return answer.promise;
    },
    get requests() {
      return requests;
    },
    async answer(answer) {
      await settle();
      const oldest = waiting.shift();
      if (!oldest) throw new Error('no refresh request waits for an answer');
      oldest.resolve(answer);
      await settle();
    },
  };
}
