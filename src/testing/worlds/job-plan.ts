import type { PlannedStep } from '../wire/jobs.ts';
import type { Habits, World } from './world.ts';

/** The worker's waits before its retries, ms. */
const RETRY_AFTER_MS = [5_000, 10_000, 20_000] as const;
/** What a retry takes, ms. */
const RETRY_WORK_MS = 8_000;

/** What the worker does with a job: each failed attempt is published, and the last attempt decides. */
export function planJob({ jobMs, jobFails }: World, { failures }: Habits, acceptedAt: number): readonly PlannedStep[] {
  const steps: PlannedStep[] = [];
  let at = acceptedAt + jobMs;
  for (const wait of RETRY_AFTER_MS.slice(0, failures)) {
    steps.push({ at, status: 'failed' }, { at: at + wait, status: 'processing' });
    at += wait + RETRY_WORK_MS;
  }
  return [...steps, { at, status: jobFails ? 'failed' : 'completed' }];
}
