import type { AnyEventObject, InspectionEvent } from 'xstate';
import { flatten } from './flatten.ts';
import { redactEvent } from './redact.ts';

interface InspectedActor {
  sessionId: string;
  rootId: string | undefined;
  /** ms since the epoch */
  createdAt: string;
  id: string | null;
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
  /** Keys whose texts, numbers and booleans are shown. A text that looks like a token stays hidden, and one of over 2,000 characters. */
  reveal?: readonly string[];
  /**
   * Whether anything is loaded and sent.
   *
   * @default true in development only: `process.env.NODE_ENV` is `development`
   */
  enabled?: boolean;
}

export interface Inspector {
  /** For the `inspect` option of `createActor` and of `createAssessmentClient`. */
  readonly inspect: (event: InspectionEvent) => void;
  /** Stops sending and closes the connection. */
  stop(): void;
}

/** Events that are kept while the viewer's package loads: it may never load. */
const MOST_EARLY = 1_000;

/**
 * Shows running actors in a viewer: their structure and the names in it, without the values. Loads `@statelyai/inspect` when it is
 * enabled and there is no `send`; otherwise it loads nothing, and sends nothing unless `process.env.NODE_ENV` is `development`. The
 * console says where to look.
 *
 * @example
 * const { inspect } = createInspector();
 * const client = createAssessmentClient({ baseUrl, inspect });
 * const actor = createActor(myMachine, { inspect });
 */
export function createInspector(options: InspectorOptions = {}): Inspector {
  if (!(options.enabled ?? isDevelopment())) return { inspect: () => {}, stop: () => {} };
  let early: InspectedEvent[] = [];
  let stop = (): void => {};
  let isStopped = false;
  let pass = (event: InspectedEvent): void => void (early.length < MOST_EARLY && early.push(event));

  const connect = async (): Promise<void> => {
    const viewer = options.send ? { send: options.send, stop: () => {} } : open(await loadStately(), options);
    if (isStopped) return viewer.stop();
    stop = viewer.stop;
    pass = viewer.send;
    for (const event of early.splice(0)) pass(event);
  };
  connect().catch(() => {
    early = [];
    pass = () => {};
    console.warn('assessment-monitor/inspect: no viewer. Is @statelyai/inspect installed?');
  });
  return {
    inspect(inspected) {
      // Right after the transition: in the middle of it, a new actor has no snapshot. Only what is redacted waits for the viewer.
      Promise.resolve()
        .then(() => {
          const event = isStopped ? null : flatten(inspected);
          if (event) pass(redactEvent(event, options.reveal) as InspectedEvent);
        })
        .catch((error: unknown) => console.warn('assessment-monitor/inspect: an event was not sent.', error));
    },
    stop() {
      isStopped = true;
      early = [];
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

interface Viewer {
  send: (event: InspectedEvent) => void;
  stop: () => void;
}

function open(stately: typeof import('@statelyai/inspect'), { url, iframe }: InspectorOptions): Viewer {
  // Redacted already, and JSON already.
  const serialize = <Event>(event: Event): Event => event;
  const viewer =
    url !== undefined && /^wss?:/.test(url)
      ? stately.createWebSocketInspector({ url, serialize })
      : stately.createBrowserInspector({ serialize, ...(url ? { url } : {}), ...(iframe ? { iframe } : {}) });
  console.info(`assessment-monitor/inspect: ${whereToLook(url, iframe !== undefined)}`);
  return {
    send: (event) => viewer.adapter.send(event as Parameters<typeof viewer.adapter.send>[0]),
    stop: () => viewer.stop(),
  };
}

/** Stately's own viewer. */
const HOSTED = 'https://stately.ai/inspect';

function whereToLook(url = HOSTED, isFramed = false): string {
  if (/^wss?:/.test(url)) return `look at ${url.replace(/^ws/, 'http')}`;
  if (isFramed) return `look at the frame with ${url}`;
  return `look at the window with ${url}; if none has opened, allow pop-ups for this page and reload it`;
}

/** Bundlers replace this expression and drop the code that it excludes. Without a bundler, a browser has no `process`. */
declare const process: { env: { NODE_ENV?: string } };
function isDevelopment(): boolean {
  try {
    return process.env.NODE_ENV === 'development';
  } catch {
    return false;
  }
}
