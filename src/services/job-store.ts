import { EMPTY, type Observable, Subscription } from 'rxjs';
import * as z from 'zod/mini';
import { type Clock, systemClock } from '../lib/clock.ts';
import { delayCodes, type ErrorCode } from '../lib/errors.ts';
import { isComparable, isSameUser } from '../lib/identity.ts';
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
  /** Whose job it is, see `lib/identity.ts`; null while no session has begun. */
  userId: string | null;
  /** When the user pressed submit, ms since the epoch. */
  submittedAt: number;
  /** The answers, kept only until the server has accepted them: a reload in between sends them again under the same key. */
  submission?: unknown;
  /** Recognises the same answers; kept for as long as the record. */
  answersDigest?: string | undefined;
  /** The idempotency key where it is not the submission id: the answers were sent before, by a record that this one has taken over. */
  key?: string | undefined;
  /** The answer to the submission was lost, or is still awaited, and the answers must not be sent again unasked. */
  outcomeUnknown?: boolean | undefined;
  /** The tab that sends, or has sent, without an idempotency key: see {@link JobStore.tabId}. */
  sender?: string | undefined;
  /** A digest of the API's own id of the user, by the rows of this job: a row of another user is recognised by it. */
  owner?: string | undefined;
  /**
   * When the answers first left, ms since the epoch; absent where the server has proved that it did not take them. Another page looks for
   * their job before it sends them again: not every server stores idempotency keys.
   */
  sentAt?: number | undefined;
  /** The server has answered them with a success that cannot be read: sent again, they may be a second job. */
  taken?: boolean | undefined;
  /** When they last left, ms since the epoch. */
  claimedAt?: number | undefined;
  /** The tab that sent them then: see {@link JobStore.tabId}. */
  claimedBy?: string | undefined;
  /** When the job was reported as failed, ms since the epoch. Some servers complete such a job after all. */
  failedAt?: number | undefined;
  /** How far the job was when a page last watched it, for the first view of the next page. */
  progress?: RecordedProgress | undefined;
  /** Why the user was asked whether to wait longer; absent while the user was not. */
  delay?: RecordedDelay | undefined;
  /** When the result was first shown, ms since the epoch. The record is kept for option `keepResult` then. */
  shownAt?: number | undefined;
  /** Since when the record waits for its user to come back, ms since the epoch: without answers, and hidden from everyone else. */
  asideAt?: number | undefined;
}

/** What a record keeps of the progress. A place in a queue is out of date after a reload. */
export interface RecordedProgress {
  status: 'queued' | 'processing';
  /** 0 to 100 */
  percent: number;
}

/** What a record keeps of the problem that delays an assessment. */
export interface RecordedDelay {
  code: ErrorCode;
  /** When the next attempt follows, ms since the epoch. */
  retryAt?: number | undefined;
}

/** Jobs under way, one entry each, so that tabs which write at the same time do not overwrite each other. */
export interface JobStore {
  /** Tells this tab apart from the others that share the store, and from itself before a reload. */
  readonly tabId: string;
  save(record: JobRecord): void;
  remove(submissionId: string): void;
  /** The result has been shown: removes the record, or keeps it for {@link JobStoreOptions.keepResultMs}. */
  shown(submissionId: string): void;
  /** Adds what the next page shows first to the record, unless another tab has removed it or set it aside. */
  note(submissionId: string, news: Pick<JobRecord, 'progress' | 'delay' | 'owner' | 'taken'>): void;
  /**
   * Keeps the record for its user, after a sign-out or the sign-in of another user: the ids stay, hidden from everyone else, and the
   * answers are erased.
   */
  setAside(submissionId: string): void;
  /** {@link setAside} for every record, after a sign-out. */
  setAllAside(): void;
  /**
   * The records set aside that only the API can assign: of a user who cannot be compared with this one, because one of them is not known
   * by name, or of this user and without the id of their job.
   */
  unclaimed(userId: string): JobRecord[];
  /** Whether the record of another assessment names this job. */
  hasJob(jobId: string, exceptSubmissionId: string): boolean;
  /** Writes a record again that something else has removed, such as a `localStorage.clear()` of the application. */
  restore(submissionId: string): void;
  /**
   * Records that this tab sends the answers now, unless another tab has done so a moment ago.
   *
   * @param settlingMs how long that moment is
   * @returns when the answers first left, ms since the epoch; null where this tab may send
   */
  claim(submissionId: string, settlingMs: number): number | null;
  /** The server has proved that it did not take what this tab has sent. */
  disclaim(submissionId: string): void;
  /** The record as all tabs know it now; null where there is none. */
  read(submissionId: string): JobRecord | null;
  /** The latest record of the same answers of this user, while they are under way: accepted or not yet, and not failed. */
  find(answersDigest: string, userId: string | null): JobRecord | null;
  /**
   * Every record that can be resumed by this user, those of failed jobs included. The records of another user are set aside. What no user
   * can resume is removed, with a reason in the log. Answers that were submitted again before their user had signed in continue what the
   * first submission has begun: their record takes over the job, or the key, of the earlier one.
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
  /** Changes of this store by other tabs; a cleared storage names no key. @default none */
  changes$?: Observable<{ key: string | null }>;
  /**
   * Keeps the answers that were not accepted yet. Where it is the storage of one tab, another tab has the record without them.
   *
   * @default the store of the records
   */
  answers?: KeyValueStore;
  /** How long a record is kept, ms: from the submission, and again from the moment it was set aside. @default 604_800_000, 7 days */
  keepForMs?: number | undefined;
  /** How long the record of a job is kept after its result was shown, ms. @default 0, it is removed */
  keepResultMs?: number | undefined;
}

const PREFIX = 'job:';
/** From the digest of answers to the submission ids of their records, the newest first. They may be of several users. */
const ANSWERS = 'answers:';
/** The answers of a submission that was not accepted yet. */
const UNSENT = 'unsent:';
/** For so long answers wait to be accepted. */
const UNSENT_MS = 24 * 60 * 60_000;
const VERSION = 1;
/** For so long the record of a failed job is kept. */
const FAILED_MS = 24 * 60 * 60_000;
const KEEP_FOR_MS = 7 * 24 * 60 * 60_000;

const time = number.check(z.minimum(0));
const progressSchema = object({
  status: z.enum(['queued', 'processing']),
  percent: number.check(z.minimum(0), z.maximum(100)),
});
const recordSchema = object({
  version: z.literal(VERSION),
  submissionId: someText,
  jobId: z.nullable(idSchema),
  resultId: z.nullable(idSchema),
  deadlineAt: time,
  userId: z.nullable(z.string()),
  submittedAt: time,
  submission: z.optional(z.unknown()),
  answersDigest: z.optional(z.string()),
  key: z.optional(someText),
  outcomeUnknown: z.optional(z.boolean()),
  sender: z.optional(z.string()),
  owner: z.optional(z.string()),
  sentAt: z.optional(time),
  taken: z.optional(z.boolean()),
  claimedAt: z.optional(time),
  claimedBy: z.optional(z.string()),
  failedAt: z.optional(time),
  // Only for the first view: what another version has written there costs no job.
  progress: z.catch(z.optional(progressSchema), undefined),
  delay: z.catch(z.optional(object({ code: z.enum(delayCodes), retryAt: z.optional(time) })), undefined),
  shownAt: z.optional(time),
  asideAt: z.optional(time),
});
const unsentSchema = object({ submission: z.unknown() });
const anyVersion = object({ version: number });

type DropReason = Extract<MonitorEvent, { type: 'job.dropped' }>['reason'];

export function createJobStore(
  store: KeyValueStore,
  log: Log,
  {
    clock = systemClock,
    answers = store,
    changes$ = EMPTY,
    keepForMs = KEEP_FOR_MS,
    keepResultMs = 0,
  }: JobStoreOptions = {},
): JobStore {
  const parse = (key: string): JobRecord | 'malformed' | 'old-version' => {
    const text = store.get(key);
    const record = readJson(text, recordSchema);
    if (record && key === PREFIX + record.submissionId) return withAnswers(record);
    const { version } = readJson(text, anyVersion) ?? { version: VERSION };
    return version === VERSION ? 'malformed' : 'old-version';
  };
  const withAnswers = (record: JobRecord): JobRecord => {
    if (record.jobId !== null || record.submission !== undefined) return record;
    const unsent = readJson(answers.get(UNSENT + record.submissionId), unsentSchema);
    return unsent ? { ...record, submission: unsent.submission } : record;
  };
  /** Whether only another tab can have the answers. */
  const isOfAnotherTab = ({ jobId, submission, asideAt }: JobRecord): boolean =>
    jobId === null && submission === undefined && asideAt === undefined && answers !== store;
  /** The records of this page as they were written. */
  const kept = new Map<string, JobRecord>();
  const read = (submissionId: string): JobRecord | null => {
    const record = parse(PREFIX + submissionId);
    return typeof record === 'string' ? null : record;
  };
  const all = (): JobRecord[] =>
    store.keys().flatMap((key) => {
      const record = key.startsWith(PREFIX) ? parse(key) : 'malformed';
      return typeof record === 'string' ? [] : [record];
    });
  /** Whether this user may see the record. What is set aside is shown to a user who is known, and never while none is. */
  const isOf = ({ userId: owner, asideAt }: JobRecord, userId: string | null): boolean =>
    isSameUser(owner, userId) && (asideAt === undefined || (userId !== null && owner !== null));
  /** Why no user can resume a record; null where nothing stands against it. */
  const objectionTo = (record: JobRecord): DropReason | null => {
    const { jobId, submission, submittedAt, failedAt, shownAt, asideAt } = record;
    const isWithoutAnswers = jobId === null && submission === undefined && asideAt === undefined;
    if (isWithoutAnswers && !isOfAnotherTab(record)) return 'no-submission';
    const now = clock.now();
    if (jobId === null && asideAt === undefined && now - submittedAt > UNSENT_MS) return 'expired';
    if (shownAt !== undefined) return Math.abs(now - shownAt) > keepResultMs ? 'expired' : null;
    // A failure in the future dates from before the clock was set back.
    const hasFailed = failedAt !== undefined && Math.abs(now - failedAt) > FAILED_MS;
    return hasFailed || now - (asideAt ?? submittedAt) > keepForMs ? 'expired' : null;
  };
  const watchers = new Map<string, Set<() => void>>();
  let events = Subscription.EMPTY;
  const tell = ({ key }: { key: string | null }): void => {
    const told = key === null ? [...watchers.values()] : [watchers.get(key) ?? []];
    for (const listeners of told) for (const listener of listeners) listener();
  };

  const idsOf = (answersDigest: string): string[] =>
    (store.get(ANSWERS + answersDigest) ?? '').split(' ').filter(Boolean);
  const setIds = (answersDigest: string, ids: readonly string[]): void => {
    if (ids.length === 0) store.remove(ANSWERS + answersDigest);
    else store.set(ANSWERS + answersDigest, ids.join(' '));
  };
  const save = (record: JobRecord): void => {
    const { answersDigest, submissionId } = record;
    if (answersDigest !== undefined && store.get(PREFIX + submissionId) === null)
      setIds(answersDigest, [submissionId, ...idsOf(answersDigest).filter((it) => it !== submissionId)]);
    const { submission, ...its } = record;
    if (submission === undefined || record.jobId !== null) answers.remove(UNSENT + submissionId);
    else if (answers.get(UNSENT + submissionId) === null)
      answers.set(UNSENT + submissionId, JSON.stringify({ submission }));
    // JSON has no infinity: a deadline that never comes would make the record unreadable, and the job lost.
    const deadlineAt = Math.min(record.deadlineAt, Number.MAX_SAFE_INTEGER);
    store.set(PREFIX + submissionId, JSON.stringify({ ...its, deadlineAt }));
    kept.set(record.submissionId, record);
  };
  const remove = (submissionId: string): void => {
    kept.delete(submissionId);
    const { answersDigest } = read(submissionId) ?? {};
    answers.remove(UNSENT + submissionId);
    store.remove(PREFIX + submissionId);
    if (answersDigest === undefined) return;
    const others = idsOf(answersDigest).filter((it) => it !== submissionId);
    setIds(answersDigest, others);
  };
  const setAside = (record: JobRecord): void => {
    const { submissionId } = record;
    kept.delete(submissionId);
    if (record.asideAt !== undefined) return;
    // There is no job that its user could come back for, or its result has been shown.
    const isUnsent = record.jobId === null && (record.userId === null || record.sentAt === undefined);
    if (isUnsent || record.shownAt !== undefined) return remove(submissionId);
    // What only the tab that sends and the first view need is left out, so that the record does not grow.
    const tabs = { submission: undefined, sender: undefined, claimedAt: undefined, claimedBy: undefined };
    const its = { ...record, ...tabs, progress: undefined, delay: undefined };
    const outcomeUnknown = record.outcomeUnknown || undefined;
    const aside = { ...its, outcomeUnknown, asideAt: clock.now() };
    // A storage that is full keeps the old value when it refuses a longer one, and the next page would show it. What is removed first
    // leaves its place to other entries that wait for one.
    const isLonger = JSON.stringify(aside).length > (store.get(PREFIX + submissionId)?.length ?? 0);
    if (isLonger) store.remove(PREFIX + submissionId);
    save(aside);
    kept.delete(submissionId);
    log({ type: 'job.aside' });
  };
  const isUnderWay = (it: JobRecord): boolean =>
    it.failedAt === undefined && it.shownAt === undefined && objectionTo(it) === null;
  const findOther = (answersDigest: string, userId: string | null, exceptId?: string): JobRecord | null =>
    idsOf(answersDigest)
      .filter((submissionId) => submissionId !== exceptId)
      .flatMap((submissionId) => read(submissionId) ?? [])
      .find((it) => it.answersDigest === answersDigest && isOf(it, userId) && isUnderWay(it)) ?? null;
  /** A record that has not been sent takes over an earlier one of the same answers and the same user. */
  const takeOverEarlier = (record: JobRecord, userId: string): void => {
    const { submissionId, answersDigest } = record;
    const mayBeSent = record.jobId !== null || record.sentAt !== undefined || record.outcomeUnknown;
    if (mayBeSent || record.asideAt !== undefined || answersDigest === undefined || !isOf(record, userId)) return;
    const earlier = findOther(answersDigest, userId, submissionId);
    if (!earlier || earlier.userId === null || (earlier.jobId === null && earlier.sentAt === undefined)) return;
    const {
      jobId,
      resultId,
      owner,
      sentAt,
      taken: isTaken,
      claimedAt,
      claimedBy,
      key = earlier.submissionId,
    } = earlier;
    const its = { jobId, resultId, owner, sentAt, taken: isTaken, claimedAt, claimedBy, key };
    save({ ...record, userId: record.userId ?? userId, ...its });
    remove(earlier.submissionId);
  };
  /** Erases answers without a record that they belong to. */
  const dropAnswers = (isWanted: (submissionId: string) => boolean): void => {
    const ids = answers.keys().flatMap((key) => (key.startsWith(UNSENT) ? [key.slice(UNSENT.length)] : []));
    for (const id of ids) if (isWanted(id)) answers.remove(UNSENT + id);
  };
  /** The record as its user resumes it. */
  const taken = (record: JobRecord): JobRecord => {
    const { asideAt, ...its } = record;
    if (asideAt !== undefined) save(its);
    return its;
  };

  const tabId = Math.random().toString(36).slice(2);
  return {
    tabId,
    save,
    claim(submissionId, settlingMs) {
      // Another tab, where the next user signs in in this moment, removes a record before it knows that the answers are sent.
      const record = read(submissionId) ?? kept.get(submissionId);
      if (!record || record.jobId !== null || record.asideAt !== undefined) return null;
      const { sentAt, claimedAt, claimedBy } = record;
      // A claim in the future dates from before the clock was set back.
      const isRecent = claimedAt !== undefined && Math.abs(clock.now() - claimedAt) < settlingMs;
      if (isRecent && claimedBy !== tabId) return sentAt ?? claimedAt;
      save({ ...record, sentAt: sentAt ?? clock.now(), claimedAt: clock.now(), claimedBy: tabId });
      return null;
    },
    disclaim(submissionId) {
      const record = read(submissionId);
      if (record?.claimedBy === tabId && record.asideAt === undefined)
        save({ ...record, sentAt: undefined, claimedAt: undefined, claimedBy: undefined });
    },
    remove,
    shown(submissionId) {
      if (keepResultMs === 0) return remove(submissionId);
      const record = read(submissionId);
      if (!record || record.shownAt !== undefined || record.asideAt !== undefined) return undefined;
      const progress = { status: 'processing', percent: 100 } as const;
      return save({ ...record, progress, delay: undefined, shownAt: clock.now() });
    },
    note(submissionId, news) {
      const record = read(submissionId);
      if (record && record.asideAt === undefined) save({ ...record, ...news });
    },
    setAside(submissionId) {
      const record = read(submissionId);
      if (record) setAside(record);
    },
    setAllAside() {
      all().forEach(setAside);
      dropAnswers(() => true);
    },
    unclaimed: (userId) =>
      all().filter((record) => {
        // A record of a tab that is gone: its job may be on the server.
        const isLeft = record.asideAt !== undefined || (isOfAnotherTab(record) && record.sentAt !== undefined);
        if (!isLeft || record.userId === null || objectionTo(record) !== null) return false;
        return record.jobId === null ? isOf(record, userId) : !isComparable(record.userId, userId);
      }),
    restore(submissionId) {
      const record = kept.get(submissionId);
      if (record !== undefined && store.get(PREFIX + submissionId) === null) save(record);
    },
    read,
    find(answersDigest, userId) {
      const found = findOther(answersDigest, userId);
      return found ? taken(found) : null;
    },
    hasJob: (jobId, exceptSubmissionId) =>
      all().some((it) => it.jobId === jobId && it.submissionId !== exceptSubmissionId),
    load(userId) {
      const drop = (key: string, reason: DropReason): JobRecord[] => {
        store.remove(key);
        log({ type: 'job.dropped', reason });
        return [];
      };
      if (userId !== null) for (const record of all()) takeOverEarlier(record, userId);
      const keys = store.keys();
      const records = keys
        .filter((key) => key.startsWith(PREFIX))
        .flatMap((key) => {
          const record = parse(key);
          if (typeof record === 'string') return drop(key, record);
          const objection = objectionTo(record);
          if (objection !== null) return drop(key, objection);
          if (!isOf(record, userId)) {
            setAside(record);
            return [];
          }
          // The list of jobs tells first whether the server has accepted it: see `unclaimed`.
          if (isOfAnotherTab(record) || (record.jobId === null && record.asideAt !== undefined)) return [];
          const mine = taken(record);
          kept.set(record.submissionId, mine);
          return [mine];
        })
        .sort((a, b) => a.submittedAt - b.submittedAt);
      for (const key of keys.filter((it) => it.startsWith(ANSWERS))) {
        const digest = key.slice(ANSWERS.length);
        const ids = idsOf(digest);
        const left = ids.filter((it) => store.get(PREFIX + it) !== null);
        if (left.length < ids.length) setIds(digest, left);
      }
      dropAnswers((id) => read(id)?.jobId !== null || read(id)?.asideAt !== undefined);
      return records;
    },
    watch(submissionId, listener) {
      const key = PREFIX + submissionId;
      const listeners = watchers.get(key) ?? new Set();
      if (watchers.size === 0) events = changes$.subscribe(tell);
      watchers.set(key, listeners.add(listener));
      return () => {
        if (!listeners.delete(listener) || listeners.size > 0) return;
        watchers.delete(key);
        if (watchers.size === 0) events.unsubscribe();
      };
    },
  };
}
