import { throwIfAborted } from '../../lib/abort.ts';
import { TransientError, UnauthorizedError } from '../../lib/errors.ts';
import type { TokenForCall, TokenService } from '../auth/token-service.ts';

/**
 * The token that a call is sent with.
 *
 * @param canWait the answer is not urgent: it is not asked for with a token that is in doubt
 * @throws UnauthorizedError there is no token, or another tab has just seen it refused
 * @throws TransientError the call can wait until the token is known to be good
 * @example const { value, generation } = await tokenToSend(tokens, signal, false);
 */
export async function tokenToSend(
  tokens: Pick<TokenService, 'forCall'>,
  signal: AbortSignal,
  canWait: boolean,
): Promise<NonNullable<TokenForCall>> {
  const token = await tokens.forCall(signal);
  throwIfAborted(signal);
  if (!token) throw new UnauthorizedError(null);
  if (token.inDoubt && canWait) throw new TransientError('unavailable', 'the token may be dead');
  // What one tab has learned is not asked again by all of them.
  if (token.isRefusedElsewhere) throw new UnauthorizedError(token.generation);
  return token;
}
