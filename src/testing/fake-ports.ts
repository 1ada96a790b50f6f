import { defer, finalize, Subject } from 'rxjs';
import { fromEventObservable, fromPromise } from 'xstate';
import type { FeedEvent, PageEvent, TokenEvent } from '../machines/assessment-events.ts';
import type { RefreshOutcome, ResultOutcome, StatusOutcome, SubmitOutcome } from '../machines/assessment-outcomes.ts';
import { type PortId, portIds } from './alphabet.ts';

/** A call that the chart made. It is answered when the test says so. */
export interface FakeCall {
  readonly name: string;
  readonly input: unknown;
  /** Broken off: the chart has left the state that made the call. */
  readonly state: 'open' | 'answered' | 'broken-off';
  /** Also after it was broken off: answers are sometimes late. */
  answer(output: unknown): void;
  fail(error: Error): void;
}

/** What stands behind the ports of one running assessment. */
export interface FakePorts {
  /** Every call, in order. */
  readonly calls: readonly FakeCall[];
  /** The calls that wait for an answer. */
  readonly open: readonly FakeCall[];
  /** The ports that the chart listens to now. */
  readonly subscriptions: readonly PortId[];
  /** The ports that it ever began to listen to, in order. */
  readonly everSubscribed: readonly PortId[];
  say(port: PortId, event: { type: string }): void;
  /** The port completes, or breaks. */
  end(port: PortId, error?: Error): void;
}

interface PortsInside extends FakePorts {
  call(name: string, input: unknown, signal: AbortSignal): Promise<unknown>;
  listen(port: PortId): ReturnType<typeof defer>;
}

/**
 * Actors for `assessmentMachine.provide`, and for each running assessment the ports behind them.
 *
 * The actors are the same for all assessments, so that one provided machine serves them all; which ports a call belongs to is
 * told by the actor system that it comes from.
 */
export function fakeActors() {
  const ports = new WeakMap<object, PortsInside>();
  const portsOf = (system: object): PortsInside => {
    const known = ports.get(system) ?? createPorts();
    ports.set(system, known);
    return known;
  };
  const call = <Outcome>(name: string) =>
    fromPromise<Outcome, unknown>(
      ({ input, signal, system }) => portsOf(system).call(name, input, signal) as Promise<Outcome>,
    );
  const port = <Event extends { type: string }>(id: PortId) =>
    fromEventObservable<Event, undefined>(({ system }) => portsOf(system).listen(id) as Subject<Event>);

  return {
    portsOf: portsOf as (system: object) => FakePorts,
    actors: {
      submitAssessment: call<SubmitOutcome>('submitAssessment'),
      checkStatus: call<StatusOutcome>('checkStatus'),
      fetchResult: call<ResultOutcome>('fetchResult'),
      refreshToken: call<RefreshOutcome>('refreshToken'),
      jobFeed: port<FeedEvent>('jobFeed'),
      tokenWatch: port<TokenEvent>('tokenWatch'),
      pageSignals: port<PageEvent>('pageSignals'),
    },
  };
}

function createPorts(): PortsInside {
  const calls: FakeCall[] = [];
  const subscriptions: PortId[] = [];
  const everSubscribed: PortId[] = [];
  const subjects = Object.fromEntries(portIds.map((id) => [id, new Subject<unknown>()])) as Record<
    PortId,
    Subject<unknown>
  >;

  return {
    calls,
    get open() {
      return calls.filter(({ state }) => state === 'open');
    },
    subscriptions,
    everSubscribed,
    say(port, event) {
      if (!subscriptions.includes(port)) throw new Error(`nothing listens to ${port}: "${event.type}" would be lost`);
      subjects[port].next(event);
    },
    end(port, error) {
      if (error) subjects[port].error(error);
      else subjects[port].complete();
    },
    call: (name, input, signal) =>
      new Promise((resolve, reject) => {
        let state: FakeCall['state'] = 'open';
        signal.addEventListener('abort', () => (state = state === 'open' ? 'broken-off' : state), { once: true });
        const settle = () => (state = state === 'open' ? 'answered' : state);
        calls.push({
          name,
          input,
          get state() {
            return state;
          },
          answer(output) {
            settle();
            resolve(output);
          },
          fail(error) {
            settle();
            reject(error);
          },
        });
      }),
    listen: (port) =>
      defer(() => {
        subscriptions.push(port);
        everSubscribed.push(port);
        return subjects[port];
      }).pipe(finalize(() => subscriptions.splice(subscriptions.indexOf(port), 1))),
  };
}
