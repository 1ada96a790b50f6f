import type { Backend } from '../../backend/index.ts';
import type { AnyTab } from '../../e2e/tabs/run-tabs.ts';

/**
 * Takes all of the 64 KiB that a page may have in flight with keepalive, by requests that the server does not answer.
 *
 * @returns what became of one more request with keepalive: `refused` comes at once. The 3 s only bound a test that is about to fail.
 */
export async function fillQuota(tab: AnyTab, backend: Backend): Promise<unknown> {
  backend.configure({ faults: [{ route: 'submit', kind: 'hang' }] });
  return tab.evaluate(`(() => {
    const send = (body) => fetch('/api/assessment/submit', { method: 'POST', body, keepalive: true });
    for (let sent = 0; sent < 4; sent += 1) send('x'.repeat(16384)).catch(() => {});
    const late = new Promise((resolve) => setTimeout(resolve, 3000, 'sent'));
    return Promise.race([late, send('{}').then(() => 'answered', () => 'refused')]);
  })()`);
}

/** Sends a request whose connection the server resets, in a page that is busy. @returns when the page learns of the loss */
export async function loseRequest(tab: AnyTab, backend: Backend): Promise<unknown> {
  backend.configure({ faults: [{ route: 'submit', kind: 'reset' }] });
  return tab.evaluate(`(() => {
    let isLater = false;
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => (isLater = true);
    const sent = fetch('/api/assessment/submit', { method: 'POST', body: '{}', keepalive: true });
    port2.postMessage(null);
    for (const end = performance.now() + 100; performance.now() < end; );
    return sent.then(() => 'answered', () => (isLater ? 'later' : 'during the call'));
  })()`);
}
