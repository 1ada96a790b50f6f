/*
 * What leaves for a viewer shows how a chart moves, and nothing of what it is about. It fails closed: a text passes only where
 * its key is known to hold a name, and only if it looks like one. The sanitisers of `@statelyai/inspect` work the other way
 * round, and let through the input and output of actors and the static context inside a definition.
 */

/** Stands where something was. */
export const REDACTED = '[redacted]';

/** Keys of events, contexts, inputs and outputs whose texts are names from the source code, or ids. */
const namingKeys = words(
  'type status submissionId jobId resultId sessionId sourceId rootId parentId actorId id name createdAt _version',
);
/** Keys of which the same is hoped; but an authorisation code is a `code` too, so they must hold words. */
const wordKeys = words('code outcome reason cause');
/** Keys of a machine's definition whose texts its author wrote. */
const definingKeys = words(
  'id key type initial target guard src source systemId history delay tags entry exit actions always on after onDone onError invoke event',
);
/** Parts of a definition that hold data and not structure. */
const data = words('context input output params meta schemas types');

const MAX_DEPTH = 24;

/** Names are short, and of few kinds of characters. */
const isName = (text: string): boolean => /^[\w$@#.:*()-]{0,120}$/.test(text) && !isSecretive(text);
const isWords = (text: string): boolean => /^[a-z]{1,20}([-_.][a-z]{1,20}){0,9}$/i.test(text);
/** A JWT, a header value, or more random characters in a row than a UUID has. */
const isSecretive = (text: string): boolean => /eyJ[\w-]{4}|bearer|[\w-]{41}/i.test(text);
const isIdentifier = (text: string): boolean => /^[a-z_$][\w$]{0,40}$/i.test(text);

interface Rules {
  isShown: (key: string, text: string) => boolean;
  isKey: (key: string) => boolean;
}

const rulesOf = (reveal: readonly string[]): Rules => ({
  isShown: (key, text) =>
    (namingKeys.has(key) && isName(text)) ||
    (wordKeys.has(key) && isWords(text)) ||
    (reveal.includes(key) && !isSecretive(text)),
  isKey: isIdentifier,
});
/** A state value holds nothing but names of states. */
const namesOnly: Rules = { isShown: (_, text) => isName(text), isKey: isName };
const definition: Rules = {
  isShown: (key, text) => (definingKeys.has(key) && isName(text)) || (key === 'description' && !isSecretive(text)),
  isKey: (key) => isName(key) && !data.has(key),
};

function redactValue(value: unknown, rules: Rules, key = '', depth = 0): unknown {
  if (typeof value === 'string') return rules.isShown(key, value) ? value : REDACTED;
  if (typeof value !== 'object' || value === null)
    return typeof value === 'number' || typeof value === 'boolean' ? value : null;
  if (depth === MAX_DEPTH) return REDACTED;
  if (value instanceof Error) return { name: isName(value.name) ? value.name : REDACTED };
  if (Array.isArray(value)) return value.map((it) => redactValue(it, rules, key, depth + 1));
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => !(rules === definition && data.has(name)))
      .map(([name, part]) => [rules.isKey(name) ? name : REDACTED, redactValue(part, rules, name, depth + 1)]),
  );
}

/** The parts of a snapshot that a viewer shows. Its machine and its children are running objects, and stay here. */
function redactSnapshot(snapshot: unknown, rules: Rules): unknown {
  const { value, children, tags, ...rest } = snapshot as Record<string, unknown>;
  const shown = Object.fromEntries(
    ['status', 'context', 'input', 'output', 'error'].flatMap((key) => (key in rest ? [[key, rest[key]]] : [])),
  );
  return {
    ...(redactValue(shown, rules) as object),
    ...(value === undefined ? {} : { value: redactValue(value, namesOnly) }),
    ...(tags instanceof Set || Array.isArray(tags) ? { tags: redactValue([...tags], namesOnly) } : {}),
    ...(children
      ? { children: Object.fromEntries(Object.keys(children).map((id) => [isName(id) ? id : REDACTED, {}])) }
      : {}),
  };
}

function redactDefinition(text: unknown): string {
  try {
    return JSON.stringify(redactValue(JSON.parse(String(text)), definition));
  } catch {
    return '{}';
  }
}

/** A whole inspection event without anything that could be a secret. Plain JSON; the same again when redacted twice. */
export function redactEvent<Event extends object>(event: Event, reveal: readonly string[] = []): Event {
  const rules = rulesOf(reveal);
  const { snapshot, definition: defined, ...rest } = event as Record<string, unknown>;
  return {
    ...(redactValue(rest, rules) as Event),
    ...(snapshot && typeof snapshot === 'object' ? { snapshot: redactSnapshot(snapshot, rules) } : {}),
    ...(defined === undefined ? {} : { definition: redactDefinition(defined) }),
  };
}

function words(text: string): Set<string> {
  return new Set(text.split(' '));
}
