/*
 * A viewer sees how a chart moves, and no value of the data in it. Redaction fails closed: what passes is listed here, and everything
 * else is replaced. The cost is bounded: a walk ends at a depth, a breadth and a number of nodes, whatever the data holds.
 */

/** Replaces a redacted text, number or boolean, and everything beyond a bound. */
export const REDACTED = '[redacted]';

/** Keys of a machine's definition whose texts, numbers and booleans come from its source code. */
const definingKeys = words(
  'id key type initial target guard src source systemId history delay tags entry exit actions always on after onDone onError invoke event reenter internal maxIterations',
);
/** Parts of a definition that hold data instead of structure. */
const data = words('context input output params meta schemas types');
const statuses = words('active done error stopped');

const MAX_DEPTH = 24;
/** Parts of one object or array. */
const MAX_BREADTH = 200;
/** Nodes of one walk: data, and a definition, which is as large as its source code. */
const MAX_NODES = { data: 2_000, definition: 20_000 };
/** Characters of a name, and of a revealed text. */
const MAX_NAME = 120;
const MAX_TEXT = 2_000;
/** Characters that cost as much as a node. */
const CHARACTERS_PER_NODE = 50;
/** Characters of a definition that is parsed. */
const MAX_DEFINITION = 1_000_000;

/** A JWT, a header value, or more characters in a row than a UUID has. */
const isSecretive = (text: string): boolean => /eyJ[\w-]{4}|bearer|[\w-]{41}/i.test(text);

/** Whether an identifier consists of words, as one in source code does. Ids and tokens mix digits and cases. */
function isWord(text: string): boolean {
  if (text.length > 32 || /^\d|\d{3}|\d\D+\d|[^\w$]/.test(text)) return false;
  const parts = text.match(/[A-Z]?[a-z]+|[A-Z]+(?![a-z])/g) ?? [];
  const letters = parts.join('').length;
  return parts.every((part) => part.length <= 20) && (parts.length <= 2 || letters / parts.length >= 2.5);
}

/** Whether a text looks like the name of a state, event, actor or action: words and short numbers, joined by punctuation. */
function isName(text: string): boolean {
  if (text.length > MAX_NAME || !/^@?[\w$#.:*() -]*$/.test(text) || isSecretive(text)) return false;
  const pieces = text.replace(/^@/, '').split(/[#.:*() -]/);
  const digits = text.replace(/\D/g, '').length;
  return digits <= 10 && pieces.every((piece) => /^\d*$/.test(piece) || isWord(piece));
}

/** XState's session id; the local viewer puts the source of it in front. */
const isSessionId = (text: string): boolean => /^([a-z0-9]{1,10}-\d{1,6}-)?x:\d{1,12}$/.test(text) || isName(text);

interface Rules {
  isShown: (key: string, value: string | number | boolean) => boolean;
  isKey: (key: string) => boolean;
  isLeftOut?: (key: string) => boolean;
}

/** Contexts, inputs, outputs, errors and payloads of events. */
const dataRules = (reveal: readonly string[]): Rules => ({
  isShown: (key, value) => reveal.includes(key) && isRevealable(value),
  isKey: (key) => isWord(key) || reveal.includes(key),
});
const isRevealable = (value: unknown): boolean =>
  typeof value !== 'string' || (value.length <= MAX_TEXT && !isSecretive(value));

/** State values and tags hold only names. */
const namesOnly: Rules = { isShown: (_, value) => typeof value === 'string' && isName(value), isKey: isName };

const definitionRules = (reveal: readonly string[]): Rules => ({
  isShown: (key, value) =>
    (definingKeys.has(key) && (typeof value !== 'string' || isName(value))) ||
    (reveal.includes(key) && isRevealable(value)),
  isKey: isName,
  isLeftOut: (key) => data.has(key),
});

interface Walk {
  rules: Rules;
  /** Nodes that may still be visited. */
  left: number;
  /** Objects that are not entered (again). */
  seen: Set<object>;
  /** Whether an object that occurs twice is shown twice. Machines share parts of their definitions. */
  repeats: boolean;
}

const redactData = (value: unknown, rules: Rules, key = ''): unknown =>
  redactValue(value, { rules, left: MAX_NODES.data, seen: new Set(), repeats: false }, key);

function redactValue(value: unknown, walk: Walk, key = '', depth = 0): unknown {
  walk.left -= 1;
  switch (typeof value) {
    case 'string':
    case 'number':
    case 'boolean':
      if (!walk.rules.isShown(key, value)) return REDACTED;
      if (typeof value === 'string') walk.left -= value.length / CHARACTERS_PER_NODE;
      return walk.left < 0 ? REDACTED : value;
    case 'function':
      return walk.repeats ? { type: isName(value.name) ? value.name : REDACTED } : REDACTED;
    case 'object':
      break;
    default:
      return typeof value === 'undefined' ? null : REDACTED;
  }
  if (value === null) return null;
  if (depth === MAX_DEPTH || walk.left < 0 || walk.seen.has(value)) return REDACTED;
  walk.seen.add(value);
  try {
    if (Array.isArray(value)) return redactParts(value, walk, key, depth);
    return isPlain(value) ? redactEntries(value, walk, depth) : REDACTED;
  } catch {
    return REDACTED; // a getter or a proxy that throws
  } finally {
    if (walk.repeats) walk.seen.delete(value);
  }
}

function redactParts(values: readonly unknown[], walk: Walk, key: string, depth: number): unknown[] {
  const parts: unknown[] = [];
  const { length } = values;
  while (parts.length < Math.min(length, MAX_BREADTH) && walk.left > 0)
    parts.push(redactValue(values[parts.length], walk, key, depth + 1));
  return parts;
}

function redactEntries(value: object, walk: Walk, depth: number): object {
  const { isKey, isLeftOut } = walk.rules;
  const entries: [string, unknown][] = [];
  for (const name of keysOf(value)) {
    if (walk.left <= 0) break;
    if (isLeftOut?.(name)) continue;
    const part = redactValue((value as Record<string, unknown>)[name], walk, name, depth + 1);
    entries.push([isKey(name) ? name : REDACTED, part]);
  }
  return Object.fromEntries(entries);
}

/** The first keys of objects with very many: an engine lists all of them at once, which is done once for each object. */
const keysOfLarge = new WeakMap<object, string[]>();

function keysOf(value: object): string[] {
  const known = keysOfLarge.get(value);
  if (known) return known;
  const keys: string[] = [];
  for (const name in value) {
    if (keys.length === MAX_BREADTH) {
      keysOfLarge.set(value, keys);
      break;
    }
    keys.push(name);
  }
  return keys;
}

/** An object literal, of this window or of another one. An instance of a class can hold anything and read anything. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** The parts of a snapshot that a viewer shows. The machine and the children are running objects and are not sent. */
function redactSnapshot(snapshot: Record<string, unknown>, rules: Rules): object {
  const { status, value, children, tags } = snapshot;
  return {
    ...('status' in snapshot ? { status: statuses.has(status as string) ? status : REDACTED } : {}),
    ...Object.fromEntries(
      ['context', 'input', 'output', 'error'].flatMap((key) =>
        key in snapshot ? [[key, redactData(snapshot[key], rules, key)]] : [],
      ),
    ),
    ...(value === undefined ? {} : { value: redactData(value, namesOnly) }),
    ...(tags instanceof Set || Array.isArray(tags) ? { tags: redactData(first(tags), namesOnly) } : {}),
    ...(isObject(children) ? { children: redactChildren(children) } : {}),
  };
}

function first(values: Iterable<unknown>): unknown[] {
  const some: unknown[] = [];
  for (const value of values) if (some.push(value) >= MAX_BREADTH) break;
  return some;
}

function redactChildren(children: object): object {
  return Object.fromEntries(keysOf(children).map((id) => [isName(id) ? id : REDACTED, {}]));
}

/** A definition as the text of its structure; `defined` is such a text or the object. */
function redactDefinition(defined: unknown, reveal: readonly string[]): string {
  try {
    const isTooLong = typeof defined === 'string' && defined.length > MAX_DEFINITION;
    const parsed: unknown = isTooLong ? {} : typeof defined === 'string' ? JSON.parse(defined) : defined;
    const rules = definitionRules(reveal);
    return JSON.stringify(redactValue(parsed, { rules, left: MAX_NODES.definition, seen: new Set(), repeats: true }));
  } catch {
    return '{}';
  }
}

/** The type of an event is a name from the source code; its payload is data. */
function redactPayload(event: unknown, rules: Rules): unknown {
  if (!isObject(event) || Array.isArray(event)) return REDACTED;
  const { type } = event;
  const payload = redactData(event, rules) as object;
  return typeof type === 'string' ? { ...payload, type: isName(type) ? type : REDACTED } : payload;
}

/** Texts of the envelope, and what each must look like. */
const envelope: Record<string, (text: string) => boolean> = {
  type: isName,
  name: isName,
  sessionId: isSessionId,
  rootId: isSessionId,
  parentId: isSessionId,
  sourceId: isSessionId,
  createdAt: (text) => /^-?\d{1,16}$/.test(text),
  id: (text) => /^0?\.?\d{1,20}$/.test(text),
  _version: (text) => /^[\d.]{1,20}$/.test(text),
};

/**
 * An inspection event in the format of `@statelyai/inspect` as plain JSON: names from the source code and the structure of the data, with
 * no value of it but those of the keys in `reveal`. Redacting twice changes nothing. The cost is bounded for any data.
 *
 * @param reveal keys whose texts, numbers and booleans are shown
 */
export function redactEvent<Event extends object>(event: Event, reveal: readonly string[] = []): Event {
  const rules = dataRules(reveal);
  const { event: happened, snapshot, definition } = event as Record<string, unknown>;
  const entries = Object.entries(envelope).flatMap(([key, isShown]) => {
    const text = (event as Record<string, unknown>)[key];
    if (text === undefined) return [];
    return [[key, text === null || (typeof text === 'string' && isShown(text)) ? text : REDACTED]];
  });
  return {
    ...Object.fromEntries(entries),
    ...(happened === undefined ? {} : { event: redactPayload(happened, rules) }),
    ...(isObject(snapshot) ? { snapshot: redactSnapshot(snapshot, rules) } : {}),
    ...(definition === undefined ? {} : { definition: redactDefinition(definition, reveal) }),
  } as Event;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function words(text: string): Set<string> {
  return new Set(text.split(' '));
}
