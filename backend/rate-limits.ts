import { type Answer, flat } from './answers.ts';
import type { BackendOptions, LimitScope } from './options.ts';

const scopes: Record<LimitScope, { windowSeconds: number; code: string }> = {
  general: { windowSeconds: 600, code: 'RATE_LIMIT_EXCEEDED' },
  auth: { windowSeconds: 900, code: 'AUTH_RATE_LIMIT_EXCEEDED' },
  submit: { windowSeconds: 3_600, code: 'ASSESSMENT_RATE_LIMIT_EXCEEDED' },
  archive: { windowSeconds: 900, code: 'ARCHIVE_RATE_LIMIT_EXCEEDED' },
};

/** Fixed windows, as the gateway counts them. */
export function createRateLimits(options: () => BackendOptions) {
  const windows = new Map<string, { endsAt: number; taken: number }>();

  return {
    /**
     * Takes one from what `key` has left. Null where nothing is limited.
     *
     * @param key an address or a user
     */
    take(scope: LimitScope, key: string): { headers: Record<string, string>; refusal: Answer | null } | null {
      const limit = options().rateLimits[scope];
      if (limit === undefined) return null;
      const { windowSeconds, code } = scopes[scope];
      const now = Date.now();
      const place = `${scope} ${key}`;
      let window = windows.get(place);
      if (!window || window.endsAt <= now)
        windows.set(place, (window = { endsAt: now + windowSeconds * 1_000, taken: 0 }));
      window.taken += 1;
      const headers = {
        'RateLimit-Limit': String(limit),
        'RateLimit-Remaining': String(Math.max(0, limit - window.taken)),
        'RateLimit-Reset': String(Math.ceil((window.endsAt - now) / 1_000)),
      };
      // The body names the whole window, however little of it is left.
      const refusal = window.taken > limit ? flat(429, code, 'Too many requests', { retryAfter: windowSeconds }) : null;
      return { headers, refusal };
    },
  };
}
