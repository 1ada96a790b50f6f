import type { Clock } from '../lib/clock.ts';
import { TransientError } from '../lib/errors.ts';
import type { RefreshTokens } from '../ports.ts';
import type { AssessmentApi } from '../services/api/assessment-api.ts';

import type { OwnRefreshOptions } from '../services/auth/own-refresh.ts';
import type { RefreshAnswer } from '../services/auth/refresh-coordinator.ts';
import type { SourceCoordinator } from '../services/auth/source-coordinator.ts';

/** The code of the ports. A load that fails is tried again by the next call. */
export type OwnPorts = typeof import('./own-ports.ts');

export async function loadOwnPorts(): Promise<OwnPorts> {
  try {
    return await import('./own-ports.ts');
  } catch (cause) {
    throw new TransientError('network', 'a part of the client did not load', { maybeDone: false, cause });
  }
}

/**
 * An API whose code is loaded by its first call.
 *
 * @param idempotent whether one key makes one job
 * @param hasArchive whether there is a second place that knows jobs
 */
export function apiOnUse<Submission, Result>(
  open: () => Promise<AssessmentApi<Submission, Result>>,
  idempotent: boolean,
  hasArchive: boolean,
): AssessmentApi<Submission, Result> {
  return {
    submit: async (...given) => (await open()).submit(...given),
    recognisesKeys: () => idempotent || null,
    hasArchive,
    status: async (...given) => (await open()).status(...given),
    job: async (...given) => (await open()).job(...given),
    jobs: async (...given) => (await open()).jobs(...given),
    result: async (...given) => (await open()).result(...given),
    balance: async (...given) => (await open()).balance(...given),
  };
}

/** A refresh request of the application's own. */
export const refreshOnUse = (refresh: RefreshTokens, options: OwnRefreshOptions) => (): Promise<RefreshAnswer> =>
  loadOwnPorts().then(
    (ports) => ports.askOwnRefresh(refresh, options),
    () => ({ type: 'transient', retryAfterMs: null }),
  );

/** Before another attempt to load the code, ms. */
const LOAD_AGAIN_MS = 5_000;

/** A coordinator for a token source. It is loaded at once, because the source may report a change at any time. */
export function sourceOnUse(clock: Clock, load: () => Promise<SourceCoordinator>): SourceCoordinator {
  let loaded: SourceCoordinator | null = null;
  let opening: Promise<SourceCoordinator> | null = null;
  const open = (): Promise<SourceCoordinator> =>
    (opening ??= load().then(
      (it) => (loaded = it),
      (error: unknown) => {
        opening = null;
        throw error;
      },
    ));
  open().catch(() => {});
  return {
    refresh: (isForced) =>
      open().then(
        (it) => it.refresh(isForced),
        () => ({ type: 'transient', until: clock.now() + LOAD_AGAIN_MS }),
      ),
    look: (isNews) => loaded?.look(isNews),
    availableAt: () => loaded?.availableAt() ?? 0,
    isInDoubt: () => false,
    accepted: () => {},
    recovered: () => loaded?.availableAt() ?? 0,
    settled: async (...given) => loaded?.settled(...given),
  };
}
