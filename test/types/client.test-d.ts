import { useSelector } from '@xstate/react';
import {
  type Assessment,
  type AssessmentClient,
  type AssessmentClientOptions,
  type Clock,
  createAssessmentClient,
  type JobApi,
  type KeyValueStore,
  memoryStore,
  type RuntimeSettings,
  systemClock,
} from 'assessment-monitor';
import { describe, expectTypeOf, it } from 'vitest';
import * as z from 'zod';

/* The types of the client. `tsc` checks them: nothing here runs. */

interface Answers {
  name: string;
}
const baseUrl = 'https://api.example.test';
const resultSchema = z.object({ archetype: z.string(), score: z.string().transform(Number) });
interface Report {
  archetype: string;
  score: number;
}

describe('a client', () => {
  it('infers the result from the schema when the answers are given alone', () => {
    const create = () => createAssessmentClient<Answers>()({ baseUrl, resultSchema });
    expectTypeOf(create).returns.toEqualTypeOf<AssessmentClient<Answers, Report>>();
    expectTypeOf(() => createAssessmentClient<Answers>()({ baseUrl })).returns.toEqualTypeOf<
      AssessmentClient<Answers, Record<string, unknown>>
    >();
  });

  it('takes both types explicitly, and infers both without them', () => {
    expectTypeOf(() => createAssessmentClient<Answers, Report>({ baseUrl, resultSchema })).returns.toEqualTypeOf<
      AssessmentClient<Answers, Report>
    >();
    expectTypeOf(() => createAssessmentClient({ baseUrl, resultSchema })).returns.toEqualTypeOf<
      AssessmentClient<unknown, Report>
    >();
  });

  it('infers both from its api, and the result from the schema where there is one', () => {
    const api: JobApi<Answers, { raw: string }> = {
      submit: async (_answers, key) => ({ jobId: key }),
      status: async () => ({ type: 'completed' }),
      result: async () => ({ type: 'found', result: { raw: '' } }),
    };
    expectTypeOf(() => createAssessmentClient({ baseUrl, api })).returns.toEqualTypeOf<
      AssessmentClient<Answers, { raw: string }>
    >();
    expectTypeOf(() => createAssessmentClient({ baseUrl, api, resultSchema })).returns.toEqualTypeOf<
      AssessmentClient<Answers, Report>
    >();
    const inPlace = () =>
      createAssessmentClient({
        baseUrl,
        api: {
          submit: async (answers: Answers, key) => ({ jobId: answers.name + key }),
          status: async (jobId, call) =>
            (await call.request(jobId)).status === 200 ? { type: 'completed' } : { type: 'running' },
          result: async (id) => ({ type: 'found', result: { id } }),
        },
      });
    expectTypeOf(inPlace).returns.toEqualTypeOf<AssessmentClient<Answers, { id: string }>>();
  });

  it('refuses an api that is wrong, at the part that is wrong', () => {
    const status = async () => ({ type: 'running' as const });
    const result = async () => ({ type: 'found' as const, result: 1 });
    const submit = async () => ({ jobId: 'a' });
    const wrong = () => {
      // @ts-expect-error -- Property 'jobId' is missing
      createAssessmentClient({ baseUrl, api: { submit: async () => ({ id: 'a' }), status, result } });
      // @ts-expect-error -- Type '"done"' is not assignable to type '"completed"'
      createAssessmentClient({ baseUrl, api: { submit, status: async () => ({ type: 'done' as const }), result } });
      // @ts-expect-error -- Property 'result' is missing
      createAssessmentClient({ baseUrl, api: { submit, status, result: async () => ({ type: 'found' as const }) } });
      // @ts-expect-error -- Property 'status' is missing
      createAssessmentClient({ baseUrl, api: { submit, result } });
      // @ts-expect-error -- Argument of type 'number' is not assignable to parameter of type 'string'
      createAssessmentClient({ baseUrl, api: { submit, status: (id, call) => call.request(1), result } });
    };
    expectTypeOf(wrong).returns.toEqualTypeOf<void>();
  });

  it('accepts settings that are undefined', () => {
    expectTypeOf<{ refresh: undefined; monitoringTimeoutMs: undefined }>().toExtend<RuntimeSettings>();
    expectTypeOf<undefined>().toExtend<AssessmentClientOptions['settings']>();
  });

  it('exports the defaults of its environment under the types of its options', () => {
    expectTypeOf(systemClock).toEqualTypeOf<Clock>();
    expectTypeOf(memoryStore).returns.toEqualTypeOf<KeyValueStore>();
  });
});

describe('the actor of an assessment', () => {
  it('fits useSelector of @xstate/react', () => {
    const { actor } = {} as Assessment<Report>;
    expectTypeOf(() => useSelector(actor, (snapshot) => snapshot.hasTag('parked'))).returns.toEqualTypeOf<boolean>();
    expectTypeOf(() => useSelector(actor, ({ context }) => context.jobId)).returns.toEqualTypeOf<string | null>();
  });
});
