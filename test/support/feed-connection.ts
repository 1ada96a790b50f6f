import type { ConnectFeed, FeedConnection } from '../../src/ports.ts';
import { watch } from './deferred.ts';

/** Connects a feed as the client does, and keeps everything that it reports. */
export function openFeed(connect: ConnectFeed, token: string) {
  const controller = new AbortController();
  const messages: Parameters<FeedConnection['say']>[0][] = [];
  let lives = 0;
  let newer: ((token: string) => void) | null = null;
  const ended = connect({
    token,
    signal: controller.signal,
    live: () => (lives += 1),
    say: (message) => messages.push(message),
    onToken: (listener) => (newer = listener),
  });
  const watched = watch(ended);
  return {
    messages,
    lives: () => lives,
    state: () => watched.state,
    error: () => watched.error,
    abort: () => controller.abort(),
    renew: (next: string) => newer?.(next),
    takesNewer: () => newer !== null,
  };
}
