import type { Arbitrary } from 'fast-check';
import fc from 'fast-check';

/* Valid messages, changed a little: what a parser meets in the field is nearly right. */

/** One change of a value, somewhere in it. Plain data, so that a bad one shrinks. */
export interface Edit {
  /** Which place: counted over all places, modulo their number. */
  place: number;
  do: 'replace' | 'remove' | 'rename' | 'wrap' | 'repeat';
  /** Which odd value takes its place. */
  odd: number;
}

/** Values that have no business being there, or that belong somewhere else. */
const oddValues: readonly unknown[] = [
  null,
  '',
  ' ',
  0,
  -1,
  1e308,
  0.5,
  true,
  false,
  [],
  {},
  [[]],
  { code: 'INVALID_TOKEN' },
  'INVALID_TOKEN',
  'completed',
  'failed',
  'queued',
  'deleted',
  'COMPLETED',
  'job-1',
  'job-2',
  'result-2',
  'x'.repeat(5_000),
  '\u0000\uD800',
  '2031-01-01T00:00:00Z',
  'eyJhbGciOiJub25lIn0.e30.',
  { __proto__: null, toString: 1 },
  JSON.parse('{"then":"not a promise"}'),
  Array.from({ length: 50 }, (_, index) => index),
];
/** Names that mean something to some code. */
const oddNames = ['__proto__', 'constructor', 'type', 'then', 'data', 'error', 'status', 'jobId', 'result_id', ''];

export const anyEdit: Arbitrary<Edit> = fc.record({
  place: fc.nat(60),
  do: fc.constantFrom('replace', 'replace', 'replace', 'remove', 'rename', 'wrap', 'repeat'),
  odd: fc.nat(oddValues.length - 1),
});

/** A copy of the value with the edits made, one after the other. */
export function mutate(value: unknown, edits: readonly Edit[]): unknown {
  return edits.reduce(edit, structuredClone(value));
}

function edit(value: unknown, { place, do: what, odd }: Edit): unknown {
  const holder = { value };
  const places = placesIn(holder);
  const [owner, key] = places[place % places.length]!;
  const before = owner[key];
  if (what === 'remove') delete owner[key];
  else if (what === 'wrap') owner[key] = [before];
  else if (what === 'repeat') owner[key] = [before, before];
  else if (what === 'rename') {
    delete owner[key];
    Object.defineProperty(owner, oddNames[odd % oddNames.length]!, {
      value: before,
      enumerable: true,
      writable: true,
      configurable: true,
    });
  } else owner[key] = oddValues[odd];
  return holder.value;
}

/** Every place in a value, itself first: the object that holds it, and under which name. */
function placesIn(
  holder: object,
  places: [Record<string, unknown>, string][] = [],
): [Record<string, unknown>, string][] {
  for (const key of Object.keys(holder)) {
    const owner = holder as Record<string, unknown>;
    places.push([owner, key]);
    const inner = owner[key];
    if (typeof inner === 'object' && inner !== null && places.length < 60) placesIn(inner, places);
  }
  return places;
}

/** A change of the text that a value becomes on the wire. */
export interface TextEdit {
  do: 'nothing' | 'cut' | 'flip' | 'page' | 'empty' | 'twice';
  at: number;
  by: string;
}

export const anyTextEdit: Arbitrary<TextEdit> = fc.record({
  do: fc.constantFrom('nothing', 'nothing', 'nothing', 'nothing', 'cut', 'flip', 'page', 'empty', 'twice'),
  at: fc.nat(300),
  by: fc.constantFrom('"', '{', '}', ',', '\\', '\u0000', '9', 'é', '<'),
});

export function mutateText(text: string, { do: what, at, by }: TextEdit): string {
  const index = at % (text.length + 1);
  switch (what) {
    case 'cut':
      return text.slice(0, index);
    case 'flip':
      return text.slice(0, index) + by + text.slice(index + 1);
    case 'page':
      return '<!doctype html><title>Bad Gateway</title>';
    case 'empty':
      return '';
    case 'twice':
      return text + text;
    default:
      return text;
  }
}
