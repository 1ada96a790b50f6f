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
  ])('%s has its literal name and code', (error, name, code) => {
    expect(error).toBeInstanceOf(AssessmentMonitorError);
    expect(error).toBeInstanceOf(Error);
    expect([error.name, error.code]).toEqual([name, code]);
    expect(error.message).not.toBe('');
  });

  it('an UnauthorizedError says whether a request was sent with the rejected token', () => {
    expect(new UnauthorizedError(7)).toMatchObject({ generation: 7, message: expect.stringContaining('refused') });
    expect(new UnauthorizedError(null)).toMatchObject({
      generation: null,
      message: expect.stringContaining('nothing was sent'),
    });
  });

  it('a TransientError assumes by default that the server may have processed the request and sent no Retry-After', () => {
    expect(new TransientError('network', 'x')).toMatchObject({ retryAfterMs: null, maybeDone: true });
    expect(new TransientError('rate-limited', 'x', { retryAfterMs: 5, maybeDone: false })).toMatchObject({
      retryAfterMs: 5,
      maybeDone: false,
    });
  });

  it('keeps the cause where there is one', () => {
    const cause = new TypeError('Failed to fetch');
    const errors = [
      new UnauthorizedError(1, { cause }),
      new TransientError('network', 'no answer', { cause, maybeDone: false }),
      new RejectedError('forbidden', 403, 'no', undefined, { cause }),
      new SignInRequiredError({ cause }),
      new TokenUnavailableError(1_000, { cause }),
    ];
    expect(errors.map((error) => error.cause)).toEqual(Array.from(errors, () => cause));
    expect(new TransientError('network', 'no answer')).not.toHaveProperty('cause');
  });

  it('a TokenUnavailableError rounds the wait up to whole seconds in its message', () => {
    expect(new TokenUnavailableError(1_001).message).toContain('2 s');
    expect(new TokenUnavailableError(59_000)).toMatchObject({
      retryAfterMs: 59_000,
      message: expect.stringContaining('59 s'),
    });
  });
});

describe('toProblem', () => {
  it('keeps the details of a rejection, which the user can correct', () => {
    const details = { name: 'is missing' };
    expect(toProblem(new RejectedError('validation', 400, 'no', details))).toEqual({
      code: 'validation',
      message: 'no',
      details,
    });
    expect(toProblem(new RejectedError('forbidden', 403, 'no'))).toEqual({ code: 'forbidden', message: 'no' });
  });

  it('converts a rejected token into the code sign-in-required', () => {
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

  it('keeps only the name of an unknown error, because its message may contain anything', () => {
    expect(toProblem(new TypeError('s3cret'))).toEqual({ code: 'unexpected', message: 'TypeError' });
    expect(toProblem('s3cret')).toEqual({ code: 'unexpected', message: 'string' });
    expect(toProblem(undefined)).toEqual({ code: 'unexpected', message: 'undefined' });
  });

  it('leaves the cause out', () => {
    const error = new TransientError('network', 'no answer', { cause: new Error('https://secret.example') });
    expect(toProblem(error)).toEqual({ code: 'network', message: 'no answer' });
  });

  it('returns data that survives JSON', () => {
    const problem = toProblem(new RejectedError('validation', 400, 'no', { a: 'b' }));
    expect(JSON.parse(JSON.stringify(problem))).toEqual(problem);
  });
});
