/**
 * The outcome of reading untrusted text: the value, or why it is none.
 */
export type Parsed<T> = { readonly kind: 'ok'; readonly value: T } | { readonly kind: 'malformed'; readonly reason: string };

/** The same for texts that say of which version their form is. */
export type ParsedVersion<T> = Parsed<T> | UnknownVersion;

/** A text of another version than this code reads: what is in it cannot be judged, neither for good nor for bad. */
export interface UnknownVersion {
  readonly kind: 'unknown-version';
  /** Completes the sentence "it …", and says what to do. */
  readonly reason: string;
}

/** `undefined` for the version that is known. */
export function unknownVersion(found: number, known: number): UnknownVersion | undefined {
  if (found === known) return undefined;
  const use = found > known ? 'a newer Snowtrail' : 'the Snowtrail of its time';
  return { kind: 'unknown-version', reason: `is of version ${found}, and this one reads version ${known}: use ${use}` };
}

/** Thrown by readers below a `parse…` function, and turned into its outcome there. Never leaves this folder. */
export class Malformed extends Error {
  override readonly name = 'Malformed';
}

/** Runs a reader. What it throws as `Malformed` is the outcome; anything else is a bug and goes on. */
export function outcomeOf<T>(read: () => T): Parsed<T> {
  try {
    return { kind: 'ok', value: read() };
  } catch (error) {
    if (error instanceof Malformed) return { kind: 'malformed', reason: error.message };
    throw error;
  }
}
