import type { ListedJob } from '../services/api/assessment-api.ts';
import type { JobRecord, JobStore } from '../services/job-store.ts';

/*
 * Some records that were set aside name a user who cannot be compared with the one who is signed in: a session without a name, for
 * example. Others were left while their submission was in flight, and have no job id. The API knows whose job it is, because its list
 * holds the jobs of the user of the token and no others.
 */

export interface Claims {
  /** Asks the list once for the records that only the API can assign. Without such records it sends nothing. */
  look(): void;
}

export interface ClaimsOptions {
  jobs: Pick<JobStore, 'unclaimed' | 'hasJob' | 'save' | 'remove'>;
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

/** @example const claims = createClaims({ jobs, settlingMs, userId, list, onClaimed }); */
export function createClaims({ jobs, settlingMs, userId, list, onClaimed }: ClaimsOptions): Claims {
  /** The records that the list of this user does not know. */
  let unknown: { userId: string | null; ids: Set<string> } = { userId: null, ids: new Set() };
  let isLooking = false;

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
  const look = async (user: string): Promise<void> => {
    const listed = await list();
    if (userId() !== user) return;
    for (const record of open(user)) {
      const job = jobOf(record, listed);
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
  };

  return {
    look() {
      const user = userId();
      if (user === null || isLooking || open(user).length === 0) return;
      isLooking = true;
      // An API without a list assigns nothing: the records stay until they are too old.
      void look(user)
        .catch(() => {})
        .finally(() => (isLooking = false));
    },
  };
}
