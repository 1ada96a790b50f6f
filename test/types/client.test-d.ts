import { useSelector } from '@xstate/react';
import {
  type Assessment,
  type AssessmentClient,
  type AssessmentClientOptions,
  type Clock,
  createAssessmentClient,
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
