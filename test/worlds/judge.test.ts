import { createAssessmentClient } from 'assessment-monitor';
import { calmWorld, runWorld, type World } from 'assessment-monitor/testing';
import { describe, expect, it } from 'vitest';

/* The judge of the worlds is judged: for each of its rules a client that is broken on purpose, and a world that shows it. */

type Create = typeof createAssessmentClient;
type Options = Parameters<Create>[0];
type Init = { method: string; headers: Record<string, string>; signal: AbortSignal };

/** A client whose options were tampered with. */
const tampered = (change: (options: Options) => Partial<Options>): Create =>
  ((options: Options) => createAssessmentClient({ ...options, ...change(options) })) as Create;

/** A client whose requests or answers were tampered with. */
const withFetch = (
  tamper: (fetch: (url: string, init: Init) => Promise<Response>, url: string, init: Init) => Promise<unknown>,
): Create =>
  tampered(({ fetch }) => {
    const real = fetch as unknown as (url: string, init: Init) => Promise<Response>;
    return { fetch: ((url: string, init: Init) => tamper(real, url, init)) as unknown as typeof globalThis.fetch };
  });

const rewritten = async (
  answer: Response,
  change: (body: string) => string,
  status = answer.status,
  headers: Pick<Headers, 'get'> = answer.headers,
) => {
  const body = await answer.text();
  return { status, headers, text: async () => change(body) };
};
/** A client that sends the same request twice, side by side. */
const twice = (route: string) =>
  withFetch((fetch, url, init) => {
    if (url.includes(route)) void fetch(url, init).catch(() => {});
    return fetch(url, init);
  });
/** A client that believes, from the first such answer on, that the job has failed. */
const failsAfter = (isTaken: (answer: Response, url: string) => boolean): Create => {
  let hasFailed = false;
  return withFetch(async (fetch, url, init) => {
    const answer = await fetch(url, init);
    hasFailed ||= isTaken(answer, url);
    const isAboutTheJob = /\/(status|jobs)\/[^/]+$/.test(url);
    return hasFailed && isAboutTheJob ? rewritten(answer, () => '{"data":{"status":"failed"}}', 200) : answer;
  });
};
/** A client that reads `failed` in each answer about the job after the first one that says so. */
const believesTheFirstFailure: Create = ((options: Options) => {
  let hasFailed = false;
  return withFetch(async (fetch, url, init) => {
    const answer = await fetch(url, init);
    if (!/\/(status|jobs)\/[^/]+$/.test(url)) return answer;
    const body = await answer.text();
    hasFailed ||= body.includes('"failed"');
    return rewritten(answer, () => (hasFailed ? '{"data":{"status":"failed"}}' : body));
  })(options);
}) as Create;
const noSockets = { at: 0, do: 'noSockets', forMs: 900_000 } as const;
/** The second user signs in over the session of the first, whose token stays good. */
const secondUser = { at: 60_000, do: 'handOver', to: 'user-2', by: 'signIn', where: 'page', submits: 'own' } as const;
const firstSignsOut = { ...secondUser, by: 'signOut' } as const;
/** A client to which every user is the same one, whatever the server and the application say. */
const comparesNothing: Create = ((options: Options) => {
  const client = createAssessmentClient(options);
  const signedIn = (session: { accessToken: string }) => client.signedIn({ ...session, userId: 'anyone' });
  return { ...client, signedIn };
}) as Create;
/** A client whose storages keep what it erases. */
const forgetsToErase = (isKept: (value: string) => boolean): Create =>
  tampered(({ storage, tokenStorage }) => {
    const keeping = (store: NonNullable<Options['storage']>) => ({
      ...store,
      set(key: string, value: string) {
        if (isKept(value)) store.set(`kept:${key}`, value);
        store.set(key, value);
      },
    });
    return { storage: keeping(storage!), tokenStorage: keeping(tokenStorage!) };
  });

const cases: [rule: string, mistake: string, create: Create, world: Partial<World>][] = [
  [
    '1 one accepted submission per assessment',
    'sends a submission twice, each under a key of its own',
    withFetch(async (fetch, url, init) => {
      if (url.includes('submit'))
        await fetch(url, { ...init, headers: { ...init.headers, 'Idempotency-Key': 'another' } });
      return fetch(url, init);
    }),
    {},
  ],
  [
    '2 no request carries a token that its sender knows to be expired',
    'believes that tokens live ten times as long',
    ((options: Options) => {
      const client = createAssessmentClient(options);
      return {
        ...client,
        signedIn: (session: { accessToken: string }) => client.signedIn({ ...session, expiresIn: 3_000 }),
      };
    }) as Create,
    { incidents: [noSockets] },
  ],
  [
    '3 at most one refresh a minute',
    'refreshes whenever it likes',
    tampered(() => ({ timings: { refreshIntervalMs: 1 } })),
    { incidents: [noSockets, { at: 100_000, do: 'endTokens' }, { at: 120_000, do: 'endTokens' }] },
  ],
  ['3 one refresh at a time', 'refreshes in two places at once', twice('refresh'), {}],
  ['3 no refresh token is used twice', 'does not wait for the other one who refreshes', twice('refresh'), {}],
  [
    '4 no credential trouble fails an assessment',
    'takes a dead token for the failure of the job',
    failsAfter((answer, url) => answer.status === 401 && !url.includes('refresh')),
    { incidents: [noSockets, { at: 100_000, do: 'endTokens' }] },
  ],
  [
    '5 INVALID_TOKEN is never shown',
    'shows what the server said',
    withFetch(async (fetch, url, init) => {
      const answer = await fetch(url, init);
      return url.includes('results')
        ? rewritten(answer, () => '{"data":{"test_result":{"error":"INVALID_TOKEN"}}}')
        : answer;
    }),
    {},
  ],
  [
    '7 nothing is left open',
    'leaves a timer behind',
    tampered(({ clock }) => {
      clock!.setTimeout(() => {}, 1e12);
      return {};
    }),
    {},
  ],
  [
    '8 completed once, with the result of its own job',
    'mixes results up',
    withFetch(async (fetch, url, init) => {
      const answer = await fetch(url, init);
      return url.includes('results')
        ? rewritten(answer, (body) => body.replace('"of":"job', '"of":"another-job'))
        : answer;
    }),
    {},
  ],
  [
    '9 a job that is known is never submitted again',
    'forgets after a reload that it has sent the answers, and that the server has accepted them',
    tampered(({ storage, tokenStorage }) => ({
      storage: {
        ...storage!,
        set: (key, value) =>
          key.includes(':job:') && value.includes('"jobId":"job')
            ? undefined
            : storage!.set(key, value.replace(/,"(sentAt|claimedAt)":\d+/g, '')),
      },
      tokenStorage: {
        ...tokenStorage!,
        remove: (key) => (key.includes(':unsent:') ? undefined : tokenStorage!.remove(key)),
      },
    })),
    { incidents: [{ at: 60_000, do: 'reload' }] },
  ],
  [
    '10 no secret leaves',
    'keeps a diary',
    tampered(({ fetch, storage }) => ({
      fetch: ((url: string, init: Init) => {
        storage!.set('diary', JSON.stringify(init.headers));
        return (fetch as unknown as (url: string, init: Init) => Promise<Response>)(url, init);
      }) as unknown as typeof globalThis.fetch,
    })),
    {},
  ],
  [
    '11 status calls keep their distance',
    'asks again at once',
    tampered(() => ({ timings: { minDistanceMs: 0, pollMinMs: 10, pollMaxMs: 10 } })),
    { incidents: [noSockets] },
  ],
  [
    '11 Retry-After is obeyed',
    'does not obey Retry-After',
    withFetch(async (fetch, url, init) => {
      const answer = await fetch(url, init);
      return rewritten(answer, (body) => body, answer.status, { get: () => null });
    }),
    { seed: 4, incidents: [noSockets, { at: 20_000, do: 'serverDown', forMs: 300_000 }] },
  ],
  [
    '13 an assessment fails only on the word of the API',
    'takes the page of a firewall for the failure of the job',
    failsAfter((answer) => answer.status === 403),
    { incidents: [noSockets, { at: 60_000, do: 'front', route: 'status', answer: 'html-403', forMs: 0 }] },
  ],
  [
    '13 an assessment fails only on the word of the API',
    'believes the first failure, which the worker takes back',
    believesTheFirstFailure,
    { habits: { failures: 3 }, incidents: [noSockets] },
  ],
  [
    '13 a sign-in is asked for only when the session is over',
    'takes the page of a firewall for the end of the session',
    withFetch(async (fetch, url, init) => {
      const answer = await fetch(url, init);
      const isPage = url.includes('refresh') && answer.status === 403;
      return isPage ? rewritten(answer, () => '{"error":"invalid_grant"}', 401) : answer;
    }),
    { incidents: [{ at: 60_000, do: 'front', route: 'refresh', answer: 'html-403', forMs: 0 }] },
  ],
  [
    '13 what has not ended keeps its record',
    'writes nothing down',
    tampered(({ storage }) => ({
      storage: { ...storage!, set: (key, value) => (key.includes(':job:') ? undefined : storage!.set(key, value)) },
    })),
    { incidents: [{ at: 60_000, do: 'forgetAll' }] },
  ],
  [
    '14 no request sends what belongs to another user than its token',
    'compares nothing: it resumes the job of one user for the next one',
    comparesNothing,
    { incidents: [secondUser] },
  ],
  [
    '14 no page shows what belongs to another user',
    'compares nothing: the next user sees the job of the one before',
    comparesNothing,
    { incidents: [secondUser] },
  ],
  [
    '14 no page shows what belongs to another user',
    'keeps what it showed after a sign-out',
    ((options: Options) => {
      const client = createAssessmentClient(options);
      let kept: ReturnType<typeof client.getSnapshot> | null = null;
      return {
        ...client,
        signedOut() {
          kept = client.getSnapshot();
          client.signedOut();
        },
        getSnapshot: () => kept ?? client.getSnapshot(),
      };
    }) as Create,
    { incidents: [firstSignsOut] },
  ],
  [
    '14 nothing is sent for a user who has left',
    'does not end the session at a sign-out',
    ((options: Options) => ({ ...createAssessmentClient(options), signedOut() {} })) as Create,
    { habits: { keepsSessions: true }, incidents: [noSockets, firstSignsOut] },
  ],
  [
    '15 no storage holds answers of a user who has left',
    'does not erase the answers of a user who has left',
    forgetsToErase((value) => value.includes('"submission"')),
    { incidents: [firstSignsOut] },
  ],
  [
    '15 no storage holds a token of a user who has left',
    'does not erase the token of a user who has left',
    forgetsToErase((value) => value.includes('SECRET')),
    { incidents: [secondUser] },
  ],
  [
    '15 no storage names a user in clear',
    'writes down who was here',
    ((options: Options) => {
      const client = createAssessmentClient(options);
      const signedIn = (session: { accessToken: string; userId?: string }) => {
        options.storage!.set('last-user', session.userId ?? '');
        client.signedIn(session);
      };
      return { ...client, signedIn };
    }) as Create,
    { habits: { names: 'email' }, incidents: [secondUser] },
  ],
  [
    'promise: the job of each user waits for that user, and is shown',
    'drops the job of a user who has left',
    tampered(({ storage }) => ({
      storage: {
        ...storage!,
        set: (key, value) => (value.includes('"asideAt"') ? storage!.remove(key) : storage!.set(key, value)),
      },
    })),
    { incidents: [secondUser] },
  ],
  [
    '16 the same answers of one user while under way are one accepted job',
    'does not recognise answers that were submitted before',
    ((options: Options) => {
      let count = 0;
      const client = withFetch((fetch, url, init) => {
        const { body } = init as { body?: string };
        return fetch(url, { ...init, ...(body && { body: body.replace(/,?"count":\d+/, '') }) });
      })(options);
      const submit = (answers: object) => client.submit({ ...answers, count: (count += 1) });
      return { ...client, submit };
    }) as Create,
    { incidents: [{ at: 60_000, do: 'submitAgain', where: 'page', order: 'same' }] },
  ],
  [
    '18 a result that cannot be read is not fetched without end',
    'takes a spoilt result for one that is not there yet',
    withFetch(async (fetch, url, init) => {
      const answer = await fetch(url, init);
      return url.includes('results') ? rewritten(answer, () => '{"data":{"test_result":null}}') : answer;
    }),
    { jobMs: 10_000, incidents: [{ at: 0, do: 'garble', route: 'result', how: 'html', forMs: 1e9 }] },
  ],
  [
    '18 a submission whose answer cannot be read is repeated by the user alone',
    'takes a foreign success for an outage',
    withFetch(async (fetch, url, init) => {
      const answer = await fetch(url, init);
      if (url.endsWith('/jobs')) return rewritten(answer, () => '{"success":false,"error":"NO_LIST"}', 404);
      return url.includes('submit') ? rewritten(answer, () => '{"message":"later"}', 503) : answer;
    }),
    { habits: { keys: 'off' }, incidents: [{ at: 0, do: 'garble', route: 'submit', how: 'foreign', forMs: 60_000 }] },
  ],
  [
    '18 no route is called without end',
    'asks for the status sixty times at once',
    withFetch((fetch, url, init) => {
      // Each copy has a signal of its own: Node warns of a leak where one signal has more than ten listeners.
      const copy = () => fetch(url, { ...init, signal: AbortSignal.any([init.signal]) }).catch(() => {});
      for (let copies = 0; copies < 60 && url.includes('status'); copies += 1) void copy();
      return fetch(url, init);
    }),
    { incidents: [noSockets] },
  ],
  [
    '18 a user who waits longer than the deadline sees why',
    'has all the time of the world',
    tampered(() => ({ settings: () => ({ monitoringTimeoutMs: 1e12 }) })),
    { jobMs: 3_600_000, tokenTtlMs: 3_600_000 },
  ],
  [
    '18 a user whose submission has to wait long sees why',
    'counts a long wait as a short outage',
    withFetch(async (fetch, url, init) => {
      const answer = await fetch(url, init);
      return answer.status === 429 ? rewritten(answer, () => '', 503, { get: () => null }) : answer;
    }),
    { habits: { submitLimitMs: 1_200_000 } },
  ],
  [
    '18 a user whose job the server has forgotten sees so',
    'believes that a job which no route knows is still worked on',
    withFetch(async (fetch, url, init) => {
      const answer = await fetch(url, init);
      return answer.status === 404 ? rewritten(answer, () => '{"data":{"status":"processing"}}', 200) : answer;
    }),
    { incidents: [{ at: 60_000, do: 'forgetAll' }] },
  ],
  [
    'promise: a result that the feed reports is shown soon',
    'does not hear that the job is complete',
    tampered(({ loadSocketIo }) => ({
      loadSocketIo: async () => {
        const { io } = await loadSocketIo!();
        return {
          io(...args: Parameters<typeof io>) {
            const socket = io(...args);
            const { onAny } = socket;
            socket.onAny = (listener) =>
              onAny.call(socket, (event, payload) => {
                if (event !== 'analysis-complete') listener(event, payload);
              });
            return socket;
          },
        };
      },
    })),
    { jobMs: 200_000 },
  ],
  [
    'promise: every job that the server finishes is shown',
    'never believes that the result is there',
    withFetch(async (fetch, url, init) => {
      const answer = await fetch(url, init);
      return url.includes('results') ? rewritten(answer, () => '{"data":{"test_result":null}}') : answer;
    }),
    {},
  ],
];

describe('the judge of the worlds notices a client that', () => {
  it.each(cases.map(([rule, mistake, create, world]) => [mistake, rule, create, world] as const))(
    '%s: "%s"',
    async (_, rule, create, world) => {
      const { violations } = await runWorld({ ...calmWorld, ...world }, create);
      expect(violations).toContain(rule);
    },
  );

  it('does nothing wrong, and has nothing to say', async () => {
    expect((await runWorld(calmWorld)).violations).toEqual([]);
  });
});
