import { Subscription } from 'rxjs';
import { throwIfAborted } from '../lib/abort.ts';
import { isSameUser } from '../lib/identity.ts';
import type { JobRecord } from '../services/job-store.ts';
import type { Services } from './create-services.ts';

/*
 * Some servers report a job as failed, try again, and complete it. The record of a failed job therefore outlives its assessment, and
 * the client looks at the job again now and then. A look is quiet: its errors are ignored, and the user sees nothing of it.
 */

export interface SecondLook {
  /** Looks once, now. */
  lookAt(submissionId: string): void;
  /** Looks whenever the page resumes, or the feed reports that this job is complete, until {@link forget}. */
  watch(submissionId: string): void;
  forget(submissionId: string): void;
  dispose(): void;
}

/** How long the feed stays open for a failed job, ms. Measured on a real server: a worker tries again for up to 70 s. */
const FEED_MS = 5 * 60_000;

/** @param revive receives the record of a job that is complete after all, and whose result is not known to be unreadable */
export function createSecondLook<Submission, Result>(
  services: Services<Submission, Result>,
  revive: (record: JobRecord) => void,
): SecondLook {
  const { api, clock, feed, jobs, resumed$, tokens } = services;
  /** Ends the looks of one user's session: what they still have to send must not carry the token of the next user. */
  let session = new AbortController();
  let user = tokens.identity();
  let isDisposed = false;
  const watched = new Set<string>();
  const looking = new Set<string>();
  /** To be looked at after the next sign-in. */
  const postponed = new Set<string>();
  let events = Subscription.EMPTY;
  let feedEvents = Subscription.EMPTY;
  let timer: unknown;

  /** The record of a job that failed and may be looked at with the present session. */
  const failedRecord = (submissionId: string) => {
    const record = jobs.read(submissionId);
    if (!record || record.jobId === null || record.failedAt === undefined || record.asideAt !== undefined) return null;
    return isSameUser(record.userId, tokens.identity()) ? { ...record, jobId: record.jobId } : null;
  };
  /** The id of the result of a job that is complete; undefined where the server does not say that it is. */
  const resultIdOf = async (jobId: string, signal: AbortSignal): Promise<string | null | undefined> => {
    const state = await api.status(jobId, signal).catch(() => null);
    throwIfAborted(signal);
    if (state?.type === 'completed' && state.resultId !== null) return state.resultId;
    const archived = await api.job(jobId, signal);
    return archived.type === 'completed' ? archived.resultId : state?.type === 'completed' ? null : undefined;
  };
  const look = async (submissionId: string, signal: AbortSignal): Promise<void> => {
    if (!failedRecord(submissionId)) return;
    try {
      await tokens.ensureValidToken();
    } catch {
      if (!isDisposed) postponed.add(submissionId);
      return;
    }
    const record = failedRecord(submissionId);
    if (!record || signal.aborted) return;
    const resultId = await resultIdOf(record.jobId, signal);
    if (resultId === undefined) return;
    const known = resultId ?? record.resultId;
    // A result that cannot be shown has failed the assessment, and would fail it again.
    const result = known === null ? null : await api.result(known, signal).catch(() => null);
    if (result?.type === 'invalid' || signal.aborted || !failedRecord(submissionId)) return;
    stop(submissionId);
    revive({ ...record, resultId: known });
  };
  const lookAt = (submissionId: string): void => {
    if (looking.has(submissionId)) return;
    looking.add(submissionId);
    const { signal } = session;
    void look(submissionId, signal)
      .catch(() => {})
      .finally(() => {
        if (!signal.aborted) looking.delete(submissionId);
      });
  };
  const signIns = tokens.sessions$.subscribe(({ type }) => {
    const before = user;
    user = tokens.identity();
    if (type === 'session.ended' || before === null || user === null || !isSameUser(before, user)) {
      for (const submissionId of looking) postponed.add(submissionId);
      looking.clear();
      session.abort();
      session = new AbortController();
    }
    if (type !== 'session.restored') return;
    const ids = [...postponed];
    postponed.clear();
    ids.forEach(lookAt);
  });
  const closeFeed = (): void => {
    clock.clearTimeout(timer);
    feedEvents.unsubscribe();
  };
  const stop = (submissionId: string): void => {
    watched.delete(submissionId);
    if (watched.size > 0) return;
    events.unsubscribe();
    closeFeed();
  };
  const start = (): void => {
    events.unsubscribe();
    closeFeed();
    events = resumed$.subscribe(() => watched.forEach(lookAt));
    timer = clock.setTimeout(closeFeed, FEED_MS);
    feedEvents = feed.events$.subscribe((event) => {
      if (event.type !== 'job.completed') return;
      for (const submissionId of watched) {
        const record = failedRecord(submissionId);
        const isIt = event.jobId === null ? event.resultId === record?.resultId : event.jobId === record?.jobId;
        if (record && isIt && (event.jobId ?? event.resultId) !== null) lookAt(submissionId);
      }
    });
  };

  return {
    lookAt,
    watch(submissionId) {
      watched.add(submissionId);
      start();
    },
    forget: stop,
    dispose() {
      isDisposed = true;
      session.abort();
      signIns.unsubscribe();
      for (const submissionId of watched) stop(submissionId);
    },
  };
}
