import * as v from 'valibot';
import type { SchemaResult } from './schema.ts';

/*
 * What the schemas of several borders have in common. Valibot and not the better known zod: each page that watches a job would load
 * more than three times as much for the same few checks.
 */

/** Brings an unknown value into shape, or says that it has none. */
export type Shape<Output> = v.GenericSchema<unknown, Output>;

/** Any object. An array is none, although it would pass for one whose fields are all optional. */
export const anyObject = v.pipe(
  v.unknown(),
  v.check((it) => typeof it === 'object' && it !== null && !Array.isArray(it)),
);

/** An object with these fields; others are left out. */
export const object = <const Fields extends v.ObjectEntries>(fields: Fields) => v.pipe(anyObject, v.object(fields));

/** JSON has no infinity, but numbers that are read as one. */
export const number = v.pipe(
  v.number(),
  v.check((it) => Number.isFinite(it)),
);

/** A text with something in it. */
export const someText = v.pipe(
  v.string(),
  v.check((text) => text !== ''),
);

/** An id of the server's: a text that fits into a URL. One that does not could be asked for until the end of time. */
export const idSchema = v.pipe(
  someText,
  // Not with half a pair of surrogates.
  v.check((text) => text.length <= 256 && !/\p{Surrogate}/u.test(text)),
);

/** What is nice to know is none where it makes no sense: it must not cost the rest of an answer, a paid job least of all. */
export const orNull = <Output>(shape: Shape<Output>) => v.fallback(v.nullable(shape), null);
export const maybeId = orNull(idSchema);
export const maybeNumber = orNull(number);
export const maybeText = orNull(v.string());
export const textOrNumber = v.custom<string | number>((it) => typeof it === 'string' || Number.isFinite(it));

/** What fits, or null. */
export function fit<Output>(value: unknown, shape: Shape<Output>): Output | null {
  const read = shape['~standard'].validate(value) as SchemaResult<Output>;
  return read.issues ? null : read.value;
}

/** What fits of a JSON text, or null. Storage holds what other versions, other scripts and people have left there. */
export function readJson<Output>(text: string | null, shape: Shape<Output>): Output | null {
  try {
    return fit(JSON.parse(text ?? 'null'), shape);
  } catch {
    return null;
  }
}
