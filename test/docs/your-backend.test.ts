import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Call, type ConnectFeed, createAssessmentClient, type JobApi, type TokenSource } from 'assessment-monitor';
import { ensureOk, oauth2Refresh, restOperations, sse } from 'assessment-monitor/adapters';
import { checkFeed, checkJobApi, checkTokenSource, testCall } from 'assessment-monitor/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ForeignServer, startForeignServer } from '../support/foreign-server.ts';
import { type LoopbackServer, startServer } from '../support/http-server.ts';

/* The examples of docs/your-backend.md, which run here as they stand there. The SDKs are fakes of their shape. */

// --- the ports in full

interface Answers {
  name: string;
}
interface Report {
  archetype: string;
}

const api: JobApi<Answers, Report> = {
  async submit(answers, key, call) {
    const { body } = await call.request('/jobs', { body: answers, headers: { 'Idempotency-Key': key } });
    return { jobId: (body as { id: string }).id };
  },
  async status(jobId, call) {
    const { body } = await call.request(`/jobs/${encodeURIComponent(jobId)}`);
    const { state, percent } = body as { state: string; percent?: number };
    if (state === 'done') return { type: 'completed' };
    if (state === 'broken') return { type: 'failed' };
    return { type: 'running', percent };
  },
  async result(jobId, call) {
    const { status, body } = await call.request(`/jobs/${encodeURIComponent(jobId)}/result`);
    return status === 200 ? { type: 'found', result: body as Report } : { type: 'not-ready' };
  },
};

const streamOf = (url: string): ConnectFeed => {
  const feed: ConnectFeed = async ({ token, signal, live, say }) => {
    const response = await fetch(url, { headers: { Authorization: `Bearer ${token}` }, signal });
    if (!response.ok || !response.body) throw Object.assign(new Error('refused'), { status: response.status });
    live();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const stop = () => void reader.cancel().catch(() => {});
    signal.addEventListener('abort', stop);
    for (let part = await reader.read(); !part.done; part = await reader.read())
      for (const [, jobId = ''] of part.value.matchAll(/"job":"([^"]+)"/g))
        say({ type: 'job.completed', jobId, resultId: null });
    signal.removeEventListener('abort', stop);
  };
  return feed;
};

// --- recipes: tokens

const firebaseSource = (auth: Firebase) => {
  const source: TokenSource = {
    async getToken({ fresh }) {
      await auth.authStateReady();
      return (await auth.currentUser?.getIdToken(fresh)) ?? null;
    },
    onChange: (listener) => auth.onIdTokenChanged(listener),
  };
  return source;
};

const auth0Source = (auth0: Auth0) => {
  const source: TokenSource = {
    async getToken({ fresh }) {
      try {
        return await auth0.getTokenSilently({ cacheMode: fresh ? 'off' : 'on' });
      } catch (error) {
        const isOver = /login_required|missing_refresh_token|invalid_grant/.test(String((error as Auth0Error).error));
        if (isOver) return null;
        throw error;
      }
    },
  };
  return source;
};

const msalSource = (msal: Msal, scopes: string[]) => {
  const source: TokenSource = {
    async getToken({ fresh }) {
      const account = msal.getActiveAccount();
      if (account === null) return null;
      try {
        return (await msal.acquireTokenSilent({ scopes, account, forceRefresh: fresh })).accessToken;
      } catch (error) {
        if ((error as Error).name === 'InteractionRequiredAuthError') return null;
        throw error;
      }
    },
  };
  return source;
};

const clerkSource = (clerk: Clerk) => {
  const source: TokenSource = {
    async getToken({ fresh }) {
      if (!clerk.loaded) throw new Error('Clerk is loading');
      return (await clerk.session?.getToken({ skipCache: fresh })) ?? null;
    },
    onChange: (listener) => clerk.addListener(listener),
  };
  return source;
};

const supabaseSource = (supabase: Supabase) => {
  const source: TokenSource = {
    async getToken({ fresh }) {
      const { data, error } = await (fresh ? supabase.auth.refreshSession() : supabase.auth.getSession());
      if (error?.name === 'AuthRetryableFetchError') throw error;
      return data.session?.access_token ?? null;
    },
    onChange(listener) {
      const { data } = supabase.auth.onAuthStateChange(() => void setTimeout(listener));
      return () => data.subscription.unsubscribe();
    },
  };
  return source;
};

const oidcSource = (manager: Oidc) => {
  const source: TokenSource = {
    async getToken({ fresh }) {
      const kept = await manager.getUser();
      if (kept === null || (!fresh && !kept.expired)) return kept?.access_token ?? null;
      try {
        return (await manager.signinSilent())?.access_token ?? null;
      } catch (error) {
        if (/login_required|invalid_grant/.test(String((error as { error?: string }).error))) return null;
        throw error;
      }
    },
  };
  return source;
};

const cookieSource = (base: string) => {
  const source: TokenSource = {
    async getToken() {
      const response = await fetch(`${base}/me`, { credentials: 'include' });
      if (response.status === 401) return null;
      if (!response.ok) throw new Error(`/me answered with status ${response.status}`);
      return { accessToken: '', userId: ((await response.json()) as { id: string }).id };
    },
  };
  return source;
};

// --- recipes: calls

const ask = async (call: Call, query: string, variables: object): Promise<Record<string, unknown>> => {
  const { body } = ensureOk(await call.request('/graphql', { body: { query, variables } }));
  const { data, errors } = body as { data: Record<string, unknown>; errors?: { message: string }[] };
  if (errors?.[0]) throw Object.assign(new Error(errors[0].message), errors[0]);
  return data;
};

const withHeaders = (tenant: () => string, csrfToken: () => string) => {
  const send: typeof fetch = (input, init) => {
    const headers = new Headers(init?.headers);
    headers.set('X-Tenant', tenant());
    headers.set('X-CSRF-Token', csrfToken());
    return fetch(input, { ...init, headers });
  };
  return send;
};

// --- the fakes

interface Firebase {
  authStateReady(): Promise<void>;
  currentUser: { getIdToken(forceRefresh?: boolean): Promise<string> } | null;
  onIdTokenChanged(listener: () => void): () => void;
}
interface Auth0Error {
  error: string;
}
interface Auth0 {
  getTokenSilently(options: { cacheMode: 'on' | 'off' }): Promise<string>;
}
interface Msal {
  getActiveAccount(): object | null;
  acquireTokenSilent(request: {
    scopes: string[];
    account: object;
    forceRefresh: boolean;
  }): Promise<{ accessToken: string }>;
}
interface Clerk {
  loaded: boolean;
  session: { getToken(options: { skipCache: boolean }): Promise<string | null> } | null;
  addListener(listener: () => void): () => void;
}
interface Session {
  data: { session: { access_token: string } | null };
  error: Error | null;
}
interface Supabase {
  auth: {
    getSession(): Promise<Session>;
    refreshSession(): Promise<Session>;
    onAuthStateChange(listener: () => void): { data: { subscription: { unsubscribe(): void } } };
  };
}
interface OidcUser {
  access_token: string;
  expired: boolean;
}
interface Oidc {
  getUser(): Promise<OidcUser | null>;
  signinSilent(): Promise<OidcUser | null>;
}

/** What each of the fakes is made of: a user who is signed in, a token that is cached, and a server that can be away. */
function openIdentity() {
  let count = 1;
  let isSignedIn = true;
  let isOnline = true;
  const listeners = new Set<() => void>();
  const offline = () => Object.assign(new TypeError('fetch failed'), { name: 'AuthRetryableFetchError' });
  const tell = () => {
    for (const listener of listeners) listener();
  };
  return {
    isSignedIn: () => isSignedIn,
    isOnline: () => isOnline,
    /** @throws what the SDK throws without a network */
    token(fresh: boolean): string {
      if (fresh && !isOnline) throw offline();
      if (fresh) count += 1;
      return `token-${count}`;
    },
    listen: (listener: () => void) => (listeners.add(listener), () => void listeners.delete(listener)),
    world: {
      goOffline: () => void (isOnline = false),
      goOnline: () => void (isOnline = true),
      signOut: () => ((isSignedIn = false), tell()),
    },
  };
}
type Identity = ReturnType<typeof openIdentity>;

const sources: [name: string, source: (it: Identity) => TokenSource][] = [
  [
    'Firebase',
    (it) =>
      firebaseSource({
        authStateReady: async () => {},
        get currentUser() {
          return it.isSignedIn() ? { getIdToken: async (fresh = false) => it.token(fresh) } : null;
        },
        onIdTokenChanged: it.listen,
      }),
  ],
  [
    'Auth0',
    (it) =>
      auth0Source({
        async getTokenSilently({ cacheMode }) {
          if (!it.isSignedIn()) throw Object.assign(new Error('Login required'), { error: 'login_required' });
          return it.token(cacheMode === 'off');
        },
      }),
  ],
  [
    'MSAL',
    (it) =>
      msalSource(
        {
          getActiveAccount: () => (it.isSignedIn() ? {} : null),
          acquireTokenSilent: async ({ forceRefresh }) => ({ accessToken: it.token(forceRefresh) }),
        },
        ['api://assessments/.default'],
      ),
  ],
  [
    'Clerk',
    (it) =>
      clerkSource({
        loaded: true,
        get session() {
          return it.isSignedIn()
            ? { getToken: async ({ skipCache }: { skipCache: boolean }) => it.token(skipCache) }
            : null;
        },
        addListener: it.listen,
      }),
  ],
  [
    'oidc-client-ts',
    (it) =>
      oidcSource({
        getUser: async () => (it.isSignedIn() ? { access_token: it.token(false), expired: false } : null),
        signinSilent: async () => ({ access_token: it.token(true), expired: false }),
      }),
  ],
];

describe('docs/your-backend.md', () => {
  it('has no example that does not run here', () => {
    const lines = (text: string) =>
      text
        .split('\n')
        .map((line) => line.trim())
        .filter((line) => line !== '' && !line.startsWith('import ') && !line.startsWith('//'))
        .join('\n');
    const here = lines(readFileSync(fileURLToPath(import.meta.url), 'utf8'));
    const examples = [...readFileSync('docs/your-backend.md', 'utf8').matchAll(/```ts\n(.*?)```/gs)];
    expect(examples).toHaveLength(13);
    for (const [, text = ''] of examples) expect(here).toContain(lines(text));
  });

  it.each(sources)('has a source for %s that keeps its contract', async (_name, open) => {
    const identity = openIdentity();
    expect((await checkTokenSource(open(identity), identity.world)).faults).toEqual([]);
  });

  it('has a source for Supabase, which reports its changes a moment later', async () => {
    const it = openIdentity();
    const session = async (fresh: boolean): Promise<Session> => {
      try {
        return { data: { session: it.isSignedIn() ? { access_token: it.token(fresh) } : null }, error: null };
      } catch (error) {
        return { data: { session: null }, error: error as Error };
      }
    };
    const source = supabaseSource({
      auth: {
        getSession: () => session(false),
        refreshSession: () => session(true),
        onAuthStateChange: (listener) => ({ data: { subscription: { unsubscribe: it.listen(listener) } } }),
      },
    });
    // No wait for a time: the listener of this SDK is called in the next task of a timer, and so is this.
    const moment = () => new Promise((resolve) => setTimeout(resolve));
    const signOut = async () => (it.world.signOut(), void (await moment()));
    expect((await checkTokenSource(source, { ...it.world, signOut })).faults).toEqual([]);
  });
});

describe('docs/your-backend.md, against real servers', () => {
  let server: LoopbackServer;
  let foreign: ForeignServer;
  beforeEach(async () => {
    server = await startServer();
    foreign = await startForeignServer('rest', { endsAfterPolls: 9 });
  });
  afterEach(() => Promise.all([server.close(), foreign.close()]));

  it('has an API in full that keeps its contract', async () => {
    const jobs = new Map<string, { id: string; polls: number }>();
    server.answer((response, { method, path, headers }) => {
      const reply = (status: number, body: object) =>
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      if (headers.authorization !== 'Bearer good') return reply(401, { error: 'INVALID_TOKEN' });
      const key = String(headers['idempotency-key']);
      const known = jobs.get(key) ?? { id: `job-${jobs.size}`, polls: 0 };
      if (method === 'POST') return (jobs.set(key, known), reply(202, { id: known.id }));
      const job = [...jobs.values()].find(({ id }) => path.includes(id));
      if (!job) return reply(404, { error: 'NOT_FOUND' });
      const isDone = job.polls >= 4;
      if (path.endsWith('/result')) return isDone ? reply(200, { archetype: 'The Explorer' }) : reply(202, {});
      job.polls += 1;
      return reply(200, { state: isDone ? 'done' : 'busy', percent: job.polls });
    });
    const submission = { name: 'An example' };
    const token = 'good';
    const baseUrl = server.url;
    const { faults } = await checkJobApi(api, { baseUrl, token, submission, pollMs: 5 });
    expect(faults).toEqual([]);
  });

  it('has a feed in full that keeps its contract', async () => {
    const { accessToken: token } = foreign.signIn();
    const headers = { Authorization: `Bearer ${token}` };
    let count = 0;
    const provoke = async () => {
      const key = String((count += 1));
      await fetch(`${foreign.url}/v1/analyses`, { method: 'POST', headers: { ...headers, 'Idempotency-Key': key } });
      foreign.finishJobs();
    };
    const feed = streamOf(`${foreign.url}/events`);
    const options = { token, provoke, cut: foreign.dropFeeds, quietMs: 40, graceMs: 5_000 };
    expect((await checkFeed(feed, options)).faults).toEqual([]);
  });

  it('has a client of adapters that shows a result', async () => {
    const baseUrl = foreign.url;
    const tokenEndpoint = `${baseUrl}/oauth2/token`;

    const client = createAssessmentClient({
      baseUrl,
      api: restOperations<Answers, Report>({ submit: '/v1/analyses', operation: '/v1/operations/:id' }),
      auth: { refresh: oauth2Refresh({ tokenEndpoint, clientId: 'web' }) },
      feed: sse({
        url: `${baseUrl}/events`,
        toMessage: (data, { event }) =>
          event === 'done' ? { type: 'job.completed', jobId: (data as { job: string }).job, resultId: null } : null,
      }),
    });

    const { accessToken, refreshToken, expiresIn } = foreign.signIn();
    client.signedIn({ accessToken, expiresIn, refreshToken, userId: 'user-1' });
    const assessment = client.submit({ name: 'An example' });
    await expect.poll(() => foreign.seen.jobs).toBe(1);
    foreign.finishJobs();
    expect(await assessment.settled()).toMatchObject({ phase: 'completed', result: { archetype: 'The Explorer' } });
    client.dispose();
  });

  it('asks a GraphQL API, and lets its refusal through', async () => {
    const call = testCall({ baseUrl: server.url, token: 'good' });
    server.reply(200, { data: { job: { state: 'RUNNING' } } });
    expect(await ask(call, 'query ($id: ID!) { job(id: $id) { state } }', { id: '1' })).toEqual({
      job: { state: 'RUNNING' },
    });
    server.reply(200, { errors: [{ message: 'no', extensions: { code: 'UNAUTHENTICATED' } }] });
    await expect(ask(call, '{ job { state } }', {})).rejects.toMatchObject({ extensions: { code: 'UNAUTHENTICATED' } });
  });

  it('adds the headers of a tenant to every request', async () => {
    server.reply(200, {});
    await withHeaders(
      () => 'acme',
      () => 'csrf-1',
    )(`${server.url}/x`, { headers: { Authorization: 'Bearer good' } });
    expect(server.requests[0]?.headers).toMatchObject({
      authorization: 'Bearer good',
      'x-tenant': 'acme',
      'x-csrf-token': 'csrf-1',
    });
  });

  it('has a source for a session by cookie: the cookie says who it is, and a 401 that it is over', async () => {
    const source = cookieSource(server.url);
    server.reply(200, { id: 'user-1' });
    const options = { goOffline: () => server.reply(503, {}), signOut: () => server.reply(401, {}) };
    expect((await checkTokenSource(source, options)).faults).toEqual([]);
  });
});
