import type { Log } from './log.ts';

/** Calls a listener of the application. What it throws is its own problem: it stops no assessment. */
export function callSafely(listener: () => void, log?: Log): void {
  try {
    listener();
  } catch (error) {
    log?.({ type: 'listener.failed', error: error instanceof Error ? error.name : 'unknown' });
  }
}
