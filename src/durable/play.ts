import { type EventFromLogic, initialTransition, type SnapshotFrom, transition } from 'xstate';
import { createDelays, type Pacing } from '../actors/delays.ts';
import { systemClock } from '../lib/clock.ts';
import { digestOf } from '../lib/digest.ts';
import { assessmentMachine } from '../machines/assessment-machine.ts';
import type { AssessmentInput } from '../machines/assessment-setup.ts';
import { type CallName, isCallName, type Recorded } from './record-call.ts';

/*
 * The chart, played by XState's pure transitions: a computation without a clock, a timer or a promise. It says what the chart waits for,
 * and takes the answer.
 */

type Snapshot = SnapshotFrom<typeof machine>;
type Event = EventFromLogic<typeof machine>;
type Delays = ReturnType<typeof createDelays>;

/** A call that the chart waits for. */
export interface Call {
  readonly id: string;
  readonly name: CallName;
  readonly input: unknown;
  /** Tells this call from a later one of the same name. */
  readonly actor: unknown;
}

interface Timer {
  readonly id: string;
  readonly event: Event;
  /** ms since the epoch */
  readonly dueAt: number;
}

/** The chart of one watch, at a point of the engine's time. */
export interface Play {
  /** ms since the epoch */
  readonly now: number;
  readonly snapshot: Snapshot;
  /** The call that the chart waits for; null while it waits for a timer. */
  readonly call: Call | null;
  /** When the first timer fires, ms since the epoch; null where none is armed. */
  readonly wakeAt: number | null;
  /** Time passes, timer by timer. Time that lies back changes nothing. */
  pass(until: number): void;
  /** A call has ended. Its answer counts unless a timer has ended the state that asked. */
  answer(call: Call, recorded: Recorded): void;
}

/** The delays of the watch whose transition is being computed. Transitions are synchronous, so one machine serves a whole process. */
let delays: Delays | null = null;
const delay =
  (name: keyof Delays) =>
  (facts: Parameters<Delays[typeof name]>[0]): number =>
    delays?.[name](facts) ?? 0;
const machine = assessmentMachine.provide({
  delays: {
    pollDelay: delay('pollDelay'),
    heartbeat: delay('heartbeat'),
    retryDelay: delay('retryDelay'),
    refreshDelay: delay('refreshDelay'),
    slowCheck: delay('slowCheck'),
    untilDeadline: delay('untilDeadline'),
  } satisfies Delays,
});

/** Begins the chart at `startedAt`, ms since the epoch: with a status call where the job is known, else with the submission. */
export function beginPlay(input: AssessmentInput, startedAt: number, pacing: Pacing): Play {
  const timers = new Map<string, Timer>();
  let now = startedAt;
  let call: Call | null = null;
  let draws = 0;
  const own = createDelays(
    {
      clock: { ...systemClock, now: () => now },
      // Different in each watch, and the same in each replay.
      random: () => Number.parseInt(digestOf(`${input.submissionId} ${(draws += 1)}`).slice(0, 8), 16) / 2 ** 32,
      pacing,
      pollIntervalMs: () => null,
    },
    () => startedAt,
  );

  const follow = ([next, actions]: ReturnType<typeof transition<typeof machine>>): Snapshot => {
    // The types of XState leave out some of its own actions, and the input of an actor.
    for (const { type, params } of actions as readonly { type: string; params: unknown }[]) {
      if (type === 'xstate.cancel') timers.delete((params as { sendId: string }).sendId);
      if (type === 'xstate.raise') {
        const { id, event, delay: ms } = params as { id?: string; event: Event; delay?: number };
        const key = id ?? event.type;
        if (ms !== undefined) timers.set(key, { id: key, event, dueAt: now + ms });
      }
      if (type === 'xstate.spawnChild') {
        const {
          id,
          src,
          input: callInput,
          actorRef,
        } = params as { [key in 'id' | 'src']: string } & Record<'input' | 'actorRef', unknown>;
        if (isCallName(src)) call = { id, name: src, input: callInput, actor: actorRef };
        // A watch runs no feed. Its actor would keep the one that created it in memory for as long as the watch sleeps.
        else delete (next.children as Record<string, unknown>)[id];
      }
    }
    if (call && !isWaiting(next, call)) call = null;
    return next;
  };
  const computed = (step: () => ReturnType<typeof transition<typeof machine>>): Snapshot => {
    delays = own;
    try {
      return follow(step());
    } finally {
      delays = null;
    }
  };
  const send = (event: Event): void => {
    const before = snapshot;
    snapshot = computed(() => transition(machine, before, event));
  };
  const first = (): Timer | null => {
    let earliest: Timer | null = null;
    for (const timer of timers.values()) if (!earliest || timer.dueAt < earliest.dueAt) earliest = timer;
    return earliest;
  };

  let snapshot = computed(() => initialTransition(machine, input));
  send({ type: input.jobId ? 'assessment.resume' : 'assessment.submit' });

  return {
    get now() {
      return now;
    },
    get snapshot() {
      return snapshot;
    },
    get call() {
      return call;
    },
    get wakeAt() {
      return first()?.dueAt ?? null;
    },
    pass(until) {
      for (let timer = first(); timer && timer.dueAt <= until; timer = first()) {
        timers.delete(timer.id);
        now = Math.max(now, timer.dueAt);
        send(timer.event);
      }
      now = Math.max(now, until);
    },
    answer(asked, recorded) {
      if (!isWaiting(snapshot, asked)) return;
      const { id } = asked;
      const event =
        'outcome' in recorded
          ? { type: `xstate.done.actor.${id}`, output: recorded.outcome, actorId: id }
          : { type: `xstate.error.actor.${id}`, error: defect(recorded.defect), actorId: id };
      // The chart's own type of its events leaves out the answers of its actors.
      send(event as unknown as Event);
    },
  };
}

const isWaiting = (snapshot: Snapshot, { id, actor }: Call): boolean =>
  (snapshot.children as Record<string, unknown>)[id] === actor;

const defect = (name: string): Error => Object.assign(new Error('a call of the watch failed'), { name });
