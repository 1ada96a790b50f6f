import type { Contestant } from './contestant.ts';
import { ACCESS_TOKEN, AnswerError, oldApp, type OldTokens, remember } from './old-client.ts';

/*
 * Before the repair, as its owners describe it: the token is read from the storage for each call, no code checks its expiry, and nothing
 * refreshes it. See docs/parity.md for what was measured of that client.
 */

export const before: Contestant = {
  title: 'the old client before its repair',
  open(page, show) {
    const tokens: OldTokens = {
      async valid() {
        const token = page.localStorage.get(ACCESS_TOKEN);
        if (token === null) throw new AnswerError('UNAUTHORIZED', 401);
        return token;
      },
      renewed: () => Promise.resolve(null),
    };
    return { ...oldApp(page, show, tokens), signedIn: (session) => remember(page, session) };
  },
};
