import type { VirtualClock } from 'assessment-monitor/testing';

/**
 * Puts a clock in the place of the global timers and of `Date.now`, while a world is played. All contestants get their time this way,
 * ours included: libraries whose timers cannot be injected run in the same world as those whose timers can.
 *
 * @returns how to give the real ones back
 */
export function takeOverTime(clock: VirtualClock): () => void {
  const real = { setTimeout, clearTimeout, setInterval, clearInterval };
  const realNow = Date.now;
  const clear = (handle: unknown) => {
    const [timer] = Array.isArray(handle) ? (handle as [unknown]) : [handle];
    clock.clearTimeout(timer);
  };
  const later = (callback: (...args: unknown[]) => void, ms?: number, ...args: unknown[]) =>
    clock.setTimeout(args.length === 0 ? callback : () => callback(...args), ms);
  /** A cell, because each round has a timer of its own. */
  const every = (callback: () => void, ms?: number): [unknown] => {
    const cell: [unknown] = [
      clock.setTimeout(function round() {
        cell[0] = clock.setTimeout(round, ms);
        callback();
      }, ms),
    ];
    return cell;
  };
  Object.assign(globalThis, { setTimeout: later, clearTimeout: clear, setInterval: every, clearInterval: clear });
  Date.now = clock.time;
  // In a page, an unhandled rejection is a line in the console: it ends nothing.
  const shrug = () => {};
  process.on('unhandledRejection', shrug);
  return () => {
    process.off('unhandledRejection', shrug);
    Object.assign(globalThis, real);
    Date.now = realNow;
  };
}
