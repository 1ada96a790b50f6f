import { Observable } from 'rxjs';
import * as z from 'zod/mini';
import { fit, maybeId, number, object, orNull } from '../../lib/schemas.ts';
import type { ConnectFeed } from '../../ports.ts';
import { percentOf, reasonOf } from '../job-report.ts';
import type { FeedTransport } from './transport.ts';
import type { FeedReport } from './vocabulary.ts';

const ids = { jobId: maybeId, resultId: maybeId };
const progressed = object({ type: z.literal('job.progressed'), ...ids, percent: z.optional(z.unknown()) });
const completed = object({ type: z.literal('job.completed'), ...ids });
const failed = object({ type: z.literal('job.failed'), ...ids, message: orNull(z.string()) });
const balance = object({ type: z.literal('balance.changed'), balance: number });

/** What an application's code has reported, or null where it makes no sense. */
function reportOf(said: unknown): FeedReport | null {
  const progress = fit(said, progressed);
  if (progress) return { ...progress, status: 'processing', percent: percentOf(progress.percent) };
  const failure = fit(said, failed);
  if (failure) return { ...failure, message: reasonOf(failure.message) };
  return fit(said, completed) ?? fit(said, balance);
}

const KNOWN = new Set<unknown>(['job.progressed', 'job.completed', 'job.failed', 'balance.changed']);
/** What the log may name: anything else may hold a secret. */
const nameOf = (said: unknown): string => {
  const type: unknown = (said as { type?: unknown } | null)?.type;
  return KNOWN.has(type) ? String(type) : 'unknown';
};

/**
 * A feed of the application's own as a transport: one connection, with a token that is good now.
 *
 * @example
 * const transport = ownTransport(connectFeed);
 */
export const ownTransport =
  (connect: ConnectFeed): FeedTransport =>
  (link) =>
    new Observable((subscriber) => {
      const controller = new AbortController();
      let hearToken: ((token: string) => void) | null = null;
      let generation: number | null = null;
      let isLive = false;
      const close = (reason: string, forAll = false): void => {
        subscriber.next({ type: 'closed', reason, forAll });
        subscriber.complete();
      };
      const renew = async (): Promise<void> => {
        if (generation === null) return;
        const token = await link.goodToken();
        if (!token || token.generation === generation) return;
        generation = token.generation;
        if (hearToken) hearToken(token.value);
        else close('renewed');
      };
      const open = async (): Promise<void> => {
        const token = await link.goodToken();
        if (subscriber.closed) return;
        if (!token) return close('no-token');
        generation = token.generation;
        await connect({
          token: token.value,
          signal: controller.signal,
          live() {
            isLive = true;
            subscriber.next({ type: 'live' });
          },
          say: (said: unknown) => subscriber.next({ type: 'message', name: nameOf(said), event: reportOf(said) }),
          onToken: (listener) => void (hearToken = listener),
        });
        close('ended');
      };
      // What never became live could perhaps not be reached.
      const fail = (error: unknown): void => close(error instanceof Error ? error.name : 'failed', !isLive);
      subscriber.add(link.renewed$.subscribe(() => void renew().catch(fail)));
      open().catch(fail);
      return () => controller.abort();
    });
