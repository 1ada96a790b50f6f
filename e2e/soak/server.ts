/*
 * The servers of a soak: a process of their own, as servers are. They set themselves up for trouble, tell where they are, and answer
 * questions of their parent until that lets go.
 */
import { seededRandom } from 'assessment-monitor/testing';
import { type JobSummary, type ServerCounts, startBackend } from '@assessment-monitor/backend';
import { noCounts } from '@assessment-monitor/backend/counts';
import { optionsOf, serverKinds, startIncidents } from './fault-mix.ts';

/** Where a user of this server finds it, and how refresh tokens travel there. */
export interface ServerAddress {
  url: string;
  refreshTransport: 'cookie' | 'body';
}

/** What the servers have to say about a soak, all of them together. */
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
const lateTokens: string[] = [];
const servers = await Promise.all(
  serverKinds.map(async (kind, index) => {
    const backend = await startBackend({ ...optionsOf(kind), seed: seed + index });
    backend.onLog(({ text, at }) => {
      if (text.endsWith('after its end')) lateTokens.push(`${new Date(at).toISOString()} ${text}`);
    });
    return { backend, incidents: startIncidents(backend, kind, seededRandom(seed * 10 + index)) };
  }),
);

/** Adds numbers up, name by name. */
function sum<T extends object>(into: T, rows: readonly object[]): T {
  const total = { ...into } as Record<string, number>;
  for (const row of rows) for (const [name, value] of Object.entries(row)) total[name] = (total[name] ?? 0) + value;
  return total as T;
}

process.on('message', () => {
  const backends = servers.map(({ backend }) => backend);
  const report: ServerReport = {
    jobs: backends.flatMap((it) => it.jobs()),
    counts: sum(
      noCounts(),
      backends.map((it) => it.counts()),
    ),
    faults: sum(
      {},
      servers.flatMap(({ backend, incidents }) => [backend.faultsInjected(), incidents.happened()]),
    ),
    open: sum(
      { sockets: 0, requests: 0 },
      backends.map((it) => it.openConnections()),
    ),
    lateTokens,
  };
  process.send?.(report);
});
process.on('disconnect', () => {
  for (const { backend, incidents } of servers) {
    incidents.stop();
    void backend.close();
  }
});
process.send?.(
  servers.map(({ backend: { url, options } }): ServerAddress => ({ url, refreshTransport: options.refreshTransport })),
);
