import * as z from 'zod/mini';

/*
 * Shapes of untrusted data: answers of the API, events of the feed, records in storage, messages of other tabs.
 * `zod/mini` instead of `zod`, because the full package adds 18 kB gzipped to an application that does not have it. Objects of
 * `zod/mini` never compile a parser, so a page under a strict Content-Security-Policy reports no violation.
 */

/** Parses an unknown value into `Output`, or rejects it. */
export type Shape<Output> = z.ZodMiniType<Output>;

/** Any object that is not an array. */
export const anyObject = z.custom<object>((it) => typeof it === 'object' && it !== null && !Array.isArray(it));

/** An object with these fields. The parsed value omits all other fields. */
export const object = z.object;

/** A finite number. JSON can contain `1e999`, which JavaScript parses as infinity. */
export const number = z.number();

/** A string that is not empty. */
export const someText = z.string().check(z.minLength(1));

/** A server's id: a text or whole number that fits into one segment of a URL path. It is read as a text. */
export const idSchema = z.pipe(
  z.pipe(
    z.union([z.string(), z.int()]),
    z.transform((id) => String(id)),
  ),
  someText.check(
    z.maxLength(256),
    // Half a surrogate pair cannot be encoded into a URL, and dots alone lead out of their route.
    z.refine((text) => /\S/.test(text) && !/[\uD800-\uDFFF]/u.test(text) && !/^\.{1,2}$/.test(text)),
  ),
);

/** An optional field: null where it is missing or malformed, so that it never invalidates the rest of the object. */
export const orNull = <Output>(shape: Shape<Output>) => z.catch(z.nullable(shape), null);
export const maybeId = orNull(idSchema);
export const maybeNumber = orNull(number);
export const maybeText = orNull(z.string());
export const textOrNumber = z.union([z.string(), number]);

/** The value as parsed by the shape, or null where it does not fit. */
export function fit<Output>(value: unknown, shape: Shape<Output>): Output | null {
  const read = shape.safeParse(value);
  return read.success ? read.data : null;
}

/**
 * A JSON string as parsed by the shape, or null where it is not JSON or does not fit. Storage may contain records of other versions
 * and of other scripts.
 */
export function readJson<Output>(text: string | null, shape: Shape<Output>): Output | null {
  try {
    return fit(JSON.parse(text ?? 'null'), shape);
  } catch {
    return null;
  }
}
