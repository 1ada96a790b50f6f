import { act, render } from '@testing-library/react';
import {
  type Assessment,
  type AssessmentClient,
  type AssessmentClientOptions,
  createAssessmentClient,
} from 'assessment-monitor';
import { AssessmentProvider } from 'assessment-monitor/react';
import type { ReactElement, ReactNode } from 'react';
import { memoryStore } from '../../../src/lib/storage.ts';
import { fakeSocketIo } from '../../support/fake-socket-io.ts';
import { settle, virtualClock } from '../../../src/testing/virtual-clock.ts';
import type { Answers, Report } from './page.tsx';

/*
 * A client between fakes, for tests of components: the test decides what the network answers, and time moves only when a test
 * advances it.
 */

type Route = 'submit' | 'status' | 'result' | 'balance' | 'other';
type Client = AssessmentClient<Answers, Report>;

export interface World {
  /** The client of the current page; `reload` replaces it. */
  readonly client: Client;
  readonly clock: ReturnType<typeof virtualClock>;
  /** Calls that the server has seen. */
  readonly calls: Record<Route, number>;
  readonly socketsOpened: number;
  /** Answers of the server that replace the usual ones. */
  readonly faults: Partial<Record<Route, () => Response | Promise<Response>>>;
  /** Resolves when all pending promise callbacks have run and the condition holds. */
  until(condition: () => boolean): Promise<void>;
  /** Runs an action within `act` and waits until the condition holds. */
  happens(what: () => void, condition?: () => boolean): Promise<void>;
  /** Connects the socket and waits until every assessment is monitored over it. */
  goLive(): Promise<void>;
  /** Fires the server's event synchronously. Call it within `act`. */
  progress(percent: number, jobId?: string): void;
  complete(jobId?: string): void;
  /** Replaces the client, as a reload of the page does. The test must render again. */
  reload(): Client;
}

const report: Report = { archetype: 'The Explorer' };
const resultOf = (jobId: string) => jobId.replace('job', 'result');

export function openWorld(options: Partial<AssessmentClientOptions<Report>> = {}): World {
  const clock = virtualClock();
  const socketIo = fakeSocketIo();
  const storage = memoryStore();
  const tokenStorage = memoryStore();
  const calls = { submit: 0, status: 0, result: 0, balance: 0, other: 0 };
  const faults: World['faults'] = {};
  const completed = new Set<string>();
  let jobs = 0;
  let ids = 0;

  const answers: Record<Route, (path: string) => object> = {
    submit: () => ({ jobId: `job-${++jobs}`, resultId: `result-${jobs}`, remainingTokens: 5 - jobs }),
    status: (path) => ({ status: completed.has(path.split('/').at(-1) ?? '') ? 'completed' : 'processing' }),
    result: () => ({ test_result: report }),
    balance: () => ({ token_balance: 5 - jobs }),
    other: () => ({}),
  };
  const serve: typeof fetch = async (input) => {
    const { pathname } = new URL(String(input));
    const route = routeOf(pathname);
    calls[route] += 1;
    return (await faults[route]?.()) ?? Response.json({ success: true, data: answers[route](pathname) });
  };
  const openPage = (): Client =>
    createAssessmentClient<Answers, Report>({
      baseUrl: 'https://api.example.test',
      clock,
      storage,
      tokenStorage,
      random: () => 0,
      createId: () => `assessment-${++ids}`,
      fetch: serve,
      loadSocketIo: socketIo.load,
      timings: { minDistanceMs: 0, settlingMs: 0, failureConfirmationMs: 0 },
      ...options,
    });
  let client = openPage();
  client.signedIn({ accessToken: 'a-token', expiresIn: 3_600 });

  const waitUntil = async (condition: () => boolean, wait: () => Promise<void>): Promise<void> => {
    await wait();
    for (let turn = 0; !condition(); turn += 1) {
      if (turn === 1_000) throw new Error(`still not true after 1,000 turns: ${condition.toString()}`);
      await wait();
    }
  };
  const until: World['until'] = (condition) => waitUntil(condition, settle);
  const happens: World['happens'] = async (what, condition = () => true) => {
    await act(async () => what());
    // One `act` per turn: React commits when an `act` ends.
    await waitUntil(condition, () => act(settle));
  };
  return {
    get client() {
      return client;
    },
    clock,
    calls,
    faults,
    get socketsOpened() {
      return socketIo.sockets.length;
    },
    until,
    happens,
    async goLive() {
      await happens(
        () => {},
        () => socketIo.sockets.length > 0,
      );
      await happens(
        () => socketIo.socket.goLive(),
        () => client.getSnapshot().assessments.every(isWatched),
      );
    },
    progress: (percent, jobId = 'job-1') =>
      socketIo.socket.fire('analysis-started', { jobId, resultId: resultOf(jobId), progress: percent }),
    complete(jobId = 'job-1') {
      completed.add(jobId);
      socketIo.socket.fire('analysis-complete', { jobId, resultId: resultOf(jobId) });
    },
    reload() {
      client.dispose();
      client = openPage();
      return client;
    },
  };
}

const isWatched = ({ actor }: Assessment) => {
  const snapshot = actor.getSnapshot();
  return snapshot.status === 'done' || snapshot.matches({ active: { 'ws-monitoring': 'listening' } });
};

function routeOf(path: string): Route {
  if (path.endsWith('/submit')) return 'submit';
  if (path.includes('/status/')) return 'status';
  if (path.includes('/results/')) return 'result';
  return path.endsWith('/token-balance') ? 'balance' : 'other';
}

/** Renders under a provider of this client. */
export const renderWith = (client: Client, ui: ReactElement) =>
  render(ui, {
    wrapper: ({ children }: { children: ReactNode }) => (
      <AssessmentProvider client={client}>{children}</AssessmentProvider>
    ),
  });
