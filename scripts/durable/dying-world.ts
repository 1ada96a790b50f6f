import { watchDurably, type WatchOutput } from '../../src/durable/index.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { seededRandom } from '../../src/testing/seeded-random.ts';
import { liveAndDie } from './dying-journal.ts';
import { flakyServer, type ServerPlan, type ServerSeen } from './flaky-server.ts';

const START = 1_800_000_000_000;
const LIMIT_MS = 300_000;
/** Few steps to a world: each of them costs a life, and each life replays all steps before it. */
const pacing = { pollMinMs: 20_000, pollMaxMs: 60_000 };
const DEADLINE_MS = 150_000;

/** What became of one world. */
export interface Verdict {
  seed: number;
  outcome: WatchOutput['outcome'];
  deaths: number;
  /** Empty where everything held. */
  wrong: string[];
}

// XState computes each pure transition with an actor that has no input, whose context throws: half of the time would write stack traces.
Error.stackTraceLimit = 0;

/** One watch in a world of its own, with a process that dies at each of its steps in turn. */
export async function dieInWorld(seed: number): Promise<Verdict> {
  const random = seededRandom(seed);
  const plan = anyPlan(random);
  const world = passingTime();
  const server = flakyServer(plan, random, world.clock);
  const submissionId = `submission-${seed}`;
  const isResumed = random() < 0.3;
  const jobId = isResumed ? server.accept(submissionId).jobId : null;
  const input = { submissionId, jobId, idempotent: plan.recognisesKeys, deadlineAt: START + DEADLINE_MS };

  const lives = await liveAndDie(
    (engine) => watchDurably(input, server.calls, engine, { limitMs: LIMIT_MS, pacing, clock: world.clock }),
    {
      now: world.clock.now,
      sleepUntil: world.sleepUntil,
      die() {
        server.loseToken();
        world.sleepUntil(world.clock.now() + Math.round(random() * 20_000));
      },
    },
  );
  const wrong = [
    ...lives.differences,
    ...judge(plan, server.seen, lives.output, { isResumed, now: world.clock.now() }),
  ];
  if (lives.stored.includes('SECRET')) wrong.push('the journal holds a token, a result or the words of the server');
  return { seed, outcome: lives.output.outcome, deaths: lives.deaths, wrong };
}

function anyPlan(random: () => number): ServerPlan {
  const dice = random();
  return {
    jobMs: Math.round(random() * 60_000),
    ends: dice < 0.7 ? 'completed' : dice < 0.9 ? 'failed' : 'never',
    refuses: random() < 0.08,
    recognisesKeys: random() < 0.8,
    // Each death loses the token.
    credentials: random() < 0.1 ? Math.round(random() * 6) : Number.POSITIVE_INFINITY,
    flakiness: random() < 0.5 ? 0 : random() * 0.4,
  };
}

/** What the server's own counts say about the end of the watch. */
function judge(
  plan: ServerPlan,
  seen: ServerSeen,
  output: WatchOutput,
  { isResumed, now }: { isResumed: boolean; now: number },
): string[] {
  const wrong: string[] = [];
  const claim = (isTrue: boolean, text: string): void => void (isTrue || wrong.push(text));
  const { outcome } = output;
  claim(seen.accepted <= 1, `${seen.accepted} acceptances`);
  claim(outcome !== 'cancelled', 'the watch says that the user cancelled');
  if (outcome === 'completed') {
    claim(seen.accepted === 1 && plan.ends === 'completed', 'completed, and the job did not complete');
    claim(seen.resultsServed > 0, 'completed, and the server served no result');
    claim(output.result.resultId === `result-of-${output.jobId}`, 'the result is of another job');
  }
  if (outcome === 'failed') {
    const isRefused = seen.refusals > 0 && seen.accepted === 0;
    claim(isRefused || (seen.accepted === 1 && plan.ends === 'failed'), 'failed, and the server did not say so');
  }
  if (outcome === 'auth-failed') claim(seen.credentialsRefused > 0, 'the credential is called refused, and it was not');
  if (outcome === 'unconfirmed') claim(!plan.recognisesKeys && !isResumed, 'unconfirmed, and a repetition was safe');
  if (outcome === 'timed-out') claim(now >= START + LIMIT_MS, 'timed out too early');
  // What the watch should have reached, given the time.
  // A flaky server may use up the time before the refusal is noted.
  const isLate = outcome === 'timed-out' && plan.flakiness > 0;
  if (seen.credentialsRefused > 0)
    claim(
      outcome === 'auth-failed' || outcome === 'unconfirmed' || isLate,
      `${outcome}, and the credential was refused`,
    );
  else if (plan.ends === 'never' && seen.accepted === 1)
    claim(outcome === 'timed-out' || outcome === 'unconfirmed', `${outcome}, and the job still runs`);
  else if (plan.flakiness === 0) claim(outcome !== 'timed-out', 'timed out, and the server was well');
  return wrong;
}

/** Time that passes only when the world says so, and timers of calls that hang. */
function passingTime() {
  let now = START;
  const timers = new Map<object, { due: number; callback: () => void }>();
  const clock: Clock & { hang(): Promise<never> } = {
    now: () => now,
    setTimeout(callback, ms) {
      const handle = {};
      timers.set(handle, { due: now + ms, callback });
      return handle;
    },
    clearTimeout: (handle) => void timers.delete(handle as object),
    // The caller's own timer ends the wait.
    async hang() {
      await Promise.resolve();
      const [handle, timer] = [...timers][0] ?? [];
      if (!handle || !timer) throw new Error('a call hangs, and its caller has no timer');
      timers.delete(handle);
      now = Math.max(now, timer.due);
      timer.callback();
      return new Promise<never>(() => {});
    },
  };
  return { clock, sleepUntil: (time: number) => void (now = Math.max(now, time)) };
}
