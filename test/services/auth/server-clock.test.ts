import { describe, expect, it } from 'vitest';
import { createServerClock } from '../../../src/services/auth/server-clock.ts';
import { T0, virtualClock } from '../../../src/testing/virtual-clock.ts';

const SECOND = 1_000;
const MONTH = 30 * 24 * 3_600 * SECOND;

const open = () => {
  const clock = virtualClock();
  const server = createServerClock(clock);
  return { clock, server, known: () => [server.isKnown, server.skewMs] };
};

describe("the server's clock", () => {
  it('is unknown before the first answer', () => {
    expect(open().known()).toEqual([false, 0]);
  });

  it('is known from the first answer where the local clock is about right; half a second is the mean of whole seconds', () => {
    const { server, known } = open();
    server.observe(T0 + 10 * SECOND);
    expect(known()).toEqual([true, 10_500]);
  });

  it('is far from the local one only when a second answer agrees', () => {
    const { server, known, clock } = open();
    server.observe(T0 + MONTH);
    expect(known()).toEqual([false, 0]);
    clock.jump(SECOND);
    server.observe(T0 + MONTH + 20 * SECOND);
    expect(known()).toEqual([true, MONTH + 19_500]);
  });

  it('is unknown again in doubt, until the next answer confirms it', () => {
    const { server, known } = open();
    server.observe(T0);
    server.doubt();
    expect(known()).toEqual([false, 500]);
    server.observe(T0 + SECOND);
    expect(known()).toEqual([true, 1_500]);
  });

  it('is not taught by one wrong Date, before or after it is known', () => {
    const { server, known } = open();
    server.observe(T0 + MONTH);
    server.observe(T0);
    expect(known()).toEqual([true, 500]);
    server.observe(T0 - MONTH);
    server.observe(T0);
    server.observe(T0 - MONTH);
    server.observe(T0 + MONTH);
    expect(known()).toEqual([true, 500]);
  });
});
