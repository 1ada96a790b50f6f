import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseRetryAfter, RETRY_AFTER_BOUNDS } from '../../../src/services/api/retry-after.ts';
import { T0 } from '../../../src/testing/virtual-clock.ts';

const { minMs, maxMs } = RETRY_AFTER_BOUNDS;
const httpDate = (ms: number) => new Date(ms).toUTCString();

describe('parseRetryAfter', () => {
  it('never asks for less than a second or more than five minutes', () => {
    expect(RETRY_AFTER_BOUNDS).toEqual({ minMs: 1_000, maxMs: 300_000 });
  });

  it.each([
    [2, 2_000],
    ['2', 2_000],
    [' 120 ', 120_000],
    [1.5, 1_500],
    ['2.5', 2_500],
  ])('reads %j as seconds', (value, ms) => {
    expect(parseRetryAfter(value, T0)).toBe(ms);
  });

  it('reads an HTTP date against the clock that it is given', () => {
    expect(parseRetryAfter(httpDate(T0 + 30_000), T0)).toBe(30_000);
    expect(parseRetryAfter(` ${httpDate(T0 + 30_000)}`, T0 + 10_000)).toBe(20_000);
  });

  it('reads the two obsolete forms of an HTTP date, too', () => {
    const now = Date.UTC(2030, 0, 1, 12);
    expect(parseRetryAfter('Tuesday, 01-Jan-30 12:00:40 GMT', now)).toBe(40_000);
    expect(parseRetryAfter('Tue Jan  1 12:00:40 2030 GMT', now)).toBe(40_000);
    expect(parseRetryAfter('Wednesday, 02-Jan-30 12:00:00 GMT', now + 86_390_000)).toBe(10_000);
    expect(parseRetryAfter('Sunday, 06-Jan-30 12:00:00 GMT', now + 5 * 86_400_000 - 10_000)).toBe(10_000);
  });

  it.each([0, -1, -0.001, '0', '-5', -1e9, Number.NEGATIVE_INFINITY, '-Infinity', httpDate(T0), httpDate(T0 - 1_000)])(
    'takes %j for no answer: there is nothing to wait for',
    (value) => {
      expect(parseRetryAfter(value, T0)).toBeNull();
    },
  );

  it.each([1e9, '1e9', '300.001', 301, Number.POSITIVE_INFINITY, 'Infinity', httpDate(T0 + 86_400_000)])(
    'clamps %j to five minutes',
    (value) => {
      expect(parseRetryAfter(value, T0)).toBe(maxMs);
    },
  );

  it.each([0.001, '0.5', 0.999])('clamps %j to a second', (value) => {
    expect(parseRetryAfter(value, T0)).toBe(minMs);
  });

  it.each([
    undefined,
    null,
    '',
    '   ',
    'soon',
    'NaN',
    Number.NaN,
    true,
    {},
    [],
    ['5'],
    [5],
    '5 seconds',
    '2031-01-01T00:00:00Z',
    '01 Jan 2031 00:00:00 GMT',
  ])('takes %j for no answer: it is neither seconds nor an HTTP date', (value) => {
    expect(parseRetryAfter(value, T0)).toBeNull();
  });

  // V8 skips words that it does not know and finds a year in almost any sentence.
  it.each(['Busy 2031', 'try again after 2099', 'abc 2030-06-01', 'Monday', 'Sunset 2031', 'until Mon, 01 Jan 2031'])(
    'does not find a date in the sentence %j',
    (value) => {
      expect(parseRetryAfter(value, T0)).toBeNull();
    },
  );

  it('answers null or something within the bounds, whatever it is given', () => {
    fc.assert(
      fc.property(fc.oneof(fc.anything(), fc.string(), fc.double(), fc.date().map(String)), (value) => {
        const ms = parseRetryAfter(value, T0);
        expect(ms === null || (ms >= minMs && ms <= maxMs)).toBe(true);
      }),
    );
  });

  it('keeps every whole number of seconds within the bounds as it is, as a number and as text', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), (seconds) => {
        expect(parseRetryAfter(seconds, T0)).toBe(seconds * 1_000);
        expect(parseRetryAfter(String(seconds), T0)).toBe(seconds * 1_000);
        expect(parseRetryAfter(httpDate(T0 + seconds * 1_000), T0)).toBe(seconds * 1_000);
      }),
    );
  });
});
