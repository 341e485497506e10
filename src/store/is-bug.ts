/**
 * Tells a bug from an outage, for those who try again by themselves.
 */
import { AssertionError } from 'node:assert/strict';
import { JournalDamaged } from './journal.ts';

/** What repeating cannot mend: a bug of ours, or an entry that cannot be read. Everything else may be an outage. */
export function isBug(error: unknown): boolean {
  return (
    error instanceof AssertionError ||
    error instanceof TypeError ||
    error instanceof RangeError ||
    error instanceof ReferenceError ||
    error instanceof JournalDamaged
  );
}
