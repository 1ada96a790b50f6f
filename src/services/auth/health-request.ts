import { fit, maybeText, object } from '../../lib/schemas.ts';
import { type Log, logCall } from '../../lib/log.ts';
import { exchange, type HttpDeps } from '../api/http.ts';

/** What the health route of the auth service says. `unknown`: it says nothing, or does not exist. */
export type Health = 'up' | 'down' | 'unknown';

export interface HealthRequestOptions extends HttpDeps {
  log: Log;
  path: string;
  timeoutMs: number;
}

/** The words under which a service reports, with status 200, that it is not well. */
const DOWN = /down|unhealthy|unavailable|error|fail/i;
const healthSchema = object({ status: maybeText });

/**
 * Creates the call of the health route, which needs no token and brings none. It has a timeout and never throws.
 *
 * @example
 * const askHealth = createHealthRequest({ ...http, log, path: '/api/auth/v2/health', timeoutMs: 5_000 });
 * await askHealth(signal); // 'up'
 */
export function createHealthRequest(options: HealthRequestOptions): (signal: AbortSignal) => Promise<Health> {
  const { clock, log, path, timeoutMs } = options;
  return async (signal) => {
    const finish = logCall(log, clock, 'health', null);
    try {
      const { status, body } = await exchange(options, { method: 'GET', path, timeoutMs, signal });
      const health = healthOf(status, fit(body, healthSchema)?.status);
      finish(health === 'up' ? 'ok' : 'transient', status);
      return health;
    } catch {
      finish(signal.aborted ? 'aborted' : 'transient', null);
      // A service that hangs is down as well.
      return 'down';
    }
  };
}

/** A page in place of JSON, a redirect or a refusal is not the health route. */
function healthOf(status: number, word: string | null | undefined): Health {
  if (status >= 500) return 'down';
  if (status < 200 || status >= 300 || word === undefined) return 'unknown';
  return DOWN.test(word ?? '') ? 'down' : 'up';
}
