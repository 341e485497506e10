/**
 * Exit codes of the command line and the errors that carry them.
 *
 * Source: experience.md §6. `snowtrail verify` has codes of its own (reliability.md P13).
 */
export const EXIT = { ok: 0, failed: 1, partial: 4, notFound: 5, denied: 6, usage: 64, interrupted: 130 } as const;

/** The command was used wrongly. The message says what to do. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The command failed with a code of its own. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed';
  readonly exitCode: number;
  /** The service's code, where the server refused a call. */
  readonly code: string | undefined;

  constructor(exitCode: number, message: string, code?: string) {
    super(message);
    this.exitCode = exitCode;
    this.code = code;
  }
}
