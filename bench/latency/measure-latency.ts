import { setImmediate } from 'node:timers/promises';
import { type AssessmentClient, createAssessmentClient } from 'assessment-monitor';
import { io } from 'socket.io-client';
import { sampleAnswers } from '@assessment-monitor/demo/sample-answers';
import { assembled } from '../contestants/assembled.ts';
import type { Contestant, SignedIn } from '../contestants/contestant.ts';
import { openLoopbackPage } from './loopback-page.ts';
import { measurePollers, type Pollers } from './measure-pollers.ts';
import { type LatencyServer, now, startServer } from './server.ts';

/*
 * From done on the server to the result in hand, over loopback with real sockets: ours beside a bare script that does nothing
 * but wait for the event and GET the result. They take turns on one backend, so that what disturbs one disturbs the other.
 */

interface Times {
  /** ms */
  median: number;
  p95: number;
}

export interface LatencyReport {
  rounds: number;
  bare: Times;
  ours: Times;
  /** ours / bare, of the medians: what to look at. Milliseconds differ between machines. */
  ratio: number;
  /** The other one that an event wakes. */
  assembled: Times;
  /** Those who find out by asking; ours where sockets are blocked. */
  pollers: Pollers;
}

/** A page that has been open for a while: the compiler has seen everybody's code. */
const WARM_UP = 1_000;

export async function measureLatency(rounds: number): Promise<LatencyReport> {
  const backend = await startServer({
    accessTokenTtlMs: 3_600_000,
    jobDurationMs: 3_600_000,
    initialBalance: 1_000_000,
  });
  const session = await signIn(backend);
  // One client for all rounds, as a page has. The distance between status calls is not what is measured here.
  const client = createAssessmentClient({ baseUrl: backend.url, timings: { minDistanceMs: 0 } });
  client.signedIn({ accessToken: session.accessToken, expiresIn: session.lifeMs / 1_000 });
  const times = { bare: [] as number[], ours: [] as number[], assembled: [] as number[] };
  for (let round = -WARM_UP; round < rounds; round += 1) {
    const bare = await bareRound(backend, session.accessToken);
    const ours = await ourRound(backend, client);
    if (round < 0) continue;
    times.bare.push(bare);
    times.ours.push(ours);
    times.assembled.push(await contestantRound(backend, assembled, session));
  }
  client.dispose();
  const pollers = await measurePollers(backend, session);
  await backend.close();
  const [bare, ours] = [summary(times.bare), summary(times.ours)];
  return { rounds, bare, ours, ratio: ours.median / bare.median, assembled: summary(times.assembled), pollers };
}

async function signIn(backend: LatencyServer): Promise<SignedIn> {
  const response = await post(`${backend.url}/api/auth/v2/login`, {
    email: 'user@example.test',
    password: 'correct-horse',
  });
  const { data } = (await response.json()) as { data: { idToken: string; expiresIn: string } };
  return { accessToken: data.idToken, issuedAt: Date.now(), lifeMs: Number(data.expiresIn) * 1_000 };
}

const post = (url: string, body: unknown, headers: Record<string, string> = {}) =>
  fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });

/** The minimum: the lower bound for every contestant. */
async function bareRound(backend: LatencyServer, accessToken: string): Promise<number> {
  const headers = { Authorization: `Bearer ${accessToken}` };
  const socket = io(backend.url, { transports: ['websocket'], forceNew: true });
  await new Promise<void>((resolve) => {
    socket.on('connect', () => socket.emit('authenticate', { token: accessToken }));
    socket.on('authenticated', () => resolve());
  });
  const accepted = (await (await post(`${backend.url}/api/assessment/submit`, sampleAnswers, headers)).json()) as {
    data: { jobId: string; resultId: string };
  };
  const done = new Promise<number>((resolve) => {
    socket.on('analysis-complete', async () => {
      const response = await fetch(`${backend.url}/api/archive/results/${accepted.data.resultId}`, { headers });
      await response.json();
      resolve(now());
    });
  });
  await atRest();
  const finished = backend.finishJobs();
  const endedAt = await done;
  socket.disconnect();
  return endedAt - (await finished);
}

async function ourRound(backend: LatencyServer, client: AssessmentClient): Promise<number> {
  const assessment = client.submit(sampleAnswers);
  const isListening = () => assessment.actor.getSnapshot().matches({ active: { 'ws-monitoring': 'listening' } });
  await new Promise<void>((resolve) => {
    const { unsubscribe } = assessment.actor.subscribe(() => {
      if (!isListening()) return;
      unsubscribe();
      resolve();
    });
  });
  await atRest();
  const finished = backend.finishJobs();
  await assessment.settled();
  const endedAt = now();
  client.dismiss(assessment.id);
  return endedAt - (await finished);
}

async function contestantRound(backend: LatencyServer, contestant: Contestant, session: SignedIn): Promise<number> {
  const page = openLoopbackPage(backend.url);
  const shown = new Promise<number>((resolve) => {
    const app = contestant.open(page, ({ phase }) => phase === 'result' && resolve(now()));
    app.signedIn(session);
    app.submit();
  });
  await page.listening();
  await atRest();
  const finished = backend.finishJobs();
  const endedAt = await shown;
  page.close();
  return endedAt - (await finished);
}

/** What is still to be done for the last call is not to be measured with the next. */
const atRest = async () => {
  await setImmediate();
  await setImmediate();
};

function summary(samples: number[]): Times {
  const sorted = samples.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { median: at(0.5), p95: at(0.95) };
}
