/*
 * A world is plain data, so that a bad one shrinks to a short story that a person can read.
 */

/** What a request is about. */
export type Route = 'submit' | 'status' | 'result' | 'job' | 'balance' | 'refresh';

/** What lasts for a while. */
export type Spell =
  /** The verifier of tokens is down: every good token is answered with INVALID_TOKEN. */
  | 'outage'
  /** No network. */
  | 'offline'
  /** Everything is answered with a 503. */
  | 'serverDown'
  /** Status and result calls are answered with a 429. */
  | 'busy'
  /** Sockets stay connected and say nothing. */
  | 'silence'
  /** No socket gets through. */
  | 'noSockets'
  /** The tab is in the background: its timers come once a minute. */
  | 'hidden'
  /** The machine sleeps. */
  | 'sleep';

/** What happens to one request: the next one of its route. */
export type Mishap =
  /** It never arrives. */
  | 'loseRequest'
  /** It arrives, and the answer does not come back. */
  | 'loseAnswer'
  /** Nothing comes back and nothing fails. */
  | 'hang'
  /** It arrives twice. */
  | 'duplicate'
  /** The answer is a page of some proxy. */
  | 'garble'
  /** A good token is refused, once. */
  | 'refuse';

/** What happens in a moment. */
export type Moment =
  | 'dropSocket'
  /** The server throws the sockets out. */
  | 'kickSocket'
  /** The server ends all access tokens before their time; refreshing helps. */
  | 'endTokens'
  /** The server ends the session; only a sign-in helps. */
  | 'revoke'
  /** The status route forgets its jobs; the archive does not. */
  | 'restart'
  /** The page is disposed of and opened anew. */
  | 'reload'
  /** The page dies without a word, with all of its requests, and is opened anew. */
  | 'crash'
  /** The tab is closed and opened anew: what lived in the session storage is gone. */
  | 'reopen'
  | 'signOut'
  | 'signInAgain'
  | 'signInAsOther'
  | 'submitSecond'
  /** The same answers once more, while the first are under way. */
  | 'doubleClick'
  | 'cancel'
  /** The application asks for a token for itself; or for a better one; or for the balance. */
  | 'askToken'
  | 'forceToken'
  | 'askBalance'
  /** The browser says that the page is visible, online and resumed, all at once. */
  | 'wakeSignals'
  | 'foreignEvents'
  | 'malformedEvents'
  | 'duplicateEvents'
  | 'staleEvents';

/** Something that happens to a client or its server. `at` and `forMs` are ms, `at` from the beginning of the story. */
export type Incident = { at: number } & (
  { do: Moment } | { do: Mishap; to: Route } | { do: Spell; forMs: number } | { do: 'jump'; byMs: number }
);

export interface World {
  /** Of the dice that decide about latency, loss and jitter. */
  seed: number;
  tokenTtlMs: number;
  /** `opaque` tokens come with a lifetime and a user; a `jwt` says both itself. */
  tokens: 'opaque' | 'jwt';
  /** From acceptance to the end. */
  jobMs: number;
  jobFails: boolean;
  /** There and back. */
  latencyMs: number;
  /** Share of requests that get lost, half of them before and half of them after the server did its work. 0 to 1. */
  loss: number;
  /** Whether completion events name the job; the real server's do not. */
  eventsNameJobs: boolean;
  /** Whether the answers to submission and status tell the result's id. Else only the archive does. */
  tellsResultId: boolean;
  /** How long status and result lag behind the event. */
  lagMs: number;
  /** Where a Retry-After stands. */
  retryAfterIn: 'header' | 'body';
  /** Whether the server recognises a submission that is sent twice. */
  recognisesKeys: boolean;
  /** How wrong the clock of the user's machine is. */
  clockOffMs: number;
  /** How long the user takes to sign in when asked. */
  userTakesMs: number;
  /** From acceptance to the question whether to wait longer. */
  patienceMs: number;
  incidents: readonly Incident[];
}

/** A world in which nothing goes wrong, but that the token does not live as long as the job. */
export const calmWorld: World = {
  seed: 1,
  tokenTtlMs: 300_000,
  tokens: 'opaque',
  jobMs: 330_000,
  jobFails: false,
  latencyMs: 200,
  loss: 0,
  eventsNameJobs: true,
  tellsResultId: true,
  lagMs: 0,
  retryAfterIn: 'header',
  recognisesKeys: true,
  clockOffMs: 0,
  userTakesMs: 20_000,
  patienceMs: 1_800_000,
  incidents: [],
};

/** The world in a few lines of plain words. What is as usual is not told. */
export function tellStory(world: World): string {
  const { tokenTtlMs, tokens, jobMs, jobFails, latencyMs, seed, incidents } = world;
  const oddities = [
    world.loss > 0 && `${Math.round(world.loss * 100)} % of the requests get lost`,
    !world.eventsNameJobs && 'events do not name the job',
    !world.tellsResultId && "only the archive knows the result's id",
    world.lagMs > 0 && `status and result lag ${minutes(world.lagMs)} behind the event`,
    world.retryAfterIn === 'body' && 'Retry-After stands in the body',
    !world.recognisesKeys && 'idempotency keys are not recognised',
    world.clockOffMs !== 0 && `the user's clock is ${signed(world.clockOffMs)} off`,
    world.userTakesMs !== calmWorld.userTakesMs && `a sign-in takes the user ${minutes(world.userTakesMs)}`,
    world.patienceMs !== calmWorld.patienceMs && `after ${minutes(world.patienceMs)} it counts as late`,
  ].filter((it) => it !== false);
  return [
    `A token (${tokens}) lives ${minutes(tokenTtlMs)}; the job takes ${minutes(jobMs)} and ${jobFails ? 'fails' : 'succeeds'}.`,
    `Answers take ${latencyMs} ms (dice: ${seed})${oddities.length > 0 ? `; ${oddities.join('; ')}` : ''}.`,
    ...incidents.toSorted((a, b) => a.at - b.at).map((it) => `  ${minutes(it.at)}  ${tell(it)}`),
  ].join('\n');
}

/** @example minutes(90_000) // '1:30' */
export function minutes(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

const signed = (ms: number) => (ms < 0 ? `-${minutes(-ms)}` : `+${minutes(ms)}`);

function tell(incident: Incident): string {
  if ('forMs' in incident) return `${incident.do} for ${minutes(incident.forMs)}`;
  if ('byMs' in incident) return `the clock jumps by ${signed(incident.byMs)}`;
  return 'to' in incident ? `${incident.do} (the next ${incident.to})` : incident.do;
}
