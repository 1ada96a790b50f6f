import type { MonitorEvent } from 'assessment-monitor';

/** One line of a story: when it happened and what it means, in plain words. */
export interface TimelineLine {
  /** Seconds since the beginning, to a tenth. */
  seconds: number;
  text: string;
  /** A hint for the eye. */
  tone: 'plain' | 'good' | 'trouble';
}

const routeNames: Record<string, string> = {
  submit: 'the submission',
  status: 'a status call',
  result: 'the result fetch',
  job: 'an archive call',
  balance: 'a balance call',
  refresh: 'the refresh',
};

const stateTexts: Record<string, string> = {
  submitting: 'submitting the answers',
  'ws-monitoring': 'watching over the WebSocket',
  polling: 'watching by polling',
  'refreshing-token': 'refreshing the token; the job goes on meanwhile',
  'fetching-result': 'the server has finished: fetching the result',
  'auth-failed': 'parked: a sign-in is needed; the job is kept',
  'timed-out': 'parked: it takes longer than expected; the user is asked',
  completed: 'the result is on the page',
  failed: 'failed, and the user is told why',
  cancelled: 'cancelled',
};

/**
 * Tells what happened in words, one event at a time. It remembers a little, so that it can say what led to what: "the token
 * was refused during a status call; refreshed; the call was repeated".
 */
export function createNarrator(startedAt: number): (event: MonitorEvent & { at: number }) => TimelineLine[] {
  let refusedCall: string | null = null;

  const tell = (event: MonitorEvent): [string, TimelineLine['tone']] | null => {
    switch (event.type) {
      case 'request.finished': {
        const call = routeNames[event.route] ?? event.route;
        if (event.outcome === 'unauthorized') {
          refusedCall = call;
          return [`token ${event.generation} was refused during ${call}; nobody is told, it is refreshed`, 'trouble'];
        }
        if (event.outcome === 'ok' && refusedCall === call) {
          refusedCall = null;
          return [`${call} was repeated with token ${event.generation} and answered`, 'good'];
        }
        if (event.outcome === 'transient' && event.route !== 'refresh') {
          return [`no useful answer to ${call} (${event.status ?? 'no connection'}); it will be repeated`, 'trouble'];
        }
        return event.outcome === 'ok' && event.route === 'submit'
          ? ['the server accepted the assessment', 'good']
          : null;
      }
      case 'refresh.finished':
        return event.outcome === 'refreshed'
          ? [`the token was refreshed in ${event.ms} ms`, 'good']
          : [`the refresh came to nothing (${event.outcome})`, 'trouble'];
      case 'token.expiring':
        return [`token ${event.generation} expires soon: it is refreshed ahead of time`, 'plain'];
      case 'token.refused':
        return event.outage
          ? ['a fresh token is refused: the verifier is down, not the session; waiting', 'trouble']
          : null;
      case 'session.ended':
        return [event.reason === 'rejected' ? 'the server ended the session' : 'the user signed out', 'trouble'];
      case 'feed.live':
        return ['the WebSocket is connected and authenticated', 'good'];
      case 'feed.lost':
        return [
          event.reason === 'closed'
            ? 'the WebSocket was closed: nobody needs it any more'
            : `the WebSocket was lost (${event.reason})`,
          event.reason === 'closed' ? 'plain' : 'trouble',
        ];
      case 'page.resumed':
        return [`the page is back (${event.reason}): looking at everything again`, 'plain'];
      case 'state.changed':
        return [
          stateTexts[event.to] ?? event.to,
          event.to === 'completed' ? 'good' : event.to === 'failed' ? 'trouble' : 'plain',
        ];
      case 'job.dropped':
        return [`a stored job was dropped (${event.reason})`, 'plain'];
      default:
        return null;
    }
  };

  return (event) => {
    const told = tell(event);
    if (!told) return [];
    const [text, tone] = told;
    return [{ seconds: Math.max(0, Math.round((event.at - startedAt) / 100) / 10), text, tone }];
  };
}
