import type { Clock } from '../../lib/clock.ts';
import { UnauthorizedError } from '../../lib/errors.ts';
import type { RefusalCause } from '../../lib/log.ts';
import type { TokenService } from '../auth/token-service.ts';
import { type HttpAnswer, isApiWord, isLoginPage, readServerError, refusalWord } from './answer.ts';

/** The parts of the token service that learn from answers. */
export type HeardTokens = Pick<TokenService, 'accepted' | 'observeServerTime'> &
  Partial<Pick<TokenService, 'metLoginPage' | 'refused' | 'whyRefused'>>;

/**
 * Reports what each answer says about the token and the clock to the token service.
 *
 * @returns hears an answer and the error that it amounts to, and returns why the server refused the token; null where it did not
 * @example
 * const hear = createListener({ tokens, clock });
 * const cause = hear(answer, errorOf(answer, generation), generation);
 */
export function createListener({ tokens, clock }: { tokens: HeardTokens; clock: Clock }) {
  /** What is wrong with the token comes before the server's word, and both before the form of the answer. */
  const causeOf = (answer: HttpAnswer, generation: number): RefusalCause => {
    const fault = tokens.whyRefused?.(generation, answer.serverNow) ?? null;
    const isDialect = answer.status !== 401 || isLoginPage(answer);
    if (fault !== null && fault !== 'revoked' && fault !== 'outage') return fault;
    const word = refusalWord(readServerError(answer.body).code);
    return word ?? (isDialect && fault !== 'outage' ? 'dialect' : (fault ?? 'unknown'));
  };
  /** Only the API's own answers tell of the token and of the server's clock: a proxy may have answered all others. */
  const hearServer = (answer: HttpAnswer, error: Error | null, generation: number): void => {
    const isApis = answer.body !== undefined && answer.status < 429 && (error === null || isApiWord(answer));
    if (!isApis) return;
    // The server told its time somewhere on the way. Counted from when the request left, it makes no token live longer than it does.
    const underWayMs = Math.max(0, clock.now() - answer.sentAt);
    if (answer.serverNow !== null) tokens.observeServerTime(answer.serverNow + underWayMs);
    if (!(error instanceof UnauthorizedError)) tokens.accepted(generation);
  };

  return (answer: HttpAnswer, error: Error | null, generation: number): RefusalCause | null => {
    // Before the token service hears of the answer: it may correct the expiry of this token.
    const cause = error instanceof UnauthorizedError ? causeOf(answer, generation) : null;
    if (error instanceof UnauthorizedError) tokens.refused?.(generation, answer.sentAt);
    if (isLoginPage(answer)) tokens.metLoginPage?.(answer.sentAt);
    else hearServer(answer, error, generation);
    return cause;
  };
}
