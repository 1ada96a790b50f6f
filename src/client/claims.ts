import type { Clock } from '../lib/clock.ts';
import { digestOf } from '../lib/digest.ts';
import { TokenUnavailableError, TransientError } from '../lib/errors.ts';
import { isTakenBetween, type ListedJob, mayBeTaken } from '../services/api/assessment-api.ts';
import type { JobRecord, JobStore } from '../services/job-store.ts';

/*
 * Some records that were set aside name a user who cannot be compared with the one who is signed in: a session without a name, for
 * example. Others were left while their submission was in flight, and have no job id. The API knows whose job it is, because its list
 * holds the jobs of the user of the token and no others.
 */

export interface Claims {
  /**
   * Asks the list for the records that only the API can assign, and again after a failed call or while a job may still appear. Without
   * such records it sends nothing.
   */
  look(): void;
  dispose(): void;
}

export interface ClaimsOptions {
  jobs: Pick<JobStore, 'unclaimed' | 'hasJob' | 'save' | 'remove'>;
  clock: Clock;
  /** How long after a lost submission its job may appear in the list, ms. */
  settlingMs: number;
  /** How long a submission may be under way, ms. */
  submitTimeoutMs: number;
  /** Whose session it is; null while none is. */
  userId: () => string | null;
  /** The jobs of the user who is signed in. */
  list: (signal: AbortSignal) => Promise<readonly ListedJob[]>;
  /** Receives a record that turned out to be this user's. */
  onClaimed: (record: JobRecord) => void;
}

/** The waits before the list is asked again after a failed call, ms. After the last one the records wait for the next page or sign-in. */
const RETRY_MS = [15_000, 30_000, 60_000, 120_000, 240_000];

/** @example const claims = createClaims({ jobs, clock, settlingMs, submitTimeoutMs, userId, list, onClaimed }); */
export function createClaims(options: ClaimsOptions): Claims {
  const { jobs, clock, settlingMs, submitTimeoutMs, userId, list, onClaimed } = options;
  /** The records that the list of this user does not assign. */
  let unassigned: { userId: string | null; ids: Set<string> } = { userId: null, ids: new Set() };
  /** The look under way; one for another user takes its place. */
  let current: { userId: string; ending: AbortController } | null = null;
  let failures = 0;
  let timer: unknown;
  let isDisposed = false;

  const open = (user: string): JobRecord[] => {
    if (unassigned.userId !== user) unassigned = { userId: user, ids: new Set() };
    return jobs.unclaimed(user).filter(({ submissionId }) => !unassigned.ids.has(submissionId));
  };
  /** After this moment the list has the job of a record, or will never have it. */
  const settledAt = ({ submittedAt, sentAt = submittedAt, claimedAt = sentAt, asideAt = claimedAt }: JobRecord) =>
    Math.max(asideAt, claimedAt) + submitTimeoutMs + settlingMs;
  /** The jobs of the list that can be the one of this record. */
  const candidatesFor = (record: JobRecord, listed: readonly ListedJob[]): ListedJob[] => {
    const { jobId, submissionId, submittedAt, sentAt = submittedAt } = record;
    if (jobId !== null) return listed.filter((it) => it.jobId === jobId);
    return listed.filter((it) => isTakenBetween(it, sentAt, settledAt(record)) && !jobs.hasJob(it.jobId, submissionId));
  };
  const claim = (record: JobRecord, { jobId, resultId, ownerId }: ListedJob, user: string): void => {
    // A row of another user is recognised from now on.
    const owner = ownerId == null ? record.owner : digestOf(ownerId);
    const claimed = { ...record, jobId, resultId: resultId ?? record.resultId, userId: user, owner };
    delete claimed.asideAt;
    jobs.save(claimed);
    onClaimed(claimed);
  };
  const lookAgainIn = (waitMs: number): void => {
    clock.clearTimeout(timer);
    if (!isDisposed) timer = clock.setTimeout(attempt, waitMs);
  };
  const assign = (user: string, listed: readonly ListedJob[], askedAt: number): void => {
    for (const record of open(user)) {
      const { submissionId, jobId, asideAt } = record;
      const [job, ...others] = candidatesFor(record, listed);
      if (job && others.length === 0) {
        unassigned.ids.add(submissionId);
        claim(record, job, user);
      } else if (jobId === null && askedAt <= settledAt(record)) {
        const waitMs = settledAt(record) - askedAt;
        // The clock has been set back since: the record stays as it is.
        if (waitMs > submitTimeoutMs + settlingMs) unassigned.ids.add(submissionId);
        else lookAgainIn(waitMs + 1);
      } else {
        unassigned.ids.add(submissionId);
        // The submission never arrived, and its answers are erased. A job that may be the one may be paid for: its record stays.
        const { submittedAt, sentAt = submittedAt } = record;
        const isUnsure =
          job !== undefined || listed.some((it) => mayBeTaken(it, sentAt) && !jobs.hasJob(it.jobId, submissionId));
        if (!isUnsure && jobId === null && asideAt !== undefined) jobs.remove(submissionId);
      }
    }
  };
  const retryAfter = (error: unknown): void => {
    const waitMs = RETRY_MS[failures];
    // A sign-in looks again by itself, and an API without a list assigns nothing: the records stay until they are too old.
    if (waitMs === undefined || !(error instanceof TransientError || error instanceof TokenUnavailableError)) return;
    failures += 1;
    lookAgainIn(Math.max(waitMs, error.retryAfterMs ?? 0));
  };
  const ask = async (mine: NonNullable<typeof current>): Promise<void> => {
    const askedAt = clock.now();
    try {
      const listed = await list(mine.ending.signal);
      if (current !== mine || userId() !== mine.userId) return;
      failures = 0;
      assign(mine.userId, listed, askedAt);
    } catch (error) {
      if (current === mine) retryAfter(error);
    } finally {
      if (current === mine) current = null;
    }
  };
  /** A look for the user before is of no use any more. */
  const endLook = (): void => {
    const ended = current;
    current = null;
    ended?.ending.abort(new Error('the look at the list is of no use any more'));
  };
  const attempt = (): void => {
    const user = userId();
    if (isDisposed || user === null || current?.userId === user) return;
    clock.clearTimeout(timer);
    endLook();
    if (open(user).length === 0) return;
    current = { userId: user, ending: new AbortController() };
    void ask(current);
  };

  return {
    look() {
      failures = 0;
      attempt();
    },
    dispose() {
      isDisposed = true;
      clock.clearTimeout(timer);
      endLook();
    },
  };
}
