import { createRefreshCoordinator, type RefreshAnswer } from '../../src/services/auth/refresh-coordinator.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { createSharedSession, type TabChannel } from '../../src/services/auth/shared-session.ts';
import { memoryStore } from '../../src/lib/storage.ts';
import { createTabLock, type TabLocks } from '../../src/services/auth/tab-lock.ts';
import { createTokenServiceV2 } from '../../src/services/auth/token-service-v2.ts';
import type { TokenEvent } from '../../src/services/auth/token-service.ts';
import { recordedLog } from './recorded-log.ts';
import { virtualClock } from '../../src/testing/virtual-clock.ts';

/*
 * A whole browser in virtual time: tabs that share a cookie, a storage, locks and a channel, and a server that rotates refresh
 * tokens strictly. Tabs freeze, thaw and close, and what is under way in them stops with them, as it does in a real one.
 */

const MINUTE = 60_000;

/** What the server saw. It is the judge: no tab says of itself that it behaved. */
export interface Seen {
  refreshes: number;
  reuses: number;
  limited: number;
  /** When each refresh arrived, ms. */
  times: number[];
}

export interface BrowserOptions {
  /** Life of an access token, s. */
  expiresIn?: number;
  /** From tab to tab, ms. Locks take no time, so that a message is never there first. */
  messageMs?: number;
  /** To the server and back, ms. */
  roundTripMs?: number;
  locks?: boolean;
  channel?: boolean;
  /** How often a tab may refresh, and how often the server allows it, ms. */
  intervalMs?: number;
}

export function openBrowser({
  expiresIn = 300,
  messageMs = 5,
  roundTripMs = 100,
  locks: hasLocks = true,
  channel: hasChannel = true,
  intervalMs = MINUTE,
}: BrowserOptions = {}) {
  const clock = virtualClock();
  const storage = memoryStore();
  const seen: Seen = { refreshes: 0, reuses: 0, limited: 0, times: [] };

  // The server. A cookie that was used up and comes back ends the session.
  let serial = 0;
  let valid: string | null = null;
  let cookie: string | null = null;
  let accepted: string | null = null;
  let refreshedAt = Number.NEGATIVE_INFINITY;
  /** The fate of each of the next answers on its way back. */
  const fates: ('lost' | 'lost with its cookie' | 'late' | 'refused')[] = [];
  const issue = () => {
    serial += 1;
    valid = `cookie-${serial}`;
    accepted = `token-${serial}`;
    return { cookie: valid, token: { accessToken: accepted, expiresIn } };
  };
  const server = (sent: string | null): { answer: RefreshAnswer; cookie: string | null } => {
    seen.refreshes += 1;
    seen.times.push(clock.now());
    if (sent === null || valid === null) return { answer: { type: 'rejected' }, cookie: sent };
    if (sent !== valid) {
      seen.reuses += 1;
      valid = null;
      accepted = null;
      return { answer: { type: 'rejected' }, cookie: sent };
    }
    if (clock.now() - refreshedAt < intervalMs) {
      seen.limited += 1;
      return { answer: { type: 'limited', retryAfterMs: null }, cookie: sent };
    }
    refreshedAt = clock.now();
    const { cookie: next, token } = issue();
    return { answer: { type: 'issued', token, sentAt: clock.now() }, cookie: next };
  };

  // What tabs share.
  const queues = new Map<string, { grant: () => void; owner: object }[]>();
  const channels = new Set<{ owner: object; hear: (data: unknown) => void }>();
  const passOn = (name: string): void => queues.get(name)?.[0]?.grant();

  const openTab = (): Tab => {
    const self = {};
    let isFrozen = false;
    let isClosed = false;
    const waiting: (() => void)[] = [];
    /** Runs now, after the thaw, or never. */
    const inTab = (work: () => void): void => {
      if (isClosed) return;
      if (isFrozen) waiting.push(() => inTab(work));
      else work();
    };
    const tabClock: Clock = {
      now: () => clock.now(),
      setTimeout: (callback, ms) => clock.setTimeout(() => inTab(callback), ms),
      clearTimeout: (handle) => clock.clearTimeout(handle),
    };
    const locks: TabLocks = {
      request: (name, { signal }, callback) =>
        new Promise((resolve, reject) => {
          const queue = queues.get(name) ?? [];
          queues.set(name, queue);
          const leave = (): void => {
            const index = queue.indexOf(entry);
            if (index < 0) return;
            queue.splice(index, 1);
            if (index === 0) passOn(name);
          };
          let isGranted = false;
          const entry = {
            owner: self,
            grant: () => {
              if (isGranted) return;
              isGranted = true;
              inTab(() => void callback().then(resolve, reject).finally(leave));
            },
          };
          signal?.addEventListener('abort', () => {
            if (isGranted) return;
            leave();
            reject(new Error('aborted'));
          });
          queue.push(entry);
          if (queue[0] === entry) entry.grant();
        }),
    };
    const openChannel = (): TabChannel => {
      const listeners: ((event: { data: unknown }) => void)[] = [];
      const end = { owner: self, hear: (data: unknown) => inTab(() => listeners.forEach((it) => it({ data }))) };
      channels.add(end);
      return {
        postMessage(message) {
          const data = structuredClone(message);
          for (const other of channels) if (other !== end) clock.setTimeout(() => other.hear(data), messageMs);
        },
        addEventListener: (_type, listener) => void listeners.push(listener),
        close: () => void channels.delete(end),
      };
    };
    /** A request that has left arrives, whatever becomes of the tab; its answer is for a tab that is awake. */
    const request = (): Promise<RefreshAnswer> =>
      new Promise((resolve) => {
        clock.setTimeout(() => {
          const fate = fates.shift();
          const reply = fate === 'refused' ? { answer: { type: 'rejected' } as const, cookie } : server(cookie);
          const answer: RefreshAnswer = fate?.startsWith('lost') ? { type: 'ambiguous' } : reply.answer;
          clock.setTimeout(
            () => {
              if (fate !== 'lost with its cookie') cookie = reply.cookie;
              inTab(() => resolve(answer));
            },
            fate === 'late' ? 20_000 : fate?.startsWith('lost') ? 15_000 : roundTripMs / 2,
          );
        }, roundTripMs / 2);
      });

    const recorded = recordedLog();
    const { log } = recorded;
    const shared = createSharedSession({
      store: storage,
      channel: hasChannel ? openChannel() : null,
      clock: tabClock,
      key: 'session',
    });
    const lock = createTabLock({ locks: hasLocks ? locks : null, name: 'refresh', clock: tabClock, waitMs: 16_000 });
    const coordinator = createRefreshCoordinator({
      request,
      clock: tabClock,
      random: () => 0,
      store: storage,
      shared,
      lock,
      log,
      minIntervalMs: intervalMs,
    });
    const tokens = createTokenServiceV2({
      coordinator,
      shared,
      clock: tabClock,
      random: () => 0.5,
      log,
      store: memoryStore(),
      isRefreshEnabled: () => true,
      outagePatienceMs: 10 * MINUTE,
    });
    const heard: TokenEvent[] = [];
    tokens.events$.subscribe((event) => {
      heard.push(event);
      // As an assessment does, it refreshes on token.expiring.
      if (event.type === 'token.expiring') void tokens.renew(null);
    });
    return {
      tokens,
      heard,
      recorded,
      get held() {
        return tokens.current()?.value ?? null;
      },
      freeze: () => void (isFrozen = true),
      thaw() {
        isFrozen = false;
        for (const work of waiting.splice(0)) work();
        tokens.recheck();
      },
      close() {
        isClosed = true;
        tokens.dispose();
        for (const [name, queue] of queues) {
          const wasFirst = queue[0]?.owner === self;
          queues.set(
            name,
            queue.filter(({ owner }) => owner !== self),
          );
          if (wasFirst) passOn(name);
        }
      },
    };
  };

  return {
    clock,
    storage,
    seen,
    fates,
    openTab,
    openTabs: (count: number): Tab[] => Array.from({ length: count }, openTab),
    /** The user signs in on this tab: the cookie is one for all of them. */
    signIn(tab: Tab, userId = 'ann') {
      const { cookie: next, token } = issue();
      cookie = next;
      refreshedAt = Number.NEGATIVE_INFINITY;
      tab.tokens.signIn({ ...token, userId });
    },
    /** Whether the server would accept this token now. */
    accepts: (token: string | null) => token !== null && token === accepted,
    /** The number of holders of locks and of tabs that wait for one. */
    queued: () => [...queues.values()].reduce((sum, queue) => sum + queue.length, 0),
  };
}

export interface Tab {
  tokens: ReturnType<typeof createTokenServiceV2>;
  heard: TokenEvent[];
  recorded: ReturnType<typeof recordedLog>;
  readonly held: string | null;
  freeze(): void;
  thaw(): void;
  close(): void;
}
