import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoff, jitter } from '../../src/lib/backoff.ts';

const bounds = { minMs: 250, baseMs: 1_000, capMs: 20_000 };
const lowest = () => 0;
const middle = () => 0.5;
const highest = () => 1;

const anyRandom = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const anyBounds = fc.record({
  minMs: fc.integer({ min: 0, max: 5_000 }),
  baseMs: fc.integer({ min: 1, max: 60_000 }),
  capMs: fc.integer({ min: 1, max: 600_000 }),
});

describe('backoff', () => {
  it('draws the first delay between the minimum and the base', () => {
    expect([lowest, middle, highest].map((random) => backoff(0, bounds, random))).toEqual([250, 625, 1_000]);
  });

  it('doubles the ceiling with each attempt, up to the cap', () => {
    expect([0, 1, 2, 3, 4, 5, 6, 100].map((attempt) => backoff(attempt, bounds, highest))).toEqual([
      1_000, 2_000, 4_000, 8_000, 16_000, 20_000, 20_000, 20_000,
    ]);
  });

  it('draws from the whole range at every attempt, so that clients do not retry together', () => {
    expect(backoff(10, bounds, lowest)).toBe(250);
    expect(backoff(10, bounds, middle)).toBe(10_125);
  });

  it('waits the minimum where the ceiling is lower', () => {
    expect(backoff(0, { minMs: 500, baseMs: 100, capMs: 20_000 }, highest)).toBe(500);
  });

  it('is a whole number of ms, never below the minimum or above the cap', () => {
    fc.assert(
      fc.property(fc.nat(), anyBounds, anyRandom, (attempt, bounds, random) => {
        const ms = backoff(attempt, bounds, () => random);
        expect(Number.isInteger(ms)).toBe(true);
        expect(ms).toBeGreaterThanOrEqual(bounds.minMs);
        expect(ms).toBeLessThanOrEqual(Math.max(bounds.minMs, bounds.capMs));
      }),
    );
  });

  it('never shrinks from one attempt to the next with the same random number', () => {
    fc.assert(
      fc.property(fc.nat({ max: 60 }), anyBounds, anyRandom, (attempt, bounds, random) => {
        const [now, next] = [attempt, attempt + 1].map((it) => backoff(it, bounds, () => random));
        expect(next).toBeGreaterThanOrEqual(now ?? Number.NaN);
      }),
    );
  });
});

describe('jitter', () => {
  it('spreads evenly around the delay', () => {
    expect([lowest, middle, highest].map((random) => jitter(1_000, 0.2, random))).toEqual([800, 1_000, 1_200]);
  });

  it('is a whole number of ms within the share', () => {
    const anyShare = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(fc.nat({ max: 600_000 }), anyShare, anyRandom, (ms, share, random) => {
        const jittered = jitter(ms, share, () => random);
        expect(Number.isInteger(jittered)).toBe(true);
        expect(Math.abs(jittered - ms)).toBeLessThanOrEqual(ms * share + 0.5);
      }),
    );
  });
});
