import { createBrowserReceiver } from '@statelyai/inspect';
import { type InspectedEvent, redactEvent } from 'assessment-monitor/inspect';

/**
 * Hears the page that opened this window, and every sender to the server of this page. Everything is redacted once more: it may
 * come from an inspector that does not do so.
 */
export function listen(hear: (event: InspectedEvent) => void): void {
  const greet = () => void createBrowserReceiver().subscribe((event) => hear(redactEvent(event)));
  // A page that shows this in a frame knows the frame once it has loaded; messages before that are lost.
  window.addEventListener('load', () => setTimeout(greet));
  const told = new EventSource('/events');
  told.addEventListener('message', ({ data }) => hear(redactEvent(JSON.parse(data as string) as InspectedEvent)));
}
