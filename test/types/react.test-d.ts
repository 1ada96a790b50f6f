import type {
  Assessment,
  AssessmentClient,
  AssessmentPhase,
  AssessmentView,
  ErrorCode,
  Language,
  ProblemDescription,
  Remedy,
} from 'assessment-monitor';
import { createAssessmentClient } from 'assessment-monitor';
import {
  type AssessmentActions,
  type AssessmentProvider,
  createAssessmentHooks,
  type UseAssessment,
  useAssessment,
  useAssessmentClient,
  useAssessmentSelector,
  useAssessments,
  useBalance,
} from 'assessment-monitor/react';
import type { ComponentProps } from 'react';
import { describe, expectTypeOf, it } from 'vitest';
import * as z from 'zod';

/* Types only: `tsc` checks this file, and nothing in it runs. */

interface Answers {
  name: string;
  scores: Record<string, number>;
}
interface Report {
  archetype: string;
}
type Phase = UseAssessment['phase'];

describe('phase', () => {
  it('is idle or one of the phases of an assessment', () => {
    expectTypeOf<Phase>().toEqualTypeOf<'idle' | AssessmentPhase>();
    expectTypeOf<AssessmentPhase>().toEqualTypeOf<
      'submitting' | 'waiting' | 'sign-in-needed' | 'delayed' | 'unconfirmed' | 'completed' | 'failed' | 'cancelled'
    >();
  });

  it('is exhausted by a switch, and each phase has its own fields', () => {
    const render = (assessment: UseAssessment<Answers, Report>): string | number => {
      switch (assessment.phase) {
        case 'idle':
          return '';
        case 'submitting':
        case 'waiting':
          return assessment.progress.percent;
        case 'sign-in-needed':
        case 'delayed':
        case 'unconfirmed':
        case 'failed':
          return assessment.error.message.id;
        case 'completed':
          return assessment.result.archetype;
        case 'cancelled':
          return assessment.id;
        default:
          return assessment satisfies never;
      }
    };
    expectTypeOf(render).returns.toEqualTypeOf<string | number>();
  });

  it('is an error when a switch leaves one out', () => {
    const forgetful = (assessment: UseAssessment<Answers, Report>): string => {
      switch (assessment.phase) {
        case 'idle':
        case 'submitting':
        case 'waiting':
        case 'sign-in-needed':
        case 'delayed':
        case 'unconfirmed':
        case 'completed':
        case 'failed':
          return assessment.phase;
        default:
          // @ts-expect-error `cancelled` is not never
          return assessment satisfies never;
      }
    };
    expectTypeOf(forgetful).toBeFunction();
  });

  it('is an error when it does not exist', () => {
    // @ts-expect-error a state of the chart is not a phase
    expectTypeOf(() => useAssessment().phase === 'polling').toBeFunction();
    // @ts-expect-error a typing mistake
    expectTypeOf(() => useAssessmentSelector((it) => it.phase === 'complete')).toBeFunction();
  });
});

describe('an assessment', () => {
  const assessment = {} as UseAssessment<Answers, Report>;

  it('has a result only in `completed`', () => {
    // @ts-expect-error not known to be completed
    expectTypeOf(() => assessment.result).toBeFunction();
    expectTypeOf<Extract<typeof assessment, { result: unknown }>['phase']>().toEqualTypeOf<'completed'>();
    expectTypeOf<Extract<typeof assessment, { phase: 'completed' }>['result']>().toEqualTypeOf<Report>();
  });

  it('has an error only where there is one', () => {
    // @ts-expect-error not known to have one
    expectTypeOf(() => assessment.error).toBeFunction();
    expectTypeOf<Extract<typeof assessment, { error: unknown }>['phase']>().toEqualTypeOf<
      'sign-in-needed' | 'delayed' | 'unconfirmed' | 'failed'
    >();
  });

  it('has an id and progress in every phase but `idle`', () => {
    // @ts-expect-error nothing was submitted yet
    expectTypeOf(() => assessment.id).toBeFunction();
    expectTypeOf<
      Extract<typeof assessment, { id: string; progress: object }>['phase']
    >().toEqualTypeOf<AssessmentPhase>();
    expectTypeOf<Extract<typeof assessment, { phase: 'idle' }>>().toEqualTypeOf<
      { readonly phase: 'idle' } & AssessmentActions<Answers, Report>
    >();
  });

  it('can be acted on in every phase', () => {
    expectTypeOf(assessment.submit).parameters.toEqualTypeOf<[Answers]>();
    expectTypeOf(assessment.submit).returns.toEqualTypeOf<Assessment<Report>>();
    expectTypeOf<AssessmentActions>().toHaveProperty('keepWaiting');
    expectTypeOf(assessment.cancel).toEqualTypeOf<() => void>();
  });

  it('is read-only', () => {
    // @ts-expect-error readonly
    expectTypeOf(() => (assessment.phase = 'idle')).toBeFunction();
  });
});

describe('an error', () => {
  it('has a text per language and remedies from a list', () => {
    expectTypeOf<ProblemDescription['message']>().toExtend<Readonly<Record<Language, string>>>();
    // One of the option `messages`.
    expectTypeOf<ProblemDescription['message']['de']>().toEqualTypeOf<string | undefined>();
    expectTypeOf<Language>().toEqualTypeOf<'en' | 'id'>();
    expectTypeOf<ProblemDescription['remedies']>().toEqualTypeOf<readonly Remedy[]>();
    expectTypeOf<Remedy>().toEqualTypeOf<'retry' | 'sign-in' | 'keep-waiting' | 'contact-support'>();
  });

  it('has one of our codes, never a code of the server', () => {
    expectTypeOf<ProblemDescription['code']>().toEqualTypeOf<ErrorCode>();
    expectTypeOf<Extract<ErrorCode, 'INVALID_TOKEN' | 'invalid-token' | 'unauthorized'>>().toEqualTypeOf<never>();
    // @ts-expect-error a server's code
    expectTypeOf((error = {} as ProblemDescription) => error.code === 'INVALID_TOKEN').toBeFunction();
    // None is in capitals; the server's codes are.
    expectTypeOf<Uppercase<ErrorCode> & ErrorCode>().toEqualTypeOf<never>();
  });
});

describe('submissions', () => {
  it('are an error when they have the wrong type', () => {
    // @ts-expect-error no scores
    expectTypeOf(() => useAssessment<Answers, Report>().submit({ name: 'Ann' })).toBeFunction();
    // @ts-expect-error no answers
    expectTypeOf(() => useAssessment<Answers>().submit()).toBeFunction();
    const client = {} as AssessmentClient<Answers>;
    // @ts-expect-error a number is no score sheet
    expectTypeOf(() => client.submit({ name: 'Ann', scores: 1 })).toBeFunction();
  });
});

describe('results', () => {
  const resultSchema = z.object({ archetype: z.string(), score: z.string().transform(Number) });

  it('have the output type of the schema', () => {
    const create = () => createAssessmentClient({ baseUrl: 'https://api.example.test', resultSchema });
    type Client = ReturnType<typeof create>;
    expectTypeOf<Client>().toEqualTypeOf<AssessmentClient<unknown, { archetype: string; score: number }>>();
    type View = Awaited<ReturnType<ReturnType<Client['submit']>['settled']>>;
    expectTypeOf<Extract<View, { phase: 'completed' }>['result']>().toEqualTypeOf<{
      archetype: string;
      score: number;
    }>();
  });

  it('are an error when the schema has another output type', () => {
    expectTypeOf(() =>
      // @ts-expect-error the schema's output has no { total }
      createAssessmentClient<Answers, { total: number }>({ baseUrl: 'https://api.example.test', resultSchema }),
    ).toBeFunction();
  });

  it('are an object of unknown fields when there is no schema', () => {
    const create = () => createAssessmentClient({ baseUrl: 'https://api.example.test' });
    expectTypeOf(create).returns.toEqualTypeOf<AssessmentClient<unknown, Record<string, unknown>>>();
  });
});

describe('hooks', () => {
  it('accept a provider with any client', () => {
    type Prop = ComponentProps<typeof AssessmentProvider>['client'];
    expectTypeOf<AssessmentClient<Answers, Report>>().toExtend<Prop>();
    expectTypeOf<AssessmentClient>().toExtend<Prop>();
  });

  it('return the type that the selector returns', () => {
    expectTypeOf(() => {
      expectTypeOf(useAssessmentSelector((it) => it.phase)).toEqualTypeOf<Phase>();
      const result = useAssessmentSelector((it: UseAssessment<Answers, Report>) =>
        it.phase === 'completed' ? it.result : null,
      );
      expectTypeOf(result).toEqualTypeOf<Report | null>();
      const submit = useAssessmentSelector((it: UseAssessment<Answers, Report>) => it.submit);
      expectTypeOf(submit).parameters.toEqualTypeOf<[Answers]>();
      // @ts-expect-error a comparison of something else
      useAssessmentSelector((it) => it.phase, { isEqual: (a: number, b: number) => a === b });
    }).toBeFunction();
  });

  it('return the types of their arguments', () => {
    expectTypeOf(useBalance).returns.toEqualTypeOf<number | null>();
    expectTypeOf(useAssessment<Answers, Report>).returns.toEqualTypeOf<UseAssessment<Answers, Report>>();
    expectTypeOf(useAssessmentClient<Answers, Report>).returns.toEqualTypeOf<AssessmentClient<Answers, Report>>();
    expectTypeOf(useAssessments<Report>)
      .returns.items.toHaveProperty('getSnapshot')
      .returns.toEqualTypeOf<AssessmentView<Report>>();
  });
});

describe('the hooks of a client', () => {
  const hooks = createAssessmentHooks({} as AssessmentClient<Answers, Report>);

  it('take their types from the client', () => {
    expectTypeOf(hooks.useAssessment).parameters.toEqualTypeOf<[id?: string | undefined]>();
    expectTypeOf(hooks.useAssessment).returns.toEqualTypeOf<UseAssessment<Answers, Report>>();
    expectTypeOf(hooks.useAssessments).returns.toEqualTypeOf<readonly Assessment<Report>[]>();
    expectTypeOf(hooks.useBalance).returns.toEqualTypeOf<number | null>();
  });

  it('take the result from the schema of the client', () => {
    const resultSchema = z.object({ archetype: z.string() });
    const create = () =>
      createAssessmentHooks(createAssessmentClient({ baseUrl: 'https://api.example.test', resultSchema }));
    expectTypeOf(create)
      .returns.toHaveProperty('useAssessment')
      .returns.toEqualTypeOf<UseAssessment<unknown, { archetype: string }>>();
  });

  it('select with the types of the client', () => {
    expectTypeOf(() => {
      const result = hooks.useAssessmentSelector((it) => (it.phase === 'completed' ? it.result : null));
      expectTypeOf(result).toEqualTypeOf<Report | null>();
      expectTypeOf(hooks.useAssessmentSelector((it) => it.submit)).parameters.toEqualTypeOf<[Answers]>();
      // @ts-expect-error a comparison of numbers for a phase
      hooks.useAssessmentSelector((it) => it.phase, { isEqual: (a: number, b: number) => a === b });
    }).toBeFunction();
  });

  it('are an error with other types', () => {
    // @ts-expect-error no type arguments
    expectTypeOf(() => hooks.useAssessment<string, string>()).toBeFunction();
    // @ts-expect-error no type arguments
    expectTypeOf(() => hooks.useAssessments<string>()).toBeFunction();
    // @ts-expect-error no scores
    expectTypeOf(() => hooks.useAssessment().submit({ name: 'Ann' })).toBeFunction();
    expectTypeOf(() => {
      const assessment = hooks.useAssessment();
      // @ts-expect-error the report has no total
      return assessment.phase === 'completed' && assessment.result.total;
    }).toBeFunction();
    const totalOf = (it: UseAssessment<Answers, { total: number }>) => it.phase;
    // @ts-expect-error the selector takes another result
    expectTypeOf(() => hooks.useAssessmentSelector(totalOf)).toBeFunction();
  });
});
