/**
 * Dice without a memory: a roll depends on the seed and on what it is rolled for, never on what was rolled before. A world that
 * loses an incident while it shrinks keeps the luck of all the others.
 *
 * @returns a number in [0, 1)
 */
export function rollOf(seed: number, what: string, count: number): number {
  let hash = (seed ^ 0x9e3779b9) >>> 0;
  for (let index = 0; index < what.length; index += 1) hash = Math.imul(hash ^ what.charCodeAt(index), 0x01000193);
  return mix(hash + Math.imul(count + 1, 0x6d2b79f5));
}

/** A source of randomness for a client, in the same spirit. */
export function randomOf(seed: number, what: string): () => number {
  let count = 0;
  return () => rollOf(seed, what, (count += 1));
}

/** The finaliser of mulberry32. */
function mix(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 15), value | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
}
