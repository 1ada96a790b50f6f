/** A way in which an implementation of a port breaks its contract, and what that costs its users. */
export interface Fault<Id extends string> {
  id: Id;
  /** What the implementation does. */
  what: string;
  /** What it costs, and what to do about it. */
  cost: string;
}

/** What the check of an implementation has found. */
export interface PortReport<Id extends string> {
  /** What was found to be as the contract says, in plain words. */
  kept: string[];
  faults: Fault<Id>[];
}

/** For each fault what the implementation does, and what it costs. */
export type FaultTexts<Id extends string> = Readonly<Record<Id, readonly [what: string, cost: string]>>;

/** Keeps what a check finds: each fault once, with its texts. */
export function openReport<Id extends string>(texts: FaultTexts<Id>) {
  const report: PortReport<Id> = { kept: [], faults: [] };
  return {
    report,
    /** @param detail what was seen in this case, appended to the text */
    fault(id: Id, detail = ''): void {
      if (report.faults.some((it) => it.id === id)) return;
      const [what, cost] = texts[id];
      report.faults.push({ id, what: detail === '' ? what : `${what} ${detail}`, cost });
    },
    /** A fault where the condition does not hold, else something that is kept. */
    expect(holds: boolean, kept: string, id: Id, detail = ''): boolean {
      if (holds) report.kept.push(kept);
      else this.fault(id, detail);
      return holds;
    },
  };
}

/** How a promise settled, or that it did not within `ms`. */
export type Settled<T> = { type: 'resolved'; value: T } | { type: 'rejected'; error: unknown } | { type: 'pending' };

/** Waits for a promise for `ms` at most. A function that throws at once counts as rejected. */
export async function settledWithin<T>(ms: number, begin: () => Promise<T>): Promise<Settled<T>> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const patience = new Promise<Settled<T>>((resolve) => {
    timer = setTimeout(() => resolve({ type: 'pending' }), ms);
  });
  const settled = (async (): Promise<Settled<T>> => {
    try {
      return { type: 'resolved', value: await begin() };
    } catch (error) {
      return { type: 'rejected', error };
    }
  })();
  return Promise.race([settled, patience]).finally(() => clearTimeout(timer));
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** The status that an error carries, wherever an SDK keeps it; null where it carries none. */
export function statusOf(error: unknown): number | null {
  const fields = error as Record<string, unknown> | null | undefined;
  const response = fields?.response as Record<string, unknown> | undefined;
  const found = [fields?.status, fields?.statusCode, response?.status, fields?.code].find(
    (it) => typeof it === 'number',
  );
  return typeof found === 'number' ? found : null;
}

/** What goes through the platform's `fetch` while a check runs. */
export interface Seen {
  url: string;
  /** Whether a header or the body holds the token. */
  text: string;
}

/**
 * Watches the platform's `fetch` until it is ended, and lets a check take its place for a while: an SDK that sends its own requests is
 * checked as well.
 */
export function watchFetch() {
  const real = globalThis.fetch;
  const seen: Seen[] = [];
  let instead: typeof fetch | null = null;
  const watched: typeof fetch = async (input, init) => {
    const request = input instanceof Request ? input : null;
    const url = request?.url ?? String(input);
    const headers = [...new Headers(init?.headers ?? request?.headers).entries()].join('\n');
    const body = typeof init?.body === 'string' ? init.body : String(init?.body ?? '');
    seen.push({ url, text: `${headers}\n${body}` });
    return (instead ?? real)(input, init);
  };
  globalThis.fetch = watched;
  return {
    seen,
    real,
    /** Runs `work` with another `fetch`. */
    async with<T>(other: typeof fetch, work: () => Promise<T>): Promise<T> {
      instead = other;
      try {
        return await work();
      } finally {
        instead = null;
      }
    },
    end: () => void (globalThis.fetch = real),
  };
}
