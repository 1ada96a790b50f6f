/** Status, body and headers of an answer. The names of headers are in lower case. */
export type WireAnswer = [status: number, body: unknown, headers?: Record<string, string>];

/** A success. */
export const ok = (data: unknown, headers: Record<string, string> = {}, status = 200): WireAnswer => [
  status,
  { success: true, data },
  headers,
];

/** An error in the gateway's dialect. */
export const flat = (
  status: number,
  error: string,
  headers: Record<string, string> = {},
  message = 'no',
): WireAnswer => [status, { success: false, error, message }, headers];

/** An error in the services' dialect. */
export const nested = (
  status: number,
  code: string,
  headers: Record<string, string> = {},
  message = 'no',
): WireAnswer => [status, { success: false, error: { code, message } }, headers];

/** What the gateway answers, whatever is wrong with an access token. */
export const invalidToken = (): WireAnswer => flat(401, 'INVALID_TOKEN', {}, 'Invalid or expired token');

/** The part of a `Response` that a client reads. */
export const responseOf = ([status, body, headers = {}]: WireAnswer) => ({
  status,
  headers: { get: (name: string) => headers[name.toLowerCase()] ?? null },
  text: async () => (typeof body === 'string' ? body : JSON.stringify(body)),
});
