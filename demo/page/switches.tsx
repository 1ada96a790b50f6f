import { askServer, command, type ServerView } from './session.ts';
import type { Say } from './words.ts';

/** What the switches put in the way of requests, by the name that it is taken away by. The first that hits, wins. */
const faults = {
  cut: [
    { name: 'cut', route: 'any', kind: 'reset' },
    { name: 'cut', route: 'handshake', kind: 'reset' },
  ],
  limit: [{ name: 'limit', route: 'status', kind: 'status', status: 429, retryAfter: '3' }],
};

let last: Promise<unknown> = Promise.resolve();
/** Two switches that are pressed in one breath change the same list: the second begins with what the first has left. */
const inTurn = (change: () => Promise<void>) => (last = last.then(change, change));

/** What can go wrong, at the press of a button. Each acts on the real server; a pressed one is in force there. */
export function Switches({ say, server, onChange }: { say: Say; server: ServerView; onChange: () => void }) {
  const change = (what: Parameters<typeof command>[0]) => command(what).then(onChange);
  const { options } = server;
  const isIn = (name: keyof typeof faults) => options.faults.some((it) => it.name === name);
  const isRefusing = options.sockets === 'refuse';
  const isSlow = options.jobDurationMs >= SLOW_MS;
  const toggle = async (name: keyof typeof faults) => {
    // As they are now, and not as they were a second ago: another tab may have changed them.
    const now = (await askServer()).options.faults;
    const others = now.filter((it) => it.name !== name);
    await change({ configure: { faults: others.length < now.length ? others : [...faults[name], ...others] } });
  };
  const cutNetwork = async () => {
    await toggle('cut');
    if (!isIn('cut')) await change({ do: 'dropSockets' });
  };
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
      <Lever text={say('cutNetwork')} pressed={isIn('cut')} onPress={() => inTurn(cutNetwork)} />
      <Lever
        text={say('authOutage')}
        pressed={options.authOutage}
        onPress={() => change({ configure: { authOutage: !options.authOutage } })}
      />
      <Lever text={say('rateLimit')} pressed={isIn('limit')} onPress={() => inTurn(() => toggle('limit'))} />
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
