import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { Schema } from '../../lib/schema.ts';

export type ResultState<Result> =
  | { type: 'ready'; result: Result }
  /** The row is there, the analysis is not: the server answers 200 with `test_result: null`. */
  | { type: 'not-ready'; retryAfterMs: number | null }
  /** It came whole and cannot be shown: it does not fit its schema. */
  | { type: 'invalid' }
  /** A success that is no word about this result: not the API's JSON, broken off, or the row of another job or user. */
  | { type: 'unreadable' };

/** Why a result cannot be shown. */
type InvalidReason = 'schema' | 'schema-threw' | 'schema-silent' | 'not-json' | 'foreign';

/** A schema that has not answered after this time never will, ms. */
const SCHEMA_MS = 10_000;

/**
 * Reads results: each one passes the schema of the application before a caller sees it.
 *
 * @example
 * const { validate } = createResultReader({ resultSchema, clock, log });
 * const state = await validate(row.test_result); // { type: 'ready', result } or { type: 'invalid' }
 */
export function createResultReader<Result>(options: { resultSchema: Schema<Result>; clock: Clock; log: Log }) {
  const { resultSchema, clock, log } = options;
  const invalid = (reason: InvalidReason, field = ''): ResultState<Result> => {
    log({ type: 'result.invalid', reason, field });
    return { type: reason === 'not-json' || reason === 'foreign' ? 'unreadable' : 'invalid' };
  };
  /** An application's schema may throw, or never answer: neither may stop the assessment. */
  const validate = async (value: unknown): Promise<ResultState<Result>> => {
    let timer: unknown;
    const silence = new Promise<'silent'>((resolve) => {
      timer = clock.setTimeout(() => resolve('silent'), SCHEMA_MS);
    });
    try {
      const checked = await Promise.race([resultSchema['~standard'].validate(value), silence]);
      if (checked === 'silent') return invalid('schema-silent');
      return checked.issues ? invalid('schema', firstPath(checked.issues)) : { type: 'ready', result: checked.value };
    } catch (error) {
      return invalid('schema-threw', error instanceof Error ? error.name : '');
    } finally {
      clock.clearTimeout(timer);
    }
  };
  return { validate, invalid };
}

/** An identifier or an index. What else is a key may be data: the keys of a record can be e-mail addresses, ids or answers. */
const FIELD = /^(\d{1,4}|(?!.*\d{3})[a-z_$][\w$-]{0,39})$/i;

/** The place of the first issue, by field names alone: values are personal data. */
function firstPath(issues: readonly unknown[]): string {
  const { path } = (issues[0] ?? {}) as { path?: readonly unknown[] };
  const names = (path ?? []).map((it) => (typeof it === 'object' && it !== null && 'key' in it ? it.key : it));
  return names
    .map((it) => (FIELD.test(String(it)) ? String(it) : '*'))
    .join('.')
    .slice(0, 100);
}
