import { act, render } from '@testing-library/react';
import type { Assessment, AssessmentClient, AssessmentClientOptions } from 'assessment-monitor';
import { AssessmentProvider } from 'assessment-monitor/react';
import type { ReactElement, ReactNode } from 'react';
import { memoryStore } from '../../../src/lib/storage.ts';
import { settle } from '../../../src/testing/virtual-clock.ts';
import {
  accepted,
  type Answerer,
  ok,
  openScriptedWorld,
  type Route,
  type Script,
  type ScriptedWorld,
} from '../../support/scripted-world.ts';
import type { Answers, Report } from './page.tsx';

/* A scripted world for tests of components, whose job ends when the test says so. */

type Client = AssessmentClient<Answers, Report>;

export interface World extends Pick<ScriptedWorld, 'clock' | 'calls' | 'count' | 'sockets'> {
  /** The client of the current page; `reload` replaces it. */
  readonly client: Client;
  /** Answers of the server that replace the usual ones. */
  readonly faults: Script;
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
  const faults: Script = {};
  const completed = new Set<string>();
  let jobs = 0;
  let ids = 0;
  const unlessFaulty =
    (route: Route, usual: Answerer): Answerer =>
    (call) =>
      (faults[route] ?? usual)(call);
  const script: Script = {
    submit: unlessFaulty('submit', () => {
      jobs += 1;
      return accepted({ jobId: `job-${jobs}`, resultId: `result-${jobs}`, remainingTokens: 5 - jobs });
    }),
    status: unlessFaulty('status', ({ id }) => ok({ status: completed.has(id) ? 'completed' : 'processing' })),
    // The archive knows no more than the status route.
    job: unlessFaulty('job', () => ok({})),
    result: unlessFaulty('result', () => ok({ test_result: report })),
    balance: unlessFaulty('balance', () => ok({ token_balance: 5 - jobs })),
  };
  const {
    clock,
    calls,
    count,
    sockets,
    openTab,
    client: firstClient,
  } = openScriptedWorld<Answers, Report>(script, {
    storage: memoryStore(),
    tokenStorage: memoryStore(),
    random: () => 0,
    createId: () => `assessment-${++ids}`,
    timings: { minDistanceMs: 0, settlingMs: 0, failureConfirmationMs: 0 },
    ...options,
  });
  let client = firstClient;
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
    count,
    sockets,
    faults,
    until,
    happens,
    async goLive() {
      await happens(
        () => {},
        () => sockets.sockets.length > 0,
      );
      await happens(
        () => sockets.socket.goLive(),
        () => client.getSnapshot().assessments.every(isWatched),
      );
    },
    progress: (percent, jobId = 'job-1') =>
      sockets.socket.fire('analysis-started', { jobId, resultId: resultOf(jobId), progress: percent }),
    complete(jobId = 'job-1') {
      completed.add(jobId);
      sockets.socket.fire('analysis-complete', { jobId, resultId: resultOf(jobId) });
    },
    reload() {
      client.dispose();
      client = openTab();
      return client;
    },
  };
}

const isWatched = ({ actor }: Assessment) => {
  const snapshot = actor.getSnapshot();
  return snapshot.status === 'done' || snapshot.matches({ active: { 'ws-monitoring': 'listening' } });
};

/** Renders under a provider of this client. */
export const renderWith = (client: Client, ui: ReactElement) =>
  render(ui, {
    wrapper: ({ children }: { children: ReactNode }) => (
      <AssessmentProvider client={client}>{children}</AssessmentProvider>
    ),
  });
