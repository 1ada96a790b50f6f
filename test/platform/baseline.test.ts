import { join } from 'node:path';
import { expect, it } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { type Use, usesOfTheStandardLibrary } from './standard-library.ts';

/** The oldest browsers that the package supports. */
const baseline: Versions = { chrome: 109, firefox: 115, safari: 15.4 };

/**
 * The first versions of Chrome, Firefox and Safari with each part of the standard library that `src` uses beyond ES2020, as MDN lists
 * them. A part that is not here is looked up there first: https://github.com/mdn/browser-compat-data. `any`: it has been there since
 * before 2019. A guarded part may be missing: its user handles that.
 */
const known: Record<string, 'any' | 'guarded' | [chrome: number, firefox: number, safari: number]> = {
  AbortController: 'any',
  'AbortController.abort': 'any',
  'AbortController.signal': 'any',
  'AbortSignal.aborted': 'any',
  'AbortSignal.addEventListener': 'any',
  'AbortSignal.reason': [98, 97, 15.4],
  'AbortSignal.removeEventListener': 'any',
  'AbortSignal.throwIfAborted': [100, 97, 15.4],
  'Blob.size': 'any',
  'Body.arrayBuffer': 'any',
  'Body.body': [43, 65, 10.1],
  'Body.json': 'any',
  'Body.text': 'any',
  BroadcastChannel: 'guarded',
  'Console.info': 'any',
  'Console.warn': 'any',
  crypto: 'guarded',
  'Crypto.getRandomValues': 'guarded',
  'Crypto.randomUUID': 'guarded',
  clearInterval: 'any',
  clearTimeout: 'any',
  console: 'any',
  document: 'any',
  'Document.defaultView': 'any',
  'Document.visibilityState': 'any',
  'EventListenerObject.handleEvent': 'any',
  fetch: 'any',
  Headers: 'any',
  'Headers.get': 'any',
  location: 'any',
  'Location.href': 'any',
  'Location.origin': 'any',
  MessageChannel: 'guarded',
  'MessageChannel.port1': 'any',
  'MessageChannel.port2': 'any',
  'MessagePort.close': 'any',
  'MessagePort.addEventListener': 'any',
  'MessagePort.postMessage': 'any',
  'MessagePort.start': 'any',
  navigator: 'any',
  'NavigatorLocks.locks': 'guarded',
  'PageTransitionEvent.persisted': 'any',
  'ObjectConstructor.hasOwn': [93, 92, 15.4],
  'ReadableStream.cancel': [43, 65, 10.1],
  'ReadableStream.getReader': [43, 65, 10.1],
  'ReadableStreamDefaultReader.read': [43, 65, 10],
  'ReadableStreamGenericReader.cancel': [43, 65, 10],
  'ReadableStreamReadValueResult.done': 'any',
  'ReadableStreamReadValueResult.value': 'any',
  'ReadonlyArray.at': [92, 90, 15.4],
  'Array.at': [92, 90, 15.4],
  'RequestInit.body': 'any',
  'RequestInit.credentials': 'any',
  // Firefox sends without it before version 133: a refresh then ends with its page.
  'RequestInit.keepalive': 'guarded',
  'RequestInit.method': 'any',
  'RequestInit.mode': 'any',
  'RequestInit.redirect': 'any',
  'RequestInit.signal': 'any',
  'Response.headers': 'any',
  'Response.ok': 'any',
  'Response.redirected': [57, 49, 10.1],
  'Response.status': 'any',
  'Response.type': 'any',
  'Response.url': 'any',
  setInterval: 'any',
  setTimeout: 'any',
  'Storage.getItem': 'any',
  'Storage.removeItem': 'any',
  'Storage.setItem': 'any',
  'String.replaceAll': [85, 77, 13.1],
  TextDecoder: 'any',
  'TextDecoder.decode': 'any',
  TextEncoder: 'any',
  'TextEncoder.encode': 'any',
  URL: 'guarded',
  'URL.href': 'guarded',
  'URL.origin': 'guarded',
  'URL.pathname': 'guarded',
  'URL.search': 'guarded',
  URLSearchParams: 'any',
  'URLSearchParams.set': 'any',
  'URLSearchParams.toString': 'any',
  WebSocket: 'any',
  window: 'any',
  'Window.location': 'any',
  'WindowLocalStorage.localStorage': 'guarded',
  'WindowSessionStorage.sessionStorage': 'guarded',
};

interface Versions {
  chrome: number;
  firefox: number;
  safari: number;
}

/** Why a part may not be used, or null. */
function objectionTo({ name, library, at }: Use): string | null {
  const support = known[name];
  if (support === undefined) return `${name} (${library}) at ${at}: not in the table of this test`;
  if (typeof support === 'string') return null;
  const [chrome, firefox, safari] = support;
  const isThere = chrome <= baseline.chrome && firefox <= baseline.firefox && safari <= baseline.safari;
  return isThere ? null : `${name} (${library}) at ${at}: since Chrome ${chrome}, Firefox ${firefox}, Safari ${safari}`;
}

it('the shipped code uses nothing that the oldest supported browsers lack', { timeout: 240_000 }, () => {
  // `assessment-monitor/testing` and the commands run in Node.
  const isForBrowsers = (file: string) => file.startsWith('src/') && !/^src\/(testing|cli)\//.test(file);
  const uses = usesOfTheStandardLibrary(join(import.meta.dirname, '../..'), isForBrowsers);
  expect(uses.map(objectionTo).filter((it) => it !== null)).toEqual([]);
  expect(uses.length).toBeGreaterThan(20);
});

it('package.json declares the same browsers to build tools', () => {
  const { chrome, firefox, safari } = baseline;
  expect(packageJson.browserslist).toEqual([
    `chrome >= ${chrome}`,
    `edge >= ${chrome}`,
    `firefox >= ${firefox}`,
    `safari >= ${safari}`,
    `ios_saf >= ${safari}`,
  ]);
});
