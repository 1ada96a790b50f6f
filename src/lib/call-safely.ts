import type { Log } from './log.ts';

/** Calls a listener of the application. An exception in it, or a promise of it that rejects, is logged by name and never reaches the caller. */
export function callSafely(listener: () => unknown, log?: Log): void {
  const report = (error: unknown): void =>
    log?.({ type: 'listener.failed', error: error instanceof Error ? error.name : 'unknown' });
  try {
    const done = listener();
    // Left alone, the rejection of an asynchronous listener ends a Node process.
    if (done instanceof Promise) done.catch(report);
  } catch (error) {
    report(error);
  }
}
