import { inBrowser } from './browser.ts';

/**
 * The page's own `fetch`, which sends a request once more without `keepalive` when the browser refuses to send it with.
 *
 * All keepalive requests of a page share 64 KiB for the bodies that are in flight, and beacons of analytics may have taken them. The
 * error of such a refusal is the same as that of a lost answer, but it comes earlier: the browser decides during the call, so the
 * error arrives before a message that was posted right after the call. Whatever another process or the network reports arrives after
 * that message, also in a page that is busy. Measured in Chromium 156 and Firefox 153; where a browser refuses later, the error stays.
 */
export const pageFetch: typeof fetch = async (input, init) => {
  // Elsewhere there is no quota, and messages have no order among the other tasks.
  if (!init?.keepalive || !inBrowser() || typeof MessageChannel === 'undefined') return fetch(input, init);
  let mayHaveLeft = false;
  const { port1, port2 } = new MessageChannel();
  port1.addEventListener('message', () => {
    mayHaveLeft = true;
    port1.close();
  });
  port1.start();
  const answer = fetch(input, init);
  port2.postMessage(null);
  try {
    return await answer;
  } catch (error) {
    if (mayHaveLeft || init.signal?.aborted) throw error;
    return fetch(input, { ...init, keepalive: false });
  }
};
