import { type Observer, type Subscribable, toObserver } from 'xstate';

/**
 * Tells whoever listens at the time. It is what rxjs calls a subject, without what nobody here needs of one: XState listens to it
 * as it is, and rxjs through `new Observable((subscriber) => subject.subscribe(subscriber))`.
 */
export interface Subject<T> extends Subscribable<T> {
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
  const observers = new Set<Partial<Observer<T>>>();
  let stop: (() => void) | undefined;
  let isComplete = false;
  const leave = (observer: Partial<Observer<T>>): void => {
    if (observers.delete(observer) && observers.size === 0) stop?.();
  };
  return {
    next(value) {
      // Who leaves meanwhile hears no more, and who comes meanwhile hears the next one.
      const present = [...observers];
      for (const observer of present) if (observers.has(observer)) tell(() => observer.next?.(value));
    },
    complete() {
      isComplete = true;
      const present = [...observers];
      for (const observer of present) {
        leave(observer);
        tell(() => observer.complete?.());
      }
    },
    subscribe(listener: Observer<T> | ((value: T) => void)) {
      const observer: Partial<Observer<T>> = toObserver(listener);
      if (isComplete) observer.complete?.();
      else observers.add(observer);
      if (observers.size === 1 && !isComplete) stop = start?.();
      return { unsubscribe: () => leave(observer) };
    },
  };
}

/** A defect of one listener is neither that of the others nor of whoever tells: it goes where uncaught errors go. */
function tell(listener: () => void): void {
  try {
    listener();
  } catch (error) {
    setTimeout(() => {
      throw error;
    });
  }
}
