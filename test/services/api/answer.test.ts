import { describe, expect, it } from 'vitest';
import { RejectedError, UnauthorizedError } from '../../../src/lib/errors.ts';
import {
  errorOf,
  type HttpAnswer,
  isApiWord,
  isSessionOver,
  isTokenRefused,
  readServerError,
} from '../../../src/services/api/answer.ts';
import { T0 } from '../../../src/testing/virtual-clock.ts';

describe('readServerError', () => {
  it('reads the flat dialect of the gateway', () => {
    expect(readServerError({ success: false, error: 'INVALID_TOKEN', message: 'Invalid or expired token' })).toEqual({
      code: 'INVALID_TOKEN',
      message: 'Invalid or expired token',
      details: undefined,
    });
  });

  it('reads the nested dialect of the services', () => {
    expect(
      readServerError({
        success: false,
        error: { code: 'INSUFFICIENT_TOKENS', message: 'Not enough', details: { required: 1, available: 0 } },
      }),
    ).toEqual({ code: 'INSUFFICIENT_TOKENS', message: 'Not enough', details: { required: '1', available: '0' } });
  });

  it('prefers the inner message of auth v2 to the generic one around it', () => {
    const body = { message: 'Operation failed', error: { code: 'USER_DISABLED', message: 'The account is disabled' } };
    expect(readServerError(body).message).toBe('The account is disabled');
    expect(readServerError({ message: 'Operation failed', error: { code: 'X' } }).message).toBe('Operation failed');
  });

  it.each([undefined, null, '', 'text', 5, [], {}, { error: null }, { error: [] }, { error: {} }])(
    'makes an empty error of %j, and never the text "undefined"',
    (body) => {
      expect(readServerError(body)).toEqual({ code: '', message: '', details: undefined });
    },
  );

  it.each([
    { code: null, message: null },
    { code: ['X'], message: true },
  ])('takes the parts %j for missing', (error) => {
    expect(readServerError({ error })).toEqual({ code: '', message: '', details: undefined });
  });

  it('keeps the messages of fields, and leaves out what no user can read', () => {
    const details = { name: 'is missing', age: 5, nested: { deep: 'x' }, list: ['x'], none: null };
    expect(readServerError({ error: { code: 'VALIDATION_ERROR', details } }).details).toEqual({
      name: 'is missing',
      age: '5',
      list: 'x',
    });
  });

  it.each([{}, { nested: {} }, 'text', 5, null])('has no details where they are %j', (details) => {
    expect(readServerError({ error: { details } }).details).toBeUndefined();
  });

  it('cuts long texts', () => {
    const long = 'x'.repeat(1_000);
    const read = readServerError({ error: { message: long, details: { field: long } } });
    expect([read.message.length, read.details?.['field']?.length]).toEqual([300, 300]);
    expect(readServerError({ message: long }).message).toHaveLength(300);
  });
});

describe('errorOf', () => {
  const answer = (status: number, body: unknown = {}, retryAfterMs: number | null = null): HttpAnswer => ({
    status,
    body,
    retryAfterMs,
    sentAt: T0,
    serverNow: null,
  });

  it.each([200, 202, 204])('takes the status %i for a success', (status) => {
    expect(errorOf(answer(status), 1)).toBeNull();
    expect(errorOf(answer(status, { success: true }), 1)).toBeNull();
    expect(errorOf(answer(status, undefined), 1)).toBeNull();
    expect(errorOf(answer(status, null), 1)).toBeNull();
  });

  it.each([undefined, null, {}, { error: 'ANYTHING' }, { error: { code: 'UNAUTHORIZED' } }])(
    'takes a 401 for a refused token, whatever it says: %j',
    (body) => {
      expect(errorOf(answer(401, body), 7)).toEqual(new UnauthorizedError(7));
    },
  );

  it.each(['INVALID_TOKEN', 'UNAUTHORIZED', 'TOKEN_EXPIRED'])(
    'knows %s under any status and in both dialects',
    (code) => {
      for (const status of [400, 403, 404, 429, 500, 502]) {
        expect(errorOf(answer(status, { error: code }), 7)).toBeInstanceOf(UnauthorizedError);
        expect(errorOf(answer(status, { error: { code } }), 7)).toBeInstanceOf(UnauthorizedError);
      }
      expect(errorOf(answer(200, { success: false, error: code }), 7)).toBeInstanceOf(UnauthorizedError);
    },
  );

  it('goes by codes, never by messages', () => {
    expect(errorOf(answer(400, { error: 'X', message: 'INVALID_TOKEN' }), 7)).toBeInstanceOf(RejectedError);
    expect(errorOf(answer(200, { data: {}, error: 'INVALID_TOKEN' }), 7)).toBeNull();
  });

  it('remembers which token was refused, if one was sent', () => {
    expect(errorOf(answer(401), 7)).toMatchObject({ generation: 7 });
    expect(errorOf(answer(401), null)).toMatchObject({ generation: null });
  });

  it('takes a 429 for proof that nothing was done', () => {
    expect(errorOf(answer(429, { message: 'slow down' }, 9_000), 7)).toMatchObject({
      code: 'rate-limited',
      retryAfterMs: 9_000,
      maybeDone: false,
    });
    expect(errorOf(answer(429), 7)).toMatchObject({ retryAfterMs: null });
  });

  it.each([500, 502, 503, 504, 520, 599, 408, 409, 423, 425])(
    'hopes that the status %i will pass, and that it may be done',
    (status) => {
      expect(errorOf(answer(status, { message: 'down' }, 9_000), 7)).toMatchObject({
        name: 'TransientError',
        code: 'unavailable',
        retryAfterMs: 9_000,
        maybeDone: true,
      });
    },
  );

  it('does not take a success that says `success: false` for one', () => {
    expect(errorOf(answer(200, { success: false, message: 'no' }), 7)).toMatchObject({
      code: 'unavailable',
    });
    expect(errorOf(answer(200, { success: 'false' }), 7)).toBeNull();
  });

  it.each([
    [400, 'validation'],
    [402, 'insufficient-credit'],
    [403, 'forbidden'],
    [413, 'too-large'],
    [404, 'rejected'],
    [405, 'rejected'],
    [422, 'validation'],
  ])('takes the status %i for a refusal of its own kind', (status, code) => {
    const error = errorOf(answer(status, { error: { code: 'X', message: 'no', details: { a: 'b' } } }), 7);
    expect(error).toBeInstanceOf(RejectedError);
    expect(error).toMatchObject({ code, status, details: { a: 'b' } });
  });
});

describe('who answers', () => {
  it.each([
    undefined,
    {},
    null,
    'Forbidden',
    { message: 'Forbidden' },
    { error: 'Forbidden' },
    { error: 'Not Found', message: 'Cannot GET /x' },
    { success: false },
    { timestamp: '', status: 415, error: 'Unsupported Media Type', path: '/x' },
    { error: 'Request Entity Too Large' },
    { error: "I'm a teapot" },
    { error: '403 Forbidden' },
    { error: { name: 'ForbiddenError', status: 403 } },
    { error: { code: 403, message: 'blocked' } },
    { code: 'HTTP_403' },
    { errorCode: '15', description: 'blocked' },
    { title: 'Error 1020', status: 403, error_code: 1020, cloudflare_error: true },
    { type: 'https://tools.ietf.org/html/rfc7231#section-6.5.3', title: 'Forbidden', status: 403 },
  ])('does not take %j for the words of the API', (body) => {
    expect(isApiWord({ body })).toBe(false);
    for (const status of [400, 402, 403, 404, 422]) {
      expect(errorOf({ status, body, retryAfterMs: null, sentAt: T0, serverNow: null }, 1)).toMatchObject({
        name: 'TransientError',
        code: 'invalid-response',
        status,
        maybeDone: true,
      });
    }
  });

  it.each([
    { success: false, error: 'FORBIDDEN' },
    { error: { code: 'ORG_MISMATCH' } },
    { success: false, error: { code: 'VALIDATION_ERROR' } },
    { message: 'The given data was invalid.', errors: { email: ['is taken'] } },
    { detail: [{ loc: ['body', 'email'], msg: 'field required' }] },
    { statusCode: 403, error: 'Forbidden', code: 'ORG_MISMATCH' },
    { error: { code: 40_301, message: 'x' } },
    { error: { code: 403, status: 'PERMISSION_DENIED' } },
    { errorCode: 'NO_CREDIT' },
  ])('takes %j for the words of the API', (body) => expect(isApiWord({ body })).toBe(true));

  it('takes a page that follows a redirect for a login page, and JSON that follows one for an answer', () => {
    const page: HttpAnswer = { status: 200, body: undefined, retryAfterMs: null, sentAt: T0, serverNow: null };
    expect(errorOf({ ...page, isRedirected: true }, 4)).toMatchObject({ code: 'unauthorized', generation: 4 });
    expect(errorOf(page, 4)).toBeNull();
    expect(errorOf({ ...page, isRedirected: true, body: { data: {} } }, 4)).toBeNull();
  });
});

describe('a limit or an outage that a gateway reports with a 403', () => {
  it.each([
    ['RATE_LIMIT_EXCEEDED', 'rate-limited'],
    ['ThrottlingException', 'rate-limited'],
    ['MAINTENANCE_MODE', 'unavailable'],
    ['temporarily_unavailable', 'unavailable'],
    ['INTERNAL_SERVER_ERROR', 'unavailable'],
  ])('is known by its code %s, and refuses nothing', (code, kind) => {
    const answer = { status: 403, body: { error: { code } }, retryAfterMs: null, sentAt: T0, serverNow: null };
    expect(errorOf(answer, 1)).toMatchObject({ name: 'TransientError', code: kind });
  });
});

describe('a token that is refused', () => {
  it.each([
    { error: { name: 'TokenExpiredError', message: 'jwt expired' } },
    { error: { type: 'invalid_token' } },
    { error: { code: 16, status: 'UNAUTHENTICATED' } },
    { statusCode: 403, error: 'Forbidden', code: 'FST_JWT_TOKEN_EXPIRED' },
    { errorCode: 'AUTH_TOKEN_EXPIRED' },
    { code: 403, error_code: 'bad_jwt' },
    { code: 'ExpiredTokenException' },
    [{ message: 'x', errorCode: 'INVALID_SESSION_ID' }],
    { type: 'https://api.example.test/problems/token-expired', status: 403 },
    { code: 'PGRST301' },
  ])('is recognised in %j', (body) => {
    const answer = { status: 403, body, retryAfterMs: null, sentAt: T0, serverNow: null };
    expect(errorOf(answer, 2)).toMatchObject({ code: 'unauthorized', generation: 2 });
  });
  it.each(['INVALID_CSRF_TOKEN', 'RESET_TOKEN_EXPIRED', 'INSUFFICIENT_TOKENS', 'TOKENS_EXPIRED', 'LICENSE_EXPIRED'])(
    'is not the one of %s',
    (code) => expect(isTokenRefused({ status: 403, code, challenge: '' })).toBe(false),
  );
  it.each([401, 419, 440, 498, 499])('is recognised by the status %i', (status) =>
    expect(isTokenRefused({ status, code: '', challenge: '' })).toBe(true),
  );
  it.each([
    'token_expired',
    'TOKEN_EXPIRED',
    'invalid_token',
    'jwt expired',
    'auth/id-token-expired',
    'UNAUTHENTICATED',
    'token_not_valid',
    'SESSION_EXPIRED',
    '401',
  ])('is recognised by the code %s under any status', (code) => {
    for (const status of [200, 400, 403, 500]) expect(isTokenRefused({ status, code, challenge: '' })).toBe(true);
  });
  it('is recognised by the challenge of the server', () => {
    const challenge = 'Bearer realm="api", error="invalid_token", error_description="expired"';
    expect(isTokenRefused({ status: 403, code: '', challenge })).toBe(true);
    expect(isTokenRefused({ status: 403, code: '', challenge: 'Bearer error="insufficient_scope"' })).toBe(false);
  });
  it.each(['ORG_MISMATCH', 'FORBIDDEN', 'NOT_FOUND', 'VALIDATION_ERROR', ''])('is not told by the code "%s"', (code) =>
    expect(isTokenRefused({ status: 403, code, challenge: '' })).toBe(false),
  );
  it('is recognised by a success whose body is an error', () => {
    const answer = { status: 200, retryAfterMs: null, sentAt: T0, serverNow: null };
    for (const body of [
      { error: 'token_expired' },
      { code: 401, message: 'x' },
      { errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] },
      { data: null, errors: [{ message: 'x', extensions: { code: 'UNAUTHENTICATED' } }] },
      { code: 401, msg: 'x', data: null },
    ])
      expect(errorOf({ ...answer, body }, 2)).toMatchObject({ code: 'unauthorized', generation: 2 });
  });
});

describe('the end of a session', () => {
  it.each(['invalid_grant', 'INVALID_REFRESH_TOKEN', 'refresh_token_expired', 'TOKEN_EXPIRED'])(
    'is recognised by %s',
    (code) => expect(isSessionOver(code)).toBe(true),
  );
  it.each(['', 'ORG_MISMATCH', 'server_error', '401'])('is not told by "%s"', (code) =>
    expect(isSessionOver(code)).toBe(false),
  );
});

describe('the messages of fields', () => {
  it.each([
    [{ error: { details: [{ field: 'a', message: 'no' }] } }, { a: 'no' }],
    [{ errors: { a: ['no', 'really'] } }, { a: 'no' }],
    [{ errors: [{ path: 'a', message: 'no' }] }, { a: 'no' }],
    [{ errors: [{ source: { pointer: '/data/a' }, detail: 'no' }] }, { '/data/a': 'no' }],
    [{ detail: [{ loc: ['body', 'a'], msg: 'no' }] }, { 'body.a': 'no' }],
    [{ error: { details: { a: { message: 'no' } } } }, { a: 'no' }],
  ])('are read from %j', (body, details) => expect(readServerError(body).details).toEqual(details));

  it('are bounded in number and length', () => {
    const many = Object.fromEntries(
      Array.from({ length: 1_000 }, (_, i) => [`f${i}${'x'.repeat(500)}`, 'y'.repeat(5_000)]),
    );
    const { details = {} } = readServerError({ error: { details: many } });
    expect(Object.keys(details)).toHaveLength(50);
    expect(JSON.stringify(details).length).toBeLessThan(25_000);
  });
});
