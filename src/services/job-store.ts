import { EMPTY, type Observable, Subscription } from 'rxjs';
import * as z from 'zod/mini';
import { type Clock, systemClock } from '../lib/clock.ts';
import type { Log, MonitorEvent } from '../lib/log.ts';
import { idSchema, number, object, readJson, someText } from '../lib/schemas.ts';
import type { KeyValueStore } from '../lib/storage.ts';

/** What it takes to resume an assessment after a reload, a crash or a closed tab. Never a token, never a result. */
export interface JobRecord {
  version: 1;
  submissionId: string;
  /** Null until the server has accepted the submission. */
  jobId: string | null;
  resultId: string | null;
  /** Absolute, ms since the epoch, so that a reload does not buy time. */
  deadlineAt: number;
  /** Whose job it is; null while no user is signed in. */
  userId: string | null;
  /** When the user pressed submit, ms since the epoch. */
  submittedAt: number;
  /**
   * When the answers were first sent, ms since the epoch. The next page looks for their job before it sends them again: not every
   * server stores idempotency keys.
   */
  sentAt?: number | undefined;
  /** The answers, kept only until the server has accepted them: a reload in between sends them again under the same key. */
  submission?: unknown;
  /** Recognises the same answers; kept for as long as the record. */
  answersDigest?: string | undefined;
  /** The answer to the submission was lost, or is still awaited, and the answers must not be sent again unasked. */
  outcomeUnknown?: boolean | undefined;
  /** The tab that sends, or has sent, without an idempotency key: see {@link JobStore.tabId}. */
  sender?: string | undefined;
  /** When the job was reported as failed, ms since the epoch. Some servers complete such a job after all. */
  failedAt?: number | undefined;
}

/** Jobs under way, one entry each, so that tabs which write at the same time do not overwrite each other. */
export interface JobStore {
  /** Tells this tab apart from the others that share the store, and from itself before a reload. */
  readonly tabId: string;
  save(record: JobRecord): void;
  remove(submissionId: string): void;
  /** Whether the record of another assessment names this job. */
  hasJob(jobId: string, exceptSubmissionId: string): boolean;
  /** Writes a record again that something else has removed, such as a `localStorage.clear()` of the application. */
  restore(submissionId: string): void;
  /** The record as all tabs know it now; null where there is none. */
  read(submissionId: string): JobRecord | null;
  /** The record of the same answers of this user, while they are under way: accepted or not yet, and not failed. */
  find(answersDigest: string, userId: string | null): JobRecord | null;
  /**
   * Every record that can be resumed by this user, those of failed jobs included. The others are removed, each with a reason in
   * the log.
   */
  load(userId: string | null): JobRecord[];
  /**
   * Calls the listener when another tab has changed the record. A storage that several tabs share without events never calls it.
   *
   * @returns the unsubscription
   */
  watch(submissionId: string, listener: () => void): () => void;
}

/** What a store needs of a page. */
export interface JobStoreOptions {
  /** @default the system's clock */
  clock?: Pick<Clock, 'now'>;
  /** The page's `storage` events: changes by other tabs. @default none */
  storageEvents$?: Observable<Event>;
}

const PREFIX = 'assessment-monitor:job:';
/** From the digest of answers to the submission id of their latest record. */
const ANSWERS = 'assessment-monitor:answers:';
const VERSION = 1;
/** For so long the record of a failed job is kept. */
const FAILED_MS = 24 * 60 * 60_000;

const time = number.check(z.minimum(0));
const recordSchema = object({
  version: z.literal(VERSION),
  submissionId: someText,
  jobId: z.nullable(idSchema),
  resultId: z.nullable(idSchema),
  deadlineAt: time,
  userId: z.nullable(z.string()),
  submittedAt: time,
  sentAt: z.optional(time),
  submission: z.optional(z.unknown()),
  answersDigest: z.optional(z.string()),
  outcomeUnknown: z.optional(z.boolean()),
  sender: z.optional(z.string()),
  failedAt: z.optional(time),
});
const anyVersion = object({ version: number });

type DropReason = Extract<MonitorEvent, { type: 'job.dropped' }>['reason'];

export function createJobStore(
  store: KeyValueStore,
  log: Log,
  { clock = systemClock, storageEvents$ = EMPTY }: JobStoreOptions = {},
): JobStore {
  const parse = (key: string): JobRecord | 'malformed' | 'old-version' => {
    const text = store.get(key);
    const record = readJson(text, recordSchema);
    if (record && key === PREFIX + record.submissionId) return record;
    const { version } = readJson(text, anyVersion) ?? { version: VERSION };
    return version === VERSION ? 'malformed' : 'old-version';
  };
  /** The records of this page as they were written. */
  const kept = new Map<string, JobRecord>();
  const read = (submissionId: string): JobRecord | null => {
    const record = parse(PREFIX + submissionId);
    return typeof record === 'string' ? null : record;
  };
  /** Why this user cannot resume a record; null where nothing stands against it. */
  const objectionTo = (record: JobRecord, userId: string | null): DropReason | null => {
    if (userId !== null && record.userId !== null && record.userId !== userId) return 'another-user';
    if (record.jobId === null && record.submission === undefined) return 'no-submission';
    // A failure in the future dates from before the clock was set back.
    const isExpired = record.failedAt !== undefined && Math.abs(clock.now() - record.failedAt) > FAILED_MS;
    return isExpired ? 'expired' : null;
  };
  const watchers = new Map<string, Set<() => void>>();
  let events = Subscription.EMPTY;
  const tell = (event: Event): void => {
    const { key } = event as Event & { key: string | null };
    // A cleared storage names no key.
    const told = key === null ? [...watchers.values()] : [watchers.get(key) ?? []];
    for (const listeners of told) for (const listener of listeners) listener();
  };

  const save = (record: JobRecord): void => {
    const key = PREFIX + record.submissionId;
    if (record.answersDigest !== undefined && store.get(key) === null)
      store.set(ANSWERS + record.answersDigest, record.submissionId);
    // JSON has no infinity: a deadline that never comes would make the record unreadable, and the job lost.
    const deadlineAt = Math.min(record.deadlineAt, Number.MAX_SAFE_INTEGER);
    store.set(key, JSON.stringify({ ...record, deadlineAt }));
    kept.set(record.submissionId, record);
  };

  return {
    tabId: Math.random().toString(36).slice(2),
    save,
    remove(submissionId) {
      kept.delete(submissionId);
      const { answersDigest } = read(submissionId) ?? {};
      if (answersDigest !== undefined && store.get(ANSWERS + answersDigest) === submissionId)
        store.remove(ANSWERS + answersDigest);
      store.remove(PREFIX + submissionId);
    },
    restore(submissionId) {
      const record = kept.get(submissionId);
      if (record !== undefined && store.get(PREFIX + submissionId) === null) save(record);
    },
    read,
    find(answersDigest, userId) {
      const submissionId = store.get(ANSWERS + answersDigest);
      const record = submissionId === null ? null : read(submissionId);
      if (record?.answersDigest !== answersDigest || record.failedAt !== undefined) return null;
      return objectionTo(record, userId) === null ? record : null;
    },
    hasJob: (jobId, exceptSubmissionId) =>
      store
        .keys()
        .filter((key) => key.startsWith(PREFIX))
        .map(read)
        .some(
          (it) => it !== null && typeof it !== 'string' && it.jobId === jobId && it.submissionId !== exceptSubmissionId,
        ),
    load(userId) {
      const drop = (key: string, reason: DropReason): JobRecord[] => {
        store.remove(key);
        log({ type: 'job.dropped', reason });
        return [];
      };
      const keys = store.keys();
      const records = keys
        .filter((key) => key.startsWith(PREFIX))
        .flatMap((key) => {
          const record = parse(key);
          if (typeof record === 'string') return drop(key, record);
          const objection = objectionTo(record, userId);
          if (objection !== null) return drop(key, objection);
          kept.set(record.submissionId, record);
          return [record];
        })
        .sort((a, b) => a.submittedAt - b.submittedAt);
      for (const key of keys.filter((it) => it.startsWith(ANSWERS)))
        if (store.get(PREFIX + (store.get(key) ?? '')) === null) store.remove(key);
      return records;
    },
    watch(submissionId, listener) {
      const key = PREFIX + submissionId;
      const listeners = watchers.get(key) ?? new Set();
      if (watchers.size === 0) events = storageEvents$.subscribe(tell);
      watchers.set(key, listeners.add(listener));
      return () => {
        if (!listeners.delete(listener) || listeners.size > 0) return;
        watchers.delete(key);
        if (watchers.size === 0) events.unsubscribe();
      };
    },
  };
}
