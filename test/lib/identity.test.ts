import { describe, expect, it } from 'vitest';
import { appIn, identityOf, isSameUser, mergeIdentities } from '../../src/lib/identity.ts';

describe('an identity', () => {
  it('contains no id in clear', () => {
    expect(identityOf('ann@example.test', 'ann@example.test', 1)).not.toContain('ann');
  });

  it('reads a number as a text', () => {
    expect(identityOf(7, null, 1)).toBe(identityOf('7', null, 1));
  });

  it.each(['', ' ', 'undefined', 'null', 'NaN', Number.NaN, '[object Object]'])('takes no name from %o', (none) => {
    expect(identityOf(none, String(none), 1)).toBe('session:1');
    expect(identityOf(none, 'ann', 1)).toBe(identityOf(null, 'ann', 1));
  });

  it('takes the part of another identity as it is', () => {
    const ann = identityOf('ann', null, 1);
    expect(identityOf(appIn(ann), null, 2)).toBe(ann);
  });
});

describe('two identities', () => {
  it.each([
    ['the same application id', identityOf('ann', '1', 1), identityOf('ann', '2', 2), true],
    ['the same claim', identityOf('ann', '1', 1), identityOf(null, '1', 2), true],
    ['other application ids', identityOf('ann', '1', 1), identityOf('bob', '1', 1), false],
    ['other claims', identityOf(null, '1', 1), identityOf(null, '2', 1), false],
    ['an application id and an equal claim', identityOf('ann', null, 1), identityOf(null, 'ann', 1), false],
    ['nothing in one session', identityOf(null, null, 1), identityOf(null, null, 1), true],
    ['nothing in two sessions', identityOf(null, null, 1), identityOf(null, null, 2), false],
    ['nothing and a name', identityOf(null, null, 1), identityOf('ann', null, 1), false],
    ['a name of an earlier version and the same application id', 'ann', identityOf('ann', null, 1), true],
    ['a name of an earlier version and the same claim', 'ann', identityOf(null, 'ann', 1), true],
    ['a name of an earlier version and another one', 'ann', identityOf('bob', 'ann', 1), false],
    ['a name and no session yet', identityOf('ann', null, 1), null, true],
  ])('that share %s are compared', (_, one, other, isSame) => {
    expect(isSameUser(one, other)).toBe(isSame);
    expect(isSameUser(other, one)).toBe(isSame);
  });
});

describe('a newer token of the same session', () => {
  it.each([
    ['adds a name of another kind', identityOf('ann', null, 1), identityOf(null, '1', 1), identityOf('ann', '1', 1)],
    ['takes no name away', identityOf('ann', '1', 1), identityOf(null, null, 1), identityOf('ann', '1', 1)],
    ['keeps the user of a session without a name', identityOf(null, null, 1), identityOf(null, '1', 1), 'session:1'],
    [
      'brings another user with another claim',
      identityOf('ann', '1', 1),
      identityOf(null, '2', 1),
      identityOf(null, '2', 1),
    ],
    ['is the first', null, identityOf(null, '1', 1), identityOf(null, '1', 1)],
  ])('%s', (_, known, newer, merged) => {
    expect(mergeIdentities(known, newer)).toBe(merged);
  });
});
