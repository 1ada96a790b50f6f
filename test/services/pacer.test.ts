import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createPacer } from '../../src/services/pacer.ts';
import { watch } from '../support/deferred.ts';
import { settle, virtualClock } from '../../src/testing/virtual-clock.ts';

const DISTANCE = 1_000;
const forever = new AbortController().signal;

function openPacer() {
  const clock = virtualClock();
  const pacer = createPacer(clock);
  return {
    clock,
    pacer,
    /** Asks for a turn and watches whether it comes. */
    ask: (kind = 'status', signal = forever) => watch(pacer.turn(kind, DISTANCE, signal)),
  };
}

describe('createPacer', () => {
  it('gives the first turn at once', async () => {
    const { clock, ask } = openPacer();
    const turn = ask();
    await settle();
    expect(turn.state).toBe('resolved');
    expect(clock.armed()).toBe(0);
  });

  it('gives the next turn of a kind after the distance, and not before', async () => {
    const { clock, ask } = openPacer();
    ask();
    await clock.run(400);
    const turn = ask();
    await clock.run(599);
    expect(turn.state).toBe('pending');
    await clock.run(1);
    expect(turn.state).toBe('resolved');
  });

  it('does not delay a call that comes after the distance has passed', async () => {
    const { clock, ask } = openPacer();
    ask();
    await clock.run(DISTANCE);
    const turn = ask();
    await settle();
    expect(turn.state).toBe('resolved');
  });

  it('counts the distance from the last turn, not from the first', async () => {
    const { clock, ask } = openPacer();
    ask();
    ask();
    await clock.run(1_500);
    const third = ask();
    await clock.run(499);
    expect(third.state).toBe('pending');
    await clock.run(1);
    expect(third.state).toBe('resolved');
  });

  it('paces each kind of call on its own', async () => {
    const { pacer, ask } = openPacer();
    ask('status');
    pacer.postpone('status', 60_000);
    const other = ask('result');
    await settle();
    expect(other.state).toBe('resolved');
  });

  it('delays the next turn by the time that the server asks for', async () => {
    const { clock, pacer, ask } = openPacer();
    ask();
    pacer.postpone('status', 30_000);
    const turn = ask();
    await clock.run(29_999);
    expect(turn.state).toBe('pending');
    await clock.run(1);
    expect(turn.state).toBe('resolved');
  });

  it('keeps a longer delay when a shorter one is asked for', async () => {
    const { clock, pacer, ask } = openPacer();
    pacer.postpone('status', 30_000);
    await clock.run(10_000);
    pacer.postpone('status', 5_000);
    const turn = ask();
    await clock.run(19_999);
    expect(turn.state).toBe('pending');
    await clock.run(1);
    expect(turn.state).toBe('resolved');
  });

  it('keeps the distance between calls that wait at the same time', async () => {
    const { clock, ask } = openPacer();
    ask();
    const turns = [ask(), ask(), ask()];
    const given = () => turns.filter(({ state }) => state === 'resolved').length;
    for (const expected of [1, 2, 3]) {
      await clock.run(DISTANCE);
      expect(given()).toBe(expected);
    }
  });

  it('extends the wait of a call when the server asks for more time during it', async () => {
    const { clock, pacer, ask } = openPacer();
    ask();
    const turn = ask();
    await clock.run(500);
    pacer.postpone('status', 10_000);
    await clock.run(9_999);
    expect(turn.state).toBe('pending');
    await clock.run(1);
    expect(turn.state).toBe('resolved');
  });

  it('rejects a waiting turn with the reason of its signal and leaves the turn to another call', async () => {
    const { clock, ask } = openPacer();
    const controller = new AbortController();
    ask();
    const aborted = ask('status', controller.signal);
    await clock.run(900);
    const reason = new Error('stopped');
    controller.abort(reason);
    await settle();
    expect(aborted).toEqual({ state: 'rejected', error: reason });
    expect(clock.armed()).toBe(0);
    const turn = ask();
    await clock.run(100);
    expect(turn.state).toBe('resolved');
  });

  it('rejects a turn whose signal has already aborted and leaves the turn to another call', async () => {
    const { ask } = openPacer();
    const reason = new Error('stopped');
    const aborted = ask('status', AbortSignal.abort(reason));
    const turn = ask();
    await settle();
    expect(aborted).toEqual({ state: 'rejected', error: reason });
    expect(turn.state).toBe('resolved');
  });

  it('waits for one distance at most when the clock was set back', async () => {
    const { clock, ask } = openPacer();
    ask();
    clock.jump(-3_600_000);
    const turns = [ask(), ask()];
    await clock.run(DISTANCE);
    expect(turns[0]?.state).toBe('resolved');
    await clock.run(DISTANCE);
    expect(turns[1]?.state).toBe('resolved');
  });

  it('ends a wait in time when the clock is set back during it', async () => {
    const { clock, pacer, ask } = openPacer();
    pacer.postpone('status', 5_000);
    const turn = ask();
    await clock.run(4_000);
    clock.jump(-3_600_000);
    await clock.run(6_000);
    expect(turn.state).toBe('resolved');
  });

  it('keeps the distance for any number of calls at any time', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat({ max: 3_000 }), { maxLength: 20 }), async (pauses) => {
        const clock = virtualClock();
        const pacer = createPacer(clock);
        const given: number[] = [];
        for (const pause of pauses) {
          void pacer.turn('status', DISTANCE, forever).then(() => given.push(clock.now()));
          await clock.run(pause);
        }
        await clock.run(pauses.length * DISTANCE);
        expect(given).toHaveLength(pauses.length);
        expect(given.slice(1).every((at, index) => at - (given[index] ?? 0) >= DISTANCE)).toBe(true);
      }),
    );
  });
});
