import { type AssessmentClient, createAssessmentClient } from '../../client/client.ts';
import type { AssessmentClientOptions } from '../../client/options.ts';
import { memoryStore } from '../../lib/storage.ts';
import { seededRandom } from '../seeded-random.ts';
import { type FakeBackend, fakeBackend } from './fake-backend.ts';
import { virtualClock } from '../virtual-clock.ts';
import { calmWorld, type World } from './world.ts';

/** A server, a network and a clock for the tests of your own components: nothing waits, nothing leaves the process. */
export interface TestWorld<Submission, Result> {
  /** A real client that lives in this world. Give it to your `AssessmentProvider`. */
  client: AssessmentClient<Submission, Result>;
  /** Signs a user in, as your sign-in page would. */
  signIn(userId?: string): void;
  /** Lets time pass, ms. In a test of React, call it within `act`. */
  run(ms: number): Promise<void>;
  /** The server: what it saw, and what can happen to it. */
  backend: Pick<FakeBackend, 'seen' | 'state' | 'endTokens' | 'revoke' | 'restart' | 'dropSockets' | 'jobs'>;
}

/**
 * Opens a world for a component test.
 *
 * @param world what differs from a calm one, such as `{ tokenTtlMs: 3_000, jobMs: 20_000 }`
 * @param options more options for the client, such as `resultSchema`
 * @example
 * const world = openTestWorld({ tokenTtlMs: 3_000, jobMs: 20_000 });
 * world.signIn();
 * render(<AssessmentProvider client={world.client}><Page /></AssessmentProvider>);
 * await act(() => world.run(30_000));
 */
export function openTestWorld<Submission = unknown, Result = Record<string, unknown>>(
  world: Partial<World> = {},
  options: Partial<AssessmentClientOptions<Result>> = {},
): TestWorld<Submission, Result> {
  const clock = virtualClock();
  const whole = { ...calmWorld, ...world };
  const backend = fakeBackend(whole, clock);
  const client = createAssessmentClient<Submission, Result>({
    baseUrl: 'http://world.test',
    clock,
    storage: memoryStore(),
    tokenStorage: memoryStore(),
    fetch: backend.fetch,
    loadSocketIo: backend.load,
    random: seededRandom(whole.seed),
    // Alone in its world: another test of the same process is not another tab.
    locks: null,
    channel: null,
    ...options,
  });
  return {
    client,
    backend,
    run: clock.run,
    signIn: (userId = 'user-1') => client.signedIn(backend.signIn(userId)),
  };
}
