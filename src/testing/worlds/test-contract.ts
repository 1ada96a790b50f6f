import type { IssuedToken } from '../../services/auth/access-token.ts';
import { nested, responseOf, type WireAnswer } from '../wire/answers.ts';
import type { Router, WireRoute } from '../wire/routes.ts';

/** An answer of the fake server, before it leaves. */
export interface TestAnswer {
  /** The call that it answers. */
  readonly route: WireRoute;
  /** Of the job or the result that the call is about; empty where it is about none. */
  readonly id: string;
  readonly status: number;
  /** What the default contract says, such as `{ success: true, data: { jobId, status, progress } }`. */
  readonly body: unknown;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
}

/** How a server of your own speaks. The jobs, the tokens and the faults behind it stay those of the world. */
export interface TestContract {
  /** The addresses of its calls; `:id` is the id of the job or the result. @default those of the client's option `paths` */
  paths?: Partial<Record<WireRoute, string>>;
  /**
   * Says an answer in its own words.
   *
   * @default in those of the default contract
   * @example
   * const contract = {
   *   answer: (it) => (it.route === 'submit' && it.status === 202 ? { ...it, headers: { location: '/v1/jobs/job-1' } } : it),
   * };
   */
  answer?: (answer: TestAnswer) => Pick<TestAnswer, 'status' | 'body' | 'headers'>;
}

type Sent = { method?: string; body?: string };

/**
 * A fake server that speaks a contract, and whose refresh tokens travel as the client expects them.
 *
 * @param fetch the network of the fake server, whose answers have a status, headers and a text
 */
export function speaking(
  fetch: typeof globalThis.fetch,
  router: Router,
  answer: TestContract['answer'],
  transport: 'cookie' | 'body' = 'cookie',
) {
  /** The refresh token that the page holds; the fake server knows it as its cookie. */
  let held = 0;
  const word = () => `refresh-${held}`;
  const next = (): string => {
    held += 1;
    return word();
  };
  const isUsedUp = ({ body = '{}' }: Sent): boolean =>
    transport === 'body' && (JSON.parse(body) as { refreshToken?: unknown }).refreshToken !== word();
  const said = ({ status, body, headers, route, id }: TestAnswer): WireAnswer => {
    const isIssued = transport === 'body' && route === 'refresh' && status === 200;
    const { data } = body as { data?: object };
    const whole = isIssued ? { ...(body as object), data: { ...data, refreshToken: next() } } : body;
    const own = answer ? answer({ route, id, status, body: whole, headers }) : { status, body: whole, headers };
    return [own.status, own.body, own.headers];
  };
  const ask = async (url: string, sent: Sent) => {
    const { route, id } = router(sent.method, url);
    if (route === null) return fetch(url, sent);
    if (route === 'refresh' && isUsedUp(sent)) return responseOf(said({ route, id, ...refused, headers: {} }));
    const response = await fetch(url, sent);
    const headers = Object.fromEntries(
      namesOfHeaders.flatMap((name) => {
        const value = response.headers.get(name);
        return value === null ? [] : [[name, value]];
      }),
    );
    return responseOf(said({ route, id, status: response.status, body: parsed(await response.text()), headers }));
  };
  return {
    // Its answers are the part of a `Response` that the client reads.
    fetch: answer || transport === 'body' ? (ask as unknown as typeof fetch) : fetch,
    signedIn: (token: IssuedToken): IssuedToken => (transport === 'body' ? { ...token, refreshToken: next() } : token),
  };
}

const [status, body] = nested(401, 'INVALID_REFRESH_TOKEN');
const refused = { status, body };
/** The headers that the fake server sends. */
const namesOfHeaders = [
  'retry-after',
  'date',
  'x-idempotency-supported',
  'x-idempotency-cache',
  'content-type',
  'www-authenticate',
];

/** The JSON of a text, or the text. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
