import type { ContentfulStatusCode } from 'hono/utils/http-status';

/** What a route answers. */
export interface Answer {
  status: ContentfulStatusCode;
  body: object;
  headers?: Record<string, string>;
}

export const ok = (data: unknown, message: string, status: ContentfulStatusCode = 200): Answer => ({
  status,
  body: { success: true, message, data },
});

/** An error in the gateway's dialect. */
export const flat = (status: ContentfulStatusCode, error: string, message: string, more: object = {}): Answer => ({
  status,
  body: { success: false, error, message, ...more },
});

/** An error in the services' dialect. */
export const nested = (
  status: ContentfulStatusCode,
  code: string,
  message: string,
  details?: object,
  more: object = {},
): Answer => ({
  status,
  body: { success: false, error: { code, message, ...(details ? { details } : {}) }, ...more },
});

/** An error in the dialect of the second auth service: nested, under a text that says nothing. */
export const nestedV2 = (status: ContentfulStatusCode, code: string, message: string): Answer =>
  nested(status, code, message, undefined, { message: 'Operation failed', timestamp: new Date().toISOString() });
