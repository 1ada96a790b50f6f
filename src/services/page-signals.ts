import { defer, EMPTY, filter, fromEvent, map, merge, Observable, share, tap } from 'rxjs';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';

/** The page can act again after a pause, or time has passed unnoticed: everything that it knows may be stale. */
export interface PageEvent {
  type: 'page.resumed';
  reason: 'visible' | 'online' | 'pageshow' | 'resume' | 'clock-jump';
}

/** The part of a page that the signals listen to. It leaves out `navigator.onLine`, which is unreliable: only the event counts. */
export interface PageTarget {
  window: Pick<EventTarget, 'addEventListener' | 'removeEventListener'>;
  document: Pick<EventTarget, 'addEventListener' | 'removeEventListener'> & { readonly visibilityState: string };
}

export interface PageSignalsOptions {
  clock: Clock;
  log: Log;
  /** Undefined where there is no page: the signals then consist of clock jumps only. */
  page: PageTarget | undefined;
  /** Called before the subscribers receive the event. */
  onResumed: () => void;
}

/** Events closer than this are one event: a return to the page fires three or four of them at once. */
const QUIET_MS = 2_000;
/** How often the clock is compared with the time that should have passed. */
const TICK_MS = 15_000;
/** Timers of a hidden tab may be a minute late; a longer delay was a sleep. */
const MAX_DRIFT_MS = 90_000;

/** Events of one type of a DOM target; none where there is no target. */
export const eventsOf = (target: PageTarget['window'] | undefined, type: string): Observable<Event> =>
  target ? fromEvent<Event>(target, type) : EMPTY;

/** One source of `page.resumed`, shared by all subscribers. It holds listeners and a timer only while it has subscribers. */
export function createPageSignals({ clock, log, page, onResumed }: PageSignalsOptions): Observable<PageEvent> {
  const { window, document } = page ?? {};
  const returns$: Observable<PageEvent['reason']> = merge(
    eventsOf(document, 'visibilitychange').pipe(
      filter(() => document?.visibilityState === 'visible'),
      map(() => 'visible' as const),
    ),
    eventsOf(document, 'resume').pipe(map(() => 'resume' as const)),
    eventsOf(window, 'online').pipe(map(() => 'online' as const)),
    eventsOf(window, 'pageshow').pipe(
      filter((event) => (event as PageTransitionEvent).persisted),
      map(() => 'pageshow' as const),
    ),
    clockJumps(clock).pipe(map(() => 'clock-jump' as const)),
  );
  return returns$.pipe(
    oncePer(QUIET_MS, clock),
    map((reason) => ({ type: 'page.resumed' as const, reason })),
    tap((event) => {
      log(event);
      onResumed();
    }),
    share(),
  );
}

/** Drops what comes within `ms` after the last value. Unlike `throttleTime` it holds no timer, and outlives a clock that is set back. */
function oncePer(ms: number, clock: Clock) {
  return <Value>(source$: Observable<Value>): Observable<Value> =>
    defer(() => {
      let quietUntil = 0;
      return source$.pipe(
        filter(() => {
          const now = clock.now();
          // A quiet time that ends later than `ms` from now dates from before the clock was set back.
          if (now < quietUntil && quietUntil - now <= ms) return false;
          quietUntil = now + ms;
          return true;
        }),
      );
    });
}

/** Emits when the wall clock and the timers disagree: the machine slept, or the clock was set. */
function clockJumps(clock: Clock): Observable<void> {
  return new Observable((subscriber) => {
    let last = clock.now();
    const tick = (): void => {
      const drift = clock.now() - last - TICK_MS;
      last = clock.now();
      // Set before the emission, which may make the last subscriber leave and so clear the timer.
      timer = clock.setTimeout(tick, TICK_MS);
      if (drift > MAX_DRIFT_MS || drift < -TICK_MS) subscriber.next();
    };
    let timer = clock.setTimeout(tick, TICK_MS);
    return () => clock.clearTimeout(timer);
  });
}
