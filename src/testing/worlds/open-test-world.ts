import { type AssessmentClient, createAssessmentClient } from '../../client/client.ts';
import { type AssessmentClientOptions, defaultTimings } from '../../client/options.ts';
import { memoryStore } from '../../lib/storage.ts';
import { seededRandom } from '../seeded-random.ts';
import { createRouter } from '../wire/routes.ts';
import { type FakeBackend, fakeBackend } from './fake-backend.ts';
import { virtualClock } from '../virtual-clock.ts';
import { speaking, type TestContract } from './test-contract.ts';
import { calmWorld, type World } from './world.ts';

/** What differs from a calm world, and from the default server. */
export interface TestWorldSetup extends Partial<World> {
  /** The result of every job as the server sends it, or a function that makes it of the job's id. @default `{ of: jobId }` */
  result?: object | ((jobId: string) => unknown);
  /**
   * Between two refreshes that the server grants, and that the client asks for, ms.
   *
   * @default a minute, or half of the token's life where that is shorter: a token of 3 s is replaced in time
   */
  refreshIntervalMs?: number;
  /** The server's own addresses and words. @default the default contract, at the addresses of the client's option `paths` */
  contract?: TestContract;
}

/** A server, a network and a clock for the tests of your own components: nothing waits, nothing leaves the process. */
export interface TestWorld<Submission, Result> {
  /** A real client that lives in this world. Give it to your `AssessmentProvider`. */
  client: AssessmentClient<Submission, Result>;
  /** Signs a user in, as your sign-in page would. */
  signIn(userId?: string): void;
  /** Lets time pass, ms. In a test of React, call it within `act`. */
  run(ms: number): Promise<void>;
  /** The server: what it saw, and what can happen to it. */
  backend: Pick<
    FakeBackend,
    'seen' | 'state' | 'refuseSubmissions' | 'endTokens' | 'revoke' | 'restart' | 'dropSockets' | 'jobs'
  >;
}

/** Life of a token of auth V1, ms. */
const V1_TOKEN_MS = 7 * 24 * 3_600_000;

/**
 * Opens a world for a component test.
 *
 * @param world what differs from a calm one, such as `{ tokenTtlMs: 3_000, jobMs: 20_000 }`
 * @param options more options for the client, such as `resultSchema`. The server follows `paths`, `auth.version` (a token of V1 lives for
 * 7 days) and `auth.refreshTransport`.
 * @example
 * const world = openTestWorld({ tokenTtlMs: 3_000, jobMs: 20_000, result: { archetype: 'The Explorer' } });
 * world.signIn();
 * render(<AssessmentProvider client={world.client}><Page /></AssessmentProvider>);
 * await act(() => world.run(30_000));
 *
 * world.backend.refuseSubmissions(402); // from now on there is not enough credit
 */
export function openTestWorld<Submission = unknown, Result = Record<string, unknown>>(
  { result, contract = {}, refreshIntervalMs, ...world }: TestWorldSetup = {},
  options: Partial<AssessmentClientOptions<Result>> = {},
): TestWorld<Submission, Result> {
  const clock = virtualClock();
  const isV1 = options.auth?.version === 'v1';
  const whole = { ...calmWorld, ...(isV1 && { tokenTtlMs: V1_TOKEN_MS }), ...world };
  const intervalMs = refreshIntervalMs ?? Math.min(defaultTimings.refreshIntervalMs, whole.tokenTtlMs / 2);
  const router = createRouter({ ...options.paths, ...contract.paths });
  const backend = fakeBackend(whole, clock, {
    router,
    refreshIntervalMs: intervalMs,
    ...(result !== undefined && {
      resultOf: (jobId) => (typeof result === 'function' ? result(jobId) : result),
    }),
  });
  const spoken = speaking(backend.fetch, router, contract.answer, options.auth?.refreshTransport);
  const client = createAssessmentClient<Submission, Result>({
    baseUrl: 'http://world.test',
    clock,
    storage: memoryStore(),
    tokenStorage: memoryStore(),
    fetch: spoken.fetch,
    loadSocketIo: backend.load,
    random: seededRandom(whole.seed),
    // Alone in its world: another test of the same process is not another tab.
    locks: null,
    channel: null,
    ...options,
    timings: { refreshIntervalMs: intervalMs, ...options.timings },
  });
  return {
    client,
    backend,
    run: clock.run,
    signIn: (userId = 'user-1') => client.signedIn(spoken.signedIn(backend.signIn(userId))),
  };
}
