import { NEVER } from 'rxjs';
import { createRefreshCoordinator, type RefreshAnswer } from '../../src/services/auth/refresh-coordinator.ts';
import { createSharedSession } from '../../src/services/auth/shared-session.ts';
import { countedSessions } from './counted-sessions.ts';
import { memoryStore } from '../../src/lib/storage.ts';
import { createTabLock } from '../../src/services/auth/tab-lock.ts';
import { createTokenServiceV2 } from '../../src/services/auth/token-service-v2.ts';
import type { TokenEvent } from '../../src/services/auth/token-service.ts';
import { fakeTabs } from '../../src/testing/fake-tabs.ts';
import { nested } from '../../src/testing/wire/answers.ts';
import { wireContract } from '../../src/testing/wire/contract.ts';
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
  const storage = countedSessions(memoryStore());
  const seen: Seen = { refreshes: 0, reuses: 0, limited: 0, times: [] };

  const tabs = fakeTabs(clock, { messageMs });

  // The server. A cookie that was used up and comes back ends the session.
  const wire = wireContract({
    clock,
    tokenLifeMs: expiresIn * 1_000,
    refreshIntervalMs: intervalMs,
    planOf: () => [],
    sessionOver(isReuse) {
      seen.reuses += Number(isReuse);
      return nested(401, 'INVALID_REFRESH_TOKEN');
    },
  });
  /** The browser's cookie jar. */
  let jar: string | null = null;
  /** The fate of each of the next answers on its way back. */
  const fates: ('lost' | 'lost with its cookie' | 'late' | 'refused')[] = [];
  const serve = (cookie: string | null): { answer: RefreshAnswer; cookie: string | null } => {
    seen.refreshes += 1;
    seen.times.push(clock.now());
    const [status, body, headers] = wire.answer({ route: 'refresh', id: '', token: null, key: null, cookie });
    seen.limited += Number(status === 429);
    if (status === 429) return { answer: { type: 'limited', retryAfterMs: null }, cookie };
    if (status !== 200) return { answer: { type: 'rejected' }, cookie };
    const { idToken } = (body as { data: { idToken: string } }).data;
    const token = { accessToken: idToken, expiresIn };
    return { answer: { type: 'issued', token, sentAt: clock.now() }, cookie: headers?.['set-cookie'] ?? cookie };
  };

  const openTab = (): Tab => {
    const tab = tabs.openTab();
    /** A request that has left arrives, whatever becomes of the tab; its answer is for a tab that is awake. */
    const request = (): Promise<RefreshAnswer> =>
      new Promise((resolve) => {
        clock.setTimeout(
          () => {
            const fate = fates.shift();
            const reply = fate === 'refused' ? { answer: { type: 'rejected' } as const, cookie: jar } : serve(jar);
            const answer: RefreshAnswer = fate?.startsWith('lost') ? { type: 'ambiguous' } : reply.answer;
            clock.setTimeout(
              () => {
                if (fate !== 'lost with its cookie') jar = reply.cookie;
                tab.run(() => resolve(answer));
              },
              fate === 'late' ? 20_000 : fate?.startsWith('lost') ? 15_000 : roundTripMs / 2,
              null,
            );
          },
          roundTripMs / 2,
          null,
        );
      });

    const recorded = recordedLog();
    const { log } = recorded;
    const shared = createSharedSession({
      store: storage,
      channel: hasChannel ? tab.channel('session') : null,
      clock: tab.clock,
      key: 'session',
    });
    const lock = createTabLock({
      locks: hasLocks ? tab.locks : null,
      name: 'refresh',
      clock: tab.clock,
      waitMs: 16_000,
    });
    const coordinator = createRefreshCoordinator({
      request,
      clock: tab.clock,
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
      clock: tab.clock,
      random: () => 0.5,
      log,
      store: memoryStore(),
      isRefreshEnabled: () => true,
      isPreventive: () => true,
      settingChanges$: NEVER,
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
      freeze: tab.freeze,
      thaw() {
        tab.thaw();
        tokens.recheck();
      },
      close() {
        tokens.dispose();
        tab.close();
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
      // One cookie jar: the session of the previous user ends.
      wire.endSessions();
      const { accessToken, cookie } = wire.signIn(userId);
      jar = cookie;
      tab.tokens.signIn({ accessToken, expiresIn, userId });
    },
    /** Whether the server would accept this token now. */
    accepts: (token: string | null) => wire.userOf(token) !== null,
    /** The number of holders of locks and of tabs that wait for one. */
    queued: tabs.queued,
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
