/// <reference types="node" />
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { type AssessmentClient, createAssessmentClient } from '../client/client.ts';
import type { Assessment } from '../client/assessment.ts';
import type { AssessmentView } from '../client/view.ts';
import type { MonitorEvent } from '../lib/log.ts';
import { toLines } from '../telemetry/to-lines.ts';
import { type Credentials, readCredentials } from './credentials.ts';
import { openSession, SignInError } from './sign-in.ts';
import { createFindings, type Finding, isFault } from './findings.ts';
import { exit, messageOf, type RunCommand, type Terminal } from './terminal.ts';
import { sampleAnswers } from './sample-answers.ts';

const HELP = `assessment-monitor probe --base-url URL [options]

Signs in, submits one assessment, watches it, fetches its result, and says what is wrong. It costs what one assessment costs.
  --base-url URL          the address of the API
  --auth v1|v2            default v2
  --refresh-transport     cookie (default) or body
  --login-path PATH       default /api/auth/v2/login, or /api/auth/login with v1
  --answers FILE          the answers as JSON; default an invented questionnaire
  --expect-refresh        the run counts only with a token refresh that worked; asks for one where none was due
  --no-socket             polls only
  --timeout SECONDS       default 900
  --max-requests N        default 300
  --json                  one JSON object on the standard output
  --verbose               every event as a line of JSON on the error stream; no event holds a secret

Credentials: ASSESSMENT_MONITOR_EMAIL and ASSESSMENT_MONITOR_PASSWORD, or {"email": …, "password": …} on the standard input.

Exit code: 0 it works, 1 it does not, 2 wrong usage, 130 cancelled by Ctrl-C.`;

const options = {
  'base-url': { type: 'string' },
  auth: { type: 'string', default: 'v2' },
  'refresh-transport': { type: 'string', default: 'cookie' },
  'login-path': { type: 'string' },
  answers: { type: 'string' },
  'expect-refresh': { type: 'boolean', default: false },
  'no-socket': { type: 'boolean', default: false },
  timeout: { type: 'string', default: '900' },
  'max-requests': { type: 'string', default: '300' },
  json: { type: 'boolean', default: false },
  verbose: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;
type Values = ReturnType<typeof parseArgs<{ options: typeof options }>>['values'];

interface Setup {
  baseUrl: string;
  auth: 'v1' | 'v2';
  transport: 'cookie' | 'body';
  timeoutMs: number;
  maxRequests: number;
  answers: unknown;
}

/** What a run of the probe comes to. */
interface Report {
  ok: boolean;
  outcome: 'completed' | 'failed' | 'timed-out' | 'not-signed-in' | 'cancelled';
  seconds: number;
  requests: number;
  refreshes: number;
  invalidTokenAnswers: number;
  socket: boolean;
  findings: readonly Finding[];
}

/** `assessment-monitor probe`. */
export const run: RunCommand = async (args, terminal) => {
  const { say, tell } = terminal;
  let values: Values;
  let setup: Setup;
  let credentials: Credentials;
  try {
    ({ values } = parseArgs({ args, options }));
    if (values.help) {
      say(HELP);
      return exit.good;
    }
    setup = await setupOf(values);
    credentials = await readCredentials(terminal);
  } catch (error) {
    tell(`${messageOf(error)}\n\n${HELP}\n`);
    return exit.usage;
  }
  const report = await probe(setup, values, credentials, terminal);
  if (values.json) say(JSON.stringify(report));
  else for (const line of wordsOf(report)) say(line);
  return report.outcome === 'cancelled' ? exit.cancelled : report.ok ? exit.good : exit.bad;
};

async function setupOf(values: Values): Promise<Setup> {
  const baseUrl = values['base-url'];
  if (!baseUrl || !URL.canParse(baseUrl)) throw new Error('--base-url: an address such as https://api.example.test');
  const { auth, 'refresh-transport': transport } = values;
  if (auth !== 'v1' && auth !== 'v2') throw new Error('--auth: v1 or v2');
  if (transport !== 'cookie' && transport !== 'body') throw new Error('--refresh-transport: cookie or body');
  const timeoutMs = Number(values.timeout) * 1_000;
  const maxRequests = Number(values['max-requests']);
  if (!(timeoutMs > 0 && maxRequests > 0)) throw new Error('--timeout and --max-requests: numbers above 0');
  const answers: unknown = values.answers ? JSON.parse(await readFile(values.answers, 'utf8')) : sampleAnswers;
  return { baseUrl: baseUrl.replace(/\/+$/, ''), auth, transport, timeoutMs, maxRequests, answers };
}

async function probe(setup: Setup, values: Values, credentials: Credentials, terminal: Terminal): Promise<Report> {
  const startedAt = Date.now();
  const findings = createFindings();
  const counts = { requests: 0, refreshes: 0, refused: 0, isLive: false };
  const tooMany = new AbortController();
  const session = openSession(() => {
    counts.requests += 1;
    if (counts.requests > setup.maxRequests) tooMany.abort();
    return counts.requests <= setup.maxRequests;
  });
  const writeLine = toLines((line) => terminal.tell(`${line}\n`));
  const onEvent = (event: MonitorEvent & { at: number }): void => {
    findings.hear(event);
    if (event.type === 'refresh.finished' && event.outcome === 'refreshed') counts.refreshes += 1;
    if (event.type === 'request.finished' && event.outcome === 'unauthorized') counts.refused += 1;
    if (event.type === 'feed.live') counts.isLive = true;
    if (values.verbose) writeLine(event);
  };
  const report = (outcome: Report['outcome']): Report => {
    const isRefreshMissing = values['expect-refresh'] && counts.refreshes === 0;
    const all = findings.all({ isRefreshMissing, isSocketExpected: !values['no-socket'] && !counts.isLive });
    return {
      ok: outcome === 'completed' && !all.some(isFault),
      outcome,
      seconds: Math.round((Date.now() - startedAt) / 100) / 10,
      requests: counts.requests,
      refreshes: counts.refreshes,
      invalidTokenAnswers: counts.refused,
      socket: counts.isLive,
      findings: outcome === 'cancelled' ? [] : all,
    };
  };

  const stop = AbortSignal.any([terminal.signal, tooMany.signal, AbortSignal.timeout(setup.timeoutMs)]);
  let client: AssessmentClient | null = null;
  try {
    const issued = await session.signIn(setup, values['login-path'], credentials, stop);
    if (setup.transport === 'cookie' && setup.auth === 'v2') findings.noteCookies(session.cookies());
    client = createAssessmentClient({
      baseUrl: setup.baseUrl,
      auth: { version: setup.auth, refreshTransport: setup.transport },
      fetch: session.fetch,
      onEvent,
      ...(values['no-socket'] && { socket: false as const }),
    });
    client.signedIn(issued);
    const assessment = client.submit(setup.answers);
    const view = await watch(assessment, terminal, values.json, stop);
    if (view.phase === 'completed' && values['expect-refresh'] && counts.refreshes === 0) await refreshNow(client);
    if (view.phase === 'completed') return report('completed');
    const problem = 'error' in view ? view.error : undefined;
    if (view.phase === 'failed' || problem?.code === 'unconfirmed-failure')
      findings.noteProblem(problem?.code ?? 'unexpected');
    if (terminal.signal.aborted) return report('cancelled');
    if (view.phase === 'failed') return report('failed');
    findings.noteUnfinished(view.phase, tooMany.signal.aborted);
    return report('timed-out');
  } catch (error) {
    if (terminal.signal.aborted) return report('cancelled');
    findings.noteSignIn(error instanceof SignInError ? error.message : messageOf(error));
    return report('not-signed-in');
  } finally {
    client?.dispose();
  }
}

/** A refresh that is due by nothing, and a call that proves the new token. */
async function refreshNow(client: AssessmentClient): Promise<void> {
  // Both are in the events: what fails here is a finding already.
  await client.ensureValidToken(true).catch(() => {});
  await client.refreshBalance().catch(() => {});
}

/** Shows the progress until the assessment has ended or has to stop. @returns the last view before that */
async function watch(
  assessment: Assessment,
  { tell, isInteractive }: Terminal,
  isQuiet: boolean,
  stop: AbortSignal,
): Promise<AssessmentView> {
  let shown = '';
  const show = (): void => {
    const view = assessment.getSnapshot();
    const line = `${bar(view.progress.percent)} ${view.phase}`;
    if (line === shown || isQuiet) return;
    shown = line;
    tell(isInteractive ? `\r${line.padEnd(60)}` : `${line}\n`);
  };
  const unsubscribe = assessment.subscribe(show);
  show();
  const stopped = new Promise<null>((resolve) => {
    if (stop.aborted) resolve(null);
    else stop.addEventListener('abort', () => resolve(null), { once: true });
  });
  const settled = await Promise.race([assessment.settled(), stopped]);
  const view = settled ?? assessment.getSnapshot();
  unsubscribe();
  if (settled === null) assessment.cancel();
  if (isInteractive && !isQuiet) tell('\n');
  return view;
}

const bar = (percent: number): string => {
  const filled = Math.round(percent / 5);
  return `[${'#'.repeat(filled)}${'.'.repeat(20 - filled)}] ${String(percent).padStart(3)} %`;
};

function wordsOf({
  ok,
  outcome,
  seconds,
  requests,
  refreshes,
  invalidTokenAnswers,
  socket,
  findings,
}: Report): string[] {
  const summary = {
    completed: 'The assessment completed, and its result arrived.',
    failed: 'The assessment failed.',
    'timed-out': 'The assessment did not end in time.',
    'not-signed-in': 'The sign-in failed, so nothing was submitted.',
    cancelled: 'Cancelled.',
  }[outcome];
  return [
    `${ok ? 'PASSED' : outcome === 'cancelled' ? 'CANCELLED' : 'FAILED'}: ${summary}`,
    `${seconds} s, ${requests} requests, ${refreshes} token refreshes, ${invalidTokenAnswers} INVALID_TOKEN answers, ${socket ? 'over the WebSocket' : 'by polling'}`,
    ...findings.map(({ name, severity, words }) => `${severity} ${name}: ${words}`),
  ];
}
