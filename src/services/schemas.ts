import * as z from 'zod/mini';

/*
 * What the schemas of several borders have in common.
 */

/** A text with something in it. */
export const someText = z.string().check(z.refine((text) => text !== ''));

/** An id of the server's: a text that fits into a URL. One that does not could be asked for until the end of time. */
export const idSchema = someText.check(
  // Not with half a pair of surrogates.
  z.refine((text) => text.length <= 256 && !/\p{Surrogate}/u.test(text)),
);

/** What is nice to know is none where it makes no sense: it must not cost the rest of an answer, a paid job least of all. */
export const orNull = <Output>(schema: z.ZodMiniType<Output>) => z.catch(z.nullish(schema), null);
export const maybeId = orNull(idSchema);
export const maybeNumber = orNull(z.number());
export const textOrNumber = z.union([z.string(), z.number()]);

/** What fits the schema, or null. Storage holds what other versions, other scripts and people have left there. */
export function readJson<Output>(text: string | null, schema: z.ZodMiniType<Output>): Output | null {
  try {
    return schema.safeParse(JSON.parse(text ?? 'null')).data ?? null;
  } catch {
    return null;
  }
}
