/// <reference types="node" />
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { checkBackend } from '../testing/conformance.ts';
import { readCredentials } from './credentials.ts';
import { sampleAnswers } from './sample-answers.ts';
import { exit, messageOf, type RunCommand } from './terminal.ts';

const HELP = `assessment-monitor check --base-url URL [options]

Runs the contract of docs/protocol.md against a server, and says in plain words what it does differently and what that costs its users.
It spends the credit of one or two assessments of a test account, and waits for a job to end.
  --base-url URL      the address of the API
  --login-path PATH   default /api/auth/v2/login
  --answers FILE      answers that the server accepts, as JSON; default an invented questionnaire
  --timeout SECONDS   how long a job may take; default 600
  --json              one JSON object on the standard output

Credentials: ASSESSMENT_MONITOR_EMAIL and ASSESSMENT_MONITOR_PASSWORD, or {"email": ..., "password": ...} on the standard input.

Exit code: 0 nothing differs, 1 something does, 2 wrong usage, 3 the server cannot be reached.`;

const options = {
  'base-url': { type: 'string' },
  'login-path': { type: 'string' },
  answers: { type: 'string' },
  timeout: { type: 'string', default: '600' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

/** `assessment-monitor check`. */
export const run: RunCommand = async (args, terminal) => {
  const { say, tell } = terminal;
  let setup: Setup;
  try {
    const { values } = parseArgs({ args, options });
    if (values.help) {
      say(HELP);
      return exit.good;
    }
    const jobTimeoutMs = Number(values.timeout) * 1_000;
    if (!values['base-url']) throw new Error('--base-url URL is missing');
    if (!(jobTimeoutMs > 0)) throw new Error(`--timeout: a number of seconds, not ${values.timeout}`);
    setup = {
      baseUrl: new URL(values['base-url']).href.replace(/\/$/, ''),
      login: values['login-path'],
      submission: values.answers ? (JSON.parse(await readFile(values.answers, 'utf8')) as unknown) : sampleAnswers,
      jobTimeoutMs,
      account: await readCredentials(terminal),
      isJson: values.json,
    };
  } catch (error) {
    tell(`${messageOf(error)}\n\n${HELP}\n`);
    return exit.usage;
  }
  const { login, isJson, ...check } = setup;
  const report = await checkBackend({ ...check, ...(login !== undefined && { paths: { login } }) });
  const { kept, differences } = report;
  const isReached = !differences.some(({ id }) => id === 'unreachable');
  if (isJson) say(JSON.stringify({ ok: differences.length === 0, ...report }));
  const lines = [
    ...kept.map((it) => `kept     ${it}`),
    ...differences.map(({ id, what, cost }) => `DIFFERS  ${id}: ${what} ${cost}`),
    differences.length === 0 ? 'Nothing differs from the contract.' : `${differences.length} differences.`,
  ];
  for (const line of lines) {
    if (isJson) tell(`${line}\n`);
    else say(line);
  }
  return !isReached ? exit.unknown : differences.length === 0 ? exit.good : exit.bad;
};

interface Setup {
  baseUrl: string;
  login: string | undefined;
  submission: unknown;
  jobTimeoutMs: number;
  account: { email: string; password: string };
  isJson: boolean;
}
