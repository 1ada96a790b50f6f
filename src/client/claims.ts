import type { Clock } from '../lib/clock.ts';
import { TokenUnavailableError, TransientError } from '../lib/errors.ts';
import type { ListedJob } from '../services/api/assessment-api.ts';
import type { JobRecord, JobStore } from '../services/job-store.ts';

/*
 * Some records that were set aside name a user who cannot be compared with the one who is signed in: a session without a name, for
 * example. Others were left while their submission was in flight, and have no job id. The API knows whose job it is, because its list
 * holds the jobs of the user of the token and no others.
 */

export interface Claims {
  /**
   * Asks the list for the records that only the API can assign, and a few times more where it does not answer. Without such records it
   * sends nothing.
   */
  look(): void;
  dispose(): void;
}

export interface ClaimsOptions {
  jobs: Pick<JobStore, 'unclaimed' | 'hasJob' | 'save' | 'remove'>;
  clock: Clock;
  /** How long after a lost submission its job may appear in the list, ms. */
  settlingMs: number;
  /** Whose session it is; null while none is. */
  userId: () => string | null;
  /** The jobs of the user who is signed in. */
  list: () => Promise<readonly ListedJob[]>;
  /** Receives a record that turned out to be this user's. */
  onClaimed: (record: JobRecord) => void;
}

/** A job in the list may look this much older than its submission, because a Date header has whole seconds, ms. */
const TOLERANCE_MS = 2_000;
/** The waits before the list is asked again, ms. After the last one the records wait for the next page or sign-in. */
const RETRY_MS = [15_000, 30_000, 60_000, 120_000, 240_000];

/** @example const claims = createClaims({ jobs, clock, settlingMs, userId, list, onClaimed }); */
export function createClaims({ jobs, clock, settlingMs, userId, list, onClaimed }: ClaimsOptions): Claims {
  /** The records that the list of this user does not know. */
  let unknown: { userId: string | null; ids: Set<string> } = { userId: null, ids: new Set() };
  let isLooking = false;
  let retries = 0;
  let timer: unknown;

  const open = (user: string): JobRecord[] => {
    if (unknown.userId !== user) unknown = { userId: user, ids: new Set() };
    return jobs.unclaimed(user).filter(({ submissionId }) => !unknown.ids.has(submissionId));
  };
  const jobOf = (record: JobRecord, listed: readonly ListedJob[]): ListedJob | undefined => {
    const { jobId, submissionId, submittedAt, sentAt = submittedAt, asideAt = sentAt } = record;
    if (jobId !== null) return listed.find((it) => it.jobId === jobId);
    const found = listed.filter(
      (it) =>
        it.createdAt >= sentAt - TOLERANCE_MS &&
        it.createdAt <= asideAt + settlingMs &&
        !jobs.hasJob(it.jobId, submissionId),
    );
    return found.length === 1 ? found[0] : undefined;
  };
  const retry = (leastMs: number | null): void => {
    const ms = RETRY_MS[retries];
    if (ms === undefined) return;
    retries += 1;
    timer = clock.setTimeout(attempt, Math.max(ms, leastMs ?? 0));
  };
  const ask = async (user: string): Promise<void> => {
    const listed = await list();
    if (userId() !== user) return;
    let isEarly = false;
    for (const record of open(user)) {
      const job = jobOf(record, listed);
      // The answers may still be under way.
      if (!job && record.jobId === null && clock.now() - (record.asideAt ?? 0) < settlingMs) {
        isEarly = true;
        continue;
      }
      unknown.ids.add(record.submissionId);
      if (job) {
        const claimed = { ...record, jobId: job.jobId, resultId: job.resultId ?? record.resultId, userId: user };
        delete claimed.asideAt;
        jobs.save(claimed);
        onClaimed(claimed);
      } else if (record.jobId === null && record.asideAt !== undefined) {
        // The submission never arrived, and its answers are erased.
        jobs.remove(record.submissionId);
      }
    }
    if (isEarly) retry(settlingMs);
  };
  const attempt = (): void => {
    const user = userId();
    if (user === null || isLooking || open(user).length === 0) return;
    isLooking = true;
    void ask(user)
      .catch((error: unknown) => {
        // An API without a list assigns nothing: the records stay until they are too old.
        if (error instanceof TransientError || error instanceof TokenUnavailableError) retry(error.retryAfterMs);
      })
      .finally(() => {
        isLooking = false;
        if (userId() !== user) look();
      });
  };
  const look = (): void => {
    clock.clearTimeout(timer);
    retries = 0;
    attempt();
  };

  return {
    look,
    dispose() {
      clock.clearTimeout(timer);
      retries = RETRY_MS.length;
    },
  };
}
