import { type InspectedEvent, redactEvent } from 'assessment-monitor/inspect';

/*
 * Any process and any page of this machine may send to the viewer, so what arrives is checked before the viewer shows it.
 */

/** The last ms that a `Date` can hold. */
const LAST_MS = 8.64e15;
/** Characters of a name, an id or a type. */
const MAX_NAME = 200;

/** An event with everything that the viewer reads, redacted; null for anything else. */
export function asInspected(value: unknown): InspectedEvent | null {
  if (!isRecord(value)) return null;
  const event = redactEvent(value);
  const { sessionId, rootId, createdAt } = event;
  const isKnown = isName(sessionId) && (rootId === undefined || isName(rootId)) && isTime(createdAt);
  if (!isKnown || !hasItsParts(event)) return null;
  return event as unknown as InspectedEvent;
}

function hasItsParts({ type, name, event, snapshot, definition }: Record<string, unknown>): boolean {
  switch (type) {
    case '@xstate.actor':
      return isName(name) && isRecord(snapshot) && isDefinition(definition);
    case '@xstate.snapshot':
      return isRecord(snapshot) && isRecord(event) && isName(event.type);
    case '@xstate.event':
      return isRecord(event) && isName(event.type);
    default:
      return false;
  }
}

/** The text of a machine's definition, or nothing: only a machine has one. */
function isDefinition(text: unknown): boolean {
  if (text === undefined) return true;
  try {
    const defined: unknown = JSON.parse(String(text));
    return isRecord(defined) && (defined.states === undefined || isRecord(defined.states));
  } catch {
    return false;
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isName = (value: unknown): value is string =>
  typeof value === 'string' && value !== '' && value.length <= MAX_NAME;
const isTime = (value: unknown): boolean => {
  const ms = value === undefined || value === null ? 0 : Number(value);
  return Number.isNaN(ms) || Math.abs(ms) <= LAST_MS;
};
