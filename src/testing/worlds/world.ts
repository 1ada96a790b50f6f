import type { WireRoute } from '../wire/routes.ts';

/*
 * A world is plain data, so that a bad one shrinks to a short story that a person can read.
 */

/** The calls of a client, by name. */
export type WorldRoute = WireRoute;

/** What a proxy, a firewall, a login page or a broken service answers in place of the API. */
export type FrontAnswer =
  | 'html-200'
  | 'html-400'
  | 'html-401'
  | 'html-403'
  | 'html-404'
  | 'html-429'
  | 'html-500'
  | 'html-502'
  /** With a `Date` of next month. */
  | 'html-502-next-month'
  | 'json-403'
  /** In the API's dialect, about something else than the token: only for routes that cannot refuse. */
  | 'json-403-coded'
  | 'json-410'
  | 'json-500'
  | 'login-here'
  | 'login-elsewhere';

/** What becomes of the body of an answer. */
export type Garbling = 'nan' | 'cut' | 'html' | 'null' | 'foreign';

/** The users of the one computer. The first one begins. */
export type WorldUser = 'user-1' | 'user-2';

/** Something that happens to a client or its server, at a moment of the story. */
export type Incident = { at: number } & (
  | {
      do:
        | 'endTokens'
        | 'restart'
        | 'dropSocket'
        | 'foreignEvents'
        | 'malformedEvents'
        | 'duplicateEvents'
        | 'staleEvents'
        /** Every route forgets the jobs that were accepted so far, and no event comes. */
        | 'forgetAll';
    }
  | { do: 'reload' | 'signOut' | 'signInAsOther' | 'cancel' | 'revoke' | 'loseRefreshAnswer' | 'loseSubmitAnswer' }
  | { do: 'outage' | 'offline' | 'serverDown' | 'silence' | 'sleep' | 'noSockets'; forMs: number }
  | { do: 'jump'; byMs: number }
  /** Something in front of the API answers. `forMs` 0: one request. A sign-in ends a login page on every route. */
  | { do: 'front'; route: WorldRoute | 'any'; answer: FrontAnswer; forMs: number }
  /** The API's own answers arrive spoilt. `forMs` 0: one answer. */
  | { do: 'garble'; route: WorldRoute; how: Garbling; forMs: number }
  /** Status, archive and result routes answer with the row of another job or of another user. */
  | { do: 'foreignRows'; of: 'job' | 'user'; forMs: number }
  /** The user submits the same answers again while they are under way. */
  | { do: 'submitAgain'; where: 'page' | 'reload' | 'tab'; order: 'same' | 'reordered' }
  /**
   * Another user takes over the computer, or the same one signs in again: after a sign-out, or straight over the session of the user
   * before. In the page, in the next page of its tab, in a new tab, or in another tab that is open. The user submits answers once.
   */
  | {
      do: 'handOver';
      to: WorldUser;
      by: 'signOut' | 'signIn';
      where: 'page' | 'reload' | 'tab' | 'other-tab';
      submits: 'nothing' | 'own' | 'same';
    }
  /** The storages are full: what would make one larger is refused with a throw, and the old value stays. */
  | { do: 'fullStorage'; forMs: number }
);

/** How a server differs from the plain one. Every part is optional; see {@link plainHabits}. */
export interface Habits {
  /** How it says that an access token is dead. */
  deadToken: 'flat-401' | 'coded-403' | 'challenge-403' | '419' | '440' | '498' | 'coded-200';
  /** How its refresh route says that a session is over. */
  sessionOver: 'nested-401' | 'grant-400' | 'grant-200';
  /** The archive's rows of a finished job are 404 for so long, ms. */
  lateRowMs: number;
  /** The status row of a finished job is 410 after this time, ms; null keeps it. */
  goneRowMs: number | null;
  /** Failed attempts of the worker before the last one. Each is published as `failed`; a retry follows after 5, 10 and 20 s. */
  failures: 0 | 1 | 2 | 3;
  /** The worker recognises the answers: the event and the status name the result of an earlier job, and the own row stays null. */
  deduplicates: boolean;
  /** `late`: keys are stored after the work. `off`: they are ignored. */
  keys: 'on' | 'late' | 'off';
  /** Answers to submissions say that keys are supported, whether or not they are stored. */
  announcesKeys: boolean;
  /** From the arrival of a submission to its answer, ms. */
  submitMs: number;
  /** The connection of the first submission breaks while the server works on it. */
  breaksSubmit: boolean;
  /** The list of jobs shows a job 20 s late whose key is stored, or whose submission was answered with something unreadable. */
  listsLate: boolean;
  /** The rows of a job do not say whose it is; those of the list of jobs and the result do. */
  anonymousRows: boolean;
  /** Submissions are answered 429 for so long after the start, ms, with the whole wait as Retry-After. */
  submitLimitMs: number;
  /** The API refuses the submission in its own words. */
  refusal: null | 'validation-400' | 'validation-422' | 'credit-402';
  /** `odd`: numeric ids, status words in capitals, progress as a text with a percent sign. */
  spelling: 'plain' | 'odd';
  /** An event says that work has begun, without a percentage. */
  saysStarted: boolean;
  /** An outage of the verifier answers refreshes with 503. */
  outageTakesRefresh: boolean;
  /** Sockets authenticate during an outage of the verifier. */
  outageSparesSockets: boolean;
  /** What the health route of the auth service says: the truth, always 200, or 404. */
  health: 'honest' | 'lying' | 'missing';
  /** How far the device's clock is ahead from the beginning, ms. */
  clockAheadMs: number;
  /** `exp-only`: tokens are JWTs whose only claim of time is `exp`, and no answer states a lifetime. */
  tokens: 'stated' | 'exp-only';
  /** Answers of the API carry a `Date`. */
  saysDate: boolean;
  /** The body of a result arrives in parts over this time, ms. */
  slowBodyMs: number;
  /**
   * What the application says of its users at a sign-in: their id, an e-mail address, a number, nothing, or the address at every other
   * sign-in.
   */
  names: 'id' | 'email' | 'number' | 'none' | 'sometimes';
  /** Tokens whose lifetime is stated are JWTs that claim their user. */
  claimsUser: boolean;
  /** The sign-in of another user does not end the session of the one before. */
  keepsSessions: boolean;
}

export const plainHabits: Habits = {
  deadToken: 'flat-401',
  sessionOver: 'nested-401',
  lateRowMs: 0,
  goneRowMs: null,
  failures: 0,
  deduplicates: false,
  keys: 'on',
  announcesKeys: true,
  submitMs: 0,
  breaksSubmit: false,
  listsLate: false,
  anonymousRows: false,
  submitLimitMs: 0,
  refusal: null,
  spelling: 'plain',
  saysStarted: false,
  outageTakesRefresh: false,
  outageSparesSockets: false,
  health: 'honest',
  clockAheadMs: 0,
  tokens: 'stated',
  saysDate: false,
  slowBodyMs: 0,
  names: 'id',
  claimsUser: false,
  keepsSessions: false,
};

export interface World {
  /** Of the dice that decide about latency and loss. */
  seed: number;
  tokenTtlMs: number;
  /** From acceptance to the end. */
  jobMs: number;
  jobFails: boolean;
  latencyMs: number;
  /** Share of requests that get lost, half of them before and half of them after the server did its work. 0 to 1. */
  loss: number;
  /** Whether completion events name the job; the real server's do not. */
  eventsNameJobs: boolean;
  /** How the server differs from the plain one. Default: not at all. */
  habits?: Partial<Habits>;
  incidents: readonly Incident[];
}

/** Nothing goes wrong, but the job outlives the token: a world to begin with. */
export const calmWorld: World = {
  seed: 1,
  tokenTtlMs: 300_000,
  jobMs: 330_000,
  jobFails: false,
  latencyMs: 200,
  loss: 0,
  eventsNameJobs: true,
  incidents: [],
};

/** The duration of an incident that never ends, ms. */
export const FOR_EVER_MS = 1e9;

const minutes = (ms: number): string => {
  const [whole, rest] = [Math.floor(ms / 60_000), Math.round((ms % 60_000) / 1_000)];
  return `${whole}:${String(rest).padStart(2, '0')}`;
};

/** The words that belong to one incident alone, such as its route. */
function detailsOf(incident: Incident): string {
  const { at: _, do: __, ...details } = incident;
  return Object.entries(details)
    .map(([name, value]) => {
      if (name === 'byMs') return ` by ${Math.round(Number(value) / 1_000)} s`;
      if (name !== 'forMs') return ` ${name} ${value}`;
      if (value === 0) return ' once';
      return value === FOR_EVER_MS ? ' for ever' : ` for ${minutes(Number(value))}`;
    })
    .join('');
}

/** The world in a few lines of plain words. */
export function tellStory({
  seed,
  tokenTtlMs,
  jobMs,
  jobFails,
  latencyMs,
  loss,
  eventsNameJobs,
  habits = {},
  incidents,
}: World): string {
  const differences = Object.entries(habits)
    .filter(([name, value]) => value !== plainHabits[name as keyof Habits])
    .map(([name, value]) => `${name} ${value}`);
  const lines = [
    `A token lives ${minutes(tokenTtlMs)}, the job takes ${minutes(jobMs)} and ${jobFails ? 'fails' : 'succeeds'}.`,
    `Answers take ${latencyMs} ms, ${Math.round(loss * 100)} % get lost, events ${eventsNameJobs ? '' : 'do not '}name the job (dice: ${seed}).`,
    ...(differences.length > 0 ? [`The server: ${differences.join(', ')}.`] : []),
  ];
  for (const incident of incidents.toSorted((a, b) => a.at - b.at)) {
    lines.push(`  ${minutes(incident.at)}  ${incident.do}${detailsOf(incident)}`);
  }
  return lines.join('\n');
}

/** Whether tokens or the application tell users apart. A user without a name is another one at each sign-in. */
export const namesUsers = ({ habits }: World): boolean => {
  const { names = 'id', claimsUser = false, tokens = 'stated' } = habits ?? {};
  return (names !== 'sometimes' && names !== 'none') || claimsUser || tokens === 'exp-only';
};
