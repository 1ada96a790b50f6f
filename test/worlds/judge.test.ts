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
const noSockets = { at: 0, do: 'noSockets', forMs: 900_000 } as const;

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
    'takes a dead token for a forbidden job',
    withFetch(async (fetch, url, init) => {
      const answer = await fetch(url, init);
      return answer.status === 401 && !url.includes('refresh')
        ? rewritten(answer, () => '{"success":false,"error":"FORBIDDEN"}', 403)
        : answer;
    }),
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
    'forgets after a reload that the server has accepted',
    tampered(({ storage }) => ({
      storage: {
        ...storage!,
        set: (key, value) =>
          key.includes(':job:') && value.includes('"jobId":"job') ? undefined : storage!.set(key, value),
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
    'does not listen when it is told to slow down',
    withFetch(async (fetch, url, init) => {
      const answer = await fetch(url, init);
      return rewritten(answer, (body) => body, answer.status, { get: () => null });
    }),
    { seed: 1, incidents: [noSockets, { at: 20_000, do: 'serverDown', forMs: 300_000 }] },
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
