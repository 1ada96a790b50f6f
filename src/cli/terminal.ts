/** The world of a command: its streams, its environment, and Ctrl-C. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly input: AsyncIterable<unknown> & { readonly isTTY?: boolean };
  /** Writes a line to the standard output. */
  say(line: string): void;
  /** Writes to the error stream, as it is. */
  tell(text: string): void;
  /** Whether a person watches the error stream. */
  readonly isInteractive: boolean;
  /** Aborts on Ctrl-C. */
  readonly signal: AbortSignal;
}

/** A command. @returns the exit code */
export type RunCommand = (args: string[], terminal: Terminal) => Promise<number>;

/** The exit codes of all commands. */
export const exit = { good: 0, bad: 1, usage: 2, unknown: 3, cancelled: 130 } as const;

/** The text of an option, or of an error that is none of ours. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
