import { digestOf } from '../lib/digest.ts';

/** The answers of a submission as they are sent. */
export interface Answers {
  /** A copy: later changes to the application's object must not change what is sent. */
  readonly copy: unknown;
  /** The same for the same answers, whatever the order of their keys. */
  readonly digest: string;
}

/**
 * Reads the answers as JSON does: `undefined` is left out and `toJSON` is respected.
 *
 * @throws TypeError when JSON cannot hold a part of them, or would turn it into `{}` without a word; it names the path and a remedy
 */
export function readAnswers(submission: unknown): Answers {
  const paths = new WeakMap<object, string>();
  let text: string | undefined;
  try {
    text = JSON.stringify(submission, function (this: object, key: string, value: unknown) {
      const path = pathOf(paths.get(this), key, Array.isArray(this));
      const remedy = remedyFor(value);
      if (remedy !== null) throw new TypeError(refusal(path, value, remedy));
      if (typeof value === 'object' && value !== null) paths.set(value, path);
      return value;
    });
  } catch (error) {
    if (error instanceof TypeError && error.message.startsWith(PREFIX)) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new TypeError(`${PREFIX}: ${reason}${SUFFIX}`, { cause: error });
  }
  if (text === undefined) throw new TypeError(`${PREFIX}: a ${typeof submission} is none${SUFFIX}`);
  const copy = JSON.parse(text) as unknown;
  return { copy, digest: digestOf(JSON.stringify(copy, withSortedKeys)) };
}

const PREFIX = 'submit: the answers must be JSON';
const SUFFIX = '; nothing was submitted';

const refusal = (path: string, value: unknown, remedy: string): string =>
  `${PREFIX}: ${path === '' ? 'they are' : `"${path}" is`} a ${kindOf(value)}, which JSON cannot hold: ${remedy}${SUFFIX}`;

/** The path of a value; `parent` is undefined for the object around the answers, which JSON makes. */
function pathOf(parent: string | undefined, key: string, isIndex: boolean): string {
  if (parent === undefined) return '';
  if (isIndex) return `${parent}[${key}]`;
  return parent === '' ? key : `${parent}.${key}`;
}

/** What the platform calls it: `FormData`, `Map`, `SubmitEvent`; `Object` for instances of the application's classes. */
const platformKindOf = (value: object): string => Object.prototype.toString.call(value).slice(8, -1);

function kindOf(value: unknown): string {
  if (typeof value === 'number') return String(value);
  if (typeof value !== 'object' || value === null) return typeof value;
  const kind = platformKindOf(value);
  return kind === 'Object' ? ((value.constructor as { name?: string } | undefined)?.name ?? kind) : kind;
}

const ENTRIES = /^(FormData|URLSearchParams|Headers|Map)$/;
const VALUES = /^Set$|Array$/;
const BYTES = /^(Blob|File|(Shared)?ArrayBuffer|DataView)$/;
/** What has own fields, none of which is an answer. */
const OTHERS = /^(Promise|Window|FileList|Weak\w+|\w*Event|(HTML|SVG)\w*Element)$/;

const BOXED = /^(Number|String|Boolean)$/;

/** What to do instead of submitting this value; null where JSON holds it. `toJSON` has been called already. */
function remedyFor(value: unknown): string | null {
  if (typeof value === 'number' && !Number.isFinite(value)) return 'use null where there is no number';
  if (typeof value === 'bigint') return 'use String(it)';
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const kind = platformKindOf(value);
  if (ENTRIES.test(kind)) return `use Object.fromEntries(${kind === 'FormData' ? 'formData' : 'it'})`;
  if (VALUES.test(kind)) return 'use Array.from(it)';
  if (BYTES.test(kind)) return 'upload it by itself, or encode it as text';
  if (kind === 'Promise') return 'await it';
  if (kind.endsWith('Event'))
    return 'read the values of its form: Object.fromEntries(new FormData(event.currentTarget))';
  if (OTHERS.test(kind) || isOpaque(value)) return 'use a plain object';
  return null;
}

/** An instance of a class whose fields JSON does not see: it would become `{}`. */
function isOpaque(value: object): boolean {
  if (BOXED.test(platformKindOf(value))) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  // The prototype of a plain object, of this realm or another, has none itself.
  const isPlain = prototype === null || Object.getPrototypeOf(prototype) === null;
  return !isPlain && Object.keys(value).length === 0;
}

const withSortedKeys = (_key: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : value;
