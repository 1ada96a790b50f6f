import type { InspectedEvent } from 'assessment-monitor/inspect';
import { foldState } from '../chart-layout.ts';
import type { Step } from './live-chart.tsx';

/** The steps that the newest assessment took from one state to another. */
export function stepsOf(inspected: readonly InspectedEvent[]): Step[] {
  const newest = inspected.findLast((it) => it.sessionId === it.rootId)?.rootId;
  let from = 'idle';
  return inspected.flatMap((it) => {
    if (it.type !== '@xstate.snapshot' || it.sessionId !== newest) return [];
    const to = foldState(nameOf((it.snapshot as { value?: unknown }).value));
    if (!to || to === from) return [];
    const step = { from, to, event: it.event.type };
    from = to;
    return [step];
  });
}

/** Who heard what, of all actors: those that began, and the events that they got. */
export function sequenceOf(inspected: readonly InspectedEvent[]): { who: string; what: string }[] {
  const names = new Map<string, string>();
  return inspected.flatMap((it) => {
    if (it.type === '@xstate.actor') {
      names.set(it.sessionId, it.name);
      return [{ who: it.name, what: 'began' }];
    }
    return it.type === '@xstate.event' ? [{ who: names.get(it.sessionId) ?? it.sessionId, what: it.event.type }] : [];
  });
}

/** `{ active: { polling: 'waiting' } }` as `active.polling.waiting`. */
function nameOf(value: unknown): string {
  if (typeof value === 'string') return value;
  const [entry] = Object.entries(value ?? {});
  return entry ? `${entry[0]}.${nameOf(entry[1])}` : '';
}
