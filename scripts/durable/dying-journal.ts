import type { DurableEngine } from '../../src/durable/index.ts';

/** The process of a watch dies here, for this test. */
class Death extends Error {}

/** What a watch did, life by life. */
export interface Lives<T> {
  output: T;
  deaths: number;
  /** Everything that the engine has stored. */
  stored: string;
  /** What a replay did differently from what is stored. */
  differences: string[];
}

/**
 * An engine that is a journal in memory. Its process dies once at each step: after the work, before the journal notes it. It dies in some
 * sleeps too. Then it runs the watch again, from the beginning.
 *
 * @param watch called once for each life
 * @param die called at each death: what is in memory is lost, and time passes
 * @param sleepUntil lets time pass, to ms since the epoch
 */
export async function liveAndDie<T>(
  watch: (engine: DurableEngine) => Promise<T>,
  { now, sleepUntil, die }: { now: () => number; sleepUntil: (time: number) => void; die: () => void },
): Promise<Lives<T>> {
  const notes: { name: string; ms: number | null; value: string }[] = [];
  const differences: string[] = [];
  let doomed = -1;
  let deaths = 0;
  let isOver = false;

  /** Once at each place of the journal, whatever the step there is called. */
  const dieOnce = (isAsleep = false): void => {
    const place = notes.length + (isAsleep ? 0.5 : 0);
    if (doomed === place) return;
    doomed = place;
    deaths += 1;
    throw new Death();
  };
  const newLife = (): DurableEngine => {
    let cursor = 0;
    const noted = (name: string, ms: number | null) => {
      const note = notes[cursor];
      cursor += 1;
      if (!note) {
        if (isOver) differences.push(`the replay of a watch that is over takes a new step: ${name}`);
        if (notes.some((it) => it.name === name)) differences.push(`two steps are called ${name}`);
        return null;
      }
      if (note.name !== name) differences.push(`${note.name} is stored, and the replay asks for ${name}`);
      if (note.ms !== ms) differences.push(`${name} slept ${note.ms} ms, and the replay sleeps ${ms} ms`);
      return note;
    };
    return {
      async step(name, run) {
        const note = noted(name, null);
        if (note) return JSON.parse(note.value);
        const value = JSON.stringify(await run());
        dieOnce();
        notes.push({ name, ms: null, value });
        return JSON.parse(value);
      },
      async sleep(name, ms) {
        const note = noted(name, ms);
        if (note) return sleepUntil(Number(note.value));
        const wakeAt = now() + ms;
        dieOnce();
        notes.push({ name, ms, value: String(wakeAt) });
        if (notes.length % 4 === 0) dieOnce(true);
        sleepUntil(wakeAt);
      },
    };
  };
  const live = async (): Promise<T> => {
    for (;;) {
      try {
        return await watch(newLife());
      } catch (error) {
        if (!(error instanceof Death)) throw error;
        die();
      }
    }
  };

  const output = await live();
  isOver = true;
  const again = await watch(newLife());
  if (JSON.stringify(again) !== JSON.stringify(output))
    differences.push('a replay of the whole watch ends differently');
  return { output, deaths, stored: JSON.stringify({ notes, output }), differences };
}
