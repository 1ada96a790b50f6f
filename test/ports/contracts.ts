import {
  type AssessmentClient,
  type AssessmentClientOptions,
  createAssessmentClient,
  memoryStore,
  type TokenSource,
} from 'assessment-monitor';
import { aip151, oauth2Refresh, restOperations, sse, webSocket } from 'assessment-monitor/adapters';
import { WebSocket } from 'ws';
import { startBackend } from '../../backend/index.ts';
import { sampleAnswers } from '../../demo/sample-answers.ts';
import { cookieFetch } from '../../e2e/scenarios/cookie-fetch.ts';
import { fastClock } from '../support/fast-clock.ts';
import { type ForeignServer, startForeignServer } from '../support/foreign-server.ts';

/*
 * Three contracts over real servers, as the stories see them: the same levers, and the same counts by the server.
 */

/** What a server of any contract can be made to do, and what it has seen. */
export interface Contract {
  readonly answers: object;
  /** Another page of the same browser. */
  openPage(): AssessmentClient<object, object>;
  signIn(client: AssessmentClient<object, object>): Promise<void>;
  endTokens(): void;
  /** How refreshes are answered from now on. `refused` ends the session. */
  setRefresh(how: 'granted' | 'limited' | 'refused'): void;
  setDown(isDown: boolean): void;
  setFeed(hasFeed: boolean): void;
  setResults(areThere: boolean): void;
  finishJobs(how?: 'done' | 'failed'): void;
  dropFeeds(): void;
  seen(): { jobs: number; polls: number; results: number; refreshes: number; refused: number; feeds: number };
  /** Requests and feeds that are open. */
  open(): number;
  close(): Promise<void>;
}

const TIMES = 40;
/** What one browser has: storage, channel, and a clock that is fast. Bounds of calls are long, as the machine may be busy. */
function openBrowser(): Partial<AssessmentClientOptions<object, object>> {
  const storage = memoryStore();
  const name = crypto.randomUUID();
  return {
    clock: fastClock(TIMES),
    storage,
    locks: null,
    channel: (it) => new BroadcastChannel(`${name} ${it}`),
    timings: {
      connectTimeoutMs: 400_000,
      refreshTimeoutMs: 400_000,
      timeouts: { submit: 400_000, status: 400_000, result: 400_000, balance: 400_000 },
    },
  };
}

/** The default contract, on the reference backend. */
async function openDefault(): Promise<Contract> {
  const patient = { accessTokenTtlMs: 36_000_000, jobDurationMs: 36_000_000, refreshIntervalMs: 1_000 };
  const backend = await startBackend({ ...patient, initialBalance: 50 });
  const fetch = cookieFetch();
  const browser = openBrowser();
  const faults = new Map<string, NonNullable<Parameters<typeof backend.configure>[0]['faults']>[number]>();
  const setFault = (
    name: string,
    fault: NonNullable<Parameters<typeof backend.configure>[0]['faults']>[number] | null,
  ) => {
    if (fault) faults.set(name, fault);
    else faults.delete(name);
    backend.configure({ faults: [...faults.values()] });
  };
  return {
    answers: sampleAnswers,
    openPage: () => createAssessmentClient<object, object>({ ...browser, baseUrl: backend.url, fetch }),
    async signIn(client) {
      setFault('refresh', null);
      const response = await fetch(`${backend.url}/api/auth/v2/login`, {
        method: 'POST',
        credentials: 'include',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ email: 'user@example.test', password: 'correct-horse' }),
      });
      const { data } = (await response.json()) as { data: { idToken: string; expiresIn: string } };
      client.signedIn({ accessToken: data.idToken, expiresIn: data.expiresIn, userId: 'user-1' });
    },
    endTokens: backend.endTokens,
    setRefresh(how) {
      if (how === 'refused') backend.revokeSessions();
      setFault(
        'refresh',
        how === 'limited' ? { route: 'refresh', kind: 'status', status: 429, retryAfter: '1' } : null,
      );
    },
    setDown(isDown) {
      setFault('down', isDown ? { route: 'any', kind: 'status', status: 503 } : null);
      backend.configure({ sockets: isDown ? 'refuse' : 'accept' });
      if (isDown) backend.dropSockets();
    },
    setFeed: (hasFeed) => backend.configure({ sockets: hasFeed ? 'accept' : 'refuse' }),
    setResults: (areThere) =>
      setFault('results', areThere ? null : { route: 'result', kind: 'status', status: 404, body: NO_RESULT }),
    finishJobs: (how = 'done') => backend.finishJobs(how === 'done' ? 'completed' : 'failed'),
    dropFeeds: backend.dropSockets,
    seen() {
      const it = backend.counts();
      return {
        jobs: it.submissionsAccepted,
        polls: it.statusCalls,
        results: it.resultCalls,
        refreshes: it.refreshCalls,
        refused: it.unauthorizedAnswers,
        feeds: it.socketsAuthenticated,
      };
    },
    open: () => backend.openConnections().sockets + backend.openConnections().requests,
    close: backend.close,
  };
}
const NO_RESULT = JSON.stringify({ success: false, error: { code: 'NOT_FOUND', message: 'Not found' } });

/** What the two foreign contracts have in common. */
const levers = (server: ForeignServer) => ({
  answers: { name: 'An example' },
  endTokens: server.endTokens,
  setRefresh(how: 'granted' | 'limited' | 'refused') {
    if (how === 'refused') server.endSessions();
    server.mood.refresh = how === 'limited' ? 'limited' : 'granted';
  },
  setDown(isDown: boolean) {
    server.mood.isDown = isDown;
    if (isDown) server.dropFeeds();
  },
  setFeed: (hasFeed: boolean) => void (server.mood.hasFeed = hasFeed),
  setResults: (areThere: boolean) => void (server.mood.hasResults = areThere),
  finishJobs: server.finishJobs,
  dropFeeds: server.dropFeeds,
  seen: () => ({ ...server.seen, refused: server.seen.refusedTokens }),
  open: server.open,
  close: server.close,
});

/** 202 with Location, a refresh by OAuth 2, and events over SSE. */
async function openRest(): Promise<Contract> {
  const server = await startForeignServer('rest', { tokenTtlMs: 36_000_000 });
  const browser = openBrowser();
  return {
    ...levers(server),
    openPage: () =>
      createAssessmentClient<object, object>({
        ...browser,
        baseUrl: server.url,
        api: restOperations({ submit: '/v1/analyses', operation: '/v1/operations/:id' }),
        auth: { refresh: oauth2Refresh({ tokenEndpoint: `${server.url}/oauth2/token`, clientId: 'web' }) },
        feed: sse({
          url: `${server.url}/events`,
          toMessage(data, { event }) {
            const { job } = data as { job: string };
            if (event === 'done') return { type: 'job.completed', jobId: job, resultId: null };
            return event === 'failed' ? { type: 'job.failed', jobId: job, resultId: null, message: '' } : null;
          },
        }),
      }),
    signIn: async (client) => client.signedIn({ ...server.signIn(), userId: 'user-1' }),
  };
}

/** Google's long-running operations, tokens from an SDK, and events over a WebSocket. */
async function openAip151(): Promise<Contract> {
  const server = await startForeignServer('aip151', { tokenTtlMs: 36_000_000 });
  const browser = openBrowser();
  const sdk = openSdk(server);
  return {
    ...levers(server),
    openPage: () =>
      createAssessmentClient<object, object>({
        ...browser,
        baseUrl: server.url,
        api: aip151({ submit: '/v1/assessments:analyze' }),
        auth: { source: sdk },
        feed: webSocket({
          url: server.url.replace('http', 'ws'),
          WebSocket,
          firstMessage: (token) => ({ type: 'auth', token }),
          takesNewerTokens: true,
          toNews(data) {
            const { type, job } = data as { type: string; job: string };
            if (type === 'welcome') return 'accepted';
            if (type === 'denied') return 'refused';
            if (type === 'done') return { type: 'job.completed', jobId: job, resultId: null };
            return type === 'failed' ? { type: 'job.failed', jobId: job, resultId: null, message: '' } : null;
          },
        }),
      }),
    signIn: async () => sdk.signIn(),
  };
}

/** An SDK that looks after its tokens, as its pages share it. */
function openSdk(server: ForeignServer): TokenSource & { signIn(): void } {
  let session: string | null = null;
  let cached: string | null = null;
  const listeners = new Set<() => void>();
  const change = (next: string | null): void => {
    session = next;
    cached = null;
    for (const listener of listeners) listener();
  };
  return {
    signIn: () => change(server.signIn().refreshToken),
    async getToken({ fresh }) {
      if (session === null || (cached !== null && !fresh)) return cached;
      const response = await fetch(`${server.url}/sdk/token`, { method: 'POST', body: session });
      if (response.status === 403) change(null);
      else if (!response.ok) throw Object.assign(new Error('no token'), { status: response.status });
      else cached = ((await response.json()) as { accessToken: string }).accessToken;
      return cached;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

export const contracts: readonly [name: string, open: () => Promise<Contract>][] = [
  ['the default contract', openDefault],
  ['202 with Location, OAuth 2 and SSE', openRest],
  ['AIP-151, an SDK and a WebSocket', openAip151],
];
