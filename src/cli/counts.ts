/**
 * Reads whole numbers of flags.
 */
import { UsageError } from './exit.ts';
import { safeText } from './safe-text.ts';

/** A whole number from 0 on. @throws UsageError naming the flag. */
export function parseCount(text: string, flag: string): number {
  if (/^[0-9]{1,9}$/.test(text)) return Number(text);
  throw new UsageError(`\`${flag} ${safeText(text)}\` is not a whole number from 0 on`);
}
