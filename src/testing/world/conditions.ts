import type { Mishap, Route, Spell } from './story.ts';

/** What the weather is like: spells that are on, and mishaps that wait for their request. */
export interface Conditions {
  is(spell: Spell): boolean;
  begin(spell: Spell): void;
  end(spell: Spell): void;
  /** The next request of this route meets with it. */
  await(mishap: Mishap, route: Route): void;
  /** The mishap that waits for this request, if any. It happens once. */
  take(route: Route): Mishap | undefined;
  /** The sky clears: no mishap waits any more, and luck is not needed. */
  clear(): void;
  isClear(): boolean;
}

export function createConditions(): Conditions {
  // Counted: a spell may begin while another of its kind is on.
  const spells = new Map<Spell, number>();
  let waiting: { mishap: Mishap; route: Route }[] = [];
  let clear = false;
  const add = (spell: Spell, count: number) => void spells.set(spell, (spells.get(spell) ?? 0) + count);
  return {
    is: (spell) => (spells.get(spell) ?? 0) > 0,
    begin: (spell) => add(spell, 1),
    end: (spell) => add(spell, -1),
    await: (mishap, route) => void waiting.push({ mishap, route }),
    take(route) {
      const index = waiting.findIndex((it) => it.route === route);
      return index < 0 ? undefined : waiting.splice(index, 1)[0]?.mishap;
    },
    clear() {
      waiting = [];
      clear = true;
    },
    isClear: () => clear,
  };
}
