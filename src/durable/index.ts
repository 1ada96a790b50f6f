export { watchDurably } from './watch-durably.ts';
export type { DurableCalls, DurableEngine, WatchOptions, WatchOutput, WatchResult } from './ports.ts';
