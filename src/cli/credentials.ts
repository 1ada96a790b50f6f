import type { Terminal } from './terminal.ts';
import { parseJson } from '../lib/parse-json.ts';

export interface Credentials {
  email: string;
  password: string;
}

const MISSING = 'Credentials are missing: set ASSESSMENT_MONITOR_EMAIL and ASSESSMENT_MONITOR_PASSWORD';

/**
 * Reads the credentials from the environment, else from the standard input: arguments are visible to other users of a machine.
 *
 * @throws Error where neither holds them
 */
export async function readCredentials({ env, input }: Pick<Terminal, 'env' | 'input'>): Promise<Credentials> {
  const { ASSESSMENT_MONITOR_EMAIL: email, ASSESSMENT_MONITOR_PASSWORD: password } = env;
  if (email && password) return { email, password };
  if (input.isTTY) throw new Error(MISSING);
  let text = '';
  for await (const chunk of input) {
    text += String(chunk);
    if (text.length > 10_000) break;
  }
  const read = parseJson(text) as Partial<Credentials> | null | undefined;
  if (typeof read?.email !== 'string' || typeof read.password !== 'string') throw new Error(MISSING);
  return { email: read.email, password: read.password };
}
