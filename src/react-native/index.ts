export { openAsyncStore } from './async-store.ts';
export type { AsyncStorageLike, AsyncStore } from './async-store.ts';
export { appPage } from './app-page.ts';
export type { AppStateLike } from './app-page.ts';
