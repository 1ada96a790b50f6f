import type { AssessmentClient } from '../../client/client.ts';
import type { Assessment } from '../../client/assessment.ts';
import type { KeyValueStore } from '../../lib/storage.ts';
import { balanceOf } from '../wire/jobs.ts';
import type { FakeBackend } from './fake-backend.ts';
import type { WorldUser } from './world.ts';

/*
 * What belongs to whom, in a world whose users take turns on one computer. The story writes down who signs in and who submits what, and
 * looks at every page, storage and socket; nothing here asks the client whose anything is.
 */

/** Who is signed in from a true time on; null after a sign-out. */
interface Turn {
  at: number;
  /** When every tab has heard of it: a tab hears nothing while the machine sleeps. */
  heardAt: number;
  user: WorldUser | null;
}

/** Something of another user than the one who is signed in, or of a user who has signed out, and where it was found. */
interface Exposure {
  at: number;
  what: 'assessment' | 'view' | 'balance' | 'answers' | 'token' | 'name' | 'socket';
}

export interface Ledger {
  turns: Turn[];
  /** The user of each submission, by its id. */
  submissions: Map<string, WorldUser>;
  /** The users who have given answers with this mark. */
  marks: Map<string, Set<WorldUser>>;
  exposures: Exposure[];
}

/** One page of the browser that is open. */
export interface OpenPage {
  client: AssessmentClient;
  /** The storage of its tab. */
  tab: KeyValueStore;
  /** Every assessment that the page has shown: a component may hold one for longer than the client does. */
  held: Set<Assessment>;
}

/** So long after a sign-in or a sign-out the other tabs may take to hear of it, ms. */
const GRACE_MS = 100;

/** A text that occurs in the answers of this user and in no others. */
export const markOf = (user: WorldUser): string => `answers-of-${user}`;

export function createLedger(): Ledger {
  const users = ['user-1', 'user-2'] as const;
  return {
    turns: [],
    submissions: new Map(),
    marks: new Map(users.map((user) => [markOf(user), new Set([user])])),
    exposures: [],
  };
}

/** Writes down who is signed in from now on. */
export function beginTurn({ turns }: Ledger, user: WorldUser | null, at: number): void {
  turns.push({ at, heardAt: at + GRACE_MS, user });
}

/** The machine has slept until now: what tabs had not heard by then, they hear now. */
export function wake({ turns }: Ledger, sleptAt: number, now: number): void {
  for (const turn of turns) if (turn.heardAt > sleptAt) turn.heardAt = now + GRACE_MS;
}

/** Whether this user was signed in at that time or just before; a null user stands for anyone. */
function wasSignedIn({ turns }: Ledger, user: string | null, at: number): boolean {
  return turns.some((turn, index) => {
    const until = turns[index + 1]?.heardAt ?? Number.POSITIVE_INFINITY;
    return turn.user !== null && (user ?? turn.user) === turn.user && turn.at <= at && until > at;
  });
}

interface Place {
  ledger: Ledger;
  backend: FakeBackend;
  /** Shared by all pages. */
  storage: Pick<KeyValueStore, 'get' | 'keys'>;
  pages: readonly OpenPage[];
  /** The page in which the last sign-in or sign-out happened: it knows at once. */
  acting: OpenPage;
  /** True time. */
  at: number;
}

/** Looks for what must not be seen now, and writes it down. */
export function look({ ledger, backend, storage, pages, acting, at }: Place): void {
  const turn = ledger.turns.at(-1);
  if (!turn) return;
  const note = (what: Exposure['what']) => void ledger.exposures.push({ at, what });
  const isHeard = at >= turn.heardAt;
  for (const page of isHeard ? pages : [acting]) {
    const { assessments, balance } = page.client.getSnapshot();
    if (assessments.some(({ id }) => ledger.submissions.get(id) !== turn.user)) note('assessment');
    const isForeign = (it: Assessment) => ledger.submissions.get(it.id) !== turn.user;
    if ([...page.held].some((it) => isForeign(it) && it.getSnapshot().phase !== 'cancelled')) note('view');
    if (balance !== null && (turn.user === null || balance !== balanceOf(turn.user))) note('balance');
  }
  const stores = [storage, ...(isHeard ? pages : [acting]).map(({ tab }) => tab)];
  const stored = stores.flatMap((store) => store.keys().map((key) => store.get(key) ?? '')).join('\n');
  for (const [mark, users] of ledger.marks)
    if (isHeard && !(turn.user !== null && users.has(turn.user)) && stored.includes(mark)) note('answers');
  for (const [token, user] of backend.tokenUsers()) if (user !== turn.user && stored.includes(token)) note('token');
  if (stored.includes('@example.test')) note('name');
  if (isHeard && backend.listeningUsers().some((user) => user !== turn.user)) note('socket');
}

const LEFT = '14 nothing is sent for a user who has left';
const SHOWN = '14 no page shows what belongs to another user';
const TOKENS = '15 no storage holds a token of a user who has left';

/** Whether a rule can only be kept where each tab hears of the sign-ins and sign-outs in the others. */
export const dependsOnTabs = (rule: string): boolean => [LEFT, SHOWN, TOKENS].includes(rule);

/** Rules about what belongs to whom. */
export function rulesOfUsers(ledger: Ledger, { seen, jobs }: FakeBackend): Record<string, boolean> {
  const owners = new Map(
    jobs().flatMap((job) => [job.jobId, job.resultId, job.shownResultId].map((id) => [id, job.userId])),
  );
  const isExposed = (...kinds: Exposure['what'][]) => ledger.exposures.some(({ what }) => kinds.includes(what));
  return {
    '14 no request sends what belongs to another user than its token': seen.requests.every(
      ({ user, id, key, body }) => {
        if (user === null) return true;
        const owner = owners.get(id) ?? user;
        const sender = ledger.submissions.get(key ?? '') ?? user;
        const isForeign = [...ledger.marks].some(
          ([mark, users]) => body.includes(mark) && !users.has(user as WorldUser),
        );
        return owner === user && sender === user && !isForeign;
      },
    ),
    [LEFT]: [...seen.requests, ...seen.authentications].every(({ user, at }) => wasSignedIn(ledger, user, at)),
    [SHOWN]: !isExposed('assessment', 'view', 'balance', 'socket'),
    '15 no storage holds answers of a user who has left': !isExposed('answers'),
    [TOKENS]: !isExposed('token'),
    '15 no storage names a user in clear': !isExposed('name'),
  };
}
