import type { ErrorCode, Problem } from '../lib/errors.ts';
import { en } from './en.ts';
import { id } from './id.ts';

/** The languages of the end-user texts. */
export type Language = 'en' | 'id';

/** What a user can do about a problem. */
export type Remedy = 'retry' | 'sign-in' | 'keep-waiting' | 'contact-support';

/** A problem as an end user reads it. */
export interface ProblemDescription {
  code: ErrorCode;
  message: Readonly<Record<Language, string>>;
  remedies: readonly Remedy[];
  /** Field name to message, for `validation`, in the server's words. */
  details?: Readonly<Record<string, string>>;
  /** When the next attempt follows, ms since the epoch; only where the user has to wait for more than a minute. */
  retryAt?: number;
}

/** A language without its texts, or a text without its code, does not compile. */
const texts: Readonly<Record<Language, Readonly<Record<ErrorCode, string>>>> = { en, id };

const remedies: Readonly<Record<ErrorCode, readonly Remedy[]>> = {
  validation: ['retry'],
  'insufficient-credit': ['retry', 'contact-support'],
  forbidden: ['contact-support'],
  'too-large': ['retry'],
  rejected: ['contact-support'],
  'job-not-found': ['keep-waiting', 'contact-support'],
  'unconfirmed-failure': ['keep-waiting'],
  'job-failed': ['retry', 'contact-support'],
  'invalid-result': ['contact-support'],
  'sign-in-required': ['sign-in'],
  'timed-out': ['keep-waiting', 'contact-support'],
  'outcome-unknown': ['retry', 'contact-support'],
  network: ['keep-waiting'],
  unavailable: ['keep-waiting'],
  'rate-limited': ['keep-waiting'],
  'invalid-response': ['keep-waiting'],
  unexpected: ['retry', 'contact-support'],
};

/**
 * Describes a problem for an end user, in every language. The texts never contain a code or a message of the server; only
 * `details`, the field messages of a `validation` problem, are the server's words.
 *
 * @example
 * describeProblem({ code: 'timed-out', message: '' }).message.en; // 'This is taking longer than usual. …'
 */
export function describeProblem({ code, details, retryAt }: Problem): ProblemDescription {
  return {
    code,
    message: {
      en: texts.en[code] + (retryAt === undefined ? '' : ` The next attempt is at ${timeOf(retryAt, 'en')}.`),
      id: texts.id[code] + (retryAt === undefined ? '' : ` Percobaan berikutnya pukul ${timeOf(retryAt, 'id')}.`),
    },
    remedies: remedies[code],
    ...(details && { details }),
    ...(retryAt !== undefined && { retryAt }),
  };
}

/** A time of day as the user's device writes it, such as `3:05 PM` or `15.05`. */
const timeOf = (at: number, language: Language): string =>
  new Date(at).toLocaleTimeString(language, { hour: 'numeric', minute: '2-digit' });
