import type { ServerCounts, ServerLogEntry, VisitCounts } from './counts.ts';
import type { JobStatus } from './jobs.ts';
import type { BackendOptions } from './options.ts';

/** A job as tests see it. */
export interface JobSummary {
  jobId: string;
  resultId: string;
  userId: string;
  name: string;
  status: JobStatus;
  /** ms since the epoch */
  acceptedAt: number;
  endedAt: number | null;
}

/** The reference backend, running. */
export interface Backend {
  /** `http://localhost:PORT`: by this name Chromium keeps Secure cookies without TLS. */
  readonly url: string;
  readonly options: Readonly<BackendOptions>;
  /** A copy of what the server has seen so far. */
  counts(): ServerCounts;
  /** What it has seen of the requests with this `X-Visit`. */
  visit(name: string): VisitCounts;
  log(): readonly ServerLogEntry[];
  onLog(listener: (entry: ServerLogEntry) => void): () => void;
  /** Changes its behaviour while it runs. */
  configure(change: Partial<Omit<BackendOptions, 'port'>>): void;
  /** Ends the life of every access token early, before its announced expiry. */
  endTokens(): void;
  /** Ends every session: refresh tokens are rejected, access tokens too. */
  revokeSessions(): void;
  /** Breaks every socket, as a network does. */
  dropSockets(): void;
  /** Closes every socket, as a server does that shuts down. */
  closeSockets(): void;
  /** Disconnects every socket, as a server does. */
  kickSockets(): void;
  /** The service restarts: connections break, and the status route forgets the jobs. The work itself continues elsewhere. */
  restart(): void;
  /** The sweeper takes all running jobs for stuck: failed in the archive, credit back, and no event. */
  sweepJobs(): void;
  /** Ends all running jobs now. Default `completed`. */
  finishJobs(outcome?: 'completed' | 'failed'): void;
  jobs(): JobSummary[];
  /** How often each fault has hit, by name. */
  faultsInjected(): Record<string, number>;
  /** What is open now, seen from the server. */
  openConnections(): { sockets: number; requests: number };
  close(): Promise<void>;
}
