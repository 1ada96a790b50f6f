import * as z from 'zod/mini';

/** An id of the server's: a text that fits into a URL. One that does not could be asked for until the end of time. */
export const idSchema = z.string().check(
  z.minLength(1),
  z.maxLength(256),
  // Half a pair of surrogates.
  z.refine((text) => !/\p{Surrogate}/u.test(text)),
);
