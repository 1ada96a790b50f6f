/*
 * A viewer sees how a chart moves, without the data in it. Redaction fails closed: a text passes only when its key is known to
 * hold a name and the text looks like a name. The sanitisers of `@statelyai/inspect` fail open: they let the input and output
 * of actors and the static context inside a definition through.
 */

/** Replaces a redacted text. */
export const REDACTED = '[redacted]';

/** Keys of events, contexts, inputs and outputs whose texts are names from the source code, or ids. */
const namingKeys = words(
  'type status submissionId jobId resultId sessionId sourceId rootId parentId actorId id name createdAt _version',
);
/** Keys that usually hold names. An authorisation code is a `code` too, so their texts must be plain words. */
const wordKeys = words('code outcome reason cause');
/** Keys of a machine's definition whose texts come from its source code. */
const definingKeys = words(
  'id key type initial target guard src source systemId history delay tags entry exit actions always on after onDone onError invoke event',
);
/** Parts of a definition that hold data instead of structure. */
const data = words('context input output params meta schemas types');

const MAX_DEPTH = 24;

/** Names are short and use few kinds of characters. */
const isName = (text: string): boolean => /^[\w$@#.:*()-]{0,120}$/.test(text) && !isSecretive(text);
const isWords = (text: string): boolean => /^[a-z]{1,20}([-_.][a-z]{1,20}){0,9}$/i.test(text);
/** A JWT, a header value, or more characters in a row than a UUID has. */
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
/** A state value holds only names of states. */
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

/** The parts of a snapshot that a viewer shows. The machine and the children are running objects and are not sent. */
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

/** An inspection event as plain JSON without anything that could be a secret. Redacting twice changes nothing. */
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
