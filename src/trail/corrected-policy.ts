/**
 * How a refusal says which policy would do: at its end, as JSON, so that it can be put as it is.
 */

/** Stands before the policy. */
export const CORRECTED = ' The corrected policy: ';

/** The words of a refusal, and the policy that would do where it has one. */
export function splitCorrected(message: string): { readonly said: string; readonly policy?: string } {
  const at = message.indexOf(CORRECTED);
  return at < 0 ? { said: message } : { said: message.slice(0, at), policy: message.slice(at + CORRECTED.length) };
}
