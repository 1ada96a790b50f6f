import { from, Observable } from 'rxjs';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createActor, createMachine, fromEventObservable, type Subscription } from 'xstate';
import { createSubject } from '../../src/lib/subject.ts';

/** A subject that says how often it was started and stopped. */
function openSubject() {
  const calls: string[] = [];
  const subject = createSubject<number>(() => {
    calls.push('start');
    return () => calls.push('stop');
  });
  return { subject, calls };
}

describe('a subject', () => {
  it('calls the listeners of the time, be they functions or observers', () => {
    const subject = createSubject<number>();
    const heard: string[] = [];
    subject.next(1);
    subject.subscribe((it) => heard.push(`a ${it}`));
    const b = subject.subscribe({ next: (it) => heard.push(`b ${it}`) });
    subject.next(2);
    b.unsubscribe();
    subject.next(3);
    expect(heard).toEqual(['a 2', 'b 2', 'a 3']);
  });

  it('starts with the first listener and stops with the last, as often as they come', () => {
    const { subject, calls } = openSubject();
    expect(calls).toEqual([]);
    const a = subject.subscribe(() => {});
    const b = subject.subscribe(() => {});
    a.unsubscribe();
    a.unsubscribe();
    expect(calls).toEqual(['start']);
    b.unsubscribe();
    expect(calls).toEqual(['start', 'stop']);
    subject.subscribe(() => {});
    expect(calls).toEqual(['start', 'stop', 'start']);
  });

  it('may tell the first listener something while it starts', () => {
    const heard: number[] = [];
    const subject = createSubject<number>(() => {
      subject.next(1);
      return () => {};
    });
    subject.subscribe((it) => heard.push(it));
    expect(heard).toEqual([1]);
  });

  it('takes one listener that listens twice for two', () => {
    const { subject, calls } = openSubject();
    const heard: number[] = [];
    const listener = (it: number) => heard.push(it);
    subject.subscribe(listener).unsubscribe();
    subject.subscribe(listener);
    const again = subject.subscribe(listener);
    subject.next(1);
    again.unsubscribe();
    subject.next(2);
    expect(heard).toEqual([1, 1, 2]);
    expect(calls).toEqual(['start', 'stop', 'start']);
  });

  it('does not call a listener that left during the value, nor one that came during it', () => {
    const subject = createSubject<number>();
    const heard: string[] = [];
    let b: Subscription | undefined;
    const a = subject.subscribe((it) => {
      heard.push(`a ${it}`);
      b?.unsubscribe();
      subject.subscribe((late) => heard.push(`late ${late}`));
      a.unsubscribe();
    });
    b = subject.subscribe((it) => heard.push(`b ${it}`));
    subject.next(1);
    subject.next(2);
    expect(heard).toEqual(['a 1', 'late 2']);
  });

  it('says when it is complete, also to those who come afterwards; then it calls no listener and nothing runs', () => {
    const { subject, calls } = openSubject();
    const heard: unknown[] = [];
    const observer = { next: (it: number) => heard.push(it), complete: () => heard.push('complete') };
    subject.subscribe(observer);
    subject.complete();
    expect([heard, calls]).toEqual([['complete'], ['start', 'stop']]);
    subject.subscribe(observer).unsubscribe();
    subject.next(1);
    expect([heard, calls]).toEqual([
      ['complete', 'complete'],
      ['start', 'stop'],
    ]);
  });

  it('continues when a listener throws, and hands the error to the handler of uncaught errors', () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const subject = createSubject<number>();
    const heard: number[] = [];
    subject.subscribe(() => {
      throw new Error('oops');
    });
    subject.subscribe((it) => heard.push(it));
    subject.next(1);
    expect(heard).toEqual([1]);
    expect(() => vi.runAllTimers()).toThrow('oops');
  });

  it('is an observable to XState, and can be made one of rxjs', () => {
    const { subject, calls } = openSubject();
    const heard: number[] = [];
    const inRxjs = from(new Observable<number>((subscriber) => subject.subscribe(subscriber)));
    const subscription = inRxjs.subscribe((it) => heard.push(it));
    subject.next(1);
    subscription.unsubscribe();
    expect([heard, calls]).toEqual([[1], ['start', 'stop']]);

    const bells$ = createSubject<{ type: 'bell' }>();
    const machine = createMachine({
      initial: 'quiet',
      states: { quiet: { on: { bell: 'loud' } }, loud: {} },
      invoke: { src: fromEventObservable(() => bells$) },
    });
    const actor = createActor(machine).start();
    bells$.next({ type: 'bell' });
    expect(actor.getSnapshot().value).toBe('loud');
    actor.stop();
  });
});
