import { askServer, command, type ServerView, type Session } from './session.ts';
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

interface SwitchesProps {
  say: Say;
  session: Session;
  server: ServerView;
  onChange: () => void;
}

/**
 * What can go wrong, at the press of a button. Each acts on the real server, and the page says at once what was done; a pressed one is in
 * force there.
 */
export function Switches({ say, session, server, onChange }: SwitchesProps) {
  const { press, ask } = session;
  const change = (what: Parameters<typeof command>[0]) => command(what).then(onChange);
  const { options } = server;
  const isIn = (name: keyof typeof faults) => options.faults.some((it) => it.name === name);
  const isRefusing = options.sockets === 'refuse';
  const isSlow = options.jobDurationMs >= SLOW_MS;
  /** @returns whether it is in force now */
  const toggle = async (name: keyof typeof faults): Promise<boolean> => {
    // As they are now, and not as they were a second ago: another tab may have changed them.
    const now = (await askServer()).options.faults;
    const others = now.filter((it) => it.name !== name);
    const isOn = others.length === now.length;
    await change({ configure: { faults: isOn ? [...faults[name], ...others] : others } });
    return isOn;
  };
  const cutNetwork = async () => {
    press(isIn('cut') ? 'youMended' : 'youCut');
    if (await toggle('cut')) {
      await change({ do: 'dropSockets' });
      void ask();
    } else {
      // What the browser says when a network is back.
      window.dispatchEvent(new Event('online'));
    }
  };
  return (
    <div className="levers" role="group" aria-label={say('switches')}>
      <button type="button" className="main-lever" onClick={() => void session.endToken().then(onChange)}>
        {say('endTokens')}
      </button>
      <Lever
        text={say('dropSockets')}
        onPress={() => {
          press('youDropped', 'nothingToDrop');
          return change({ do: 'dropSockets' });
        }}
      />
      <Lever
        text={say('revoke')}
        onPress={() => {
          press('youRevoked', 'nothingToRevoke');
          return change({ do: 'revokeSessions' }).then(ask);
        }}
      />
      <Lever
        text={say('refuseSockets')}
        pressed={isRefusing}
        onPress={() => {
          press(isRefusing ? 'youAccept' : 'youRefuse', 'nextSocket');
          return change({ configure: { sockets: isRefusing ? 'accept' : 'refuse' } });
        }}
      />
      <Lever text={say('cutNetwork')} pressed={isIn('cut')} onPress={() => inTurn(cutNetwork)} />
      <Lever
        text={say('authOutage')}
        pressed={options.authOutage}
        onPress={() => {
          press(options.authOutage ? 'outageOver' : 'outageBegun', 'nextCall');
          return change({ configure: { authOutage: !options.authOutage } }).then(ask);
        }}
      />
      <Lever
        text={say('rateLimit')}
        pressed={isIn('limit')}
        onPress={() =>
          inTurn(async () => {
            press(isIn('limit') ? 'limitOver' : 'limitBegun', 'nextPoll');
            await toggle('limit');
          })
        }
      />
      <Lever
        text={say('slowJob')}
        pressed={isSlow}
        onPress={() => {
          press(isSlow ? 'jobsQuick' : 'jobsSlow', 'nextJob');
          return change({ configure: { jobDurationMs: isSlow ? 25_000 : SLOW_MS } });
        }}
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
