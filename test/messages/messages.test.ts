import { describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../src/lib/errors.ts';
import { describeProblem, type Messages, type Remedy } from '../../src/messages/index.ts';

/** What a user can do about each problem. A code that is missing here does not compile. */
const remediesOf: Record<ErrorCode, readonly Remedy[]> = {
  validation: ['retry'],
  'insufficient-credit': ['retry', 'contact-support'],
  forbidden: ['contact-support'],
  'too-large': ['retry'],
  rejected: ['contact-support'],
  'job-not-found': ['keep-waiting', 'contact-support'],
  'unconfirmed-failure': ['keep-waiting'],
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

describe.each(codes)('the texts for %s', (code) => {
  const { message, remedies } = describeProblem({ code, message: 'INVALID_TOKEN at /api' });

  it('are whole sentences in both languages', () => {
    for (const text of [message.en, message.id]) expect(text).toMatch(/^[A-Z].{20,}\.$/);
    expect(message.id).not.toBe(message.en);
  });

  it('come with what the user can do', () => {
    expect(remedies).toEqual(remediesOf[code]);
  });

  it('contain no code, no server text and no technical word', () => {
    expect(message.en + message.id).not.toMatch(
      /INVALID_TOKEN|\/api|undefined|token|server|request|schema|status|timeout|[A-Z]{2,}_|\d{3}/i,
    );
  });
});

describe('describeProblem', () => {
  it('has a different text for each problem', () => {
    for (const language of ['en', 'id'] as const) {
      const texts = codes.map((code) => describeProblem({ code, message: '' }).message[language]);
      expect(new Set(texts).size).toBe(codes.length);
    }
  });

  it('keeps the code, for applications with their own texts', () => {
    expect(describeProblem({ code: 'timed-out', message: '' }).code).toBe('timed-out');
  });

  it('passes on the field messages of a validation problem', () => {
    const details = { name: 'is missing' };
    expect(describeProblem({ code: 'validation', message: '', details }).details).toEqual(details);
    expect(describeProblem({ code: 'validation', message: '' })).not.toHaveProperty('details');
  });

  it.each(['network', 'unavailable', 'rate-limited', 'invalid-response'] as const)(
    'reassures the user that the assessment is not lost for %s',
    (code) => {
      const { message } = describeProblem({ code, message: '' });
      expect(message.en).toContain('Your assessment is not lost');
      expect(message.id).toContain('Asesmen Anda tidak hilang');
    },
  );

  it.each(codes)('makes no promise about credits or about what was submitted for %s', (code) => {
    const { message } = describeProblem({ code, message: '' });
    expect(message.en).not.toMatch(/nothing was (submitted|sent)|no credit|credit is (given )?back|refund/i);
    expect(message.id).not.toMatch(/belum ada yang dikirim|tidak terpakai|dikembalikan/i);
  });

  it('tells a user whose deadline passed that the assessment is still running', () => {
    expect(describeProblem({ code: 'timed-out', message: '' }).message).toMatchObject({
      en: expect.stringMatching(/^This is taking longer than usual\. Your assessment is still running\./) as string,
      id: expect.stringMatching(
        /^Ini memakan waktu lebih lama dari biasanya\. Asesmen Anda masih berjalan\./,
      ) as string,
    });
  });
});

describe('texts of an application', () => {
  const messages: Messages = {
    de: { network: 'Es gibt gerade keine Verbindung.', 'rate-limited': 'Viel los.', retryAt: 'Weiter um {time}.' },
    pt_BR: { network: 'Sem rede.', retryAt: 'Às {time}.' },
    'no such language!': { 'rate-limited': 'x', retryAt: '{time}' },
    id: { network: 'Tidak ada jaringan.' },
  };

  it('add languages, and replace single texts of the package', () => {
    const { message } = describeProblem({ code: 'network', message: '' }, messages);
    expect(message.de).toBe('Es gibt gerade keine Verbindung.');
    expect(message.id).toBe('Tidak ada jaringan.');
    expect(message.en).toBe(describeProblem({ code: 'network', message: '' }).message.en);
    expect(describeProblem({ code: 'unexpected', message: '' }, messages).message.id).toBe(
      describeProblem({ code: 'unexpected', message: '' }).message.id,
    );
  });

  it('are English where one is missing', () => {
    const { message } = describeProblem({ code: 'forbidden', message: '' }, messages);
    expect(message.de).toBe(message.en);
  });

  it('say when the next attempt follows, each as its language writes the time', () => {
    const retryAt = new Date(2026, 10, 26, 15, 5).getTime();
    const { message } = describeProblem({ code: 'rate-limited', message: '', retryAt }, messages);
    expect(message.de).toBe('Viel los. Weiter um 15:05.');
    expect(message.pt_BR).toMatch(/ Às 15:05\.$/);
    expect(message['no such language!']).toMatch(/^x .*5/);
    expect(message.en).toMatch(/ The next attempt is at 3:05.PM\.$/);
  });
});
