import { nested, type WireAnswer } from '../wire/answers.ts';
import type { FrontAnswer, Garbling } from './world.ts';

/*
 * Answers that are not the API's word: those of a proxy, a firewall or a login page, and those of the API that arrive spoilt.
 */

const PAGE = '<!doctype html><title>Access</title><p>INVALID_TOKEN</p>';
const html = { 'content-type': 'text/html' };
const MONTH_MS = 30 * 24 * 3_600_000;

/** What something in front of the API answers. */
export function frontReply(answer: FrontAnswer, now: number): WireAnswer {
  switch (answer) {
    case 'html-502-next-month':
      return [502, PAGE, { ...html, date: new Date(now + MONTH_MS).toUTCString() }];
    case 'json-403':
      return [403, { message: 'Forbidden' }];
    case 'json-403-coded':
      return [403, { error: { code: 'ORG_MISMATCH', message: 'no' } }];
    case 'json-410':
      return nested(410, 'GONE');
    case 'json-500':
      return nested(500, 'INTERNAL_ERROR');
    case 'login-here':
      return [302, '', { location: '/login' }];
    case 'login-elsewhere':
      return [302, '', { location: 'https://login.test/' }];
    default:
      return [Number(answer.slice('html-'.length)), PAGE, html];
  }
}

/** The login page itself. */
export const loginPage = (): WireAnswer => [200, PAGE, html];

/** The body of an answer after something happened to it. */
export function garbled(text: string, how: Garbling): string {
  switch (how) {
    case 'nan':
      return text.replace(/\}$/, ',"score":NaN}');
    case 'cut':
      return text.slice(0, text.length / 2);
    case 'html':
      return PAGE;
    case 'null':
      return '{"success":true,"data":null}';
    case 'foreign':
      return '{"ok":true,"version":"2.1"}';
  }
}
