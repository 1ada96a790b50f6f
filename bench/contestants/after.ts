import type { Contestant, SignedIn } from './contestant.ts';
import { paths } from './contestant.ts';
import { ACCESS_TOKEN, AnswerError, ask, oldApp, type OldTokens, remember } from './old-client.ts';

/*
 * After the repair: `ensureValidToken` before the submission, each connection and each poll. A token that has ended is refreshed, one
 * that has less than ten minutes left as well, which is the window that the client really had; a refresh that fails is forgiven while
 * the token holds; one that is refused ends the session. One refresh at a time in each tab. The original takes every token for one of an
 * hour, unless configured: here it knows how long its tokens live. See docs/parity.md for what was measured of that client.
 */

const AHEAD_MS = 600_000;
const TIMEOUT_MS = 15_000;
const EXPIRY = 'token-expiry';
const LIFE = 'token-life';

export const after: Contestant = {
  title: 'the old client after its repair',
  open(page, show) {
    const { localStorage } = page;
    const keep = (session: SignedIn): void => {
      remember(page, session);
      localStorage.set(EXPIRY, String(session.issuedAt + session.lifeMs));
      localStorage.set(LIFE, String(session.lifeMs));
    };
    const endSession = (): void => {
      localStorage.remove(ACCESS_TOKEN);
      show({ phase: 'sign-in' });
    };
    let refreshing: Promise<string> | null = null;
    const refresh = (): Promise<string> => {
      refreshing ??= askForToken().finally(() => (refreshing = null));
      return refreshing;
    };
    const askForToken = async (): Promise<string> => {
      const issuedAt = Date.now();
      try {
        const { idToken } = await ask<{ idToken: string }>(page, paths.refresh, TIMEOUT_MS, null);
        keep({ accessToken: idToken, issuedAt, lifeMs: Number(localStorage.get(LIFE)) });
        return idToken;
      } catch (error) {
        if ((error as AnswerError).status === 401) endSession();
        throw error;
      }
    };
    const tokens: OldTokens = {
      async valid() {
        const token = localStorage.get(ACCESS_TOKEN);
        if (token === null) throw new AnswerError('UNAUTHORIZED', 401);
        const left = Number(localStorage.get(EXPIRY)) - Date.now();
        if (left <= 0) return refresh();
        return left < AHEAD_MS ? refresh().catch(() => token) : token;
      },
      renewed: () => refresh().catch(() => null),
    };
    let wasSignedIn = false;
    return {
      ...oldApp(page, show, tokens),
      signedIn(session) {
        keep(session);
        // The sign-in page sends the user to an empty form: the job was in the memory of the page before.
        if (wasSignedIn) show({ phase: 'failed', because: 'SESSION_ENDED' });
        wasSignedIn = true;
      },
    };
  },
};
