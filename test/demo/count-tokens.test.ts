import { expect, it } from 'vitest';
import { countTokens } from '../../demo/count-tokens.ts';

const expiring = (generation: number) => ({ type: 'token.expiring', generation, at: 5 }) as const;

it('numbers the tokens of a log in the order in which they appear', () => {
  const counted = countTokens();
  const numbers = [17_959_612_000, 17_959_612_001, 17_959_612_000, 17_959_700_000].map(
    (generation) => counted(expiring(generation)).generation,
  );
  expect(numbers).toEqual([1, 2, 1, 3]);
});

it('leaves an event alone that is about no token', () => {
  const refresh = { type: 'request.started', route: 'refresh', generation: null } as const;
  expect(countTokens()(refresh)).toBe(refresh);
});
