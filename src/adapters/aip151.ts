import * as z from 'zod/mini';
import { anyObject, fit, object, orNull, someText } from '../lib/schemas.ts';
import type { ApiJobState, Call, JobApi } from '../ports.ts';
import { ensureOk, percentIn } from './answers.ts';

/** Options of {@link aip151}. Only `submit` is required. */
export interface Aip151Options<Submission, Result> {
  /** The method that starts an operation, relative to `baseUrl`, such as `/v1/assessments:analyze`. */
  submit: string;
  /** What precedes the name of an operation in its address. @default '/v1' */
  root?: string;
  /** The query parameter of the key, as AIP-155 has it for a method with a `body`. @default 'requestId' */
  keyParameter?: string;
  /** The body of a submission; the key for a method that takes it there. @default the submission as it is */
  toBody?: (submission: Submission, key: string) => unknown;
  /** The result by the `response` of an operation. @default the response as it is, `@type` included */
  readResult?: (response: unknown) => Result;
}

const operationSchema = object({
  name: someText,
  done: z.catch(z.optional(z.boolean()), false),
  error: orNull(anyObject),
  response: z.optional(z.unknown()),
  metadata: z.optional(z.unknown()),
});

type Operation = z.infer<typeof operationSchema>;

/**
 * A job API in the way of Google's long-running operations, https://google.aip.dev/151: a method answers with an operation
 * (`name`, `done`, then `error` or `response`), and the operation is asked for by its name. `metadata.progressPercent` is the progress.
 *
 * Only `done: true` with an `error` is a failure, and only `done: true` with a `response` is an end. Everything else is running.
 *
 * @example
 * const client = createAssessmentClient({
 *   baseUrl: 'https://assessments.example.test',
 *   api: aip151<Answers, Report>({ submit: '/v1/assessments:analyze' }),
 *   auth: { source: { getToken: ({ fresh }) => sdk.getToken({ forceRefresh: fresh }) } },
 * });
 */
export function aip151<Submission = unknown, Result = unknown>({
  submit,
  root = '/v1',
  keyParameter = 'requestId',
  toBody = (submission) => submission,
  readResult = (response) => response as Result,
}: Aip151Options<Submission, Result>): JobApi<Submission, Result> {
  const ask = async (name: string, call: Call) => {
    const path = name.split('/').map(encodeURIComponent).join('/');
    const answer = ensureOk(await call.request(`${root}/${path}`));
    const operation = readOperation(answer.body);
    if (operation.name !== name) throw new Error('The answer is about another operation.');
    return { operation, state: stateOf(operation), retryAfterMs: answer.retryAfterMs };
  };

  return {
    async submit(submission, key, call) {
      const query = `${submit.includes('?') ? '&' : '?'}${keyParameter}=${encodeURIComponent(key)}`;
      const answer = ensureOk(await call.request(submit + query, { method: 'POST', body: toBody(submission, key) }));
      return { jobId: readOperation(answer.body).name, retryAfterMs: answer.retryAfterMs };
    },

    async status(name, call) {
      const { state, retryAfterMs } = await ask(name, call);
      return state.type === 'running' ? { ...state, retryAfterMs } : state;
    },

    async result(name, call) {
      const { operation, state, retryAfterMs } = await ask(name, call);
      if (state.type !== 'completed') return { type: 'not-ready', retryAfterMs };
      return { type: 'found', result: readResult(operation.response) };
    },
  };
}

function readOperation(body: unknown): Operation {
  const operation = fit(body, operationSchema);
  // Dots alone and empty segments lead to another path.
  if (!operation || operation.name.split('/').some((part) => /^\.{0,2}$/.test(part)))
    throw new Error('The answer is not an operation of AIP-151: it has no usable name.');
  return operation;
}

function stateOf({ done, error, response, metadata }: Operation): ApiJobState {
  if (done && error) return { type: 'failed' };
  if (done && response !== undefined) return { type: 'completed' };
  return { type: 'running', percent: percentIn(metadata, 'progressPercent', 'progressPercentage') };
}
