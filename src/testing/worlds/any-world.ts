import type * as FastCheckModule from 'fast-check';
import type { Arbitrary } from 'fast-check';
import {
  FOR_EVER_MS,
  type FrontAnswer,
  type Habits,
  type Incident,
  plainHabits,
  type World,
  type WorldRoute,
} from './world.ts';

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

/** A kind of trouble that random worlds contain. Each is off in a part of the worlds. */
export type Family =
  /** Something in front of the API answers. */
  | 'front'
  /** Dead tokens and refused refreshes, in other words than the plain server's. */
  | 'dialects'
  /** Rows of the archive and of the status route that are late or gone, and a job that every route forgets. */
  | 'rows'
  /** Rows of another job or another user. */
  | 'foreign'
  /** Bodies that arrive slowly. */
  | 'slow'
  /** Clocks, dates and tokens of which only the end is known. */
  | 'dates'
  /** Answers that do not fit, and ids and words in odd spellings. */
  | 'misfits'
  /** A `failed` that is taken back. */
  | 'retries'
  /** The result of an earlier job with the same answers. */
  | 'dedup'
  /** A slow submission, and idempotency keys that are stored late or not at all. */
  | 'keys'
  /** Submissions that are limited or refused. */
  | 'refusals'
  /** The same answers once more. */
  | 'again'
  /** An outage takes the refresh down, and work begins without a percentage. */
  | 'service'
  /** Two users who take turns on the computer, and storages that are full. */
  | 'users';

export const families: readonly Family[] = [
  'front',
  'dialects',
  'rows',
  'foreign',
  'slow',
  'dates',
  'misfits',
  'retries',
  'dedup',
  'keys',
  'refusals',
  'again',
  'service',
  'users',
];

export interface AnyWorldOptions {
  /** The kinds of trouble that may occur. @default all of {@link families} but `users`, whose worlds are searched by themselves */
  families?: readonly Family[];
}

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
export function anyWorld(fc: FastCheckLike, options: AnyWorldOptions = {}): ArbitraryLike<World> {
  // The public types name nothing of fast-check, which only those who call this install: its own types are wider than these.
  return anyWorldOf(fc as unknown as FastCheck, options) as unknown as ArbitraryLike<World>;
}

const seconds = (fc: FastCheck, max: number) => fc.integer({ min: 0, max }).map((it) => it * 1_000);
/** Once, for a while, or for longer. */
const spans = [0, 0, 0, 15_000, 90_000, 400_000];
const pages: readonly FrontAnswer[] = [
  'html-403',
  'html-400',
  'html-401',
  'html-404',
  'html-429',
  'html-500',
  'html-502',
  'html-502-next-month',
  'html-200',
  'json-403',
  'login-elsewhere',
  'login-here',
];
const calls: readonly WorldRoute[] = ['status', 'result', 'submit', 'refresh', 'job', 'jobs', 'balance'];
/** The default of `habit` in most worlds. */
const mostly = <K extends keyof Habits>(fc: FastCheck, habit: K, others: readonly Habits[K][]): Arbitrary<Habits[K]> =>
  fc.oneof(
    { weight: 3, arbitrary: fc.constant(plainHabits[habit]) },
    { weight: 1, arbitrary: fc.constantFrom(...others) },
  );

/** The habits of each family. What is not here is an incident. */
const habitsOf = (fc: FastCheck): Partial<Record<Family, Partial<{ [K in keyof Habits]: Arbitrary<Habits[K]> }>>> => ({
  dialects: {
    deadToken: mostly(fc, 'deadToken', ['coded-403', 'challenge-403', '419', '440', '498', 'coded-200']),
    sessionOver: mostly(fc, 'sessionOver', ['grant-400', 'grant-200']),
  },
  rows: {
    lateRowMs: mostly(fc, 'lateRowMs', [5_000, 20_000, 60_000]),
    goneRowMs: mostly(fc, 'goneRowMs', [0, 10_000]),
  },
  users: {
    names: mostly(fc, 'names', ['email', 'number', 'none', 'none', 'sometimes']),
    claimsUser: fc.boolean(),
    keepsSessions: fc.boolean(),
  },
  slow: { slowBodyMs: mostly(fc, 'slowBodyMs', [20_000, 60_000]) },
  dates: {
    clockAheadMs: mostly(fc, 'clockAheadMs', [3_600_000, -3_600_000, 15_000, -90_000]),
    tokens: mostly(fc, 'tokens', ['exp-only']),
    saysDate: mostly(fc, 'saysDate', [true]),
  },
  misfits: { spelling: mostly(fc, 'spelling', ['odd']) },
  retries: { failures: mostly(fc, 'failures', [1, 2, 3]) },
  dedup: { deduplicates: mostly(fc, 'deduplicates', [true]) },
  keys: {
    keys: mostly(fc, 'keys', ['late', 'off']),
    announcesKeys: fc.boolean(),
    submitMs: mostly(fc, 'submitMs', [2_100, 12_000]),
  },
  refusals: {
    refusal: fc.oneof(
      { weight: 12, arbitrary: fc.constant(null) },
      { weight: 1, arbitrary: fc.constantFrom<Habits['refusal']>('validation-400', 'validation-422', 'credit-402') },
    ),
    submitLimitMs: fc.oneof(
      { weight: 20, arbitrary: fc.constant(0) },
      { weight: 1, arbitrary: fc.constantFrom(30_000, 600_000, 3_588_000) },
    ),
  },
  service: {
    saysStarted: mostly(fc, 'saysStarted', [true]),
    outageTakesRefresh: fc.boolean(),
  },
});

/** The incidents of each family, with their weights. */
const incidentsOf = (fc: FastCheck, at: Arbitrary<number>): Partial<Record<Family, Arbitrary<Incident>[]>> => {
  const forMs = fc.constantFrom(...spans);
  const front = fc.constant('front' as const);
  const garble = fc.constant('garble' as const);
  return {
    front: [
      fc.record({
        at,
        do: front,
        route: fc.constant('any' as const),
        answer: fc.constantFrom<FrontAnswer>('login-elsewhere', 'login-here'),
        forMs: fc.constant(FOR_EVER_MS),
      }),
      fc.record({
        at,
        do: front,
        route: fc.constantFrom(...calls, 'any' as const),
        answer: fc.constantFrom(...pages),
        forMs,
      }),
      fc.record({
        at,
        do: front,
        // Coded answers are the API's own word where a route can refuse: here are those that cannot.
        route: fc.constantFrom('status' as const, 'result' as const, 'job' as const),
        answer: fc.constantFrom<FrontAnswer>('json-403-coded', 'json-410', 'json-500'),
        forMs,
      }),
    ],
    keys: [
      fc.record({ at: fc.constantFrom(0, 1_000), do: fc.constant('loseSubmitAnswer' as const) }),
      fc.record({
        at: fc.constant(0),
        do: garble,
        route: fc.constant('submit' as const),
        how: fc.constantFrom('foreign', 'null', 'html', 'cut'),
        forMs: fc.constantFrom(0, 15_000),
      }),
    ],
    rows: [
      fc.record({
        at,
        do: front,
        route: fc.constant('status' as const),
        answer: fc.constantFrom<FrontAnswer>('json-500', 'html-502', 'json-410', 'html-404'),
        forMs: fc.constant(FOR_EVER_MS),
      }),
      fc.record({ at, do: fc.constant('forgetAll' as const) }),
    ],
    foreign: [
      fc.record({
        at,
        do: fc.constant('foreignRows' as const),
        of: fc.constantFrom('job', 'user'),
        forMs: fc.constantFrom(5_000, 60_000, 300_000),
      }),
    ],
    misfits: [
      fc.record({
        at,
        do: garble,
        route: fc.constantFrom(...calls),
        how: fc.constantFrom('foreign', 'null', 'html', 'cut', 'nan'),
        forMs,
      }),
      fc.record({
        at,
        do: garble,
        route: fc.constant('result' as const),
        how: fc.constantFrom('nan', 'cut', 'html'),
        forMs: fc.constant(FOR_EVER_MS),
      }),
      fc.record({
        at: fc.constant(0),
        do: garble,
        route: fc.constant('submit' as const),
        how: fc.constant('foreign' as const),
        forMs,
      }),
    ],
    users: [fc.record({ at, do: fc.constant('fullStorage' as const), forMs: seconds(fc, 400) })],
    again: [
      fc.record({
        at: fc.oneof({ weight: 1, arbitrary: fc.constantFrom(0, 1_000, 2_000) }, { weight: 2, arbitrary: at }),
        do: fc.constant('submitAgain' as const),
        where: fc.constantFrom('page', 'reload', 'tab'),
        order: fc.constantFrom('same', 'reordered'),
      }),
    ],
  };
};

function anyWorldOf(
  fc: FastCheck,
  { families: wanted = families.filter((it) => it !== 'users') }: AnyWorldOptions,
): Arbitrary<World> {
  const at = seconds(fc, 700);
  // What ends the story early is rare, so that most stories are long.
  const rare = new Set<string>(['cancel', 'signInAsOther']);
  const moment = fc.oneof(
    { weight: 20, arbitrary: fc.constantFrom(...instant.filter((it) => !rare.has(it))) },
    { weight: 1, arbitrary: fc.constantFrom('cancel' as const, 'signInAsOther' as const) },
  );
  const special = wanted.flatMap((family) => incidentsOf(fc, at)[family] ?? []);
  const plain: Arbitrary<Incident> = fc.oneof(
    { weight: 6, arbitrary: fc.record({ at, do: moment }) },
    { weight: 5, arbitrary: fc.record({ at, do: fc.constantFrom(...lasting), forMs: seconds(fc, 400) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        at,
        do: fc.constant('jump' as const),
        byMs: fc.integer({ min: -4_000, max: 4_000 }).map((it) => it * 1_000),
      }),
    },
  );
  const incident =
    special.length === 0
      ? plain
      : fc.oneof({ weight: 2, arbitrary: plain }, { weight: 1, arbitrary: fc.oneof(...special) });
  const habits: Record<string, Arbitrary<unknown>> = Object.assign({}, ...wanted.map((family) => habitsOf(fc)[family]));
  const others = fc.array(incident, { maxLength: 6 });
  const turn: Arbitrary<Incident> = fc.record({
    at: fc.oneof({ weight: 1, arbitrary: fc.constantFrom(0, 1_000, 2_000) }, { weight: 2, arbitrary: at }),
    do: fc.constant('handOver' as const),
    to: fc.constantFrom('user-2', 'user-2', 'user-1'),
    by: fc.constantFrom('signOut', 'signIn'),
    where: fc.constantFrom('page', 'page', 'reload', 'tab', 'other-tab'),
    submits: fc.constantFrom('nothing', 'own', 'same'),
  });
  const incidents = wanted.includes('users')
    ? fc.oneof(
        { weight: 3, arbitrary: others },
        {
          weight: 1,
          arbitrary: fc
            .record({ some: others, turns: fc.array(turn, { minLength: 1, maxLength: 4 }) })
            .map(({ some, turns }) => [...turns, ...some]),
        },
      )
    : others;
  const world = fc.record({
    seed: fc.integer({ min: 0, max: 1_000_000 }),
    tokenTtlMs: fc.constantFrom(3_600_000, 300_000, 120_000, 3_600_000, 300_000),
    jobMs: seconds(fc, 600),
    jobFails: fc.constantFrom(false, false, false, true),
    latencyMs: fc.constantFrom(100, 20, 300, 500, 2_000),
    loss: fc.constantFrom(0, 0.02, 0.1),
    eventsNameJobs: fc.boolean(),
    habits: fc.oneof(
      { weight: 1, arbitrary: fc.constant({}) },
      { weight: 2, arbitrary: fc.record(habits) as Arbitrary<Partial<Habits>> },
    ),
    incidents,
  });
  // Both are drawn from the seed of the world, so that the draws of all else stay as they are.
  const whole = wanted.includes('service') ? world.map(withOutageHabits) : world;
  return whole.map((it) => withConspiracy(it, wanted));
}

/** One in so many worlds has the first of the conspiracies, and as many each other one. */
const CONSPIRACIES_IN = 64;
/** The seed of the first one, counted in 64: the small and the large seeds, which are drawn often, have none. */
const FIRST_CONSPIRACY = 32;

/** Troubles that cost a user something together, and that rarely meet by chance. */
const conspiracies: readonly { family: Family; change: (world: World) => Pick<World, 'habits' | 'incidents'> }[] = [
  // The answers are sent again while the server works on them.
  {
    family: 'keys',
    change: ({ habits, incidents }) => ({
      habits: { ...habits, keys: 'on', submitMs: 12_000, breaksSubmit: true, listsLate: true },
      incidents,
    }),
  },
  // Neither a key nor the list tells that the answers have arrived.
  {
    family: 'keys',
    change: ({ habits, incidents }) => ({
      habits: { ...habits, keys: 'off', announcesKeys: false, listsLate: true },
      incidents: [...incidents, { at: 0, do: 'garble', route: 'submit', how: 'foreign', forMs: 0 }],
    }),
  },
  // The result cannot be read while every token is refused.
  {
    family: 'front',
    change: ({ habits, incidents, jobMs }) => {
      const at = Math.max(0, jobMs - 30_000);
      return {
        habits: { ...habits, outageSparesSockets: true },
        incidents: [
          ...incidents,
          { at, do: 'outage', forMs: 570_000 },
          { at, do: 'front', route: 'result', answer: 'html-200', forMs: 600_000 },
        ],
      };
    },
  },
  // Only the list of jobs tells whose a row is.
  {
    family: 'foreign',
    change: ({ habits, incidents, jobMs }) => ({
      habits: { ...habits, anonymousRows: true },
      incidents: [
        ...incidents,
        { at: 0, do: 'loseSubmitAnswer' },
        { at: Math.max(0, jobMs - 20_000), do: 'foreignRows', of: 'user', forMs: 60_000 },
      ],
    }),
  },
];

function withConspiracy(world: World, wanted: readonly Family[]): World {
  const found = conspiracies[(Math.floor(world.seed / 64) % CONSPIRACIES_IN) - FIRST_CONSPIRACY];
  return found && wanted.includes(found.family) ? { ...world, ...found.change(world) } : world;
}

/** In half of the worlds with an outage it takes the refresh along; the health route lies or is missing in a quarter each. */
function withOutageHabits(world: World): World {
  const { seed, habits = {}, incidents } = world;
  if (!incidents.some((it) => it.do === 'outage')) return world;
  const health = (['honest', 'lying', 'honest', 'missing'] as const)[seed % 4] ?? 'honest';
  const outageSparesSockets = Math.floor(seed / 4) % 4 === 0;
  return {
    ...world,
    habits: { outageTakesRefresh: Math.floor(seed / 16) % 2 === 0, health, outageSparesSockets, ...habits },
  };
}
