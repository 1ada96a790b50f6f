import type { ApiJobState, Call, CallAnswer, JobApi } from '../ports.ts';
import { createStatusReader, type StatusWords } from '../services/api/status-words.ts';
import { ensureOk, fieldOf, percentIn } from './answers.ts';

/** Options of {@link restOperations}. Only `submit` is required. */
export interface RestOperationsOptions<Submission, Result> {
  /** Where a submission is posted, relative to `baseUrl`. */
  submit: string;
  /**
   * The path of an operation, relative to `baseUrl`, such as `/operations/:id`. With it the id of a job is what stands in place of
   * `:id`, short, and the one that events of a feed name. Without it the id is the address of the operation.
   *
   * @default the `Location` itself
   */
  operation?: string;
  /** The header that carries the key of a submission. @default 'Idempotency-Key' */
  keyHeader?: string;
  /** The body of a submission. @default the submission as it is */
  toBody?: (submission: Submission) => unknown;
  /** Words for states beside the common ones. A word that is not known means `running`. */
  statusWords?: StatusWords;
  /**
   * The state of a job by an answer of its operation.
   *
   * An answer that a redirect led to has the status 303 here.
   *
   * @default 202 is running; else the word in `status` or `state` decides; an answer without one is running, or completed where a redirect
   * led to it
   * @example
   * const api = restOperations({
   *   submit: '/analyses',
   *   // This server answers 202 while the job runs, and then 200 with the result.
   *   readState: ({ status }) => ({ type: status === 200 ? 'completed' : 'running' }),
   * });
   */
  readState?: (answer: CallAnswer) => ApiJobState;
  /**
   * The result by the answer that holds it.
   *
   * @default the body of the resource that the operation leads to; without one the field `result` of the operation, or all of it
   */
  readResult?: (answer: CallAnswer) => Result;
}

/**
 * A job API in the way of RFC 9110 and RFC 7240: a `POST` with `Prefer: respond-async` is answered 202 with the `Location` of an operation
 * and a `Retry-After`, and the operation is asked until it is done.
 *
 * The result is where the operation leads: a redirect, `resourceLocation` in its body or a `Location` header, or its own field `result`.
 * An address on another origin is refused: the token does not leave the API.
 *
 * Cross-origin servers expose their headers: `Access-Control-Expose-Headers: Location, Retry-After`. A browser does not follow a redirect
 * of another origin for a script, so such a server names `resourceLocation` in place of a redirect.
 *
 * @example
 * const client = createAssessmentClient({
 *   baseUrl: 'https://api.example.test/v1',
 *   api: restOperations<Answers, Report>({ submit: '/analyses', operation: '/operations/:id' }),
 * });
 */
export function restOperations<Submission = unknown, Result = unknown>({
  submit,
  operation,
  keyHeader = 'Idempotency-Key',
  toBody = (submission) => submission,
  statusWords,
  readState = stateReader(statusWords),
  readResult = ({ body }) => body as Result,
}: RestOperationsOptions<Submission, Result>): JobApi<Submission, Result> {
  const ask = async (jobId: string, call: Call): Promise<{ answer: CallAnswer; state: ApiJobState }> => {
    const path = operation === undefined ? jobId : operation.replace(':id', () => encodeURIComponent(jobId));
    const answer = ensureOk(await call.request(path));
    const state = readState(isRedirected(answer, path) ? { ...answer, status: SEE_OTHER } : answer);
    return { answer, state };
  };

  return {
    async submit(submission, key, call) {
      const answer = ensureOk(
        await call.request(submit, {
          method: 'POST',
          headers: { Prefer: 'respond-async', [keyHeader]: key },
          body: toBody(submission),
        }),
      );
      const location = answer.headers.get('location') ?? answer.headers.get('operation-location');
      if (location === null) throw new Error(NO_LOCATION);
      return { jobId: jobIdIn(location, answer.url, operation), retryAfterMs: answer.retryAfterMs };
    },

    async status(jobId, call) {
      const { answer, state } = await ask(jobId, call);
      return state.type === 'running' ? { retryAfterMs: answer.retryAfterMs, ...state } : state;
    },

    async result(jobId, call) {
      const { answer, state } = await ask(jobId, call);
      if (state.type !== 'completed') return { type: 'not-ready', retryAfterMs: answer.retryAfterMs };
      const link = linkIn(answer);
      if (link !== null) {
        const linked = ensureOk(await call.request(link));
        if (linked.status === 202) return { type: 'not-ready', retryAfterMs: linked.retryAfterMs };
        return { type: 'found', result: readResult(linked) };
      }
      const inner = fieldOf(answer.body, 'result');
      return { type: 'found', result: readResult(inner === undefined ? answer : { ...answer, body: inner }) };
    },
  };
}

const SEE_OTHER = 303;
const NO_LOCATION =
  'The answer to a submission has no Location. In a page of another origin the server also has to expose it: ' +
  'Access-Control-Expose-Headers: Location, Retry-After.';

/** The default of `readState`. An answer that was redirected has the status 303 here. */
function stateReader(statusWords: StatusWords = {}): (answer: CallAnswer) => ApiJobState {
  const read = createStatusReader(statusWords, () => {});
  return ({ status, body }) => {
    const word = fieldOf(body, 'status') ?? fieldOf(body, 'state');
    // A redirect may also lead to another place of the operation: then its word decides.
    if (status === SEE_OTHER && typeof word !== 'string') return { type: 'completed' };
    const state = status === 202 || typeof word !== 'string' ? 'processing' : read(word);
    if (state === 'completed' || state === 'failed') return { type: state };
    return { type: 'running', status: state, percent: percentIn(body, 'percentComplete', 'percent', 'progress') };
  };
}

/** Whether the answer comes from another path than the one that was asked for. */
function isRedirected({ url }: CallAnswer, path: string): boolean {
  const plain = (pathname: string) => pathname.replace(/\/$/, '');
  // A path is relative to `baseUrl`, which may have a path as well.
  return !plain(new URL(url).pathname).endsWith(plain(new URL(path, url).pathname));
}

/** The id of a job by the `Location` of its operation. */
function jobIdIn(location: string, base: string, operation: string | undefined): string {
  const address = new URL(location, base);
  if (operation === undefined) return address.href;
  const [before = '', after = ''] = operation.split(':id');
  const path = address.pathname + (operation.includes('?') ? address.search : '');
  const start = path.lastIndexOf(before);
  const rest = start === -1 ? '' : path.slice(start + before.length);
  const id = after === '' ? rest : rest.slice(0, rest.indexOf(after));
  if (id === '' || id.includes('/')) throw new Error(`The Location of an operation is not of the form ${operation}.`);
  return decodeURIComponent(id);
}

/** The address of the result, where the operation names one. */
function linkIn({ body, headers, url }: CallAnswer): string | null {
  const link = fieldOf(body, 'resourceLocation') ?? headers.get('location');
  return typeof link === 'string' && link !== '' ? new URL(link, url).href : null;
}
