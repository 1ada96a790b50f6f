import type { InspectionEvent } from 'xstate';

/** The version of `@statelyai/inspect` whose format {@link flatten} writes. */
const FORMAT_VERSION = '0.7.2';

/**
 * An inspection event of XState in the format of `@statelyai/inspect`, with live objects in it; null for events that no viewer shows.
 * The package's own conversion reads whole snapshots, which takes seconds when objects refer to each other.
 */
export function flatten(inspected: InspectionEvent): object | null {
  const { actorRef, rootId } = inspected;
  const common = {
    type: inspected.type,
    sessionId: actorRef.sessionId,
    rootId,
    _version: FORMAT_VERSION,
    createdAt: Date.now().toString(),
    id: null,
  };
  switch (inspected.type) {
    case '@xstate.actor': {
      const { id, logic, _parent } = actorRef as InspectedRef;
      const config = definitionOf(logic);
      // An actor without an id of its own is called by its machine.
      const name = id === actorRef.sessionId ? (config?.id ?? id) : id;
      return {
        ...common,
        name,
        definition: config ?? { id: name },
        parentId: _parent?.sessionId,
        snapshot: actorRef.getSnapshot(),
      };
    }
    case '@xstate.event':
      return { ...common, event: inspected.event, sourceId: inspected.sourceRef?.sessionId };
    case '@xstate.snapshot':
      return { ...common, event: inspected.event, snapshot: inspected.snapshot };
    default:
      return null;
  }
}

/** What the type of an inspected actor leaves out. */
type InspectedRef = InspectionEvent['actorRef'] & {
  id?: string;
  logic?: { config?: unknown };
  _parent?: { sessionId: string };
};

/** The definition of a machine. Other kinds of logic keep a function there, or nothing. */
function definitionOf(logic: InspectedRef['logic']): { id?: unknown } | undefined {
  const config = logic?.config;
  return typeof config === 'object' && config !== null ? config : undefined;
}
