import type { Page } from '../world/browser.ts';

/** What a contestant has on the screen. `because` is the error code of the server's answer that led to it, if one did. */
export type Screen =
  | { phase: 'waiting' }
  | { phase: 'result'; of: string }
  /** An error is shown, and the page still tries. */
  | { phase: 'trouble'; because: string }
  /** The answers did not get through, as far as the page knows: the button is there again. */
  | { phase: 'not-submitted'; because: string }
  /** The page has given up. */
  | { phase: 'failed'; because: string }
  | { phase: 'sign-in' };

/** What a page has after a sign-in. The refresh token is in its cookie. */
export interface SignedIn {
  accessToken: string;
  issuedAt: number;
  /** Life of the token from its issue on, ms. */
  lifeMs: number;
}

/** One page of an application that is built with a contestant. */
export interface App {
  /** The user has signed in on this page. */
  signedIn(session: SignedIn): void;
  /**
   * The user presses the button.
   *
   * @param number another one is another questionnaire: a page may have several under way. @default 0
   */
  submit(number?: number): void;
  /** The page was reloaded: whatever the application does then to continue. */
  resume(): void;
  /** A call of another part of the application, with the same token. */
  balance(): void;
}

/**
 * A way to see an assessment through. It gets a page and says what is on its screen; the world judges it by that and by what the
 * server saw. Nothing has to be cleaned up: a page that is closed stops, as in a browser.
 */
export interface Contestant {
  /** In one line, for tables. */
  title: string;
  open(page: Page, show: (screen: Screen) => void): App;
}

export const paths = {
  submit: '/api/assessment/submit',
  status: (jobId: string) => `/api/assessment/status/${jobId}`,
  result: (resultId: string) => `/api/archive/results/${resultId}`,
  refresh: '/api/auth/v2/refresh',
  balance: '/api/auth/token-balance',
} as const;

/** What each of them submits, beside the number of the questionnaire. */
export const answers = { assessmentName: 'AI-Driven Talent Mapping', answers: [1, 2, 3] };

interface ErrorBody {
  error?: string | { code?: string };
}

/** The code of an error answer, in either of the two dialects. */
export function codeOf(body: unknown): string {
  const { error } = (body ?? {}) as ErrorBody;
  return (typeof error === 'string' ? error : error?.code) ?? 'UNKNOWN';
}
