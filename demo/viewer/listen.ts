import { createBrowserReceiver } from '@statelyai/inspect';
import type { InspectedEvent } from 'assessment-monitor/inspect';
import { asInspected } from './inspected.ts';

/**
 * Hears the page that opened this window, if it is a page of this machine, and every sender to the server of this page. Everything
 * is redacted once more, because a sender may use an inspector that does not redact.
 */
export function listen(hear: (event: InspectedEvent) => void): void {
  const check = (value: unknown): void => {
    const event = asInspected(value);
    if (event) hear(event);
  };
  // Any page may open this window and post to it. The receiver below does not look at origins.
  window.addEventListener(
    'message',
    (message) => {
      if (!isOfThisMachine(message.origin)) message.stopImmediatePropagation();
    },
    { capture: true },
  );
  const greet = () => void createBrowserReceiver().subscribe(check);
  // A page that shows this in a frame knows the frame once it has loaded; messages before that are lost.
  window.addEventListener('load', () => setTimeout(greet));
  const told = new EventSource('/events');
  told.addEventListener('message', ({ data }) => check(JSON.parse(data as string)));
}

const isOfThisMachine = (origin: string): boolean =>
  /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/.test(origin);
