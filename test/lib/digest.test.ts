import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/lib/digest.ts';

describe('digestOf', () => {
  it('is 32 hexadecimal digits, and the same for the same text', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(digestOf(text)).toMatch(/^[0-9a-f]{32}$/);
        expect(digestOf(text)).toBe(digestOf(text));
      }),
    );
  });

  it('differs for 20,000 texts that differ in one number', () => {
    const digests = Array.from({ length: 20_000 }, (_, index) => digestOf(`{"answers":[${index}]}`));
    expect(new Set(digests).size).toBe(20_000);
    // Each quarter alone tells almost all of them apart, so no quarter is a copy of another or of nothing.
    for (const start of [0, 8, 16, 24])
      expect(new Set(digests.map((it) => it.slice(start, start + 8))).size).toBeGreaterThan(19_990);
  });
});
