/**
 * Checks that turn text into branded values.
 */
import type { AccountId, Region } from './types.ts';

/** True for twelve decimal digits. */
export function isAccountId(text: string): text is AccountId {
  return /^[0-9]{12}$/.test(text);
}

/** True for a Region label: 2 to 32 lower-case letters, digits and hyphens, beginning with a letter. */
export function isRegion(text: string): text is Region {
  return /^[a-z][a-z0-9-]{1,31}$/.test(text);
}
