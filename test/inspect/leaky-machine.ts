import { assign, createActor, fromPromise, type InspectionEvent, sendTo, setup } from 'xstate';

/** One secret for each place that a token could reach. All start with the same word. */
let planted = 0;
const plant = () => `PLANTED-${(planted += 1)}`;
export const PLANTED = /PLANTED|eyJhbGci/;
const jwt = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1c2VyIn0.c2lnbmF0dXJl';

const child = setup({
  types: { input: {} as { token: string }, context: {} as { kept: string } },
}).createMachine({
  context: ({ input }) => ({ kept: input.token }),
  on: { use: { actions: assign(({ event }) => ({ kept: String(event.token) })) } },
});

/** A machine that puts secrets into every place where ours puts none. */
const leakyMachine = setup({
  types: { input: {} as Record<string, unknown>, context: {} as Record<string, unknown> },
  actors: {
    child,
    call: fromPromise(({ input }: { input: unknown }) => Promise.resolve({ input, answer: plant(), code: plant() })),
    broken: fromPromise((): Promise<never> => Promise.reject(new Error(plant()))),
  },
  actions: { note: () => {} },
}).createMachine({
  id: 'leaky',
  context: {
    token: plant(),
    type: jwt,
    jobId: jwt,
    nested: [{ deep: { harmless: plant() } }, plant()],
    [plant()]: true,
    [jwt]: 1,
    error: new Error(plant()),
    map: new Map([['a', plant()]]),
    url: new URL('https://user.example.test/?token=PLANTED'),
  },
  meta: { secret: plant() },
  initial: 'calling',
  states: {
    calling: {
      meta: { secret: plant() },
      entry: [{ type: 'note', params: { secret: plant() } as never }],
      invoke: [
        { id: 'call', src: 'call', input: { token: plant() }, onDone: { target: 'breaking' } },
        { id: 'child', src: 'child', input: { token: plant() } },
      ],
    },
    breaking: {
      entry: assign({ answer: ({ event }) => (event as { output?: unknown }).output }),
      invoke: { id: 'broken', src: 'broken', onError: { target: 'telling' } },
    },
    telling: {
      invoke: { id: 'child', src: 'child', input: { token: plant() } },
      entry: sendTo('child', () => ({ type: 'use', token: plant() })),
      on: { finish: { target: 'done' } },
    },
    done: { type: 'final' },
  },
  output: ({ context }) => ({ ...context, result: plant() }),
});

/** Runs the machine to its end under inspection. */
export async function leak(inspect: (event: InspectionEvent) => void): Promise<void> {
  const actor = createActor(leakyMachine, { inspect, input: { token: plant(), id: jwt } });
  const told = new Promise<void>((resolve) => {
    actor.subscribe((snapshot) => snapshot.value === 'telling' && resolve());
  });
  actor.start();
  await told;
  actor.send({ type: 'finish', token: plant(), authorization: `Bearer ${jwt}`, type2: jwt } as never);
}
