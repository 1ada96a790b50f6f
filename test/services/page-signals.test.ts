import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import type { Subscription } from 'xstate';
import { createPageSignals, type PageEvent } from '../../src/services/page-signals.ts';
import { recordedLog } from '../support/recorded-log.ts';
import { virtualClock } from '../../src/testing/virtual-clock.ts';

const TYPES = ['visibilitychange', 'resume', 'online', 'pageshow'];
const listenersOf = (target: EventTarget) => TYPES.flatMap((type) => getEventListeners(target, type)).length;

function openPage() {
  const clock = virtualClock();
  const recorded = recordedLog();
  const window = new EventTarget();
  const document = Object.assign(new EventTarget(), { visibilityState: 'visible' });
  const heard: PageEvent['reason'][] = [];
  /** How many events the subscribers had received at each call of onResumed. */
  const heardBefore: number[] = [];
  const onResumed = () => void heardBefore.push(heard.length);
  const signals$ = createPageSignals({ clock, log: recorded.log, page: { window, document }, onResumed });
  return {
    clock,
    recorded,
    window,
    document,
    signals$,
    heard,
    heardBefore,
    listen: () => signals$.subscribe((event) => heard.push(event.reason)),
    pageShow: (persisted: boolean) => window.dispatchEvent(Object.assign(new Event('pageshow'), { persisted })),
    get listeners() {
      return listenersOf(window) + listenersOf(document);
    },
  };
}

describe('createPageSignals', () => {
  it('emits when the page becomes visible, and not when it is hidden', () => {
    const page = openPage();
    page.listen();
    page.document.visibilityState = 'hidden';
    page.document.dispatchEvent(new Event('visibilitychange'));
    expect(page.heard).toEqual([]);
    page.document.visibilityState = 'visible';
    page.document.dispatchEvent(new Event('visibilitychange'));
    expect(page.heard).toEqual(['visible']);
  });

  it('emits when the network returns', () => {
    const page = openPage();
    page.listen();
    page.window.dispatchEvent(new Event('online'));
    expect(page.heard).toEqual(['online']);
  });

  it('emits when a frozen page resumes', () => {
    const page = openPage();
    page.listen();
    page.document.dispatchEvent(new Event('resume'));
    expect(page.heard).toEqual(['resume']);
  });

  it('emits when the page returns from the back/forward cache, and not when it is loaded', () => {
    const page = openPage();
    page.listen();
    page.pageShow(false);
    expect(page.heard).toEqual([]);
    page.pageShow(true);
    expect(page.heard).toEqual(['pageshow']);
  });

  it('calls onResumed before the subscribers, and once for any number of them', () => {
    const page = openPage();
    page.listen();
    page.listen();
    page.window.dispatchEvent(new Event('online'));
    expect([page.heard, page.heardBefore]).toEqual([['online', 'online'], [0]]);
  });

  it('counts events within two seconds as one return', async () => {
    const page = openPage();
    page.listen();
    page.window.dispatchEvent(new Event('online'));
    page.document.dispatchEvent(new Event('resume'));
    await page.clock.run(1_999);
    page.document.dispatchEvent(new Event('visibilitychange'));
    expect(page.heard).toEqual(['online']);
    await page.clock.run(1);
    page.document.dispatchEvent(new Event('visibilitychange'));
    expect(page.heard).toEqual(['online', 'visible']);
  });

  it('still emits after the clock was set back', () => {
    const page = openPage();
    page.listen();
    page.window.dispatchEvent(new Event('online'));
    page.clock.jump(-3_600_000);
    page.window.dispatchEvent(new Event('online'));
    expect(page.heard).toEqual(['online', 'online']);
  });

  it('logs each return with its reason', () => {
    const page = openPage();
    page.listen();
    page.window.dispatchEvent(new Event('online'));
    expect(page.recorded.events).toEqual([{ type: 'page.resumed', reason: 'online' }]);
  });

  it('detects by the clock that the machine has slept', async () => {
    const page = openPage();
    page.listen();
    await page.clock.run(20_000);
    page.clock.jump(90_001);
    await page.clock.run(9_999);
    expect(page.heard).toEqual([]);
    await page.clock.run(1);
    expect(page.heard).toEqual(['clock-jump']);
  });

  it('detects that the clock was set back', async () => {
    const page = openPage();
    page.listen();
    page.clock.jump(-15_001);
    await page.clock.run(15_000);
    expect(page.heard).toEqual(['clock-jump']);
  });

  it('emits once for a clock jump, and again for the next one', async () => {
    const page = openPage();
    page.listen();
    page.clock.jump(600_000);
    await page.clock.run(60_000);
    expect(page.heard).toEqual(['clock-jump']);
    page.clock.jump(-600_000);
    await page.clock.run(15_000);
    expect(page.heard).toEqual(['clock-jump', 'clock-jump']);
  });

  it('ignores late timers of a hidden tab and small corrections of the clock', async () => {
    const page = openPage();
    page.listen();
    for (const ms of [90_000, -15_000, 60_000, -5_000]) {
      page.clock.jump(ms);
      await page.clock.run(15_000);
    }
    await page.clock.run(600_000);
    expect(page.heard).toEqual([]);
  });

  it('adds its listeners once for all subscribers, and emits to each of them', () => {
    const page = openPage();
    page.listen();
    page.listen();
    expect(page.listeners).toBe(4);
    page.window.dispatchEvent(new Event('online'));
    expect(page.heard).toEqual(['online', 'online']);
    expect(page.recorded.events).toHaveLength(1);
  });

  it('holds no listener or timer before the first subscription and after the last', async () => {
    const page = openPage();
    expect([page.listeners, page.clock.armed()]).toEqual([0, 0]);
    const subscriptions = [page.listen(), page.listen()];
    await page.clock.run(15_000);
    subscriptions[0]?.unsubscribe();
    expect([page.listeners, page.clock.armed()]).toEqual([4, 1]);
    subscriptions[1]?.unsubscribe();
    expect([page.listeners, page.clock.armed()]).toEqual([0, 0]);
  });

  it('emits to a subscriber that arrives after the last one has left', () => {
    const page = openPage();
    page.listen().unsubscribe();
    page.listen();
    page.window.dispatchEvent(new Event('online'));
    expect(page.heard).toEqual(['online']);
  });

  it('leaves no timer when the last subscriber leaves during a clock jump', async () => {
    const page = openPage();
    const subscription: Subscription = page.signals$.subscribe(() => subscription.unsubscribe());
    page.clock.jump(600_000);
    await page.clock.run(15_000);
    expect([page.listeners, page.clock.armed()]).toEqual([0, 0]);
  });

  it('detects clock jumps where there is no page', async () => {
    const clock = virtualClock();
    const heard: PageEvent[] = [];
    const subscription = createPageSignals({ clock, log: () => {}, page: undefined, onResumed: () => {} }).subscribe(
      (event) => heard.push(event),
    );
    clock.jump(600_000);
    await clock.run(15_000);
    expect(heard).toEqual([{ type: 'page.resumed', reason: 'clock-jump' }]);
    subscription.unsubscribe();
    expect(clock.armed()).toBe(0);
  });
});
