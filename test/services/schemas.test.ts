import { describe, expect, it } from 'vitest';
import * as z from 'zod/mini';
import { idSchema, maybeId, maybeNumber, readJson, someText } from '../../src/services/schemas.ts';

const fits = (schema: z.ZodMiniType, value: unknown) => schema.safeParse(value).success;

describe('an id', () => {
  it.each(['j', 'a b', '日本', '👍', 'x'.repeat(256)])('may be %j', (id) => expect(fits(idSchema, id)).toBe(true));
  it.each(['', 'x'.repeat(257), 'half \ud83d', null, 5, {}])('is not %j', (id) =>
    expect(fits(idSchema, id)).toBe(false),
  );
});

describe('a text', () => {
  it('has something in it', () => {
    expect([' ', '', null].map((it) => fits(someText, it))).toEqual([true, false, false]);
  });
});

describe('what is nice to know', () => {
  const schema = z.object({ id: maybeId, number: maybeNumber });

  it('is there', () => {
    expect(schema.parse({ id: 'j1', number: 0 })).toEqual({ id: 'j1', number: 0 });
  });

  it.each([{}, { id: null, number: null }, { id: undefined, number: undefined }, { id: 5, number: '5' }])(
    'is none where there is %j',
    (answer) => {
      const { id, number } = schema.parse(answer);
      expect([id ?? null, number ?? null]).toEqual([null, null]);
    },
  );
});

describe('what was stored', () => {
  const schema = z.object({ a: z.number() });

  it('is read as it was written', () => expect(readJson('{"a":1}', schema)).toEqual({ a: 1 }));
  it.each([null, '', '{', '{"a":"1"}', 'null', '[]'])('is null where there is %j', (text) =>
    expect(readJson(text, schema)).toBeNull(),
  );
});
