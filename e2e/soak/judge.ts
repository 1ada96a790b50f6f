import type { ServerReport } from './server.ts';
import type { Told } from './user.ts';

export interface SoakReport {
  jobs: number;
  /** Jobs that ended on the server, whichever way. */
  finished: number;
  /** … and their users were shown exactly that, once, with their own result. */
  shown: number;
  /** Assessments that ended without their user being shown how. */
  lost: number;
  /** Shown as completed more than once. */
  doubled: number;
  submittedTwice: number;
  invalidTokenShown: number;
  /** Sent past the life that was announced with the token. One that the server ended early does not count: no client could know. */
  requestsWithExpiredToken: number;
  leftOpen: { timers: number; sockets: number; requests: number };
  /** Live heap at the end against the one after warm-up, minus one, both at rest with the pages open; null without `--expose-gc`. */
  heapGrowth: number | null;
  seconds: number;
  seed: number;
  /** How often each of them hit. */
  faults: Record<string, number>;
  /** What went wrong, in a word each: the first few. */
  complaints: string[];
  ok: boolean;
}

/** What was noted about sending the answers. */
const notesOf = ({ sending }: Told): string => new TextDecoder().decode(sending);

/** The most that the heap may grow from the end of the warm-up to the end. */
const MAX_HEAP_GROWTH = 0.1;

/** Holds what the server saw against what the users were shown. */
export function judge({
  jobs,
  seed,
  told,
  report,
  leftOpen,
  heapGrowth,
  seconds,
}: {
  jobs: number;
  seed: number;
  told: readonly Told[];
  report: ServerReport;
  leftOpen: SoakReport['leftOpen'];
  heapGrowth: number | null;
  seconds: number;
}): SoakReport {
  const byName = new Map(report.jobs.map((job) => [job.name, job]));
  const complaints: string[] = [];
  const isShown = (it: Told): boolean => {
    const job = byName.get(it.name);
    const isRight =
      job?.status === 'completed'
        ? it.phase === 'completed' && it.jobId === job.jobId && it.isOwnResult
        : job?.status === 'failed' && it.phase === 'failed' && it.jobId === job.jobId && it.code === 'job-failed';
    if (!isRight)
      complaints.push(
        `${it.name}: ${job?.status ?? 'unknown'} on the server, ${JSON.stringify({ ...it, sending: notesOf(it) })}`,
      );
    return isRight;
  };
  const shown = told.filter(isShown).length;
  for (const its of told) {
    const { name } = its;
    const accepted = report.jobs.filter((job) => job.name === name);
    if (accepted.length < 2) continue;
    const times = accepted.map(({ acceptedAt }) => new Date(acceptedAt).toISOString().slice(14, 23));
    complaints.push(`${name}: accepted at ${times.join(' and ')}, ${notesOf(its)}`);
  }
  const sum = (count: (it: Told) => number) => told.reduce((total, it) => total + count(it), 0);
  const figures = {
    lost: jobs - shown,
    doubled: told.filter(({ completions }) => completions > 1).length,
    submittedTwice: report.jobs.length - byName.size,
    invalidTokenShown: sum(({ invalidToken }) => invalidToken),
    requestsWithExpiredToken: report.counts.requestsWithExpiredToken,
  };
  return {
    jobs,
    finished: report.jobs.filter(({ endedAt }) => endedAt !== null).length,
    shown,
    ...figures,
    leftOpen,
    heapGrowth,
    seconds,
    seed,
    faults: report.faults,
    complaints: [...report.lateTokens, ...complaints].slice(0, 10),
    ok:
      [...Object.values(figures), ...Object.values(leftOpen)].every((count) => count === 0) &&
      (heapGrowth === null || heapGrowth < MAX_HEAP_GROWTH),
  };
}
