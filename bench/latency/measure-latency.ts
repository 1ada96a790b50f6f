import { setImmediate } from 'node:timers/promises';
import { type AssessmentClient, createAssessmentClient } from 'assessment-monitor';
import { io } from 'socket.io-client';
import { sampleAnswers } from '../../demo/sample-answers.ts';
import { type LatencyServer, now, startServer } from './server.ts';

/*
 * From done on the server to the result in hand, over loopback with real sockets: ours beside a bare script that does nothing
 * but wait for the event and GET the result. The two take turns on one backend, so that what disturbs one disturbs the other.
 */

export interface LatencyReport {
  rounds: number;
  /** Median and 95th percentile, ms. */
  bare: { median: number; p95: number };
  ours: { median: number; p95: number };
  /** ours / bare, of the medians: what to look at. Milliseconds differ between machines. */
  ratio: number;
}

export async function measureLatency(rounds: number): Promise<LatencyReport> {
  const backend = await startServer({
    accessTokenTtlMs: 3_600_000,
    jobDurationMs: 3_600_000,
    initialBalance: 10 * rounds + 10,
  });
  const session = await signIn(backend);
  // One client for all rounds, as a page has. The distance between status calls is not what is measured here.
  const client = createAssessmentClient({ baseUrl: backend.url, timings: { minDistanceMs: 0 } });
  client.signedIn(session);
  const bare: number[] = [];
  const ours: number[] = [];
  // The first rounds warm both up and are not counted: what is measured is a page that has been open for a while.
  const warmUp = 100;
  for (let round = 0; round < rounds + warmUp; round += 1) {
    const samples = [await bareRound(backend, session.accessToken), await ourRound(backend, client)] as const;
    if (round < warmUp) continue;
    bare.push(samples[0]);
    ours.push(samples[1]);
  }
  client.dispose();
  await backend.close();
  const report = { rounds, bare: summary(bare), ours: summary(ours) };
  return { ...report, ratio: report.ours.median / report.bare.median };
}

interface SignedIn {
  accessToken: string;
  expiresIn: string;
}

async function signIn(backend: LatencyServer): Promise<SignedIn> {
  const response = await post(`${backend.url}/api/auth/v2/login`, {
    email: 'user@example.test',
    password: 'correct-horse',
  });
  const { data } = (await response.json()) as { data: { idToken: string; expiresIn: string } };
  return { accessToken: data.idToken, expiresIn: data.expiresIn };
}

const post = (url: string, body: unknown, headers: Record<string, string> = {}) =>
  fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });

/** The least that anybody could do. */
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

/** The backend shares this process: what it still has to do for the last call is not to be measured with the next. */
const atRest = async () => {
  await setImmediate();
  await setImmediate();
};

function summary(samples: number[]): { median: number; p95: number } {
  const sorted = samples.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { median: at(0.5), p95: at(0.95) };
}
