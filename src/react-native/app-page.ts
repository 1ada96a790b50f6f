import type { PageTarget } from '../services/page-signals.ts';

/** The part of React Native's `AppState` that is used. */
export interface AppStateLike {
  readonly currentState: string | null;
  addEventListener(type: 'change', listener: (state: string) => void): { remove(): void };
}

/**
 * React Native's `AppState` as a page: it is visible while the app is active, and `visibilitychange` is fired with each change.
 *
 * @example
 * import { AppState } from 'react-native';
 * const client = createAssessmentClient({ baseUrl, storage, page: appPage(AppState) });
 */
export function appPage(appState: AppStateLike): PageTarget {
  const removals = new Map<unknown, () => void>();
  const nothing = { addEventListener: () => {}, removeEventListener: () => {} };
  return {
    window: nothing,
    document: {
      get visibilityState() {
        return appState.currentState === 'active' ? 'visible' : 'hidden';
      },
      addEventListener(type, listener) {
        if (type !== 'visibilitychange' || !listener) return;
        // The listeners of the page signals look at `visibilityState` alone.
        const event = { type } as Event;
        const change = () => (typeof listener === 'function' ? listener(event) : listener.handleEvent(event));
        const subscription = appState.addEventListener('change', change);
        removals.set(listener, () => subscription.remove());
      },
      removeEventListener(_type, listener) {
        removals.get(listener)?.();
        removals.delete(listener);
      },
    },
  };
}
