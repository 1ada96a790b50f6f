import type * as FastCheckModule from 'fast-check';
import type { Arbitrary } from 'fast-check';
import type { Incident, World } from './world.ts';

type FastCheck = Pick<
  typeof FastCheckModule,
  'array' | 'boolean' | 'constant' | 'constantFrom' | 'integer' | 'oneof' | 'record'
>;

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

/** Any world, for a property of fast-check. It shrinks towards a calm one. */
export function anyWorld(fc: FastCheck): Arbitrary<World> {
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
