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
  /** By language: those of the package, and those of the option `messages`. */
  message: Readonly<Record<Language, string>> & Readonly<Record<string, string | undefined>>;
  remedies: readonly Remedy[];
  /** Field name to message, for `validation`, in the server's words. */
  details?: Readonly<Record<string, string>>;
  /** When the next attempt follows, ms since the epoch; only where the user has to wait for more than a minute. */
  retryAt?: number;
}

/**
 * Texts by language, such as `de` or `pt-BR`, and in it by code. They add languages to those of the package, and replace single texts of
 * these. A text that is missing is the English one. `retryAt` is the sentence that follows where a user has to wait; `{time}` stands for the
 * time of day.
 *
 * @example
 * const messages: Messages = { de: { 'timed-out': 'Das dauert länger als üblich.', retryAt: 'Weiter geht es um {time}.' } };
 */
export type Messages = Readonly<Record<string, Readonly<Partial<Record<ErrorCode | 'retryAt', string>>>>>;

/** A language without its texts, or a text without its code, does not compile. */
const texts: Readonly<Record<Language, Readonly<Record<ErrorCode | 'retryAt', string>>>> = { en, id };

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
 * `details`, the field messages of a `validation` problem, are the server's words. `code` is stable: applications may choose their own
 * texts by it.
 *
 * @param messages texts of your own
 * @example
 * describeProblem({ code: 'timed-out', message: '' }).message.en; // 'This is taking longer than usual. …'
 */
export function describeProblem({ code, details, retryAt }: Problem, messages: Messages = {}): ProblemDescription {
  const textIn = (language: string): string => {
    const own: Messages[string] = { ...texts[language as Language], ...messages[language] };
    const next = retryAt === undefined ? '' : (own.retryAt?.replace('{time}', timeOf(retryAt, language)) ?? '');
    return `${own[code] ?? en[code]} ${next}`.trim();
  };
  return {
    code,
    message: {
      ...Object.fromEntries(Object.keys(messages).map((language) => [language, textIn(language)])),
      en: textIn('en'),
      id: textIn('id'),
    },
    remedies: remedies[code],
    ...(details && { details }),
    ...(retryAt !== undefined && { retryAt }),
  };
}

/** A time of day as the user's device writes it, such as `3:05 PM` or `15.05`. */
function timeOf(at: number, language: string): string {
  const time = (locale?: string) => new Date(at).toLocaleTimeString(locale, { hour: 'numeric', minute: '2-digit' });
  try {
    return time(language.replace('_', '-'));
  } catch {
    // An application may name a language as no platform does.
    return time();
  }
}
