/*
 * Takes away from this engine what is newer than the baseline, or missing in React Native. Loaded before the tests that
 * `old-engine.test.ts` runs.
 */

const newMembers: [owner: object, ...names: string[]][] = [
  [Array.prototype, 'toSorted', 'toReversed', 'toSpliced', 'with'],
  [Object.getPrototypeOf(Int8Array.prototype) as object, 'toSorted', 'toReversed', 'with'],
  [Array, 'fromAsync'],
  [Object, 'groupBy'],
  [Map, 'groupBy'],
  [Promise, 'withResolvers', 'try'],
  [String.prototype, 'isWellFormed', 'toWellFormed'],
  [Set.prototype, 'union', 'intersection', 'difference', 'symmetricDifference', 'isSubsetOf', 'isSupersetOf'],
  [Set.prototype, 'isDisjointFrom'],
  [Uint8Array, 'fromBase64', 'fromHex'],
  [Uint8Array.prototype, 'toBase64', 'toHex'],
  [RegExp, 'escape'],
  [URL, 'canParse', 'parse'],
  [AbortSignal, 'any', 'timeout'],
  [AbortSignal.prototype, 'throwIfAborted'],
  [Object.getPrototypeOf(globalThis.crypto) as object, 'randomUUID'],
];

/** The package and what it brings into a page. The backend of the tests and its framework run on a server. */
const inPage = /\/(src|node_modules\/(xstate|@xstate|rxjs|zod|jose|socket\.io-client|engine\.io-client))\//;

for (const [owner, ...names] of newMembers) {
  for (const name of names) {
    const method: unknown = Reflect.get(owner, name);
    if (typeof method !== 'function') continue;
    Reflect.deleteProperty(owner, name);
    const forServers = function (this: unknown, ...args: unknown[]): unknown {
      const caller = new Error(name).stack?.split('\n')[2] ?? '';
      if (inPage.test(caller)) throw new TypeError(`${name} is not a function of this engine`);
      return Reflect.apply(method, this, args);
    };
    Object.defineProperty(owner, name, { value: forServers, configurable: true, writable: true });
  }
}
