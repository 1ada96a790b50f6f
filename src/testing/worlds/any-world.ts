import type * as FastCheckModule from 'fast-check';
import type { Arbitrary } from 'fast-check';
import type { Incident, World } from './world.ts';

type UsedName = 'array' | 'boolean' | 'constant' | 'constantFrom' | 'integer' | 'oneof' | 'record';
type FastCheck = Pick<typeof FastCheckModule, UsedName>;

/*
 * The exported types describe fast-check structurally. The published declarations must not import a package that is not a
 * dependency of this one.
 */

/** The functions of fast-check that `anyWorld` calls. */
export type FastCheckLike = Readonly<Record<UsedName, (...args: never[]) => unknown>>;

/** An `Arbitrary` of fast-check 4. */
export interface ArbitraryLike<T> {
  map<U>(mapper: (value: T) => U, unmapper?: (possible: unknown) => T): ArbitraryLike<U>;
  filter<U extends T>(refinement: (value: T) => value is U): ArbitraryLike<U>;
  filter(predicate: (value: T) => boolean): ArbitraryLike<T>;
  chain<U>(chainer: (value: T) => ArbitraryLike<U>): ArbitraryLike<U>;
  generate(
    random: never,
    biasFactor: number | undefined,
  ): { readonly value: T; readonly value_: T; readonly hasToBeCloned: boolean; readonly context: unknown };
  canShrinkWithoutContext(value: unknown): value is T;
  /** Only fast-check calls this. Its own type of stream cannot be named here, and `never` fits it. */
  shrink(value: T, context: unknown): never;
}

const instant = [
  'endTokens',
  'restart',
  'dropSocket',
  'foreignEvents',
  'malformedEvents',
  'duplicateEvents',
  'staleEvents',
  'reload',
  'signOut',
  'signInAsOther',
  'cancel',
  'revoke',
  'loseRefreshAnswer',
  'loseSubmitAnswer',
] as const;
const lasting = ['outage', 'offline', 'serverDown', 'silence', 'sleep', 'noSockets'] as const;

/**
 * Any world, for a property of fast-check. It shrinks towards a calm one.
 *
 * @param fc fast-check's default export
 * @example
 * fc.assert(fc.asyncProperty(anyWorld(fc), async (world) => {
 *   const { violations } = await runWorld(world);
 *   return violations.length === 0;
 * }));
 */
export function anyWorld(fc: FastCheckLike): ArbitraryLike<World> {
  return anyWorldOf(fc as unknown as FastCheck) as unknown as ArbitraryLike<World>;
}

function anyWorldOf(fc: FastCheck): Arbitrary<World> {
  const seconds = (max: number) => fc.integer({ min: 0, max }).map((it) => it * 1_000);
  const at = seconds(700);
  // What ends the story early is rare, so that most stories are long.
  const rare = new Set<string>(['cancel', 'signInAsOther']);
  const moment = fc.oneof(
    { weight: 20, arbitrary: fc.constantFrom(...instant.filter((it) => !rare.has(it))) },
    { weight: 1, arbitrary: fc.constantFrom('cancel' as const, 'signInAsOther' as const) },
  );
  const incident: Arbitrary<Incident> = fc.oneof(
    { weight: 6, arbitrary: fc.record({ at, do: moment }) },
    { weight: 5, arbitrary: fc.record({ at, do: fc.constantFrom(...lasting), forMs: seconds(400) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        at,
        do: fc.constant('jump' as const),
        byMs: fc.integer({ min: -4_000, max: 4_000 }).map((it) => it * 1_000),
      }),
    },
  );
  return fc.record({
    seed: fc.integer({ min: 0, max: 1_000_000 }),
    tokenTtlMs: fc.constantFrom(3_600_000, 300_000, 120_000, 3_600_000, 300_000),
    jobMs: seconds(600),
    jobFails: fc.constantFrom(false, false, false, true),
    latencyMs: fc.constantFrom(100, 20, 300, 500, 2_000),
    loss: fc.constantFrom(0, 0.02, 0.1),
    eventsNameJobs: fc.boolean(),
    incidents: fc.array(incident, { maxLength: 6 }),
  });
}
