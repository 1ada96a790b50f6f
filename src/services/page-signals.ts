import type { Subscribable } from 'xstate';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { createSubject } from '../lib/subject.ts';

/** The page can do things again that it could not do a moment ago, or time has passed unnoticed: look at everything anew. */
export interface PageEvent {
  type: 'page.resumed';
  reason: 'visible' | 'online' | 'pageshow' | 'resume' | 'clock-jump';
}

/** The part of a page that we listen to. `navigator.onLine` is not in it: it lies, so only the event counts. */
export interface PageTarget {
  window: Pick<EventTarget, 'addEventListener' | 'removeEventListener'>;
  document: Pick<EventTarget, 'addEventListener' | 'removeEventListener'> & { readonly visibilityState: string };
}

export interface PageSignalsOptions {
  clock: Clock;
  log: Log;
  /** Undefined where there is no page: then only jumps of the clock are seen. */
  page: PageTarget | undefined;
  /** Called before anybody hears of it. */
  onResumed: () => void;
}

/** Events closer than this are one event: coming back fires three or four of them at once. */
const QUIET_MS = 2_000;
const TICK_MS = 15_000;
/** A hidden tab's timers may be a minute late; more than that was a sleep. */
const MAX_DRIFT_MS = 90_000;

/** Returns how to stop listening. */
export function listen(
  target: PageTarget['window'] | undefined,
  type: string,
  listener: (event: Event) => void,
): () => void {
  target?.addEventListener(type, listener);
  return () => target?.removeEventListener(type, listener);
}

/** One source of `page.resumed`, shared by everybody who listens. */
export function createPageSignals({ clock, log, page, onResumed }: PageSignalsOptions): Subscribable<PageEvent> {
  const signals$ = createSubject<PageEvent>(() => {
    let quietUntil = 0;
    const resumed = (reason: PageEvent['reason']): void => {
      const now = clock.now();
      // A quiet time far in the future is a clock that was set back.
      if (now < quietUntil && quietUntil - now <= QUIET_MS) return;
      quietUntil = now + QUIET_MS;
      log({ type: 'page.resumed', reason });
      onResumed();
      signals$.next({ type: 'page.resumed', reason });
    };
    const { window, document } = page ?? {};
    const silence = [
      listen(document, 'visibilitychange', () => document?.visibilityState === 'visible' && resumed('visible')),
      listen(document, 'resume', () => resumed('resume')),
      listen(window, 'online', () => resumed('online')),
      listen(window, 'pageshow', (event) => (event as PageTransitionEvent).persisted && resumed('pageshow')),
    ];

    let last = clock.now();
    const tick = (): void => {
      const drift = clock.now() - last - TICK_MS;
      last = clock.now();
      // Armed before anybody hears of the jump: who hears of it may be the last to listen, and stop.
      timer = clock.setTimeout(tick, TICK_MS);
      if (drift > MAX_DRIFT_MS || drift < -TICK_MS) resumed('clock-jump');
    };
    let timer = clock.setTimeout(tick, TICK_MS);

    return () => {
      clock.clearTimeout(timer);
      for (const stop of silence) stop();
    };
  });
  return signals$;
}
