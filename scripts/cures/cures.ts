/*
 * A cure is the part of the sources that keeps one situation of the field from costing a user a result, a credit or a true word. Each is
 * described here by the edits that take it out.
 */

/** A textual edit; `text` occurs exactly once in the file. */
export interface Edit {
  file: string;
  text: string;
  replacement: string;
}

export interface Cure {
  /** A letter and a number, as in the list of situations; a second letter where a cure has several parts. */
  id: string;
  /** How the client fails a user without it. */
  without: string;
  edits: readonly Edit[];
  /** The tests that notice it, where the random search may need more worlds than it is given. */
  tests?: string;
}

const answer = 'src/services/api/answer.ts';
const api = 'src/services/api/assessment-api.ts';
const http = 'src/services/api/http.ts';
const calls = 'src/actors/calls.ts';
const chart = 'src/machines/assessment-machine.ts';
const guards = 'src/machines/assessment-setup.ts';
const refresh = 'src/services/auth/refresh-request.ts';
const words = 'src/services/api/status-words.ts';

/** A refusal of a status call ends the assessment, as it did once. */
const refusalFails: readonly Edit[] = [
  {
    file: chart,
    text: "  { guard: 'isFailed', actions: 'noteProblem', target: TIMED_OUT },\n  refused,",
    replacement:
      "  { guard: 'isFailed', actions: 'noteProblem', target: TIMED_OUT },\n  { guard: 'isRejected', actions: 'noteProblem', target: FAILED },\n  refused,",
  },
  {
    file: api,
    text: 'throw error instanceof RejectedError && !MAY_REFUSE.has(route) ? failedCall(error, answer.retryAfterMs) : error;',
    replacement: 'throw error;',
  },
];

export const cures: readonly Cure[] = [
  {
    id: 'A1',
    without: 'the 403 page of a firewall, once, fails a paid job',
    edits: [...refusalFails, { file: answer, text: 'if (!isApiWord(answer)) {', replacement: 'if (false) {' }],
  },
  { id: 'A2', without: 'a 403 with a code, once, fails a paid job', edits: refusalFails },
  {
    id: 'A3',
    without: 'a 409 "in progress" for a repeated submission fails it',
    tests: 'test/client/api-word.test.ts',
    edits: [
      { file: answer, text: 'new Set([408, 409, 423, 425])', replacement: 'new Set([408, 423, 425])' },
      {
        file: calls,
        text: 'const found = isProof ? null : await search(submissionId, signal);',
        replacement: 'const found = null;',
      },
    ],
  },
  {
    id: 'A4',
    without: 'a result whose row is late fails the job',
    edits: [
      {
        file: calls,
        text: "throw isNotFound(error) ? notThereYet() : error;\n      });\n      if (state.type === 'not-ready')",
        replacement:
          "if (isNotFound(error)) return { type: 'invalid' as const };\n        throw error;\n      });\n      if (state.type === 'not-ready')",
      },
    ],
  },
  {
    id: 'A5',
    without: 'a job whose status row is gone is never found in the archive',
    edits: [
      {
        file: calls,
        text: '(error.status === 404 || error.status === 410)',
        replacement: 'error.status === 404',
      },
      {
        file: calls,
        text: 'if (its.statusTrouble >= 2 && its.statusTrouble % 2 === 0) {',
        replacement: 'if (false) {',
      },
    ],
  },
  {
    id: 'A6',
    without: 'a status route that is broken for good hides a finished job',
    edits: [
      {
        file: calls,
        text: 'if (its.statusTrouble >= 2 && its.statusTrouble % 2 === 0) {',
        replacement: 'if (false) {',
      },
    ],
  },
  {
    id: 'A7',
    without: 'a job that the server has forgotten is shown as being worked on',
    edits: [
      {
        file: guards,
        text: "new Set(['forbidden', 'job-not-found', 'invalid-response'])",
        replacement: "new Set(['forbidden', 'invalid-response'])",
      },
    ],
  },
  {
    id: 'A8',
    without: 'the page of a firewall on the refresh route signs the user out',
    edits: [
      {
        file: refresh,
        text: '(REFUSED.has(status) && isPage !== true && !isPrompt) ||\n    ((status === 400 || status === 403) && error instanceof RejectedError)',
        replacement: 'status >= 400 && status < 500',
      },
    ],
  },
  {
    id: 'A9',
    without: 'a refresh that is answered 200 "invalid_grant" never leads to a sign-in',
    edits: [
      {
        file: refresh,
        text: "if (status < 500 && isSessionOver(code)) return { type: 'rejected' };",
        replacement: '',
      },
    ],
  },
  {
    id: 'A10',
    without: 'a login page on every route never leads to a sign-in',
    edits: [
      {
        file: 'src/services/auth/login-pages.ts',
        text: 'export const MAX_LOGIN_PAGES = 3;',
        replacement: 'export const MAX_LOGIN_PAGES = Infinity;',
      },
      {
        file: 'src/services/auth/login-pages.ts',
        text: 'export const MAX_LOGIN_PAGES_AT_REFRESH = 2;',
        replacement: 'export const MAX_LOGIN_PAGES_AT_REFRESH = Infinity;',
      },
    ],
  },
  {
    id: 'A11',
    without: 'a dead token that is not a 401 is never renewed',
    edits: [
      {
        file: answer,
        text: 'return REFUSAL_STATUSES.has(status) || isRefusalCode(code) || REFUSAL_CHALLENGE.test(challenge);',
        replacement: 'return status === 401;',
      },
    ],
  },
  {
    id: 'A16',
    without: 'a clock that is an hour fast ends each token before it is used',
    edits: [
      {
        file: 'src/services/auth/access-token.ts',
        text: 'isDead && !isSkewKnown ? null : byClaim',
        replacement: 'byClaim',
      },
    ],
  },
  {
    id: 'B1',
    without: 'a submission whose success cannot be read is repeated, and paid for, again and again',
    tests: 'test/client/api-word.test.ts',
    edits: [
      {
        file: calls,
        text: 'its.isTaken = error.status !== null && error.status < 300;',
        replacement: 'its.isTaken = false;',
      },
    ],
  },
  {
    id: 'B2',
    without: 'ids that are numbers are not understood',
    edits: [{ file: 'src/lib/schemas.ts', text: 'z.union([z.string(), z.int()])', replacement: 'z.string()' }],
  },
  {
    id: 'B3',
    without: 'status words in capitals are not understood',
    edits: [{ file: words, text: "word.toLowerCase().replaceAll(/[\\s_.:!-]/g, '')", replacement: 'word' }],
  },
  {
    id: 'B4',
    without: 'a result that can never be read is downloaded without end',
    edits: [
      {
        file: guards,
        text: "return outcome?.type === 'invalid' && outcome.isConfirmed !== false;",
        replacement: 'return false;',
      },
    ],
  },
  {
    id: 'B5',
    without: 'a large result on a slow line is cut, again and again',
    edits: [
      {
        file: http,
        text: 'const onProgress = (): void => {\n      if (!controller.signal.aborted) waitFor(timeoutMs);',
        replacement: 'const onProgress = (): void => {',
      },
    ],
  },
  {
    id: 'B6',
    without: 'the result of another job or user is shown',
    edits: [
      { file: api, text: "return isForeign ? invalid('foreign')", replacement: "return false ? invalid('foreign')" },
    ],
  },
  {
    id: 'B7',
    without: 'refusals in an outage use up the attempts at a result within minutes',
    tests: 'test/client/api-word.test.ts',
    edits: [{ file: calls, text: "its.pacer.postpone('result', retryAfterMs);", replacement: '' }],
  },
  {
    id: 'B8',
    without: 'the result of another user is shown where only the list of jobs has named the owner',
    tests: 'test/client/api-word.test.ts',
    edits: [
      {
        file: calls,
        text: 'if (found.ownerId != null) its.keepOwner((its.owner ??= digestOf(found.ownerId)));',
        replacement: '',
      },
    ],
  },
  {
    id: 'C1',
    without: 'the same answers after a reload or in a second tab are a second job',
    edits: [
      {
        file: 'src/client/client.ts',
        text: 'const shared = jobs.find(digest, userId);',
        replacement: 'const shared = null as ReturnType<typeof jobs.find>;',
      },
    ],
  },
  {
    id: 'C2',
    without: 'the same answers with their keys in another order are a second job',
    edits: [
      {
        file: 'src/client/answers.ts',
        text: 'digestOf(JSON.stringify(copy, withSortedKeys))',
        replacement: 'digestOf(text)',
      },
    ],
  },
  {
    id: 'C3',
    without: 'a reload during the submission is a second job on a server that stores keys late or not at all',
    tests: 'test/client/once.test.ts',
    edits: [
      { file: 'src/client/assessment.ts', text: 'lostAt: record.sentAt ?? null', replacement: 'lostAt: null' },
      {
        file: calls,
        text: 'its.lostAt ??= sentAt;\n      its.isTaken ||= taken;',
        replacement: 'its.isTaken ||= taken;',
      },
    ],
  },
  {
    id: 'D1',
    without: 'a failure that the worker takes back is shown, and the result never is',
    edits: [{ file: calls, text: 'return isDue ? FAILED : UNCONFIRMED_FAILURE;', replacement: 'return FAILED;' }],
  },
  {
    id: 'D2',
    without: 'an event with the result of an earlier job is dropped',
    edits: [
      {
        file: guards,
        text: 'return event.jobId === null && (event.resultId === null || event.resultId !== context.resultId);',
        replacement: 'return event.jobId === null && event.resultId === null;',
      },
    ],
  },
  {
    id: 'D3',
    without: 'a submission whose answer was lost is repeated on a server that stores no keys',
    edits: [
      {
        file: calls,
        text: 'if (its.lostAt === null || api.recognisesKeys() === true) return send(submissionId, signal);',
        replacement: 'return send(submissionId, signal);',
      },
    ],
  },
  {
    id: 'D6',
    without: 'a submission that has to wait for an hour is shown as being sent',
    edits: [
      { file: chart, text: "{ guard: 'isLongWait', actions: 'noteFailure', target: TIMED_OUT },", replacement: '' },
    ],
  },
];
