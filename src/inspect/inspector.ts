import type { StatelyInspectionEvent } from '@statelyai/inspect';
import type { AnyEventObject, InspectionEvent } from 'xstate';
import { redactEvent } from './redact.ts';

interface InspectedActor {
  sessionId: string;
  rootId: string | undefined;
  /** ms since the epoch */
  createdAt: string;
  id: string;
  _version: string;
}

/**
 * An event as a viewer receives it: flat, plain JSON and redacted. Declared here in the format of `@statelyai/inspect`, so that types
 * resolve without that optional package.
 */
export type InspectedEvent = InspectedActor &
  (
    | {
        type: '@xstate.actor';
        name: string;
        snapshot: object;
        definition: string | undefined;
        parentId: string | undefined;
      }
    | { type: '@xstate.event'; event: AnyEventObject; sourceId: string | undefined }
    | { type: '@xstate.snapshot'; event: AnyEventObject; snapshot: object }
  );

export interface InspectorOptions {
  /**
   * The address of the viewer. An `http(s):` address opens in a window of its own; a `ws(s):` address receives the events.
   *
   * @default Stately's hosted inspector
   */
  url?: string;
  /** Shows the viewer in this frame instead of a window. */
  iframe?: HTMLIFrameElement;
  /** Receives every event instead of a viewer. */
  send?: (event: InspectedEvent) => void;
  /** Keys whose texts are shown, in addition to names and ids. A text that looks like a token stays hidden. */
  reveal?: readonly string[];
  /**
   * Whether anything is loaded and sent.
   *
   * @default true in development: `process` exists and `process.env.NODE_ENV` is not `production`
   */
  enabled?: boolean;
}

export interface Inspector {
  /** For the `inspect` option of `createActor` and of `createAssessmentClient`. */
  readonly inspect: (event: InspectionEvent) => void;
  /** Stops sending and closes the connection. */
  stop(): void;
}

/**
 * Shows running actors in a viewer and redacts everything that could be a secret. Loads `@statelyai/inspect` unless it is
 * disabled; in production it does nothing and loads nothing.
 *
 * @example
 * const { inspect } = createInspector();
 * const client = createAssessmentClient({ baseUrl, inspect });
 * const actor = createActor(myMachine, { inspect });
 */
export function createInspector(options: InspectorOptions = {}): Inspector {
  if (!(options.enabled ?? isDevelopment())) return { inspect: () => {}, stop: () => {} };
  /** Events from before the viewer's package has loaded. Bounded, because the package may never load. */
  let early: InspectionEvent[] = [];
  let stopped = false;
  let stop = (): void => {};
  let pass = (event: InspectionEvent): void => void (early.length < 1_000 && early.push(event));

  const connect = async (): Promise<void> => {
    const stately = await loadStately();
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

async function loadStately() {
  try {
    // Bundlers take an import inside `try` for optional: without the package they warn and do not fail.
    return await import('@statelyai/inspect');
  } catch (cause) {
    throw new Error('@statelyai/inspect did not load', { cause });
  }
}

function open(stately: typeof import('@statelyai/inspect'), { url, iframe, send, reveal }: InspectorOptions) {
  const serialize = (event: StatelyInspectionEvent) => redactEvent(event, reveal);
  if (send) return stately.createInspector({ send }, { serialize });
  if (url !== undefined && /^wss?:/.test(url)) return stately.createWebSocketInspector({ url, serialize });
  return stately.createBrowserInspector({ serialize, ...(url ? { url } : {}), ...(iframe ? { iframe } : {}) });
}

/** Bundlers replace this expression and drop the code that it excludes. Without a bundler, a browser has no `process`. */
declare const process: { env: { NODE_ENV?: string } };
function isDevelopment(): boolean {
  try {
    return process.env.NODE_ENV !== 'production';
  } catch {
    return false;
  }
}
