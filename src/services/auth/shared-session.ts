import type { Subscribable } from 'xstate';
import * as z from 'zod/mini';
import type { IssuedToken } from './access-token.ts';
import type { Clock } from '../../lib/clock.ts';
import { fit, number, object, readJson, someText, textOrNumber } from '../../lib/schemas.ts';
import type { KeyValueStore } from '../../lib/storage.ts';
import { createSubject } from '../../lib/subject.ts';

/** The part of a `BroadcastChannel` that we use. */
export interface TabChannel {
  postMessage(message: unknown): void;
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void;
  close(): void;
}

/** What happened to the session, in whichever tab. Never older than what this tab knows. */
export type SharedNews =
  /** The token was refreshed, here or in another tab. */
  | { type: 'renewed'; token: IssuedToken; sentAt: number; generation: number }
  /** Somebody signed in in another tab. The cookie is one for all tabs, so that is who is signed in here as well. */
  | { type: 'signed-in'; token: IssuedToken; sentAt: number; generation: number }
  /** It was ended in another tab. */
  | { type: 'ended'; reason: 'signed-out' | 'rejected' };

export interface Position {
  session: number;
  generation: number;
}

/**
 * What the tabs of a browser tell one another of the one session that they share.
 *
 * Tokens travel over a `BroadcastChannel` and are kept nowhere; how far the session has got is also written down, without the
 * token, for tabs that slept. Tokens are numbered over all tabs and sessions, and a session is known by the number of its first
 * token: what is older than what a tab knows is never news.
 */
export interface SharedSession {
  readonly news$: Subscribable<SharedNews>;
  /** The numbers of the session and of its newest token, as far as this tab knows. */
  position(): Position;
  /** Whether this tab knows more since then: a newer token, another session, or that there is none any more. */
  hasMovedOn(since: Position): boolean;
  /** The number of the newest token that anybody has written down. */
  newest(): number;
  /** Whether a token of this number, found after a reload, still belongs to the session. */
  restored(generation: number): boolean;
  /**
   * Tells everybody of a refresh, this tab first. Nobody, if what it brings is old by now: the session is over, or this tab slept while
   * another refreshed the token once more.
   *
   * @param asked the session that asks, and the newest number that was written down when the request left, at `sentAt`: only what was
   * written since can be newer. A tab may be behind when it asks, and a clock that is set back makes all that is written look late.
   */
  renewed(token: IssuedToken, sentAt: number, asked: Position): void;
  /** Tells the others of a sign-in. Returns the token's number. */
  signedIn(token: IssuedToken, sentAt: number): number;
  ended(reason: 'signed-out' | 'rejected'): void;
  /** Looks what is written down, and asks the others for what is missing. For tabs that slept. */
  look(): void;
  /** Waits for news, up to `ms`, or until there is no reason to any more. True when there were any: their listeners have them by then. */
  hear(ms: number, signal?: AbortSignal, landing?: Promise<unknown> | null): Promise<boolean>;
  /** Asks the others, if this tab is behind, and waits a moment. True when there was news: its listeners have it by then. */
  catchUp(): Promise<boolean>;
  /** What another tab gets that asks: the token in use, or null. */
  answerWith(held: () => { token: IssuedToken; sentAt: number } | null): void;
  close(): void;
}

export interface SharedSessionOptions {
  /** Shared by all tabs; holds no token. */
  store: KeyValueStore;
  /** Null where there are no other tabs, or no way to reach them. */
  channel: TabChannel | null;
  clock: Clock;
  /** Where the record lies: one for each API. */
  key: string;
}

/** A tab that is awake answers within milliseconds; one that is frozen not at all. */
const ANSWER_MS = 300;

const ordinal = z.int().check(z.minimum(0), z.maximum(1e12));
const recordSchema = object({
  session: ordinal,
  generation: ordinal,
  ended: z.boolean(),
  /** When the newest token was asked for, ms. */
  sentAt: number,
  /** Who signed in, where that is known: a tab that missed it must not go on for somebody else. */
  userId: z.nullable(z.string()),
});
const tokenSchema = object({
  accessToken: someText,
  expiresIn: z.optional(textOrNumber),
  userId: z.optional(z.string()),
  refreshToken: z.optional(z.string()),
});
const messages = {
  token: object({
    type: z.literal('token'),
    session: ordinal,
    generation: ordinal,
    token: tokenSchema,
    sentAt: number,
  }),
  ended: object({ type: z.literal('ended'), session: ordinal, reason: z.enum(['signed-out', 'rejected']) }),
  ask: object({ type: z.literal('ask'), session: ordinal, generation: ordinal }),
};
type Message = z.infer<(typeof messages)[keyof typeof messages]>;

/** @example const shared = createSharedSession({ store, channel: new BroadcastChannel(name), clock, key }); */
export function createSharedSession({ store, channel, clock, key }: SharedSessionOptions): SharedSession {
  const news$ = createSubject<SharedNews>();
  let held: () => { token: IssuedToken; sentAt: number } | null = () => null;
  let isOver = false;
  let newest = 0;

  const record = () => readJson(store.get(key), recordSchema);
  const before = record();
  let session = before?.session ?? 0;
  let generation = 0;
  // Somebody may have signed in on a page without us since: the cookie is worth a try, and what it brings is a new session.
  if (before?.ended) {
    session = before.generation + 1;
    generation = before.generation;
  }

  const say = (message: Message): void => {
    try {
      // eslint-disable-next-line unicorn/require-post-message-target-origin -- a channel, not a window
      channel?.postMessage(message);
    } catch {
      // Closed: the page is going, and what it knows is written down.
    }
  };
  const write = (userId?: string): void => {
    const there = record();
    if (there && (there.session > session || (there.session === session && there.generation > generation))) return;
    const known = there?.session === session ? there.userId : null;
    store.set(key, JSON.stringify({ session, generation, ended: isOver, sentAt: newest, userId: userId ?? known }));
  };
  /** Something newer is written down than this tab has heard of. */
  const isBehind = (): boolean => {
    const there = record();
    if (there === null || there.session < session) return false;
    return there.session > session || (!isOver && (there.ended || there.generation > generation));
  };
  const end = (reason: 'signed-out' | 'rejected'): void => {
    isOver = true;
    news$.next({ type: 'ended', reason });
  };

  const follow = (message: Message): void => {
    switch (message.type) {
      case 'ask': {
        const isNewer =
          session > message.session || (session === message.session && (isOver || generation > message.generation));
        if (!isNewer) return;
        const offer = held();
        if (isOver) say({ type: 'ended', session, reason: 'signed-out' });
        else if (offer) say({ type: 'token', session, generation, ...offer });
        return;
      }
      case 'ended':
        if (message.session < session || (message.session === session && isOver)) return;
        session = message.session;
        return end(message.reason);
      case 'token': {
        const { token, sentAt } = message;
        const isSignIn = message.session > session;
        // Two tabs that could not coordinate may have given one number to two tokens: the later one lives.
        const isNewer =
          message.generation > generation || (message.generation === generation && message.sentAt > newest);
        if (!isSignIn && (isOver || message.session < session || !isNewer)) return;
        session = message.session;
        generation = Math.max(message.generation, generation + 1);
        isOver = false;
        newest = sentAt;
        news$.next({ type: isSignIn ? 'signed-in' : 'renewed', token, sentAt, generation });
      }
    }
  };
  channel?.addEventListener('message', ({ data }) => {
    const message = fit(data, messages.token) ?? fit(data, messages.ended) ?? fit(data, messages.ask);
    if (message) follow(message);
  });

  const hear = (ms: number, signal?: AbortSignal, landing?: Promise<unknown> | null): Promise<boolean> =>
    new Promise((resolve) => {
      const done = (isNews: boolean): void => {
        clock.clearTimeout(timer);
        signal?.removeEventListener('abort', giveUp);
        listening.unsubscribe();
        resolve(isNews);
      };
      const giveUp = (): void => done(false);
      const timer = clock.setTimeout(giveUp, ms);
      signal?.addEventListener('abort', giveUp);
      void landing?.then(giveUp);
      const listening = news$.subscribe(() => done(true));
    });
  /** An end that this tab did not hear of. True when there was one. */
  const readEnd = (): boolean => {
    const there = record();
    if (!there?.ended || there.session < session || isOver) return false;
    session = there.session;
    end('signed-out');
    return true;
  };
  const look = (): void => {
    if (!readEnd() && isBehind()) say({ type: 'ask', session, generation });
  };
  const tellToken = (token: IssuedToken, sentAt: number): number => {
    newest = sentAt;
    write(token.userId);
    say({ type: 'token', session, generation, token, sentAt });
    return generation;
  };
  const newestWritten = (): number => Math.max(generation, record()?.generation ?? 0);
  const next = (): number => newestWritten() + 1;

  return {
    news$,
    position: () => ({ session, generation }),
    hasMovedOn: (since) => isOver || session !== since.session || generation > since.generation,
    newest: newestWritten,
    restored(found) {
      if (found < session) return false;
      generation = Math.max(generation, found);
      return true;
    },
    renewed(token, sentAt, asked) {
      if (asked.session !== session || isOver) return;
      const there = record();
      if (there && there.generation > asked.generation && there.sentAt > sentAt) return look();
      generation = next();
      if (there === null || there.session <= session) {
        tellToken(token, sentAt);
        return news$.next({ type: 'renewed', token, sentAt, generation });
      }
      // Somebody signed in elsewhere, and nobody could tell us: the cookie that we sent was of that session.
      session = there.session;
      const theirs = { ...token, userId: token.userId ?? there.userId ?? undefined };
      tellToken(theirs, sentAt);
      news$.next({ type: 'signed-in', token: theirs, sentAt, generation });
    },
    signedIn(token, sentAt) {
      generation = next();
      session = generation;
      isOver = false;
      return tellToken(token, sentAt);
    },
    ended(reason) {
      isOver = true;
      write();
      say({ type: 'ended', session, reason });
    },
    look,
    hear,
    catchUp() {
      if (readEnd()) return Promise.resolve(true);
      // Nobody answers where there is no channel.
      if (!channel || !isBehind()) return Promise.resolve(false);
      const heard = hear(ANSWER_MS);
      look();
      return heard;
    },
    answerWith: (offer) => void (held = offer),
    close() {
      channel?.close();
    },
  };
}
