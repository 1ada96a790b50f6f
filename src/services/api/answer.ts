import { type ProblemDetails, RejectedError, TransientError, UnauthorizedError } from '../../lib/errors.ts';

/*
 * Who answered a request, and what the answer says. A proxy, a firewall or a login page can answer in place of the API, with any
 * status. Only an answer in one of the API's own error dialects is a refusal; every other failure is a failed call.
 */

/** An answer, as far as its status, its headers and its JSON tell. */
export interface HttpAnswer {
  status: number;
  /** Parsed JSON, or undefined where the body was not JSON. */
  body: unknown;
  /** When the request left, ms by the client's clock. */
  sentAt: number;
  /** The server's clock according to its Date header, ms, or null. */
  serverNow: number | null;
  /** From header or body, in ms, clamped; on errors and on successes. */
  retryAfterMs: number | null;
  /** The headers that the page may read; CORS hides most of them. */
  headers?: Pick<Headers, 'get'> | undefined;
  /** The address that answered. */
  url?: string;
  /** The body is markup, or is said to be: the page of something in front of the API. */
  isPage?: boolean;
  /** The request was redirected to another page. True also where the redirect was refused, with no body to read. */
  isRedirected?: boolean;
}

/** An error answer in its own words, whichever dialect it speaks. Missing parts are empty, never undefined text. */
export interface ServerError {
  code: string;
  message: string;
  /** Field name to message, at most {@link MAX_FIELDS} of them. */
  details: ProblemDetails | undefined;
}

/** What is known of an answer when a caller decides whether it refuses the token. */
export interface RefusalHint {
  status: number;
  /** The error code of the body, empty where there is none. */
  code: string;
  /** The `WWW-Authenticate` header, empty where there is none or CORS hides it. */
  challenge: string;
}

/** Longer texts of a server are cut. */
const MAX_TEXT = 300;
const MAX_NAME = 100;
const MAX_FIELDS = 50;

/** The fields of an object; none for anything else. */
const fieldsOf = (value: unknown) =>
  (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
const text = (value: unknown) => (typeof value === 'string' ? value.slice(0, MAX_TEXT) : '');
const codeText = (value: unknown) => (typeof value === 'number' ? String(value) : text(value));

/**
 * Reads an error body: flat `{ error: CODE, message }`, nested `{ error: { code, message, details } }`, a list
 * `{ errors: [{ code, message }] }`, and the field messages that common frameworks send with a 400 or 422.
 *
 * @example
 * readServerError({ success: false, error: 'INVALID_TOKEN', message: 'Invalid or expired token' }).code; // 'INVALID_TOKEN'
 */
export function readServerError(body: unknown): ServerError {
  const envelope = fieldsOf(Array.isArray(body) ? body[0] : body);
  const nested = fieldsOf(envelope.error);
  const first = fieldsOf(Array.isArray(envelope.errors) ? envelope.errors[0] : undefined);
  const codes = [nested.code, nested.error, nested.type, nested.name, nested.status, envelope.error, envelope.code]
    .concat(text(envelope.errorCode), text(envelope.error_code), fieldsOf(envelope.data).error)
    .concat(first.code, first.errorCode, fieldsOf(first.extensions).code)
    .map(codeText)
    .filter(Boolean);
  return {
    // Frameworks send a general code beside the one that matters: what ends a token or a session says most.
    code:
      [...codes, problemName(envelope.type)].find((it) => isRefusalCode(it) || isSessionOver(it)) ??
      codes.find(saysMore) ??
      codes[0] ??
      '',
    // Nested errors of auth v2 come with a generic top-level message: the inner one says more.
    message: [nested.message, envelope.message, first.message].map(text).find(Boolean) ?? '',
    details: [nested.details, nested.fields, envelope.details, envelope.errors, envelope.detail]
      .map(fieldMessages)
      .find(Boolean),
  };
}

/** The name of a problem (RFC 9457): the last part of its address. */
const problemName = (type: unknown) => /\/([^/]+)$/.exec(text(type))?.[1] ?? '';

/** Reads `{ field: message }`, `{ field: [message] }` or `[{ field, message }]` in the spellings of common frameworks. */
function fieldMessages(details: unknown): ProblemDetails | undefined {
  const messages = Array.isArray(details)
    ? details.map(listedField)
    : Object.entries(fieldsOf(details)).map(mappedField);
  const known = messages.filter((it) => it !== null).slice(0, MAX_FIELDS);
  return known.length > 0 ? Object.fromEntries(known) : undefined;
}

type FieldMessage = readonly [field: string, message: string];

function mappedField([field, said]: [string, unknown]): FieldMessage | null {
  const message: unknown = Array.isArray(said) ? (said as unknown[])[0] : said;
  const words =
    typeof message === 'string' || typeof message === 'number' ? String(message) : text(fieldsOf(message).message);
  return words === '' ? null : [field.slice(0, MAX_NAME), words.slice(0, MAX_TEXT)];
}

function listedField(entry: unknown): FieldMessage | null {
  const { field, path, param, name, loc, source, message, msg, detail } = fieldsOf(entry);
  const place = [field, path, param, name, loc, fieldsOf(source).pointer]
    .map((it) => (Array.isArray(it) ? it.map(codeText).join('.') : text(it)))
    .find(Boolean);
  const words = [message, msg, detail].map(text).find(Boolean);
  return place && words ? [place.slice(0, MAX_NAME), words] : null;
}

/** Reason phrases of HTTP: what a gateway says with a status, and no code of an API. */
const REASON_PHRASES = new Set(
  (
    'badrequest unauthorized paymentrequired forbidden notfound methodnotallowed notacceptable proxyauthenticationrequired ' +
    'requesttimeout conflict gone lengthrequired preconditionfailed payloadtoolarge contenttoolarge requestentitytoolarge ' +
    'uritoolong requesturitoolong requesturitoolarge unsupportedmediatype rangenotsatisfiable requestedrangenotsatisfiable ' +
    'expectationfailed imateapot misdirectedrequest unprocessableentity unprocessablecontent locked faileddependency tooearly ' +
    'upgraderequired preconditionrequired toomanyrequests requestheaderfieldstoolarge unavailableforlegalreasons error'
  ).split(' '),
);
const plain = (code: string) => code.toLowerCase().replaceAll(/[^a-z0-9]/g, '');

/** Whether a code says more than a status: `15`, `403`, `HTTP_403`, `403 Forbidden` and `ForbiddenError` do not. */
function saysMore(code: string): boolean {
  const words = plain(code).replace(/^(http|err(or)?|status|e)*\d{1,3}(?!\d)/, '');
  return words !== '' && !REASON_PHRASES.has(words) && !REASON_PHRASES.has(words.replace(/(error|exception)$/, ''));
}

/**
 * Whether an error answer is the API's own word: JSON in one of its dialects, with a code that says more than the status, or with
 * messages for fields. An HTML page, `{ "message": "Forbidden" }` of a gateway or an empty body is not.
 */
export function isApiWord({ body }: Pick<HttpAnswer, 'body'>): boolean {
  const { code, details } = readServerError(body);
  if (fieldsOf(body).success === false) return code !== '' || details !== undefined;
  return details !== undefined || saysMore(code);
}

/** Statuses that frameworks use for a session or token that has ended: 419 Laravel, 440 IIS, 498 and 499 Esri. */
const REFUSAL_STATUSES = new Set([401, 419, 440, 498, 499]);
/** Codes that say so, in any spelling and under any status. */
const REFUSAL_CODES = new Set(
  (
    'unauthorized unauthorised unauthorizederror unauthenticated notauthenticated authenticationrequired authenticationfailed ' +
    'loginrequired tokenverificationfailed jsonwebtokenerror pgrst301 pgrst303 sessionnotfound 401 419 440 498'
  ).split(' '),
);
const CREDENTIAL =
  '(?:auth(?:entication|orization)?|access|id|bearer|security|api|user|login|session|oauth2?|jwt)*' +
  '(?:token|jwt|session|login|authentication|signature)';
/** `TOKEN_EXPIRED`, `auth/id-token-revoked`, `TokenExpiredError`, `ERR_JWT_INVALID`, but not `RESET_TOKEN_EXPIRED`. */
const ENDED = new RegExp(
  `^(?:err(?:or)?|e|erres|fst)?${CREDENTIAL}(?:is|has|was|been)*` +
    '(?:expired?|invalid(?:ated)?|revoked|notvalid)(?:error|exception)?$',
);
/** `invalid_token`, `ExpiredTokenException`, `INVALID_SESSION_ID`, but not `INVALID_CSRF_TOKEN`. */
const BAD = new RegExp(
  `^(?:err(?:or)?|e|auth)?(?:expired|invalid|revoked|bad)${CREDENTIAL}(?:id)?(?:error|exception)?$`,
);
const isRefusalCode = (code: string): boolean => {
  const words = plain(code);
  return REFUSAL_CODES.has(words) || ENDED.test(words) || BAD.test(words);
};
const REFUSAL_CHALLENGE = /\berror\s*=\s*["']?(invalid_token|expired_token|token_expired)\b/i;

/**
 * Whether an answer says that the access token is dead. The default for the option `auth.isTokenRefused`.
 *
 * @example
 * isTokenRefused({ status: 403, code: 'token_expired', challenge: '' }); // true
 * isTokenRefused({ status: 403, code: 'ORG_MISMATCH', challenge: '' }); // false
 */
export function isTokenRefused({ status, code, challenge }: RefusalHint): boolean {
  return REFUSAL_STATUSES.has(status) || isRefusalCode(code) || REFUSAL_CHALLENGE.test(challenge);
}

/** What the code of a refusal says about the token, where it says more than that it is invalid. */
export function refusalWord(code: string): 'expired' | 'revoked' | null {
  return /revoked/i.test(code) ? 'revoked' : /expired/i.test(code) ? 'expired' : null;
}

/** Codes with which an identity provider says that a refresh token is over. */
const REFRESH_REFUSALS = new Set(
  (
    'invalidgrant invalidrefreshtoken refreshtokeninvalid refreshtokenexpired expiredrefreshtoken refreshtokenrevoked ' +
    'revokedrefreshtoken refreshtokennotfound refreshtokenreused refreshtokenalreadyused userdisabled usernotfound ' +
    'interactionrequired consentrequired accountdisabled accountsuspended notauthorizedexception'
  ).split(' '),
);

/** Whether an error answer of the refresh route says that the session is over. The status alone does not. */
export const isSessionOver = (code: string): boolean =>
  REFRESH_REFUSALS.has(plain(code).replace(/^auth/, '')) || (isRefusalCode(code) && plain(code) !== '401');

/** A login page in place of an answer: the request was redirected, and what came is not JSON. */
export const isLoginPage = ({ isRedirected, body }: HttpAnswer): boolean => isRedirected === true && body === undefined;

/** Whether an answer is a success. `{ success: false }` and an error object without data are none, whatever the status says. */
function isSuccess({ status, body }: HttpAnswer): boolean {
  if (status < 200 || status >= 300) return false;
  const { success, error, errors, code, data } = fieldsOf(body);
  if (success === false) return false;
  // GraphQL and others send `data: null` beside an error.
  if (success === true || (data !== undefined && data !== null)) return true;
  return !error && !errors && !(code !== undefined && isTokenRefused({ status, code: codeText(code), challenge: '' }));
}

/**
 * The error that an answer amounts to, or null when it is a success. Status, code and challenge decide; message texts never do.
 *
 * @param generation of the token that was sent, kept in an {@link UnauthorizedError}; null where none was sent
 */
export function errorOf(
  answer: HttpAnswer,
  generation: number | null,
  isRefused: (hint: RefusalHint) => boolean = isTokenRefused,
): UnauthorizedError | TransientError | RejectedError | null {
  if (isLoginPage(answer)) return new UnauthorizedError(generation);
  if (isSuccess(answer)) return null;
  const { status, body, retryAfterMs, headers } = answer;
  const { code, details } = readServerError(body);
  if (isRefused({ status, code, challenge: headers?.get('www-authenticate') ?? '' }))
    return new UnauthorizedError(generation);
  const because = { retryAfterMs, status };
  // A 429 proves that the server did not take the request. A 503 does not: the gateway also gives it for a broken connection.
  if (status === 429 || RATE_LIMIT.test(plain(code)))
    return new TransientError('rate-limited', 'the server asks for fewer requests', { ...because, maybeDone: false });
  if (status >= 500 || RETRY_STATUSES.has(status) || status < 400 || OUTAGES.has(plain(code))) {
    return new TransientError('unavailable', `the server answered with status ${status}`, because);
  }
  if (!isApiWord(answer)) {
    return new TransientError('invalid-response', `status ${status}, and not in the words of the API`, because);
  }
  return rejection(status, details);
}

/** The error for a refusal that a repetition cannot change. */
export const rejection = (status: number, details?: ProblemDetails): RejectedError =>
  new RejectedError(rejections[status] ?? 'rejected', status, `the server refused with status ${status}`, details);

/** Asking again later helps: 408 timeout, 409 the same request is in progress, 423 locked, 425 too early. */
const RETRY_STATUSES = new Set([408, 409, 423, 425]);
/** Codes of a limit and of an outage, which some gateways send with a 400 or 403. */
const RATE_LIMIT = /^(?:api|request|user)?(?:ratelimit|toomanyrequests|throttl|requestlimitexceeded)/;
const OUTAGES = new Set(
  (
    'serviceunavailable temporarilyunavailable unavailable maintenance maintenancemode undermaintenance internalservererror ' +
    'internalerror internal servererror badgateway gatewaytimeout timeout requesttimeout upstreamerror overloaded serverbusy'
  ).split(' '),
);

/** Every other status is `rejected`. */
const rejections: Readonly<Record<number, RejectedError['code']>> = {
  400: 'validation',
  402: 'insufficient-credit',
  403: 'forbidden',
  413: 'too-large',
  422: 'validation',
};
