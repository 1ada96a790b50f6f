import { EMPTY, firstValueFrom, fromEvent, map, merge, Observable, Subject } from 'rxjs';
import * as z from 'zod/mini';
import { type IssuedToken, isSendable } from './access-token.ts';
import type { Clock } from '../../lib/clock.ts';
import { appIn, identityOf } from '../../lib/identity.ts';
import { fit, number, object, readJson, someText, textOrNumber } from '../../lib/schemas.ts';
import type { KeyValueStore } from '../../lib/storage.ts';

/** The part of a `BroadcastChannel` that this package uses. */
export interface TabChannel {
  postMessage(message: unknown): void;
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void;
  close(): void;
}

/** A change of the session in any tab. It is never older than the state of this tab. */
export type SharedNews =
  /** The token was refreshed in this tab or another. */
  | {
      type: 'renewed';
      token: IssuedToken;
      sentAt: number;
      generation: number;
      /** It was not issued for this request: its age is unknown. */
      isCached?: boolean;
      /** Another tab has handed it over, and has used it for a while: it is not fresh. */
      isOffered?: boolean;
    }
  /** A user signed in in another tab. All tabs share the cookie, so that user is signed in here as well. */
  | { type: 'signed-in'; token: IssuedToken; sentAt: number; generation: number }
  /** Another tab ended the session. */
  | { type: 'ended'; reason: 'signed-out' | 'rejected' };

/** The state of the session as one tab knows it. Both numbers are generations; a session has that of its first token. */
export interface Position {
  session: number;
  generation: number;
}

/**
 * The one session that all tabs of a browser share.
 *
 * Tokens travel over a `BroadcastChannel` and are not stored. A record without the token holds the position of the session, for
 * tabs that were asleep. Generations count across all tabs and sessions, and a session is identified by the generation of its first
 * token. A tab ignores messages older than its own state.
 */
export interface SharedSession {
  readonly news$: Observable<SharedNews>;
  /** The session and the generation of its newest token, as this tab knows them. */
  position(): Position;
  /** Whether this tab has learned of a newer token, another session or the end of the session since then. */
  hasMovedOn(since: Position): boolean;
  /** The part of the user's identity that the application gave at the sign-in; undefined where it gave none. */
  appUser(): string | undefined;
  /** The generation of the newest token in the record of all tabs. */
  newest(): number;
  /** Whether the user has signed out, in any tab and before any reload: only a sign-in begins a session then, and no cookie. */
  isSignedOut(): boolean;
  /**
   * Whether a token of this generation, restored after a reload, still belongs to the session.
   *
   * @param ofSession its session, where it was kept with the token: without a record, nothing else tells the number @default 0
   */
  restored(generation: number, ofSession?: number): boolean;
  /**
   * Publishes a refreshed token to all tabs, this one included. A stale one is dropped: the session has ended, or another tab refreshed
   * the token once more while this tab was asleep.
   *
   * @param sentAt when the request was sent, ms since the epoch
   * @param asked the session and the newest recorded generation at that time. Only records since then can be newer; times alone do not
   * decide, because the clock may be set back.
   * @param isCached the token was not issued for this request @default false
   */
  renewed(token: IssuedToken, sentAt: number, asked: Position, isCached?: boolean): void;
  /**
   * Publishes a sign-in to the other tabs.
   *
   * @returns the generation of the token
   */
  signedIn(token: IssuedToken, sentAt: number): number;
  /** Publishes the end of the session to the other tabs. */
  ended(reason: 'signed-out' | 'rejected'): void;
  /** Compares this tab with the record, and requests a missing token from the other tabs. For tabs that were asleep. */
  look(): void;
  /**
   * Waits for news for up to `ms`. The wait also ends when `signal` aborts or `refresh` settles.
   *
   * @returns whether there was news; its listeners have received it by then
   */
  hear(ms: number, signal?: AbortSignal, refresh?: Promise<unknown> | null): Promise<boolean>;
  /**
   * Requests the newest token from the other tabs if this tab is behind, and waits up to 300 ms for it.
   *
   * @returns whether there was news; its listeners have received it by then
   */
  catchUp(): Promise<boolean>;
  /** Sets the answer to tabs that are behind: the current token, or null. */
  answerWith(held: () => { token: IssuedToken; sentAt: number } | null): void;
  close(): void;
}

export interface SharedSessionOptions {
  /** Shared by all tabs; holds no token. */
  store: KeyValueStore;
  /** Null where there are no other tabs, or no way to reach them. */
  channel: TabChannel | null;
  clock: Clock;
  /** The key of the record in the store. */
  key: string;
  /** Changes of the store by other tabs, by key: a sign-out also reaches a tab without a channel. @default none */
  changes$?: Observable<{ key: string | null }>;
}

/** The longest wait for an answer of another tab. An active tab answers within milliseconds, a frozen one never. */
const ANSWER_MS = 300;

/** Sessions that begin so far apart have different numbers, ms. */
const SESSION_STEP_MS = 100;
/** No version has counted so far. */
const FIRST_BY_TIME = 1e9;

const ordinal = z.int().check(z.minimum(0), z.maximum(1e12));
const recordSchema = object({
  session: ordinal,
  generation: ordinal,
  ended: z.boolean(),
  reason: z.optional(z.enum(['signed-out', 'rejected'])),
  /** When the request for the newest token was sent, ms since the epoch. */
  sentAt: number,
  /** The user who signed in, where known, as a part of an identity: a tab that missed the sign-in must not continue for another user. */
  userId: z.nullable(z.string()),
});
const tokenSchema = object({
  // Another page, or an older version of this package, may have received one that no header can carry.
  accessToken: someText.check(z.refine(isSendable)),
  expiresIn: z.optional(textOrNumber),
  userId: z.optional(textOrNumber),
  refreshToken: z.optional(z.string()),
});
const messages = {
  token: object({
    type: z.literal('token'),
    session: ordinal,
    generation: ordinal,
    token: tokenSchema,
    sentAt: number,
    /** The answer to a tab that is behind. Other tabs may have the token already. */
    isOffered: z.optional(z.boolean()),
  }),
  ended: object({
    type: z.literal('ended'),
    session: ordinal,
    /** The newest token that the tab knew. Older versions of this package do not send it. */
    generation: z.optional(ordinal),
    reason: z.enum(['signed-out', 'rejected']),
  }),
  ask: object({ type: z.literal('ask'), session: ordinal, generation: ordinal }),
};
type Message = z.infer<(typeof messages)[keyof typeof messages]>;

/** @example const shared = createSharedSession({ store, channel: new BroadcastChannel(name), clock, key }); */
export function createSharedSession(options: SharedSessionOptions): SharedSession {
  const { store, channel, clock, key, changes$ = EMPTY } = options;
  const news = new Subject<SharedNews>();
  let held: () => { token: IssuedToken; sentAt: number } | null = () => null;
  let over: 'signed-out' | 'rejected' | null = null;
  let newest = 0;

  const record = () => readJson(store.get(key), recordSchema);
  const before = record();
  let session = before?.session ?? 0;
  let generation = 0;
  if (before?.ended) {
    generation = before.generation;
    // A sign-out is final, and the cookie may outlive it. After a rejection a user may have signed in on a page without this package: the
    // cookie may be valid, and its token begins a new session.
    if (before.reason === 'signed-out') over = before.reason;
    else session = before.generation + 1;
  }

  const post = (message: Message): void => {
    try {
      // eslint-disable-next-line unicorn/require-post-message-target-origin -- a channel, not a window
      channel?.postMessage(message);
    } catch {
      // The channel is closed because the page is unloading. The record is stored already.
    }
  };
  const write = (userId?: string | number): void => {
    const there = record();
    if (there && (there.session > session || (there.session === session && there.generation > generation))) return;
    const known = there?.session === session ? there.userId : null;
    const user = userId === undefined ? known : (appIn(identityOf(userId, null, session)) ?? null);
    const state = { session, generation, ended: over !== null, ...(over && { reason: over }) };
    // A storage that is full refuses the longer record, and would keep one of a session under way.
    if (over === 'signed-out') store.remove(key);
    store.set(key, JSON.stringify({ ...state, sentAt: newest, userId: over === 'signed-out' ? null : user }));
  };
  /** Whether the record is newer than the state of this tab. */
  const isBehind = (): boolean => {
    const there = record();
    if (there === null || there.session < session) return false;
    return there.session > session || (over === null && (there.ended || there.generation > generation));
  };
  const end = (reason: 'signed-out' | 'rejected'): void => {
    over = reason;
    news.next({ type: 'ended', reason });
  };

  /** A sign-out adds to a rejection: what is left of the user goes. */
  const isAsOver = (reason: 'signed-out' | 'rejected'): boolean =>
    over !== null && (over === 'signed-out' || over === reason);
  const follow = (message: Message): void => {
    switch (message.type) {
      case 'ask': {
        const isNewer =
          session > message.session ||
          (session === message.session && (over !== null || generation > message.generation));
        if (!isNewer) return;
        const offer = held();
        if (over) post({ type: 'ended', session, generation, reason: over });
        else if (offer) post({ type: 'token', session, generation, ...offer, isOffered: true });
        return;
      }
      case 'ended': {
        const { reason } = message;
        // The rejection of an older token says nothing about the newest one, which may have come after it. A sign-out is always final.
        const isStale = reason === 'rejected' && (message.generation ?? generation) < generation;
        if (message.session < session || (message.session === session && (isStale || isAsOver(reason)))) return;
        session = message.session;
        return end(reason);
      }
      case 'token': {
        const { token, sentAt, isOffered = false } = message;
        const isSignIn = message.session > session;
        // Without locks two tabs may give one generation to two tokens: the later one is valid.
        const isOther = message.generation === generation && held()?.token.accessToken !== token.accessToken;
        const isNewer = message.generation > generation || (isOther && sentAt > newest);
        if (!isSignIn && (over !== null || message.session < session || !isNewer)) return;
        session = message.session;
        generation = Math.max(message.generation, generation + 1);
        over = null;
        newest = sentAt;
        const its = { token, sentAt, generation };
        news.next(
          isSignIn ? { type: 'signed-in', ...its } : { type: 'renewed', ...its, ...(isOffered && { isOffered }) },
        );
      }
    }
  };
  channel?.addEventListener('message', ({ data }) => {
    const message = fit(data, messages.token) ?? fit(data, messages.ended) ?? fit(data, messages.ask);
    if (message) follow(message);
  });

  const timeout = (ms: number): Observable<void> =>
    new Observable((subscriber) => {
      const timer = clock.setTimeout(() => subscriber.next(), ms);
      return () => clock.clearTimeout(timer);
    });
  const hear = (ms: number, signal?: AbortSignal, refresh?: Promise<unknown> | null): Promise<boolean> => {
    const isOver$ = merge(timeout(ms), signal ? fromEvent(signal, 'abort') : EMPTY, refresh ?? EMPTY);
    return firstValueFrom(merge(news.pipe(map(() => true)), isOver$.pipe(map(() => false))));
  };
  /** Applies an end of the session that this tab has missed. True when there was one. */
  const readEnd = (): boolean => {
    const there = record();
    const { reason = 'rejected' } = there ?? {};
    if (!there?.ended || there.session < session || (there.session === session && isAsOver(reason))) return false;
    session = there.session;
    end(reason);
    return true;
  };
  /** Nothing is known of any session, and other tabs may know: a full storage did not take their record, or the application removed it. */
  const isUnaware = (): boolean => record() === null && generation === 0 && over === null;
  const look = (): void => {
    if (!readEnd() && (isBehind() || isUnaware())) post({ type: 'ask', session, generation });
  };
  const watching = changes$.subscribe((change) => {
    if (change.key === key) readEnd();
  });
  const publish = (token: IssuedToken, sentAt: number): number => {
    newest = sentAt;
    write(token.userId);
    post({ type: 'token', session, generation, token, sentAt });
    return generation;
  };
  const newestWritten = (): number => Math.max(generation, record()?.generation ?? 0);
  const next = (): number => newestWritten() + 1;
  /** Whether nothing tells the number of this session: there is no record, or a cookie has begun it where there was none. */
  const isUnnumbered = (): boolean => {
    const { session: recorded, generation: last } = record() ?? { session: 0, generation };
    return Math.max(session, recorded) === 0 && last > 0;
  };
  /**
   * A full storage or the application may have removed the record, or kept an old one: other tabs may be in a session with a higher number,
   * and stored jobs may name it. A number from the time is higher. Older versions counted from 1, and their tabs follow who counts on.
   */
  const nextSession = (): number => {
    const counted = next();
    const isByOlderVersion = record() !== null && !isUnnumbered() && counted < FIRST_BY_TIME;
    return isByOlderVersion ? counted : Math.max(counted, Math.floor(clock.now() / SESSION_STEP_MS));
  };

  return {
    news$: news.asObservable(),
    position: () => ({ session, generation }),
    hasMovedOn: (since) => over !== null || session !== since.session || generation > since.generation,
    appUser() {
      const there = record();
      return there?.session === session ? (there.userId ?? undefined) : undefined;
    },
    newest: newestWritten,
    isSignedOut: () => over === 'signed-out',
    restored(found, ofSession = 0) {
      if (found < session || over !== null) return false;
      session = Math.max(session, ofSession);
      generation = Math.max(generation, found);
      const there = record();
      if (there?.generation === generation) newest = there.sentAt;
      return true;
    },
    renewed(token, sentAt, asked, isCached = false) {
      if (asked.session !== session || over !== null) return;
      const there = record();
      // A sign-out that did not reach this tab: the user of the request has left, and so has any user who came after.
      if (there?.reason === 'signed-out' && readEnd()) return;
      if (there && there.generation > asked.generation && there.sentAt > sentAt) return look();
      generation = next();
      if (there === null || there.session <= session) {
        publish(token, sentAt);
        return news.next({ type: 'renewed', token, sentAt, generation, ...(isCached && { isCached }) });
      }
      // A sign-in in another tab did not reach this one: the cookie that was sent belongs to that session.
      session = there.session;
      const signedIn = { ...token, userId: token.userId ?? there.userId ?? undefined };
      publish(signedIn, sentAt);
      news.next({ type: 'signed-in', token: signedIn, sentAt, generation });
    },
    signedIn(token, sentAt) {
      generation = nextSession();
      session = generation;
      over = null;
      // A storage that is full keeps the record of the user before when it refuses a new one.
      store.remove(key);
      return publish(token, sentAt);
    },
    ended(reason) {
      if (reason === 'signed-out') {
        // The sign-out of a tab that is behind ends the session of all tabs too: the cookie must not bring the user back after a reload.
        const there = record();
        const isUnknown = isUnnumbered() || (there === null && generation === 0);
        session = isUnknown ? nextSession() : Math.max(session, there?.session ?? 0);
        generation = isUnknown ? session : Math.max(generation, there?.generation ?? 0);
      }
      over = reason;
      write();
      post({ type: 'ended', session, generation, reason });
    },
    look,
    hear,
    catchUp() {
      if (readEnd()) return Promise.resolve(true);
      // Without a channel there is no answer to wait for.
      if (!channel || !(isBehind() || isUnaware())) return Promise.resolve(false);
      const heard = hear(ANSWER_MS);
      look();
      return heard;
    },
    answerWith: (offer) => void (held = offer),
    close() {
      watching.unsubscribe();
      channel?.close();
    },
  };
}
