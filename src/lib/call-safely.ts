import type { Log } from './log.ts';

/** Calls a listener of the application. An exception in it is logged by name and never reaches the caller. */
export function callSafely(listener: () => void, log?: Log): void {
  try {
    listener();
  } catch (error) {
    log?.({ type: 'listener.failed', error: error instanceof Error ? error.name : 'unknown' });
  }
}
