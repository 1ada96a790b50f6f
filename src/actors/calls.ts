import { filter, map } from 'rxjs';
import { throwIfAborted } from '../lib/abort.ts';
import { fromEventObservable, fromPromise, type Subscribable } from 'xstate';
import { type Clock, sleep } from '../lib/clock.ts';
import { digestOf } from '../lib/digest.ts';
import { isSameUser } from '../lib/identity.ts';
import {
  type Problem,
  type ProblemDetails,
  RejectedError,
  toProblem,
  TransientError,
  UnauthorizedError,
} from '../lib/errors.ts';
import type { FeedEvent, PageEvent, TokenEvent } from '../machines/assessment-events.ts';
import type {
  RefreshOutcome,
  Rejected,
  ResultOutcome,
  StatusOutcome,
  SubmitOutcome,
  Transient,
  Unauthorized,
} from '../machines/assessment-outcomes.ts';
import type { JobInput, RefreshInput, SubmitInput } from '../machines/assessment-setup.ts';
import {
  type AssessmentApi,
  isTakenBetween,
  type JobState,
  type ListedJob,
  mayBeTaken,
} from '../services/api/assessment-api.ts';
import type { TokenService } from '../services/auth/token-service.ts';
import type { JobFeed } from '../services/feed/job-feed.ts';
import type { JobRecord } from '../services/job-store.ts';
import type { Pacer } from '../services/pacer.ts';
import type { PageEvent as PageSignal } from '../services/page-signals.ts';
import type { Pacing } from './delays.ts';

/*
 * The actors of the chart: each call, from the wait for its turn to an outcome that the chart understands, and the three event
 * sources.
 */

/** The services behind the actors, shared by all assessments of a client. */
export interface CallServices<Submission, Result> {
  api: AssessmentApi<Submission, Result>;
  tokens: Pick<TokenService, 'renew' | 'events$' | 'identity'>;
  feed: Pick<JobFeed, 'events$'>;
  resumed$: Subscribable<PageSignal>;
  clock: Clock;
  pacing: Pacing;
  /** Whether the server may recognise a submission that is sent twice under one key. */
  idempotent: boolean;
  /** Whether a stored record of another assessment names this job. */
  isKnownJob: (jobId: string, exceptSubmissionId: string) => boolean;
  /** Claims the sending of the answers for this tab. @returns null, or when they first left, where another tab has just sent them */
  claim: (submissionId: string) => number | null;
  /** The server has proved that it did not take the answers. */
  disclaim: (submissionId: string) => void;
  /** What all tabs know of a submission. */
  recorded: (submissionId: string) => Recorded | null;
  /** The server has answered the submission with a success that cannot be read: the other pages must know. */
  noteTaken: (submissionId: string) => void;
  /** Read when a submission is accepted, ms. */
  monitoringTimeoutMs: () => number;
}

/** The part of the shared record of a submission that calls read. */
type Recorded = Pick<JobRecord, 'jobId' | 'resultId' | 'sentAt' | 'taken' | 'owner'>;

/** What the calls of one assessment need and the machine must not hold: answers do not belong into a snapshot. */
export interface Particulars<Submission> {
  /** Undefined for an assessment that was resumed after its acceptance. */
  submission: Submission | undefined;
  /** When the user submitted, ms since the epoch. */
  submittedAt: number;
  pacer: Pacer;
  /** The ids of the job and of its result, once the server has named them: events of other assessments are recognised by them. */
  jobId: string | null;
  resultId: string | null;
  /** When the first submission left whose answer was lost, by this page or another one; null while none was. */
  lostAt: number | null;
  /** The latest submission was answered with a success that cannot be read: a repetition may start a second job. */
  isTaken: boolean;
  /** The user has been asked whether to send the answers again: the next submission is the user's wish. */
  isAsked: boolean;
  /** Counts the searches in a row that the list of jobs did not answer. */
  unansweredSearches: number;
  /** Counts the fetches in a row that found no result under its id. */
  missedResults: number;
  /** Counts the results that came whole and cannot be shown. */
  invalidResults: number;
  /** Counts the answers of the result route that are no word about this result. */
  unreadableResults: number;
  /** A digest of the API's own id of the user, once an answer has named it, to this page or an earlier one. */
  owner: string | null;
  /** Keeps it for the next page. */
  keepOwner: (owner: string) => void;
  /** When the last look found the job failed; null while the server reports anything else. */
  failedAt: number | null;
  /** How long the server has reported the failure by looks in a row, ms. */
  failedForMs: number;
  /** Counts the looks since the status route last worked; from the second on every other one goes to the archive. */
  statusTrouble: number;
  /** The messages for the fields of a refused submission: the server's words stay out of the machine. */
  details: ProblemDetails | undefined;
}

type Failed = Unauthorized | Transient | Rejected;

/** After so many searches without an answer, in a quarter of an hour, the list counts as missing. */
const MOST_UNANSWERED_SEARCHES = 30;
/** … and after so many that met a page with status 404: such a server may have no list. */
const MOST_MISSING_LISTS = 5;
/** The waits between such searches grow from the first to the last, ms. */
const SEARCH_WAIT = { firstMs: 5_000, mostMs: 30_000 };
/** How often a tab looks whether another one has its answer: not every storage reports changes, ms. */
const LOOK_ELSEWHERE_MS = 500;
/** Between two looks at most this share of the confirmation time counts: a clock that jumps ahead confirms nothing. */
const CONFIRMING_SHARE = 1 / 5;
/** A result that came whole and cannot be shown is fetched so often in all. */
const MOST_INVALID_RESULTS = 5;
/** A result route whose answers are no word about this result is asked so often in all, over half an hour. */
const MOST_UNREADABLE_RESULTS = 12;
/** The waits between these grow from the first to the last, ms. */
const UNREADABLE_WAIT = { firstMs: 5_000, mostMs: 300_000 };
/** The longest wait after an answer that was lost or cannot be read, ms. */
const MOST_WAIT_MS = 300_000;
/** A wait of this length is not waited for inside a call: the chart tells the user, ms. */
const LONG_WAIT_MS = 60_000;

/**
 * The actors of the chart, for `assessmentMachine.provide`.
 *
 * @param particulars the particulars of all assessments, by submission id
 */
export function createCalls<Submission, Result>(
  services: CallServices<Submission, Result>,
  particulars: ReadonlyMap<string, Particulars<Submission>>,
) {
  const { api, tokens, feed, resumed$, clock, pacing, monitoringTimeoutMs } = services;
  const particularsOf = (submissionId: string): Particulars<Submission> => {
    const found = particulars.get(submissionId);
    if (!found) throw new Error(`the assessment ${submissionId} does not belong to this client, or has ended`);
    return found;
  };

  /** The submission of each job that this client has had, in case another one looks for its own after that job has ended. */
  const submissions = new Map<string, string>();
  const accepted = (
    submissionId: string,
    { jobId, resultId, balance = null }: { jobId: string; resultId: string | null; balance?: number | null },
  ): SubmitOutcome => {
    const its = particularsOf(submissionId);
    its.jobId = jobId;
    its.resultId = resultId;
    submissions.set(jobId, submissionId);
    return { type: 'accepted', jobId, resultId, balance, deadlineAt: clock.now() + monitoringTimeoutMs() };
  };
  /** After a search: the job that was found, or a question to the user. */
  const concluded = (submissionId: string, found: ListedJob | 'several' | null, problem: Problem): SubmitOutcome => {
    const its = particularsOf(submissionId);
    if (found !== null && found !== 'several') {
      // The list holds the jobs of this user only: a row of another user is recognised from now on.
      if (found.ownerId != null) its.keepOwner((its.owner ??= digestOf(found.ownerId)));
      return accepted(submissionId, found);
    }
    its.isAsked = true;
    return { type: 'unconfirmed', retryAfterMs: null, problem, isFinal: true };
  };
  const mayRepeat = (): boolean => services.idempotent && api.recognisesKeys() !== false;

  /**
   * The job that another tab got for the same submission, by the shared record. It is looked at again and again, because the record of a
   * short job is gone soon: its result has been shown there.
   */
  const answeredElsewhere = async (
    submissionId: string,
    withinMs: number,
    signal: AbortSignal,
  ): Promise<ListedJob | null> => {
    const its = particularsOf(submissionId);
    for (let waitedMs = 0; ; waitedMs += LOOK_ELSEWHERE_MS) {
      const { jobId = null, resultId = null, taken = false } = services.recorded(submissionId) ?? {};
      its.isTaken ||= taken;
      if (jobId !== null) return { jobId, resultId, createdAt: its.lostAt ?? its.submittedAt };
      if (waitedMs >= withinMs) return null;
      await sleep(clock, Math.min(LOOK_ELSEWHERE_MS, withinMs - waitedMs), signal);
    }
  };
  /**
   * The job of a submission whose answer was lost: the only one that the server took since, and that no other assessment watches. Of
   * several the client cannot know which one it is, nor whether it is one from about that time by a clock that may differ.
   */
  const search = async (submissionId: string, signal: AbortSignal): Promise<ListedJob | 'several' | null> => {
    const its = particularsOf(submissionId);
    const since = its.lostAt ?? its.submittedAt;
    // Bounded, because the clock may have been set back in between.
    const settlingMs = Math.min(pacing.settlingMs, since + pacing.settlingMs - clock.now());
    const known = await answeredElsewhere(submissionId, settlingMs, signal);
    if (known) return known;
    const listed = await api.jobs(signal).catch((error: unknown) => {
      if (signal.aborted || error instanceof UnauthorizedError) throw error;
      its.unansweredSearches += 1;
      if (error instanceof TransientError && error.retryAfterMs !== null)
        its.pacer.postpone('submit', error.retryAfterMs);
      // Not every server has the list. Anything else is an outage: what answers in place of the API knows nothing of the list.
      if (isUnknown(error)) return [];
      const most = isNotFound(error) ? MOST_MISSING_LISTS : MOST_UNANSWERED_SEARCHES;
      if (its.unansweredSearches >= most) return [];
      its.pacer.postpone('submit', growing(SEARCH_WAIT, its.unansweredSearches));
      throw error;
    });
    its.unansweredSearches = 0;
    const isOthers = (jobId: string) =>
      services.isKnownJob(jobId, submissionId) || (submissions.get(jobId) ?? submissionId) !== submissionId;
    const knownByNow = await answeredElsewhere(submissionId, 0, signal);
    if (knownByNow) return knownByNow;
    const open = listed.filter((it) => !isOthers(it.jobId));
    const found = open.filter((it) => isTakenBetween(it, since, clock.now() + pacing.settlingMs));
    if (found.length > 1) return 'several';
    // A submission of the future: the clock was set back since, and the times of the list cannot be compared with it.
    const isSetBack = since > clock.now();
    const mayBeIts = (it: ListedJob) => mayBeTaken(isSetBack ? { ...it, isClockUnknown: true } : it, since);
    // Where keys work, a repetition finds the job by itself.
    const isUnsure = api.recognisesKeys() !== true && open.some(mayBeIts);
    return found[0] ?? (isUnsure ? 'several' : null);
  };

  /** Sends the answers once. Without a proof of what became of them, the job is searched before anything else is done. */
  const send = async (submissionId: string, signal: AbortSignal): Promise<SubmitOutcome> => {
    const its = particularsOf(submissionId);
    if (its.submission === undefined) throw new TypeError('a resumed assessment has no answers to submit');
    const sentAt = clock.now();
    its.isTaken = false;
    its.isAsked = false;
    let isElsewhere = false;
    const claim = (): void => {
      const claimedAt = services.claim(submissionId);
      if (claimedAt === null) return;
      isElsewhere = true;
      its.lostAt ??= claimedAt;
      throw new TransientError('unavailable', 'another tab has just sent the answers');
    };
    try {
      const { retryAfterMs, ...answer } = await api.submit(its.submission, submissionId, signal, claim);
      if (retryAfterMs !== null) its.pacer.postpone('status', retryAfterMs);
      return accepted(submissionId, answer);
    } catch (error) {
      const known = isElsewhere ? await answeredElsewhere(submissionId, pacing.settlingMs, signal) : null;
      if (known) return accepted(submissionId, known);
      const isRefused = error instanceof UnauthorizedError || (error instanceof TransientError && !error.maybeDone);
      if (its.lostAt === null && (isRefused || error instanceof RejectedError)) services.disclaim(submissionId);
      if (error instanceof RejectedError) {
        its.details = error.details;
        // An earlier attempt may have arrived, and taken the credit that this one lacks.
        const isProof = its.lostAt === null || error.code === 'validation' || error.code === 'too-large';
        const found = isProof ? null : await search(submissionId, signal);
        if (found) return concluded(submissionId, found, UNKNOWN);
      }
      if (!(error instanceof TransientError && error.maybeDone)) throw error;
      its.lostAt ??= sentAt;
      // Only a 429 is believed when it asks for an hour.
      const retryAfterMs = error.retryAfterMs === null ? null : Math.min(error.retryAfterMs, MOST_WAIT_MS);
      its.pacer.postpone('submit', Math.max(pacing.settlingMs, retryAfterMs ?? 0));
      const problem = problemOf(error);
      // A success that cannot be read is a success: a repetition would start a second job.
      its.isTaken = error.status !== null && error.status < 300;
      if (its.isTaken) services.noteTaken(submissionId);
      if (mayRepeat() && !its.isTaken) return { type: 'unconfirmed', retryAfterMs, problem };
      return searched(submissionId, problem, signal);
    }
  };
  const searched = async (submissionId: string, problem: Problem, signal: AbortSignal): Promise<SubmitOutcome> => {
    return concluded(submissionId, await search(submissionId, signal), problem);
  };

  const submit = async ({ submissionId, isSearch }: SubmitInput, signal: AbortSignal): Promise<SubmitOutcome> => {
    const its = particularsOf(submissionId);
    const waitMs = its.pacer.remaining('submit');
    if (waitMs >= LONG_WAIT_MS)
      return failureOf(new TransientError('rate-limited', LIMITED, { retryAfterMs: waitMs }), clock);
    const call = async (): Promise<SubmitOutcome> => {
      const { sentAt = null, taken = false } = services.recorded(submissionId) ?? {};
      its.lostAt ??= sentAt;
      its.isTaken ||= taken;
      if (isSearch) return searched(submissionId, UNKNOWN, signal);
      // Where the server is known to recognise keys, a repetition finds the job. Elsewhere the list of jobs comes first.
      if (its.lostAt === null || api.recognisesKeys() === true) return send(submissionId, signal);
      if (!its.isAsked && (its.isTaken || !mayRepeat())) return searched(submissionId, UNKNOWN, signal);
      const found = await search(submissionId, signal);
      // A user who was asked has decided.
      const mustSend = its.isAsked ? found === null || found === 'several' : found === null && !its.isTaken;
      return mustSend ? send(submissionId, signal) : concluded(submissionId, found, UNKNOWN);
    };
    return paced<SubmitOutcome>(its.pacer, 'submit', 0, signal, clock, call);
  };

  /** The state of a job, from the route that is likely to know it. */
  const look = async (
    its: Particulars<Submission>,
    { jobId, canWait }: JobInput,
    signal: AbortSignal,
  ): Promise<JobState> => {
    let isArchiveAsked = false;
    // Every other look while the status route is in trouble: an outage of both does not double the calls.
    if (its.statusTrouble >= 2 && its.statusTrouble % 2 === 0) {
      its.statusTrouble += 1;
      const archived = await api.job(jobId, signal).catch((error: unknown) => {
        if (isNotFound(error)) return null;
        throw error;
      });
      if (archived) return archived;
      isArchiveAsked = true;
      // The turn was taken before the archive answered.
      its.pacer.postpone('status', pacing.minDistanceMs);
    }
    try {
      // The call may have waited for a token since its turn.
      const keepDistance = () => its.pacer.postpone('status', pacing.minDistanceMs);
      const state = await api.status(jobId, signal, canWait, keepDistance);
      its.statusTrouble = 0;
      return state;
    } catch (error) {
      if (error instanceof TransientError && error.status !== null && error.code !== 'rate-limited')
        its.statusTrouble += 1;
      if (!isNotFound(error)) throw error;
      if (isArchiveAsked) throw nowhere();
      // After a restart the status route has lost jobs that still run; the archive has not.
      return await api.job(jobId, signal).catch((inner: unknown) => {
        throw isNotFound(inner) ? nowhere() : inner;
      });
    }
  };

  /** The owner of a job by the list, which holds the jobs of this user only; null where it does not tell. */
  const listedOwner = async (jobId: string, signal: AbortSignal): Promise<string | null> => {
    const listed = await api.jobs(signal).catch((error: unknown) => {
      throwIfAborted(signal);
      if (error instanceof UnauthorizedError) throw error;
      return [];
    });
    return listed.find((it) => it.jobId === jobId)?.ownerId ?? null;
  };
  /**
   * Whether a row is of another user than the job. The first row that tells may be a foreign one: where it does not name the user of the
   * session, as some APIs never do, the list tells. A row that does corrects what was learned before.
   */
  const isForeign = async (
    its: Particulars<Submission>,
    ownerId: string | null,
    jobId: string,
    signal: AbortSignal,
  ): Promise<boolean> => {
    if (ownerId === null) return false;
    const user = tokens.identity();
    const isOwn = user !== null && isSameUser(ownerId, user);
    if (isOwn || its.owner === null) {
      const owner = digestOf(isOwn ? ownerId : ((await listedOwner(jobId, signal)) ?? ownerId));
      if (owner !== its.owner) its.keepOwner((its.owner = owner));
    }
    return digestOf(ownerId) !== its.owner;
  };
  /** @throws TransientError the row is of another user */
  const ofItsOwner = async (
    its: Particulars<Submission>,
    state: JobState,
    jobId: string,
    signal: AbortSignal,
  ): Promise<JobState> => {
    if (await isForeign(its, state.ownerId, jobId, signal)) throw ofAnotherUser();
    return state;
  };
  /** The archive's state of a job, or the known one where the archive does not answer: it is only a second opinion. */
  const archivedOf = (
    its: Particulars<Submission>,
    known: JobState,
    jobId: string,
    signal: AbortSignal,
  ): Promise<JobState> =>
    api
      .job(jobId, signal)
      .then((row) => ofItsOwner(its, row, jobId, signal))
      .catch((error: unknown) => {
        throwIfAborted(signal);
        if (error instanceof UnauthorizedError) throw error;
        if (error instanceof TransientError && error.retryAfterMs !== null)
          its.pacer.postpone('status', error.retryAfterMs);
        return known;
      });
  /** The state of a job that the status route reports as running: a sweeper that gives up on a job updates only the archive. */
  const newerOf = async (
    its: Particulars<Submission>,
    state: JobState,
    jobId: string,
    signal: AbortSignal,
  ): Promise<JobState> => {
    const archived = await archivedOf(its, state, jobId, signal);
    return archived.type === 'running' ? state : archived;
  };

  /**
   * A failure in a row that names another user than the session does, as some APIs always do: the list of jobs, which holds those of this
   * user only, tells whose row it is.
   *
   * @throws TransientError the row is of another user
   */
  const confirmOwner = async (
    its: Particulars<Submission>,
    { ownerId }: JobState,
    jobId: string,
    signal: AbortSignal,
  ): Promise<void> => {
    const user = tokens.identity();
    if (ownerId === null || user === null || isSameUser(ownerId, user)) return;
    const owner = await listedOwner(jobId, signal);
    if (owner === null || owner === ownerId) return;
    its.owner = digestOf(owner);
    its.keepOwner(its.owner);
    its.failedForMs = 0;
    throw ofAnotherUser();
  };

  const checkStatus = (input: JobInput, signal: AbortSignal): Promise<StatusOutcome> => {
    const its = particularsOf(input.submissionId);
    // Another tab may have learned it.
    its.owner ??= services.recorded(input.submissionId)?.owner ?? null;
    return paced<StatusOutcome>(its.pacer, 'status', pacing.minDistanceMs, signal, clock, async () => {
      const state = await ofItsOwner(its, await look(its, input, signal), input.jobId, signal);
      const isOld = state.type === 'running' && clock.now() - its.submittedAt >= pacing.archiveAfterMs;
      const latest = isOld ? await newerOf(its, state, input.jobId, signal) : state;
      if (latest.type !== 'failed') {
        its.failedAt = null;
        its.failedForMs = 0;
        return latest;
      }
      const sinceLastLookMs = clock.now() - (its.failedAt ?? clock.now());
      its.failedForMs += between(0, sinceLastLookMs, pacing.failureConfirmationMs * CONFIRMING_SHARE);
      its.failedAt = clock.now();
      const isDue = its.failedForMs >= pacing.failureConfirmationMs;
      // The last word is the archive's: it hears of a job that was taken up again.
      const last = isDue && !isOld ? await archivedOf(its, latest, input.jobId, signal) : latest;
      if (last.type !== 'failed') return last;
      if (isDue) await confirmOwner(its, last, input.jobId, signal);
      return isDue ? FAILED : UNCONFIRMED_FAILURE;
    });
  };

  /** The id of the result by the archive, whose row may be late, or by the status of an API without one. */
  const resultIdOf = async (
    its: Particulars<Submission>,
    jobId: string,
    signal: AbortSignal,
  ): Promise<string | null> => {
    if (api.hasArchive === false) await its.pacer.turn('status', pacing.minDistanceMs, signal);
    const asked = api.hasArchive === false ? api.status(jobId, signal) : api.job(jobId, signal);
    const state = await asked.catch((error: unknown) => {
      throw isNotFound(error) ? notThereYet() : error;
    });
    const own = await ofItsOwner(its, state, jobId, signal);
    return own.type === 'completed' ? own.resultId : null;
  };

  const fetchResult = ({ submissionId, jobId, resultId }: JobInput, signal: AbortSignal): Promise<ResultOutcome> => {
    const its = particularsOf(submissionId);
    its.owner ??= services.recorded(submissionId)?.owner ?? null;
    const waitMs = its.pacer.remaining('result');
    if (waitMs >= LONG_WAIT_MS) return Promise.resolve(failureOf(putOff(its, waitMs), clock));
    return paced<ResultOutcome>(its.pacer, 'result', 0, signal, clock, async () => {
      // The result may be that of an earlier job with the same answers, which the archive names.
      const isDoubtful = its.missedResults > 0 && its.missedResults % 2 === 0;
      its.missedResults += 1;
      const named = resultId === null || isDoubtful ? await resultIdOf(its, jobId, signal) : resultId;
      const id = named ?? resultId;
      if (id === null) throw notThereYet();
      const isOthers = (ownerId: string) => isForeign(its, ownerId, jobId, signal);
      const state = await api.result(id, signal, isOthers).catch((error: unknown) => {
        throw isNotFound(error) ? notThereYet() : error;
      });
      if (state.type === 'not-ready') throw notThereYet(state.retryAfterMs);
      its.missedResults = 0;
      if (state.type === 'ready') return state;
      if (state.type === 'unreadable') its.unreadableResults += 1;
      else its.invalidResults += 1;
      const isConfirmed =
        its.invalidResults >= MOST_INVALID_RESULTS || its.unreadableResults >= MOST_UNREADABLE_RESULTS;
      if (state.type === 'invalid' || isConfirmed) return { ...INVALID, isConfirmed };
      const retryAfterMs = growing(UNREADABLE_WAIT, its.unreadableResults);
      // The wait holds whatever the look says: refusals in an outage would use up the attempts within minutes.
      its.pacer.postpone('result', retryAfterMs);
      // Only an answer of the API proves that it accepts the token: unproven for minutes, a good one would end the session.
      await its.pacer.turn('status', pacing.minDistanceMs, signal);
      await api.status(jobId, signal).catch((error: unknown) => {
        if (signal.aborted || error instanceof UnauthorizedError) throw error;
        if (error instanceof TransientError && error.retryAfterMs !== null)
          its.pacer.postpone('status', error.retryAfterMs);
      });
      throw new TransientError('invalid-response', NO_RESULT, { retryAfterMs });
    });
  };

  /** The assessments of the result that the latest event names. All of them receive that event, one after the other. */
  let named: { event: FeedEvent; submissionIds: ReadonlySet<string> } | null = null;
  const assessmentsOf = (event: FeedEvent, resultId: string): ReadonlySet<string> => {
    if (named?.event === event) return named.submissionIds;
    const submissionIds = new Set<string>();
    for (const [submissionId, its] of particulars) if (its.resultId === resultId) submissionIds.add(submissionId);
    named = { event, submissionIds };
    return submissionIds;
  };
  /** Whether an event is about another assessment. The chart would ignore it, at a far higher cost for each assessment. */
  const isOfAnother = (event: FeedEvent, submissionId: string): boolean => {
    if (!('jobId' in event)) return false;
    const { jobId, resultId } = event;
    if (jobId !== null) return jobId !== (particulars.get(submissionId)?.jobId ?? jobId);
    if (resultId === null) return false;
    const owners = assessmentsOf(event, resultId);
    return owners.size > 0 && !owners.has(submissionId);
  };

  return {
    submitAssessment: fromPromise<SubmitOutcome, SubmitInput>(({ input, signal }) => submit(input, signal)),
    checkStatus: fromPromise<StatusOutcome, JobInput>(({ input, signal }) => checkStatus(input, signal)),
    fetchResult: fromPromise<ResultOutcome, JobInput>(({ input, signal }) => fetchResult(input, signal)),
    // No signal: a refresh in flight may have rotated the token already, so nothing aborts it.
    refreshToken: fromPromise<RefreshOutcome, RefreshInput>(({ input }) =>
      tokens.renew(input.refusedGeneration, input.isUrgent),
    ),
    // The type arguments check that the services' events are the ones that the chart hears.
    jobFeed: fromEventObservable<FeedEvent, { submissionId: string }>(({ input }) =>
      feed.events$.pipe(filter((event) => !isOfAnother(event, input.submissionId))),
    ),
    // The chart compares identities: the user id of an event may be the application's or the token's.
    tokenWatch: fromEventObservable<TokenEvent, undefined>(() =>
      tokens.events$.pipe(map((event) => ('userId' in event ? { ...event, userId: tokens.identity() } : event))),
    ),
    pageSignals: fromEventObservable<PageEvent, undefined>(() => resumed$),
  };
}

/** Status calls keep their distance whatever the chart's reason for them, and every kind of call obeys Retry-After. */
async function paced<T extends { type: string; retryAfterMs?: number | null }>(
  pacer: Pacer,
  kind: 'submit' | 'status' | 'result',
  minDistanceMs: number,
  signal: AbortSignal,
  clock: Clock,
  call: () => Promise<T>,
): Promise<T | Failed> {
  await pacer.turn(kind, minDistanceMs, signal);
  // The chart may have left the state in the same moment.
  throwIfAborted(signal);
  const outcome = await call().catch((error: unknown) => {
    throwIfAborted(signal);
    return failureOf(error, clock);
  });
  if ('retryAfterMs' in outcome && outcome.retryAfterMs) {
    // Status and result calls may both ask the archive, so its wait holds for both.
    for (const asked of kind === 'submit' ? ['submit'] : ['status', 'result'])
      pacer.postpone(asked, outcome.retryAfterMs);
  }
  return outcome;
}

const INVALID = {
  type: 'invalid',
  problem: { code: 'invalid-result', message: 'the result cannot be shown' },
} as const satisfies ResultOutcome;
const FAILED: StatusOutcome = {
  type: 'failed',
  problem: { code: 'job-failed', message: 'the server reports that the job failed' },
};
const UNCONFIRMED_FAILURE: StatusOutcome = {
  type: 'failed',
  isConfirmed: false,
  problem: { code: 'unconfirmed-failure', message: 'the server reports a failure that it may take back' },
};

/** An error of a service as an outcome of the chart. Defects stay errors. */
function failureOf(error: unknown, clock: Clock): Failed {
  if (error instanceof UnauthorizedError) return { type: 'unauthorized', generation: error.generation };
  if (error instanceof RejectedError) return { type: 'rejected', problem: problemOf(error) };
  if (!(error instanceof TransientError)) throw error;
  const { retryAfterMs } = error;
  const isLong = retryAfterMs !== null && retryAfterMs >= LONG_WAIT_MS;
  const problem = problemOf(error);
  return {
    type: 'transient',
    retryAfterMs,
    problem: isLong ? { ...problem, retryAt: clock.now() + retryAfterMs } : problem,
  };
}

/** Code and message alone: the words of a server do not enter the machine. */
function problemOf(error: TransientError | RejectedError): Problem {
  const { code, message } = toProblem(error);
  return { code, message };
}

/** The wait after so many failures, ms: twice as long each time. */
const growing = ({ firstMs, mostMs }: typeof SEARCH_WAIT, failures: number): number =>
  Math.min(mostMs, firstMs * 2 ** (failures - 1));
const between = (min: number, value: number, max: number): number => Math.min(max, Math.max(min, value));
const UNKNOWN: Problem = { code: 'outcome-unknown', message: 'the answer to the submission was lost' };
const LIMITED = 'the server asks for fewer requests';
const NO_RESULT = 'the answer is not a result of the API';
/** It is too early for the next fetch: a refusal of the token has ended the wait of the last one. */
const putOff = ({ unreadableResults }: { unreadableResults: number }, retryAfterMs: number): TransientError =>
  unreadableResults > 0
    ? new TransientError('invalid-response', NO_RESULT, { retryAfterMs })
    : new TransientError('rate-limited', LIMITED, { retryAfterMs });
const notThereYet = (retryAfterMs: number | null = null) =>
  new TransientError('unavailable', 'the result is not there yet', { retryAfterMs });
const ofAnotherUser = () => new TransientError('invalid-response', 'the answer is about the job of another user');
const nowhere = () => new TransientError('job-not-found', 'neither route knows the job');
/** The API says that there is no such thing. */
const isUnknown = (error: unknown) => error instanceof TransientError && error.code === 'job-not-found';
const isNotFound = (error: unknown) =>
  error instanceof TransientError && (error.status === 404 || error.status === 410);
