import type { Log } from '../../lib/log.ts';

/** How a status word is understood. A word that is not understood means `processing`: never success, never failure. */
export type JobStatus = 'queued' | 'processing' | 'completed' | 'failed';

/** Status words of a backend and their meaning; upper and lower case, `-`, `_` and blanks are the same. */
export type StatusWords = Readonly<Record<string, JobStatus>>;

/** The words that job APIs commonly use. */
const words: Readonly<Record<JobStatus, string>> = {
  queued: 'queued pending waiting scheduled created submitted accepted received new enqueued',
  processing: 'processing running inprogress started active analyzing analysing working retrying',
  completed: 'completed complete done succeeded success successful finished ready',
  failed: 'failed failure error errored canceled cancelled aborted expired deleted rejected terminated',
};

const plain = (word: string): string => word.toLowerCase().replaceAll(/[\s_.:!-]/g, '');
/** What some APIs write before each word: `JOB_COMPLETED`, `JOB_STATE_SUCCEEDED`. */
const PREFIX = /^(job|task|status|state)+/;

const commonWords = new Map(
  (Object.entries(words) as [JobStatus, string][]).flatMap(([status, list]) =>
    list.split(' ').map((word) => [word, status] as const),
  ),
);

/**
 * Reads status words. A word that is not understood is named in the log, once.
 *
 * @example
 * createStatusReader({ 'in review': 'processing' }, log)('IN_REVIEW'); // 'processing'
 */
export function createStatusReader(own: StatusWords = {}, log: Log): (word: string) => JobStatus {
  const known = new Map([
    ...commonWords,
    ...Object.entries(own).map(([word, status]) => [plain(word), status] as const),
  ]);
  const unknown = new Set<string>();
  return (word) => {
    const status = known.get(plain(word)) ?? known.get(plain(word).replace(PREFIX, ''));
    if (status) return status;
    // A word of a status holds no secret, but what stands in its place may: only a short plain word is named.
    const named = /^[\w -]{1,40}$/.test(word) ? word : '';
    if (!unknown.has(named)) log({ type: 'status.unknown', word: named });
    unknown.add(named);
    return 'processing';
  };
}
