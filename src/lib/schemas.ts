import * as z from 'zod/mini';

/*
 * Shapes that several borders share: answers of the API, events of the feed, records in storage, messages of other tabs.
 * `zod/mini` and not `zod`: the full package adds 18 kB gzipped to an application that does not have it. Its mini objects
 * never compile a parser, so a page under a strict Content-Security-Policy reports no violation.
 */

/** Reads an unknown value, or rejects it. */
export type Shape<Output> = z.ZodMiniType<Output>;

/** Any object that is not an array. */
export const anyObject = z.custom<object>((it) => typeof it === 'object' && it !== null && !Array.isArray(it));

/** An object with these fields. Other fields are left out of what is read. */
export const object = z.object;

/** A finite number. JSON can hold `1e999`, which JavaScript reads as infinity. */
export const number = z.number();

/** A text that is not empty. */
export const someText = z.string().check(z.minLength(1));

/** A server's id: a text that fits into a URL. */
export const idSchema = someText.check(
  z.maxLength(256),
  // Half a surrogate pair cannot be encoded into a URL.
  z.refine((text) => !/\p{Surrogate}/u.test(text)),
);

/** An optional part of an answer: null where it is missing or malformed, so that it never costs the rest of the answer. */
export const orNull = <Output>(shape: Shape<Output>) => z.catch(z.nullable(shape), null);
export const maybeId = orNull(idSchema);
export const maybeNumber = orNull(number);
export const maybeText = orNull(z.string());
export const textOrNumber = z.union([z.string(), number]);

/** The value as the shape reads it, or null. */
export function fit<Output>(value: unknown, shape: Shape<Output>): Output | null {
  const read = shape.safeParse(value);
  return read.success ? read.data : null;
}

/** A JSON text as the shape reads it, or null. Storage holds what other versions, other scripts and people left there. */
export function readJson<Output>(text: string | null, shape: Shape<Output>): Output | null {
  try {
    return fit(JSON.parse(text ?? 'null'), shape);
  } catch {
    return null;
  }
}
