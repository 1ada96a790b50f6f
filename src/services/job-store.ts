import * as z from 'zod/mini';
import type { Log } from '../lib/log.ts';
import { idSchema, number, object, readJson, someText } from '../lib/schemas.ts';
import type { KeyValueStore } from '../lib/storage.ts';

/** What it takes to go on with an assessment after a reload, a crash or a closed tab. Never a token, never a result. */
export interface JobRecord {
  version: 1;
  submissionId: string;
  /** Null until the server has accepted the submission. */
  jobId: string | null;
  resultId: string | null;
  /** Absolute, ms since the epoch, so that a reload does not buy time. */
  deadlineAt: number;
  /** Whose job it is; null while nobody is signed in. */
  userId: string | null;
  /** When the user pressed submit, ms since the epoch. */
  submittedAt: number;
  /** The answers, kept only until the server has accepted them: a reload in between sends them again under the same key. */
  submission?: unknown;
  /** The answer to the submission was lost and must not be sought by sending it again unasked. */
  outcomeUnknown?: boolean | undefined;
}

/** Jobs under way, one entry each, so that tabs which write at the same time do not overwrite each other. */
export interface JobStore {
  save(record: JobRecord): void;
  remove(submissionId: string): void;
  /** Whether the record of another assessment names this job. */
  hasJob(jobId: string, exceptSubmissionId: string): boolean;
  /** Writes a record again that something else has removed, such as a `localStorage.clear()` of the application. */
  restore(submissionId: string): void;
  /** Every record that can be resumed by this user. The others are removed, each with a reason in the log. */
  load(userId: string | null): JobRecord[];
}

const PREFIX = 'assessment-monitor:job:';
const VERSION = 1;

const time = number.check(z.minimum(0));
const recordSchema = object({
  version: z.literal(VERSION),
  submissionId: someText,
  jobId: z.nullable(idSchema),
  resultId: z.nullable(idSchema),
  deadlineAt: time,
  userId: z.nullable(z.string()),
  submittedAt: time,
  submission: z.optional(z.unknown()),
  outcomeUnknown: z.optional(z.boolean()),
});
const anyVersion = object({ version: number });

export function createJobStore(store: KeyValueStore, log: Log): JobStore {
  const read = (key: string): JobRecord | 'malformed' | 'old-version' => {
    const text = store.get(key);
    const record = readJson(text, recordSchema);
    if (record && key === PREFIX + record.submissionId) return record;
    const { version } = readJson(text, anyVersion) ?? { version: VERSION };
    return version === VERSION ? 'malformed' : 'old-version';
  };
  /** The records of this page as they were written. */
  const kept = new Map<string, string>();
  return {
    save(record) {
      // JSON has no infinity: a deadline that never comes would make the record unreadable, and the job lost.
      const deadlineAt = Math.min(record.deadlineAt, Number.MAX_SAFE_INTEGER);
      const text = JSON.stringify({ ...record, deadlineAt });
      kept.set(record.submissionId, text);
      store.set(PREFIX + record.submissionId, text);
    },
    remove(submissionId) {
      kept.delete(submissionId);
      store.remove(PREFIX + submissionId);
    },
    restore(submissionId) {
      const text = kept.get(submissionId);
      if (text !== undefined && store.get(PREFIX + submissionId) === null) store.set(PREFIX + submissionId, text);
    },
    hasJob: (jobId, exceptSubmissionId) =>
      store
        .keys()
        .filter((key) => key.startsWith(PREFIX))
        .map(read)
        .some((it) => typeof it !== 'string' && it.jobId === jobId && it.submissionId !== exceptSubmissionId),
    load(userId) {
      const drop = (
        key: string,
        reason: 'malformed' | 'old-version' | 'another-user' | 'no-submission',
      ): JobRecord[] => {
        store.remove(key);
        log({ type: 'job.dropped', reason });
        return [];
      };
      return store
        .keys()
        .filter((key) => key.startsWith(PREFIX))
        .flatMap((key) => {
          const record = read(key);
          if (typeof record === 'string') return drop(key, record);
          if (userId !== null && record.userId !== null && record.userId !== userId) return drop(key, 'another-user');
          if (record.jobId === null && record.submission === undefined) return drop(key, 'no-submission');
          kept.set(record.submissionId, JSON.stringify(record));
          return [record];
        })
        .sort((a, b) => a.submittedAt - b.submittedAt);
    },
  };
}
