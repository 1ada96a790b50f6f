import { memoryStore, type AssessmentClientOptions } from 'assessment-monitor';

/** A storage that several tabs share: a change by one of them fires `storage` in the windows of the others, as a browser does. */
export function sharedStorage() {
  const store = memoryStore();
  const windows = new Set<EventTarget>();
  return {
    store,
    /** The stored record of an assessment, or null. */
    record: (submissionId = 'submission-1') =>
      JSON.parse(store.get(store.keys().find((key) => key.endsWith(`:job:${submissionId}`)) ?? '') ?? 'null') as Record<
        string,
        unknown
      > | null,
    /** The options of a client in a new tab, and its page. */
    openTab({ hasEvents = true } = {}) {
      const window = new EventTarget();
      const document = Object.assign(new EventTarget(), { visibilityState: 'visible' });
      windows.add(window);
      const tell = (key: string): void => {
        for (const other of windows) {
          if (other === window || !hasEvents) continue;
          queueMicrotask(() => other.dispatchEvent(Object.assign(new Event('storage'), { key })));
        }
      };
      const storage: AssessmentClientOptions['storage'] = {
        ...store,
        set(key, value) {
          store.set(key, value);
          tell(key);
        },
        remove(key) {
          store.remove(key);
          tell(key);
        },
      };
      return {
        storage,
        page: { window, document },
        /** The user comes back to the page. */
        show: () => document.dispatchEvent(new Event('visibilitychange')),
      };
    },
  };
}
