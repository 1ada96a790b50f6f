import type { Pacing } from '../actors/delays.ts';
import { systemClock } from '../lib/clock.ts';
import type { Problem } from '../lib/errors.ts';
import type { AssessmentInput, AssessmentOutput } from '../machines/assessment-setup.ts';
import { beginPlay, type Call, type Play } from './play.ts';
import type { DurableCalls, DurableEngine, WatchOptions, WatchOutput, WatchResult } from './ports.ts';
import { type Recorded, recordCall } from './record-call.ts';

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;

/** The defaults of the client, but for the polls: no user looks on. */
const defaultPacing: Pacing = {
  pollMinMs: 5_000,
  pollMaxMs: 30_000,
  heartbeatMs: 45_000,
  slowCheckMs: 60_000,
  minDistanceMs: 1_000,
  archiveAfterMs: 600_000,
  settlingMs: 5_000,
  failureConfirmationMs: 90_000,
};

/**
 * Watches an assessment from a server, on any engine that has a step which runs once and a sleep. The watch survives its process: the
 * engine calls the same function again, and it resumes where it was. An input without `jobId` is submitted first.
 *
 * It ends with the assessment, or with `unconfirmed`, `auth-failed` or `timed-out` where it cannot continue by itself. Neither a token
 * nor the result is in anything that the engine stores.
 *
 * @throws what the engine throws, such as a cancellation
 * @example
 * const engine: DurableEngine = {
 *   step: (name, run) => DBOS.runStep(run, { name }),
 *   sleep: (_name, ms) => DBOS.sleep(ms),
 * };
 * const { outcome } = await watchDurably({ submissionId, jobId, deadlineAt }, calls, engine);
 */
export async function watchDurably(
  input: AssessmentInput,
  calls: DurableCalls,
  engine: DurableEngine,
  { limitMs = DAY_MS, callTimeoutMs = MINUTE_MS, pacing, clock = systemClock }: WatchOptions = {},
): Promise<WatchOutput> {
  const startedAt = await engine.step('start', async () => clock.now());
  const play = beginPlay(input, startedAt, { ...defaultPacing, ...pacing });
  const endsAt = startedAt + limitMs;
  const counts = new Map<string, number>();
  /** Unique, and the same in each replay: a replay asks for the same steps in the same order. */
  const numbered = (name: string): string => {
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    return `${name}-${count}`;
  };
  const record = (call: Call): Promise<Recorded> => recordCall(calls, call, { callTimeoutMs, clock });

  for (;;) {
    const end = endOf(play, endsAt);
    if (end) return end;
    const { call, wakeAt } = play;
    if (call) {
      const isOnce = call.name === 'submitAssessment' && !play.snapshot.context.idempotent;
      const step = numbered(call.name);
      const recorded = await (isOnce
        ? atMostOnce(engine, step, call, record, clock.now)
        : engine.step(step, () => record(call)));
      play.pass(recorded.at);
      play.answer(call, recorded);
    } else {
      if (wakeAt === null) throw new Error(`the watch waits for nothing in ${JSON.stringify(play.snapshot.value)}`);
      const until = Math.min(wakeAt, endsAt);
      if (until > play.now) await engine.sleep(numbered('sleep'), until - play.now);
      play.pass(until);
    }
  }
}

/**
 * A submission to a server that recognises no repetition. A process that died while it was sent leaves its intention behind: then the
 * user decides.
 */
async function atMostOnce(
  engine: DurableEngine,
  step: string,
  call: Call,
  record: (call: Call) => Promise<Recorded>,
  now: () => number,
): Promise<Recorded> {
  let isFirst = false;
  await engine.step(`${step}-intention`, async () => {
    isFirst = true;
    return null;
  });
  return engine.step(step, async () => {
    if (isFirst) return record(call);
    return { at: now(), outcome: { type: 'unconfirmed', retryAfterMs: null, problem: INTERRUPTED, isFinal: true } };
  });
}

const INTERRUPTED: Problem = {
  code: 'outcome-unknown',
  message: 'the watch was interrupted while the answers were sent',
};
const LATE: Problem = {
  code: 'timed-out',
  message: 'the watch has reached its limit and the assessment has not ended',
};

/** How the watch ends in this state; null while the assessment continues by itself. */
function endOf({ snapshot, now }: Play, endsAt: number): WatchOutput | null {
  const { jobId, problem } = snapshot.context;
  if (snapshot.status === 'error') throw snapshot.error;
  // The result is what the step has stored of it: ids.
  if (snapshot.status === 'done') return snapshot.output as AssessmentOutput<WatchResult>;
  if (snapshot.matches({ active: 'auth-failed' })) return { outcome: 'auth-failed', jobId, problem: problem ?? LATE };
  if (snapshot.matches({ active: { submitting: 'unconfirmed' } }))
    return { outcome: 'unconfirmed', jobId, problem: problem ?? INTERRUPTED };
  return now >= endsAt ? { outcome: 'timed-out', jobId, problem: LATE } : null;
}
