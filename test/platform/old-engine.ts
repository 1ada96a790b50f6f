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
  [globalThis, 'Iterator'],
];

for (const [owner, ...names] of newMembers) for (const name of names) Reflect.deleteProperty(owner, name);
