import type { BackendOptions, Fault, RouteName } from './options.ts';

/** Finds the fault that hits a request, and uses it up where it is limited. */
export function createFaults(options: () => BackendOptions) {
  const hits = new WeakMap<Fault, number>();
  return {
    take(route: RouteName): Fault | undefined {
      return options().faults.find((fault) => {
        if (fault.route !== 'any' && fault.route !== route) return false;
        const used = hits.get(fault) ?? 0;
        if (used >= (fault.times ?? Number.POSITIVE_INFINITY)) return false;
        hits.set(fault, used + 1);
        return true;
      });
    },
  };
}

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
