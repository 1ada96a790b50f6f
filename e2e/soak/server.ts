/*
 * The server of a soak: a process of its own, as servers are. It sets itself up for trouble, tells where it is, and answers
 * questions of its parent until that lets go.
 */
import { seededRandom } from 'assessment-monitor/testing';
import { type JobSummary, type ServerCounts, startBackend } from '@assessment-monitor/backend';
import { mixedFaults, REFRESH_INTERVAL_MS, SHORTEST_JOB_MS, startIncidents, TOKEN_TTL_MS } from './fault-mix.ts';

/** What the server has to say about a soak. */
export interface ServerReport {
  jobs: JobSummary[];
  counts: ServerCounts;
  /** Faults and incidents, by name. */
  faults: Record<string, number>;
  open: { sockets: number; requests: number };
  /** Of each token that was sent after its end: how late. */
  lateTokens: string[];
}

const seed = Number(process.argv[2] ?? 1);
const backend = await startBackend({
  seed,
  accessTokenTtlMs: TOKEN_TTL_MS,
  refreshIntervalMs: REFRESH_INTERVAL_MS,
  jobDurationMs: SHORTEST_JOB_MS,
  initialBalance: 1_000_000,
  faults: mixedFaults,
});
const lateTokens: string[] = [];
backend.onLog(({ text, at }) => {
  if (text.endsWith('after its end')) lateTokens.push(`${new Date(at).toISOString()} ${text}`);
});
const incidents = startIncidents(backend, seededRandom(seed + 1));

process.on('message', () => {
  const faults = { ...backend.faultsInjected(), ...incidents.happened() };
  const report: ServerReport = {
    jobs: backend.jobs(),
    counts: backend.counts(),
    faults,
    open: backend.openConnections(),
    lateTokens,
  };
  process.send?.(report);
});
process.on('disconnect', () => {
  incidents.stop();
  void backend.close();
});
process.send?.(backend.url);
