import type { StatelyInspectionEvent } from '@statelyai/inspect';
import type { InspectionEvent } from 'xstate';
import { redactEvent } from './redact.ts';

/** An event as it leaves for a viewer: flat, plain JSON and redacted. */
export type InspectedEvent = StatelyInspectionEvent;

export interface InspectorOptions {
  /**
   * Where the viewer is. `http(s):` is opened in a window of its own, `ws(s):` is sent to. Default: Stately's hosted inspector.
   */
  url?: string;
  /** Shows the viewer in this frame instead of a window. */
  iframe?: HTMLIFrameElement;
  /** Gets every event instead of a viewer. */
  send?: (event: InspectedEvent) => void;
  /** Keys whose texts are shown besides the names that always are. What looks like a token stays hidden all the same. */
  reveal?: readonly string[];
  /** Default: in development only, by `process.env.NODE_ENV`. Where that is unknown, off. */
  enabled?: boolean;
}

export interface Inspector {
  /** For the `inspect` option of `createActor` and of `createAssessmentClient`. */
  readonly inspect: (event: InspectionEvent) => void;
  /** Nothing is sent any more, and a connection is closed. */
  stop(): void;
}

/**
 * Shows running actors in a viewer, without anything that could be a secret. Loads `@statelyai/inspect` when it is first needed;
 * in production it does nothing and loads nothing.
 *
 * @example
 * const { inspect } = createInspector();
 * const client = createAssessmentClient({ baseUrl, inspect });
 * const actor = createActor(myMachine, { inspect });
 */
export function createInspector(options: InspectorOptions = {}): Inspector {
  if (!(options.enabled ?? isDevelopment())) return { inspect: () => {}, stop: () => {} };
  /** What happened before the viewer's package was there. A page that cannot load it must not hoard. */
  let early: InspectionEvent[] = [];
  let stopped = false;
  let stop = (): void => {};
  let pass = (event: InspectionEvent): void => void (early.length < 1_000 && early.push(event));

  const connect = async (): Promise<void> => {
    const stately = await import('@statelyai/inspect');
    if (stopped) return;
    const viewer = open(stately, options);
    stop = () => viewer.stop();
    pass = (event) => viewer.inspect.next?.(event);
    for (const event of early.splice(0)) pass(event);
  };
  connect().catch(() => {
    early = [];
    pass = () => {};
    console.warn('assessment-monitor/inspect: no viewer. Is @statelyai/inspect installed?');
  });
  return {
    inspect: (event) => pass(event),
    stop() {
      stopped = true;
      early = [];
      pass = () => {};
      stop();
    },
  };
}

function open(stately: typeof import('@statelyai/inspect'), { url, iframe, send, reveal }: InspectorOptions) {
  const serialize = (event: StatelyInspectionEvent) => redactEvent(event, reveal);
  if (send) return stately.createInspector({ send }, { serialize });
  if (url !== undefined && /^wss?:/.test(url)) return stately.createWebSocketInspector({ url, serialize });
  return stately.createBrowserInspector({ serialize, ...(url ? { url } : {}), ...(iframe ? { iframe } : {}) });
}

/** Bundlers replace this expression, and drop what it excludes. Where nobody did, there is no `process`. */
declare const process: { env: { NODE_ENV?: string } };
function isDevelopment(): boolean {
  try {
    return process.env.NODE_ENV !== 'production';
  } catch {
    return false;
  }
}
