import { command, type ServerView } from './session.ts';
import type { Say } from './words.ts';

/** What can go wrong, at the press of a button. Each acts on the real server; a pressed one is in force there. */
export function Switches({ say, server, onChange }: { say: Say; server: ServerView; onChange: () => void }) {
  const change = (what: Parameters<typeof command>[0]) => command(what).then(onChange);
  const { options } = server;
  const isCut = options.faults.some(({ kind }) => kind === 'reset');
  const isLimited = options.faults.some(({ status }) => status === 429);
  const isRefusing = options.sockets === 'refuse';
  const isSlow = options.jobDurationMs >= SLOW_MS;
  const cutNetwork = async () => {
    if (isCut) return change({ configure: { faults: [], sockets: 'accept' } });
    await change({ configure: { faults: [{ route: 'any', kind: 'reset' }], sockets: 'refuse' } });
    return change({ do: 'dropSockets' });
  };
  const limit = { route: 'status', kind: 'status', status: 429, retryAfter: '3' };
  return (
    <div className="levers" role="group" aria-label={say('switches')}>
      <Lever text={say('endTokens')} onPress={() => change({ do: 'endTokens' })} />
      <Lever text={say('dropSockets')} onPress={() => change({ do: 'dropSockets' })} />
      <Lever text={say('revoke')} onPress={() => change({ do: 'revokeSessions' })} />
      <Lever
        text={say('refuseSockets')}
        pressed={isRefusing}
        onPress={() => change({ configure: { sockets: isRefusing ? 'accept' : 'refuse' } })}
      />
      <Lever text={say('cutNetwork')} pressed={isCut} onPress={cutNetwork} />
      <Lever
        text={say('authOutage')}
        pressed={options.authOutage}
        onPress={() => change({ configure: { authOutage: !options.authOutage } })}
      />
      <Lever
        text={say('rateLimit')}
        pressed={isLimited}
        onPress={() => change({ configure: { faults: isLimited ? [] : [limit] } })}
      />
      <Lever
        text={say('slowJob')}
        pressed={isSlow}
        onPress={() => change({ configure: { jobDurationMs: isSlow ? 25_000 : SLOW_MS } })}
      />
      <Lever text={say('secondTab')} onPress={() => void window.open(window.location.href)} />
      <Lever text={say('reload')} onPress={() => window.location.reload()} />
    </div>
  );
}

const SLOW_MS = 90_000;

function Lever({ text, pressed, onPress }: { text: string; pressed?: boolean; onPress: () => unknown }) {
  return (
    <button type="button" className="quiet" aria-pressed={pressed} onClick={() => void onPress()}>
      {text}
    </button>
  );
}
