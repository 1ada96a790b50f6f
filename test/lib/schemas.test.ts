import * as z from 'zod/mini';
import { describe, expect, it } from 'vitest';
import {
  anyObject,
  fit,
  idSchema,
  maybeId,
  maybeNumber,
  number,
  object,
  readJson,
  type Shape,
  someText,
} from '../../src/lib/schemas.ts';

const fits = (shape: Shape<unknown>, value: unknown) => shape.safeParse(value).success;

describe('an object', () => {
  it.each([{}, { a: 1 }, new Date(0)])('may be %j', (value) => expect(fits(anyObject, value)).toBe(true));
  it.each([[], [1], null, undefined, 'text', 5, () => {}])('is not %j', (value) => {
    expect(fits(anyObject, value)).toBe(false);
    expect(fits(object({ a: z.optional(z.unknown()) }), value)).toBe(false);
  });

  it('is parsed without the fields that its shape does not name', () => {
    expect(fit({ a: 1, token: 'x' }, object({ a: number }))).toEqual({ a: 1 });
  });
});

describe('a number', () => {
  it.each([0, -1, 1.5, 1e300])('may be %j', (value) => expect(fits(number, value)).toBe(true));
  it.each([Number.NaN, JSON.parse('1e999') as unknown, '1', null])('is not %j', (value) =>
    expect(fits(number, value)).toBe(false),
  );
});

describe('an id', () => {
  it.each(['j', 'a b', '日本', '👍', 'x'.repeat(256)])('may be %j', (id) => expect(fits(idSchema, id)).toBe(true));
  it('may be a whole number, and is read as a text', () => expect(fit(17, idSchema)).toBe('17'));
  it.each(['', 'x'.repeat(257), 'half \ud83d', '.', '..', null, 1.5, {}])('is not %j', (id) =>
    expect(fits(idSchema, id)).toBe(false),
  );
});

describe('a text', () => {
  it('must not be empty', () => {
    expect([' ', '', null].map((it) => fits(someText, it))).toEqual([true, false, false]);
  });
});

describe('an optional field', () => {
  const shape = object({ id: maybeId, number: maybeNumber });

  it('is kept where it is valid', () => {
    expect(fit({ id: 'j1', number: 0 }, shape)).toEqual({ id: 'j1', number: 0 });
  });

  it.each([{}, { id: null, number: null }, { id: undefined, number: undefined }, { id: {}, number: '5' }])(
    'is null where the text is %j',
    (answer) => expect(fit(answer, shape)).toEqual({ id: null, number: null }),
  );
});

describe('a stored JSON text', () => {
  const shape = object({ a: number });

  it('is parsed as it was written', () => expect(readJson('{"a":1}', shape)).toEqual({ a: 1 }));
  it.each([null, '', '{', '{"a":"1"}', 'null', '[]'])('is null where the text is %j', (text) =>
    expect(readJson(text, shape)).toBeNull(),
  );
});
