import { TransientError } from '../lib/errors.ts';
import type { AssessmentApi } from '../services/api/assessment-api.ts';

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
 */
export function apiOnUse<Submission, Result>(
  open: () => Promise<AssessmentApi<Submission, Result>>,
  idempotent: boolean,
): AssessmentApi<Submission, Result> {
  return {
    submit: async (...given) => (await open()).submit(...given),
    recognisesKeys: () => idempotent || null,
    status: async (...given) => (await open()).status(...given),
    job: async (...given) => (await open()).job(...given),
    jobs: async (...given) => (await open()).jobs(...given),
    result: async (...given) => (await open()).result(...given),
    balance: async (...given) => (await open()).balance(...given),
  };
}
