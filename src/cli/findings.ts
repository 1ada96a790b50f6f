import type { ErrorCode } from '../lib/errors.ts';
import type { MonitorEvent, RefusalCause } from '../lib/log.ts';
import type { ReceivedCookie } from './sign-in.ts';

/** Something that the probe has to say about a deployment. A warning does not fail the run. */
export interface Finding {
  name:
    | 'sign-in'
    | 'submission'
    | 'token-verifier'
    | 'invalid-token'
    | 'refresh'
    | 'readable-cookie'
    | 'socket'
    | 'status-route'
    | 'job'
    | 'result'
    | 'too-slow'
    | 'too-many-requests';
  severity: 'FAULT' | 'warning';
  words: string;
}

export const isFault = ({ severity }: Finding): boolean => severity === 'FAULT';

/** What a refused token says, by its cause. */
const refusals: Readonly<Record<RefusalCause, string>> = {
  expired: 'a token expired while a request was under way',
  'stale-generation': 'a token was used after a refresh had replaced it',
  skew: "the server's clock and this one disagree: a token was dead on arrival",
  outage: 'fresh tokens are refused: the verifier is down, or does not know the issuer',
  revoked: 'a token was refused before its expiry, although it was accepted before',
  dialect: 'something in front of the API refuses good tokens in words of its own',
  unknown: 'a token was refused that the server has never accepted',
};

const problems: Partial<Record<ErrorCode, Omit<Finding, 'severity'>>> = {
  'job-failed': { name: 'job', words: 'the server reports that the analysis failed' },
  'unconfirmed-failure': { name: 'job', words: 'the server reports that the analysis failed' },
  'invalid-result': { name: 'result', words: 'the result cannot be shown' },
  'insufficient-credit': { name: 'submission', words: 'the account of the probe has no credit left' },
};

/** Collects what is wrong, from the events of a run and its end. */
export function createFindings() {
  const found = new Map<Finding['name'], Finding>();
  const note = (name: Finding['name'], words: string, severity: Finding['severity'] = 'FAULT'): void => {
    if (!found.has(name) || severity === 'FAULT') found.set(name, { name, severity, words });
  };
  const trouble: Record<string, number> = {};

  const hearRequest = (event: Extract<MonitorEvent, { type: 'request.finished' }>): void => {
    const { route, outcome, status, cause = 'unknown' } = event;
    if (outcome === 'unauthorized') {
      const isOutage = cause === 'outage' || cause === 'unknown';
      return note(isOutage ? 'token-verifier' : 'invalid-token', `${refusals[cause]} (${route}, ${status})`);
    }
    if (outcome === 'ok' || outcome === 'aborted') {
      if (outcome === 'ok') trouble[route] = 0;
      return;
    }
    trouble[route] = (trouble[route] ?? 0) + 1;
    const answer = status === null ? 'no answer' : `status ${status}`;
    const words = `the ${route} route gives ${answer}`;
    const repeated = trouble[route] > 2;
    if (route === 'result' || route === 'submit')
      note(route === 'result' ? 'result' : 'submission', words, repeated ? 'FAULT' : 'warning');
    if (route === 'status') note('status-route', words, repeated ? 'FAULT' : 'warning');
  };

  return {
    hear(event: MonitorEvent): void {
      if (event.type === 'request.finished') hearRequest(event);
      else if (event.type === 'refresh.finished' && event.outcome !== 'refreshed')
        note('refresh', `a token refresh ended as ${event.outcome}`);
      else if (event.type === 'result.invalid')
        note('result', `the result does not fit: ${event.reason} ${event.field}`);
      else if (event.type === 'answer.unreadable')
        note('status-route', `the answer of ${event.route} does not fit at ${event.field}`);
      else if (event.type === 'feed.unavailable')
        note('socket', `Socket.IO cannot be loaded: ${event.reason}`, 'warning');
    },
    noteSignIn: (words: string) => note('sign-in', words),
    noteProblem(code: ErrorCode): void {
      const known = problems[code] ?? { name: 'submission' as const, words: `it ended with ${code}` };
      note(known.name, known.words);
    },
    noteCookies(cookies: readonly ReceivedCookie[]): void {
      for (const { name, isHttpOnly } of cookies)
        if (!isHttpOnly) note('readable-cookie', `scripts of the page can read the cookie ${name}`);
    },
    noteUnfinished(phase: string, isOutOfRequests: boolean): void {
      if (isOutOfRequests) note('too-many-requests', 'the run reached --max-requests before its end');
      else note('too-slow', `the run reached --timeout in phase ${phase}`);
    },
    all({ isRefreshMissing, isSocketExpected }: { isRefreshMissing: boolean; isSocketExpected: boolean }): Finding[] {
      if (isRefreshMissing && !found.has('refresh')) note('refresh', 'no token refresh has worked');
      if (isSocketExpected) note('socket', 'the WebSocket never was live, so polling did the work', 'warning');
      return [...found.values()];
    },
  };
}
