import { seededRandom } from 'assessment-monitor/testing';
import type { BackendOptions, EventFault, Fault, HandshakeFault, RequestFault, RouteName } from './options.ts';

/** Finds the faults that hit, uses them up where they are limited, and counts them. */
export function createFaults(options: () => BackendOptions) {
  const dice = seededRandom(options().seed);
  const hits = new WeakMap<Fault, number>();
  const injected: Record<string, number> = {};

  const take = (isAimedHere: (fault: Fault) => boolean): Fault | undefined => {
    const hit = options().faults.find((fault) => {
      if (!isAimedHere(fault) || (hits.get(fault) ?? 0) >= (fault.times ?? Number.POSITIVE_INFINITY)) return false;
      return fault.share === undefined || dice() < fault.share;
    });
    if (!hit) return undefined;
    hits.set(hit, (hits.get(hit) ?? 0) + 1);
    const name =
      hit.name ?? (hit.route === 'event' || hit.route === 'handshake' ? `${hit.route}-${hit.kind}` : hit.kind);
    injected[name] = (injected[name] ?? 0) + 1;
    return hit;
  };
  return {
    request: (route: RouteName) => take((it) => it.route === route || it.route === 'any') as RequestFault | undefined,
    event: () => take((it) => it.route === 'event') as EventFault | undefined,
    handshake: () => take((it) => it.route === 'handshake') as HandshakeFault | undefined,
    /** How often each of them has hit, by name. */
    injected: (): Record<string, number> => ({ ...injected }),
  };
}

export type Faults = ReturnType<typeof createFaults>;

/** The delay of a fault, ms. */
export const msOf = ({ ms = 1_000 }: { ms?: number | undefined }): number => ms;

/** The code that a status usually comes with. */
export const codeOf = (status: number): string =>
  ({
    400: 'VALIDATION_ERROR',
    401: 'INVALID_TOKEN',
    402: 'INSUFFICIENT_TOKENS',
    403: 'FORBIDDEN',
    404: 'NOT_FOUND',
    413: 'PAYLOAD_TOO_LARGE',
    429: 'RATE_LIMIT_EXCEEDED',
    503: 'SERVICE_UNAVAILABLE',
    504: 'GATEWAY_TIMEOUT',
  })[status] ?? 'INTERNAL_ERROR';
