import type { Log, MonitorEvent } from '../../src/lib/log.ts';

export interface RecordedLog {
  readonly log: Log;
  readonly events: MonitorEvent[];
  /** The events of one type, in order. */
  of<Type extends MonitorEvent['type']>(type: Type): Extract<MonitorEvent, { type: Type }>[];
}

/** A log that remembers. */
export function recordedLog(): RecordedLog {
  const events: MonitorEvent[] = [];
  return {
    events,
    log: (event) => void events.push(event),
    of: <Type extends MonitorEvent['type']>(type: Type) =>
      events.filter((event): event is Extract<MonitorEvent, { type: Type }> => event.type === type),
  };
}
