/**
 * The outcome of reading untrusted text: the value, or why it is none.
 */
export type Parsed<T> = { readonly kind: 'ok'; readonly value: T } | { readonly kind: 'malformed'; readonly reason: string };

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
