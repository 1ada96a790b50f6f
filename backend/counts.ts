import type { RouteName } from './options.ts';

/** What the server saw. Tests believe these numbers, and not the client's. */
export interface ServerCounts {
  /** Jobs that were created. */
  submissionsAccepted: number;
  /** Submissions that were recognised by their idempotency key and answered from memory. */
  submissionReplays: number;
  submitCalls: number;
  statusCalls: number;
  resultCalls: number;
  jobCalls: number;
  jobsCalls: number;
  balanceCalls: number;
  logins: number;
  refreshCalls: number;
  /** Refreshes that were granted. */
  refreshes: number;
  /** … answered 429. */
  refreshesLimited: number;
  /** … answered 401. */
  refreshesRejected: number;
  /** Refresh tokens that were presented a second time: each of them ended a session. */
  reuseDetections: number;
  /** Requests and socket authentications with a token past its announced expiry. */
  requestsWithExpiredToken: number;
  /** 401 answers of protected routes. */
  unauthorizedAnswers: number;
  socketsOpened: number;
  socketsAuthenticated: number;
  /** `auth_error` answers. */
  socketsRefused: number;
  /** The most refresh calls that were under way at one time. */
  maxConcurrentRefreshes: number;
}

export const noCounts = (): ServerCounts => ({
  submissionsAccepted: 0,
  submissionReplays: 0,
  submitCalls: 0,
  statusCalls: 0,
  resultCalls: 0,
  jobCalls: 0,
  jobsCalls: 0,
  balanceCalls: 0,
  logins: 0,
  refreshCalls: 0,
  refreshes: 0,
  refreshesLimited: 0,
  refreshesRejected: 0,
  reuseDetections: 0,
  requestsWithExpiredToken: 0,
  unauthorizedAnswers: 0,
  socketsOpened: 0,
  socketsAuthenticated: 0,
  socketsRefused: 0,
  maxConcurrentRefreshes: 0,
});

/** One thing that happened on the server, in plain words. Never holds a token, a name or an answer. */
export interface ServerLogEntry {
  /** ms since the epoch */
  at: number;
  kind: 'request' | 'socket' | 'job' | 'auth';
  text: string;
  route?: RouteName;
  status?: number;
  /** Of the token that was presented. */
  generation?: number;
}

const MAX_ENTRIES = 2_000;

/** The server's diary. */
export function createLog() {
  const entries: ServerLogEntry[] = [];
  const listeners = new Set<(entry: ServerLogEntry) => void>();
  return {
    entries: (): readonly ServerLogEntry[] => entries,
    write(entry: Omit<ServerLogEntry, 'at'>): void {
      const dated = { at: Date.now(), ...entry };
      entries.push(dated);
      if (entries.length > MAX_ENTRIES) entries.shift();
      for (const listener of listeners) listener(dated);
    },
    listen(listener: (entry: ServerLogEntry) => void): () => void {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

export type ServerLog = ReturnType<typeof createLog>;

/** What the server saw of one visitor: of the requests that carry the same `X-Visit`. */
export type VisitCounts = Pick<
  ServerCounts,
  'submissionsAccepted' | 'refreshes' | 'requestsWithExpiredToken' | 'unauthorizedAnswers'
>;

/** A request that was answered. */
interface Answered {
  route: RouteName;
  status: number;
  /** A submission that was recognised by its key. */
  isReplay: boolean;
  isExpired: boolean;
}

const MOST_VISITS = 1_000;
const noVisit: VisitCounts = {
  submissionsAccepted: 0,
  refreshes: 0,
  requestsWithExpiredToken: 0,
  unauthorizedAnswers: 0,
};

/** Counts by visitor, the latest ones, for a page that shows its own and not those of others. */
export function createVisits() {
  const visits = new Map<string, VisitCounts>();
  return {
    of: (visit: string): VisitCounts => visits.get(visit) ?? noVisit,
    note(visit: string | undefined, { route, status, isReplay, isExpired }: Answered): void {
      if (visit === undefined) return;
      const before = visits.get(visit) ?? noVisit;
      const isAccepted = route === 'submit' && status === 202 && !isReplay;
      const isRefused = status === 401 && !['login', 'v1Login', 'refresh'].includes(route);
      visits.delete(visit);
      visits.set(visit, {
        submissionsAccepted: before.submissionsAccepted + Number(isAccepted),
        refreshes: before.refreshes + Number(route === 'refresh' && status === 200),
        requestsWithExpiredToken: before.requestsWithExpiredToken + Number(isExpired),
        unauthorizedAnswers: before.unauthorizedAnswers + Number(isRefused),
      });
      const [oldest] = visits.keys();
      if (visits.size > MOST_VISITS && oldest !== undefined) visits.delete(oldest);
    },
  };
}

export type Visits = ReturnType<typeof createVisits>;
