import type { ErrorCode } from '../lib/errors.ts';

/**
 * English texts for end users. Each one is true in every phase that shows it: before and after the server has accepted the
 * answers, and whether or not it has finished the analysis.
 */
export const en: Readonly<Record<ErrorCode | 'retryAt', string>> = {
  validation: 'Some answers were not accepted. Please check them and submit again.',
  'insufficient-credit': 'You do not have enough credit for this assessment. Please add credit and submit again.',
  forbidden: 'This account does not have access to this assessment. Please contact support.',
  'too-large': 'Your answers are too long. Please shorten them and submit again.',
  rejected: 'This assessment cannot continue. Please contact support.',
  'job-not-found':
    'The service cannot find your assessment at the moment. We keep looking. Please contact support if this does not change.',
  'unconfirmed-failure':
    'This is taking longer than usual. We are checking your assessment. You can keep waiting or come back later.',
  'job-failed': 'The analysis failed. You can submit your answers again, or contact support.',
  'invalid-result': 'Your result is ready, but it cannot be displayed. Please contact support.',
  'sign-in-required': 'Please sign in again. Your assessment will continue after that.',
  'timed-out':
    'This is taking longer than usual. Your assessment is still running. You can keep waiting or come back later.',
  'outcome-unknown':
    'We do not know whether your answers arrived. Sending them again may use another credit. Please contact support if you are not sure.',
  network: 'There is no connection right now. Your assessment is not lost, and we keep trying.',
  unavailable: 'The service is not available right now. Your assessment is not lost, and we keep trying.',
  'rate-limited': 'The service is very busy right now. Your assessment is not lost, and we will try again.',
  'invalid-response': 'The service has a problem right now. Your assessment is not lost, and we keep trying.',
  unexpected: 'Something went wrong. Please reload this page, or contact support.',
  retryAt: 'The next attempt is at {time}.',
};
