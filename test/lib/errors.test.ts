import { describe, expect, it } from 'vitest';
import {
  AssessmentMonitorError,
  RejectedError,
  SignInRequiredError,
  TokenUnavailableError,
  toProblem,
  TransientError,
  UnauthorizedError,
} from '../../src/lib/errors.ts';

describe('every error of the package', () => {
  it.each([
    [new UnauthorizedError(1), 'UnauthorizedError', 'unauthorized'],
    [new TransientError('network', 'no answer'), 'TransientError', 'network'],
    [new RejectedError('validation', 400, 'no'), 'RejectedError', 'validation'],
    [new SignInRequiredError(), 'SignInRequiredError', 'sign-in-required'],
    [new TokenUnavailableError(1_000), 'TokenUnavailableError', 'unavailable'],
  ])('%s has a name and a code to go by', (error, name, code) => {
    expect(error).toBeInstanceOf(AssessmentMonitorError);
    expect(error).toBeInstanceOf(Error);
    expect([error.name, error.code]).toEqual([name, code]);
    expect(error.message).not.toBe('');
  });

  it('says whether anything was sent with the token that would not do', () => {
    expect(new UnauthorizedError(7)).toMatchObject({ generation: 7, message: expect.stringContaining('refused') });
    expect(new UnauthorizedError(null)).toMatchObject({
      generation: null,
      message: expect.stringContaining('nothing was sent'),
    });
  });

  it('supposes that the server may have done it, and knows of no time to wait, unless it is told', () => {
    expect(new TransientError('network', 'x')).toMatchObject({ retryAfterMs: null, maybeDone: true });
    expect(new TransientError('rate-limited', 'x', { retryAfterMs: 5, maybeDone: false })).toMatchObject({
      retryAfterMs: 5,
      maybeDone: false,
    });
  });

  it('tells a developer in whole seconds when a token may be there, never too early', () => {
    expect(new TokenUnavailableError(1_001).message).toContain('2 s');
    expect(new TokenUnavailableError(59_000)).toMatchObject({
      retryAfterMs: 59_000,
      message: expect.stringContaining('59 s'),
    });
  });
});

describe('toProblem', () => {
  it('keeps of a refusal what the user can correct', () => {
    const details = { name: 'is missing' };
    expect(toProblem(new RejectedError('validation', 400, 'no', details))).toEqual({
      code: 'validation',
      message: 'no',
      details,
    });
    expect(toProblem(new RejectedError('forbidden', 403, 'no'))).toEqual({ code: 'forbidden', message: 'no' });
  });

  it('makes of a refused token a sign-in, which is what a user understands', () => {
    expect(toProblem(new UnauthorizedError(1)).code).toBe('sign-in-required');
  });

  it.each([
    [new TransientError('network', 'no answer'), { code: 'network', message: 'no answer' }],
    [new TransientError('rate-limited', 'slow down'), { code: 'rate-limited', message: 'slow down' }],
    [new SignInRequiredError(), { code: 'sign-in-required', message: new SignInRequiredError().message }],
    [new TokenUnavailableError(1_000), { code: 'unavailable', message: new TokenUnavailableError(1_000).message }],
  ])('keeps code and message of %s, and nothing else', (error, problem) => {
    expect(toProblem(error)).toEqual(problem);
  });

  it('keeps of a defect its name alone: its message may hold anything', () => {
    expect(toProblem(new TypeError('s3cret'))).toEqual({ code: 'unexpected', message: 'TypeError' });
    expect(toProblem('s3cret')).toEqual({ code: 'unexpected', message: 'string' });
    expect(toProblem(undefined)).toEqual({ code: 'unexpected', message: 'undefined' });
  });

  it('gives something that can be stored and read again', () => {
    const problem = toProblem(new RejectedError('validation', 400, 'no', { a: 'b' }));
    expect(JSON.parse(JSON.stringify(problem))).toEqual(problem);
  });
});
