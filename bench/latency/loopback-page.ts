import { setImmediate } from 'node:timers/promises';
import { io, type Socket } from 'socket.io-client';
import { sampleAnswers } from '@assessment-monitor/demo/sample-answers';
import { memoryStore } from 'assessment-monitor';
import { virtualClock } from 'assessment-monitor/testing';
import { paths } from '../contestants/contestant.ts';
import type { Page } from '../world/browser.ts';

/** A page of the contestants over loopback: the platform's own fetch, real sockets, real time. */
export interface LoopbackPage extends Page {
  /** Resolves when it hears the server's events and waits for nothing but them. */
  listening(): Promise<void>;
}

/** @param url of the server */
export function openLoopbackPage(url: string): LoopbackPage {
  const sockets = new Set<Socket>();
  let isAuthenticated = false;
  let underWay = 0;
  const page: LoopbackPage = {
    isGone: false,
    // Of a world whose time stands still. Contestants take theirs from the globals, which are real here.
    clock: virtualClock(),
    random: Math.random,
    localStorage: memoryStore(),
    sessionStorage: memoryStore(),
    locks: { request: (_name, _options, callback) => callback() },
    openChannel: () => ({ postMessage() {}, addEventListener() {}, close() {} }),
    openSocket(options = {}) {
      const socket = io(url, { ...options, forceNew: true, transports: ['websocket'] });
      socket.on('authenticated', () => void (isAuthenticated = true));
      sockets.add(socket);
      return socket;
    },
    async exchange({ method, path, headers, signal }) {
      underWay += 1;
      try {
        // Whatever address their calls name, here is only one.
        const response = await fetch(url + new URL(path, url).pathname, {
          method,
          headers: { 'Content-Type': 'application/json', ...(headers as Record<string, string>) },
          ...(signal ? { signal } : {}),
          ...(path.endsWith(paths.submit) ? { body: JSON.stringify(sampleAnswers) } : {}),
        });
        const text = await response.text();
        return { status: response.status, headers: Object.fromEntries(response.headers), text };
      } finally {
        underWay -= 1;
      }
    },
    async listening() {
      const isListening = () => isAuthenticated && underWay === 0;
      while (!isListening()) await setImmediate();
    },
    close() {
      page.isGone = true;
      // No listener is left that would hear the end and reconnect.
      for (const socket of sockets) socket.removeAllListeners().disconnect();
    },
  };
  return page;
}
