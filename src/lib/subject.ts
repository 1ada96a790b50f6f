import type { Observer, Subscribable, Subscription } from 'xstate';

/** Who listens, as a function or as an object, which comes once. */
export type Listener<T> = Partial<Observer<T>> | ((value: T) => void);

/**
 * Calls the listeners of the time. It is what rxjs calls a subject, without the parts that are not needed here: XState listens to it
 * as it is, and rxjs through `new Observable((subscriber) => subject.subscribe(subscriber))`.
 */
export interface Subject<T> extends Subscribable<T> {
  subscribe(listener: Listener<T>): Subscription;
  next(value: T): void;
  /** Nothing comes any more. */
  complete(): void;
}

/**
 * @param start called when the first listener has come; what it returns is called when the last one has left
 *
 * @example
 * const seconds$ = createSubject<Date>(() => {
 *   const timer = setInterval(() => seconds$.next(new Date()), 1_000);
 *   return () => clearInterval(timer);
 * });
 */
export function createSubject<T>(start?: () => () => void): Subject<T> {
  // Replaced and never changed: a listener that leaves during a value hears no more, and one that comes hears the next value.
  let observers: readonly Partial<Observer<T>>[] = [];
  let stop: (() => void) | undefined;
  let isComplete = false;
  const leave = (observer: Partial<Observer<T>>): void => {
    if (!observers.includes(observer)) return;
    observers = observers.filter((it) => it !== observer);
    if (observers.length === 0) stop?.();
  };
  return {
    next(value) {
      for (const observer of observers) if (observers.includes(observer)) tell(() => observer.next?.(value));
    },
    complete() {
      isComplete = true;
      for (const observer of observers) {
        leave(observer);
        tell(() => observer.complete?.());
      }
    },
    subscribe(listener) {
      const observer = typeof listener === 'function' ? { next: listener } : listener;
      if (isComplete) observer.complete?.();
      else {
        observers = observers.concat(observer);
        if (observers.length === 1) stop = start?.();
      }
      return { unsubscribe: () => leave(observer) };
    },
  };
}

/** A defect of one listener reaches neither the others nor the sender: it goes where uncaught errors go. */
function tell(listener: () => void): void {
  try {
    listener();
  } catch (error) {
    setTimeout(() => {
      throw error;
    });
  }
}
