import { defer, distinctUntilChanged, filter, map, NEVER, type Observable, of, startWith, switchMap } from 'rxjs';
import type { Pacing } from '../actors/delays.ts';
import { pageFetch } from './kept-alive.ts';
import {
  apiNameOf,
  browserLocks,
  browserPage,
  checkBaseUrl,
  loadSocketIo,
  openChannel,
  originOf,
  storeOf,
} from './browser.ts';
import { apiOnUse, loadOwnPorts, refreshOnUse, sourceOnUse } from './on-use.ts';
import { isShared, moveOldLayout } from './old-layout.ts';
import {
  type AssessmentClientOptions,
  type AuthVersion,
  defaultPaths,
  defaultTimeouts,
  defaultTimings,
} from './options.ts';
import { createRuntimeSettings, type LiveSettings } from './runtime-settings.ts';
import { type AssessmentApi, createAssessmentApi } from '../services/api/assessment-api.ts';
import { listInTurn } from '../services/api/list-in-turn.ts';
import type { Random } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import { createJobFeed, type JobFeed } from '../services/feed/job-feed.ts';
import { socketTransport } from '../services/feed/socket-io.ts';
import type { FeedTransport } from '../services/feed/transport.ts';
import { createJobStore, type JobStore } from '../services/job-store.ts';
import type { Log, SettingName } from '../lib/log.ts';
import { createPageSignals, eventsOf, type PageEvent } from '../services/page-signals.ts';
import { createHealthRequest } from '../services/auth/health-request.ts';
import { createRefreshCoordinator } from '../services/auth/refresh-coordinator.ts';
import { createRefreshRequest } from '../services/auth/refresh-request.ts';
import { createSharedSession } from '../services/auth/shared-session.ts';
import type { TokenSource } from '../ports.ts';
import type { Schema } from '../lib/schema.ts';
import { scopedStore } from '../lib/scoped-store.ts';
import { memoryStore } from '../lib/storage.ts';
import { anyObject } from '../lib/schemas.ts';
import { createTabLock } from '../services/auth/tab-lock.ts';
import type { TokenService } from '../services/auth/token-service.ts';
import { createTokenServiceV1 } from '../services/auth/token-service-v1.ts';
import { createTokenServiceV2 } from '../services/auth/token-service-v2.ts';

/** Everything that an assessment needs from the world, put together once for all assessments of a client. */
export interface Services<Submission, Result> {
  api: AssessmentApi<Submission, Result>;
  tokens: TokenService;
  feed: JobFeed;
  resumed$: Observable<PageEvent>;
  jobs: JobStore;
  clock: Clock;
  random: Random;
  log: Log;
  inspect: AssessmentClientOptions['inspect'];
  messages: AssessmentClientOptions['messages'];
  pacing: Pacing;
  /** How long a submission may be under way, ms. */
  submitTimeoutMs: number;
  /** From acceptance to the question whether to wait longer, ms; it may change while we run. */
  monitoringTimeoutMs: () => number;
  /** Instead of the poll intervals of `pacing`, ms; null for these. It may change while we run. */
  pollIntervalMs: () => number | null;
  settingChanges$: Observable<SettingName>;
  /** Whether a stored record of another assessment names this job. */
  isKnownJob: (jobId: string, exceptSubmissionId: string) => boolean;
  /** Claims the sending of the answers for this tab. @returns null, or when they first left, where another tab has just sent them */
  claim: (submissionId: string) => number | null;
  /** The server has proved that it did not take the answers. */
  disclaim: (submissionId: string) => void;
  /** The record of a submission, as all tabs know it. */
  recorded: JobStore['read'];
  /** The server has answered the submission with a success that cannot be read. */
  noteTaken: (submissionId: string) => void;
  /** Whether the server recognises a submission that is sent twice. */
  idempotent: boolean;
}

/** A service that is silent for so long is down, ms. */
const HEALTH_TIMEOUT_MS = 5_000;

export function createServices<Submission, Result>(
  options: AssessmentClientOptions<Result, Submission, unknown>,
  clock: Clock,
  log: Log,
): Services<Submission, Result> {
  const baseUrl = checkBaseUrl(options.baseUrl);
  const { random = Math.random, idempotencyHeader = 'Idempotency-Key' } = options;
  const settings = createRuntimeSettings(options.settings, log, clock);
  const paths = { ...defaultPaths, ...options.paths };
  // Another contract than the default one need not have the route.
  const { api: ownApi, auth } = options;
  const isDefaultContract = paths.refresh === defaultPaths.refresh && !ownApi && !auth?.source && !auth?.refresh;
  const healthPath = options.paths?.health !== undefined || isDefaultContract ? paths.health : null;
  const timings = { ...defaultTimings, ...options.timings };
  const timeouts = { ...defaultTimeouts, ...timings.timeouts };
  // One name for each API: what this page stores, and what tabs tell one another, is for clients of the same one.
  const name = apiNameOf(baseUrl, paths.refresh);
  const wholeStorage = storeOf(options.storage, 'localStorage', log);
  const wholeTokenStorage = storeOf(options.tokenStorage, 'sessionStorage', log);
  const storage = scopedStore(wholeStorage, name);
  const tokenStorage = scopedStore(wholeTokenStorage, name);
  const sessionOfOld = `assessment-monitor:${originOf(baseUrl)}${paths.refresh}:session`;
  const isAlone = !isShared(wholeStorage, [sessionOfOld, `${name}:session`]);
  moveOldLayout(wholeStorage, storage, isAlone, log);
  moveOldLayout(wholeTokenStorage, tokenStorage, isAlone, log);
  const page = options.page ?? browserPage();
  /** Changes of the storage by other tabs: whole keys, and those of this API. */
  const storageKeys$ = eventsOf(page?.window, 'storage').pipe(
    map((event) => (event as Event & { key: string | null }).key),
  );
  const changes$ = storageKeys$.pipe(map((key) => ({ key: key === null ? null : (storage.keyWithin(key) ?? '') })));
  const world = { clock, random, log };
  const send: typeof fetch = options.fetch ?? pageFetch;

  const askHealth =
    healthPath === null
      ? null
      : createHealthRequest({ fetch: send, baseUrl, clock, log, path: healthPath, timeoutMs: HEALTH_TIMEOUT_MS });

  // A version without its service does not compile.
  const createTokens: Record<AuthVersion, () => TokenService> = {
    v1: () =>
      createTokenServiceV1({
        ...world,
        store: options.tokenStorage ? wholeTokenStorage : wholeStorage,
        own: options.tokenStorage ? tokenStorage : storage,
        keys: options.auth?.v1TokenKeys ?? ['token', 'auth_token'],
        outagePatienceMs: timings.outagePatienceMs,
        askHealth,
        onStorageChange: (listener) => {
          const watch = storageKeys$.subscribe(listener);
          return () => watch.unsubscribe();
        },
      }),
    v2: () => {
      const { refresh } = options.auth ?? {};
      // What a service keeps is written out: an object that is spread and added to gets a shape of its own, which takes more than itself.
      const request = refresh
        ? refreshOnUse(refresh, { clock, log, store: tokenStorage, timeoutMs: timings.refreshTimeoutMs })
        : createRefreshRequest({
            fetch: send,
            baseUrl,
            clock,
            log,
            path: paths.refresh,
            timeoutMs: timings.refreshTimeoutMs,
            transport: options.auth?.refreshTransport ?? 'cookie',
            store: tokenStorage,
            onServerTime: (serverNow) => tokens.observeServerTime(serverNow),
          });
      const channel = openChannel(options.channel, name, log);
      const shared = createSharedSession({ store: storage, channel, clock, key: 'session', changes$ });
      const minIntervalMs = timings.refreshIntervalMs;
      return createTokenServiceV2({
        ...world,
        ...timings,
        store: tokenStorage,
        refusals: storage,
        isRefreshEnabled: () => settings.read('refresh'),
        isPreventive: () => settings.read('preventiveRefresh'),
        settingChanges$: settings.changed$,
        askHealth,
        shared,
        coordinator: createRefreshCoordinator({
          ...world,
          store: storage,
          shared,
          lock: openLock(),
          minIntervalMs,
          request,
        }),
      });
    },
  };
  // A tab that is awake keeps the lock for no longer than one request.
  const openLock = () => {
    const { locks = browserLocks(log) } = options;
    return createTabLock({ locks, name, clock, waitMs: timings.refreshTimeoutMs + 1_000 });
  };
  /** Each tab has a source of its own, so neither tokens nor sign-ins travel between tabs, and none is stored. */
  const createSourceTokens = (source: TokenSource): TokenService => {
    const store = memoryStore();
    const shared = createSharedSession({ store, channel: null, clock, key: 'session' });
    const coordinator = sourceOnUse(clock, async () =>
      (await loadOwnPorts()).createSourceCoordinator({
        ...world,
        source,
        shared,
        tokens: service,
        store: storage,
        lock: openLock(),
        timeoutMs: timings.refreshTimeoutMs,
        minIntervalMs: timings.refreshIntervalMs,
        isRefreshEnabled: () => settings.read('refresh'),
      }),
    );
    const service = createTokenServiceV2({
      ...world,
      ...timings,
      store,
      isRefreshEnabled: () => true,
      isPreventive: () => settings.read('preventiveRefresh'),
      settingChanges$: settings.changed$,
      askHealth,
      shared: { ...shared, look: () => coordinator.look(false) },
      coordinator,
    });
    return service;
  };
  const { source, refresh: ownRefresh, version = 'v2' } = options.auth ?? {};
  if (source && ownRefresh) throw new TypeError('auth: a source or a refresh of its own, not both');
  const tokens = source ? createSourceTokens(source) : createTokens[version]();

  // After a sleep the token comes first: everything else needs one.
  const resumed$ = createPageSignals({ ...world, page, onResumed: () => tokens.recheck() });
  // A tab that was only hidden still receives its answers.
  const slept$ = resumed$.pipe(filter(({ reason }) => reason !== 'visible'));
  const { socket = { transports: ['polling', 'websocket'] }, feed: connectFeed } = options;
  const createFeed = (load: () => Promise<FeedTransport>): JobFeed => {
    const { connectTimeoutMs, stableAfterMs } = timings;
    return switchable(settings, createJobFeed({ ...world, connectTimeoutMs, stableAfterMs, load, tokens, resumed$ }));
  };
  const openFeed = (): JobFeed => {
    if (connectFeed) return createFeed(async () => (await loadOwnPorts()).ownTransport(connectFeed));
    if (!socket) return { events$: NEVER, close: () => {} };
    const address = { url: originOf(baseUrl), path: paths.socket, transports: socket.transports };
    const { loadSocketIo: load = loadSocketIo } = options;
    return createFeed(async () => socketTransport((await load()).io, address));
  };
  const feed = openFeed();

  const calls = {
    fetch: send,
    baseUrl,
    clock,
    log,
    tokens,
    slept$,
    timeouts,
    resultSchema: options.resultSchema ?? (anyObject as Schema<object> as Schema<Result>),
    isTokenRefused: options.auth?.isTokenRefused,
  };
  const idempotent = idempotencyHeader !== null;
  const createApi = (): AssessmentApi<Submission, Result> => {
    const { api, statusWords, progressScale } = options;
    if (!api) return createAssessmentApi({ ...calls, paths, idempotencyHeader, statusWords, progressScale });
    let opened: AssessmentApi<Submission, Result> | undefined;
    const open = async () => (opened ??= (await loadOwnPorts()).createPortedApi(api, { ...calls, idempotent }));
    return apiOnUse(open, idempotent, api.job !== undefined);
  };
  const api = createApi();

  const answers = { session: tokenStorage, local: storage, memory: memoryStore() };
  const { unsentAnswers = 'session', keepForMs, keepResult: keepResultMs } = options;
  if (!Object.keys(answers).includes(unsentAnswers))
    throw new TypeError(`unsentAnswers: 'session', 'local' or 'memory', not ${String(unsentAnswers)}`);
  if (keepForMs !== undefined && !(keepForMs > 0)) throw new TypeError('keepForMs: a number of ms above 0');
  if (keepResultMs !== undefined && !(keepResultMs > 0 && keepResultMs < Number.POSITIVE_INFINITY))
    throw new TypeError('keepResult: a finite number of ms above 0');
  const jobs = createJobStore(storage, log, {
    clock,
    answers: answers[unsentAnswers],
    changes$,
    keepForMs,
    keepResultMs,
  });

  return {
    tokens,
    resumed$,
    feed,
    api: { ...api, jobs: listInTurn(api.jobs, clock) },
    jobs,
    clock,
    random,
    log,
    inspect: options.inspect,
    messages: options.messages,
    pacing: timings,
    submitTimeoutMs: timeouts.submit,
    pollIntervalMs: () => settings.read('pollIntervalMs'),
    monitoringTimeoutMs: () => settings.read('monitoringTimeoutMs'),
    settingChanges$: settings.changed$,
    idempotent,
    isKnownJob: (jobId, exceptSubmissionId) => jobs.hasJob(jobId, exceptSubmissionId),
    claim: (submissionId) => jobs.claim(submissionId, timings.settlingMs),
    disclaim: jobs.disclaim,
    recorded: jobs.read,
    noteTaken: (submissionId) => jobs.note(submissionId, { taken: true }),
  };
}

/** A feed that can be switched off: its subscribers then lose it, and the socket closes. */
function switchable({ read, changed$ }: LiveSettings, feed: JobFeed): JobFeed {
  const isOn$ = defer(() =>
    changed$.pipe(
      filter((name) => name === 'socket'),
      startWith(null),
      map(() => read('socket')),
      distinctUntilChanged(),
    ),
  );
  const lost$ = of({ type: 'feed.lost' } as const);
  return {
    ...feed,
    events$: isOn$.pipe(switchMap((isOn, index) => (isOn ? feed.events$ : index === 0 ? NEVER : lost$))),
  };
}
