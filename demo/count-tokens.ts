import type { MonitorEvent } from 'assessment-monitor';

/**
 * Gives the tokens of a log the numbers 1, 2, 3, in the order in which they appear: their own numbers are made from the time, and longer
 * than a reader wants.
 *
 * @example
 * const counted = countTokens();
 * counted({ type: 'token.expiring', generation: 17_959_612_000 }); // { type: 'token.expiring', generation: 1 }
 */
export function countTokens(): <Event extends MonitorEvent>(event: Event) => Event {
  const numbers = new Map<number, number>();
  return (event) => {
    if (!('generation' in event) || event.generation === null) return event;
    const { generation } = event;
    const number = numbers.get(generation) ?? numbers.size + 1;
    numbers.set(generation, number);
    return { ...event, generation: number };
  };
}
