import { describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../src/lib/errors.ts';
import { describeProblem, type Remedy } from '../../src/messages/index.ts';

/** What a user can do about each problem. A code that is missing here does not compile. */
const remediesOf: Record<ErrorCode, readonly Remedy[]> = {
  validation: ['retry'],
  'insufficient-credit': ['retry', 'contact-support'],
  forbidden: ['contact-support'],
  'too-large': ['retry'],
  rejected: ['contact-support'],
  'job-failed': ['retry', 'contact-support'],
  'invalid-result': ['contact-support'],
  'sign-in-required': ['sign-in'],
  'timed-out': ['keep-waiting', 'contact-support'],
  'outcome-unknown': ['retry', 'contact-support'],
  network: ['keep-waiting'],
  unavailable: ['keep-waiting'],
  'rate-limited': ['keep-waiting'],
  'invalid-response': ['keep-waiting'],
  unexpected: ['retry', 'contact-support'],
};
const codes = Object.keys(remediesOf) as ErrorCode[];

describe.each(codes)('the words for %s', (code) => {
  const { message, remedies } = describeProblem({ code, message: 'INVALID_TOKEN at /api' });

  it('are whole sentences in both languages', () => {
    for (const text of [message.en, message.id]) expect(text).toMatch(/^[A-Z].{20,}\.$/);
    expect(message.id).not.toBe(message.en);
  });

  it('say what the user can do', () => {
    expect(remedies).toEqual(remediesOf[code]);
  });

  it('hold no code and no server text', () => {
    expect(message.en + message.id).not.toMatch(/INVALID_TOKEN|\/api|undefined|token|[A-Z]{2,}_|\d{3}/i);
  });
});

describe('describeProblem', () => {
  it('has words of its own for each problem', () => {
    for (const language of ['en', 'id'] as const) {
      const texts = codes.map((code) => describeProblem({ code, message: '' }).message[language]);
      expect(new Set(texts).size).toBe(codes.length);
    }
  });

  it('names the code, for whoever writes their own words', () => {
    expect(describeProblem({ code: 'timed-out', message: '' }).code).toBe('timed-out');
  });

  it('passes on which answers were wrong, where the server said so', () => {
    const details = { name: 'is missing' };
    expect(describeProblem({ code: 'validation', message: '', details }).details).toEqual(details);
    expect(describeProblem({ code: 'validation', message: '' })).not.toHaveProperty('details');
  });

  it.each(['network', 'unavailable', 'rate-limited', 'invalid-response', 'sign-in-required', 'timed-out'] as const)(
    'says of %s that nothing is lost',
    (code) => {
      expect(describeProblem({ code, message: '' }).message).toMatchObject({
        en: expect.stringMatching(/is safe|goes on|still being worked on/) as string,
        id: expect.stringMatching(/aman|tetap berjalan|masih diproses/) as string,
      });
    },
  );

  it.each(['validation', 'insufficient-credit', 'too-large'] as const)(
    'says of %s that nothing was submitted',
    (code) => {
      expect(describeProblem({ code, message: '' }).message).toMatchObject({
        en: expect.stringContaining('Nothing was submitted') as string,
        id: expect.stringContaining('Belum ada yang dikirim') as string,
      });
    },
  );
});
