/** Why a signal has aborted. The signals of React Native have no reason. */
export function abortReason(signal: AbortSignal): Error {
  return (signal.reason as Error | undefined) ?? new Error('aborted');
}

/**
 * The signal's own method of this name, which React Native lacks.
 *
 * @throws the signal's reason when it has aborted
 */
export function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw abortReason(signal);
}
