import { createHttpPoller, type OperationResponse, type RawResponse } from '@azure/core-lro';
import {
  bearerTokenAuthenticationPolicy,
  createHttpHeaders,
  createPipelineFromOptions,
  createPipelineRequest,
  type HttpClient,
  type Pipeline,
  RestError,
} from '@azure/core-rest-pipeline';
import type { Page } from '../world/browser.ts';
import { answers, codeOf, type Contestant, paths } from './contestant.ts';

/*
 * The Azure SDK's poller and its bearer token policy, with the real libraries and their defaults, a poll every 2 s among them:
 *
 * - the poller, its operation and `restoreFrom` after a reload:
 *   https://github.com/Azure/azure-sdk-for-js/wiki/Implementing-LROs-with-%60createHttpPoller%60
 * - the pipeline with its retries, and the policy that gets and renews tokens:
 *   https://github.com/Azure/azure-sdk-for-js/tree/main/sdk/core/core-rest-pipeline#policies
 *
 * The server's words are put into the poller's (operation-location, succeeded). In its favour: what the network loses looks like it does
 * in Node, whose codes the retry policy knows; a poller that gave up for want of a network is restored; the token is shared by all
 * tabs; and it is not renewed behind the back of a request that is under way, which a server that ends the old token would refuse.
 */

const ORIGIN = 'https://bench.test';
const TIMEOUT_MS = 15_000;
const AGAIN_MS = 10_000;
/** With less left a token is renewed; the policy waits for that. */
const RENEW_AHEAD_MS = 1_000;
const STATE = 'poller';
const TOKEN = 'token';

interface StoredToken {
  token: string;
  expiresOnTimestamp: number;
  lifeMs: number;
}

export const coreLro: Contestant = {
  title: '@azure/core-lro with its bearer token policy',
  open(page, show) {
    const { localStorage } = page;
    const httpClient = clientOver(page);
    const signInPipeline = createPipelineFromOptions({});
    const pipeline = createPipelineFromOptions({});
    const stored = () => JSON.parse(localStorage.get(TOKEN) ?? 'null') as StoredToken | null;
    const renew = async (lifeMs: number): Promise<StoredToken> => {
      const askedAt = Date.now();
      try {
        const { body } = await send(signInPipeline, httpClient, 'POST', paths.refresh, {});
        const { idToken } = (body as { data: { idToken: string } }).data;
        const token = { token: idToken, expiresOnTimestamp: askedAt + lifeMs, lifeMs };
        localStorage.set(TOKEN, JSON.stringify(token));
        return token;
      } catch (error) {
        if ((error as RestError).statusCode === 401) {
          localStorage.remove(TOKEN);
          show({ phase: 'sign-in' });
        }
        throw error;
      }
    };
    const credential = {
      async getToken() {
        const token = stored();
        if (token === null) throw new RestError('no session', { code: 'UNAUTHORIZED', statusCode: 401 });
        const good = token.expiresOnTimestamp - Date.now() > RENEW_AHEAD_MS ? token : await renew(token.lifeMs);
        return { ...good, refreshAfterTimestamp: good.expiresOnTimestamp };
      },
    };
    pipeline.addPolicy(bearerTokenAuthenticationPolicy({ credential, scopes: [] }));
    const call = (method: 'GET' | 'POST', path: string, headers: Record<string, string> = {}) =>
      send(pipeline, httpClient, method, path, headers);

    const createPoller = (key: string, restoreFrom?: string) =>
      createHttpPoller<{ of: string }, never>(
        {
          async sendInitialRequest() {
            const raw = await call('POST', paths.submit, { 'Idempotency-Key': key });
            const { jobId, resultId } = (raw.body as { data: { jobId: string; resultId: string } }).data;
            const headers = { 'operation-location': paths.status(jobId), location: paths.result(resultId) };
            return operation({ ...raw, headers });
          },
          async sendPollRequest(path) {
            const raw = await call('GET', path);
            const { status } = (raw.body as { data: { status?: string } }).data;
            if (status === undefined) return operation(raw);
            return operation({ ...raw, body: { status: status === 'completed' ? 'succeeded' : status } });
          },
        },
        {
          resourceLocationConfig: 'location',
          processResult: (body) =>
            Promise.resolve((body as { data: { test_result: { of: string } } }).data.test_result),
          ...(restoreFrom === undefined ? {} : { restoreFrom }),
        },
      );

    const pollUntilDone = async (first: ReturnType<typeof createPoller>): Promise<void> => {
      // Any error but an aborted call ends a poller for good: the next one is restored from the state that was kept.
      for (let poller = first; ; poller = createPoller('', localStorage.get(STATE) ?? undefined)) {
        try {
          const result = await poller.pollUntilDone();
          return show({ phase: 'result', of: result.of });
        } catch (error) {
          // The session is over, and the sign-in page is there: it continues after that.
          if (stored() === null) return;
          const because = codeOfError(error);
          // A token that the policy thinks good is refused: it has no answer to that.
          if ((error as RestError).statusCode === 401) return show({ phase: 'failed', because });
          show({ phase: 'trouble', because });
          await new Promise((resolve) => void setTimeout(resolve, AGAIN_MS));
        }
      }
    };
    const goOn = (): void => {
      const state = localStorage.get(STATE);
      if (state === null) return show({ phase: 'not-submitted', because: 'RELOADED' });
      show({ phase: 'waiting' });
      return void pollUntilDone(createPoller('', state));
    };
    let wasSignedIn = false;
    return {
      signedIn({ accessToken, issuedAt, lifeMs }) {
        const token: StoredToken = { token: accessToken, expiresOnTimestamp: issuedAt + lifeMs, lifeMs };
        localStorage.set(TOKEN, JSON.stringify(token));
        if (wasSignedIn) goOn();
        wasSignedIn = true;
      },
      async submit() {
        show({ phase: 'waiting' });
        const poller = createPoller(`key-${Math.floor(page.random() * 2 ** 52)}`);
        try {
          await poller.submitted();
          localStorage.set(STATE, await poller.serialize());
        } catch (error) {
          return show({ phase: 'not-submitted', because: codeOfError(error) });
        }
        void call('GET', paths.balance).catch(() => {});
        return pollUntilDone(poller);
      },
      resume: goOn,
      balance: () => void call('GET', paths.balance).catch(() => {}),
    };
  },
};

const operation = <T>(rawResponse: RawResponse): OperationResponse<T> => ({
  flatResponse: rawResponse.body as T,
  rawResponse,
});

const codeOfError = (error: unknown): string => (error as RestError).code ?? 'NETWORK';

/** What a generated client does: any answer but a success is a RestError. */
async function send(
  pipeline: Pipeline,
  httpClient: HttpClient,
  method: 'GET' | 'POST',
  path: string,
  headers: Record<string, string>,
): Promise<RawResponse> {
  const url = path.startsWith(ORIGIN) ? path : ORIGIN + path;
  const body = method === 'POST' ? JSON.stringify(answers) : undefined;
  const request = createPipelineRequest({
    url,
    method,
    headers: createHttpHeaders(headers),
    timeout: TIMEOUT_MS,
    ...(body === undefined ? {} : { body }),
  });
  const response = await pipeline.sendRequest(httpClient, request);
  const parsed: unknown = JSON.parse(response.bodyAsText ?? 'null');
  if (response.status >= 400) {
    throw new RestError('refused', { code: codeOf(parsed), statusCode: response.status, request, response });
  }
  return {
    statusCode: response.status,
    request: { method, url },
    headers: response.headers.toJSON({ preserveCase: false }) as Record<string, string>,
    body: parsed,
  };
}

/** https://github.com/Azure/azure-sdk-for-js/tree/main/sdk/core/core-rest-pipeline#httpclient, with this world for a network. */
function clientOver(page: Page): HttpClient {
  return {
    async sendRequest(request) {
      const controller = new AbortController();
      const timer = setTimeout(() => controller.abort(), request.timeout);
      try {
        const answer = await page.exchange({
          method: request.method === 'POST' ? 'POST' : 'GET',
          path: request.url,
          headers: {
            Authorization: request.headers.get('Authorization'),
            'Idempotency-Key': request.headers.get('Idempotency-Key'),
          },
          signal: controller.signal,
        });
        return {
          request,
          status: answer.status,
          headers: createHttpHeaders(answer.headers),
          bodyAsText: answer.text,
        };
      } catch {
        throw new RestError('no answer', { code: controller.signal.aborted ? 'ETIMEDOUT' : 'ECONNRESET', request });
      } finally {
        clearTimeout(timer);
      }
    },
  };
}
