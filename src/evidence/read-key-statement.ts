/**
 * Reads the statements of checkpoint keys back from the journal, so that others can pass them on.
 *
 * A statement is signed by its key and by the one before it. Those of all keys, in order, lead from any key that a reader
 * knows to the newest one, however many rotations lie between and whatever a receipt can still be signed with.
 */
import type { AccountId } from '../event/types.ts';
import { type Journal, JournalDamaged } from '../store/journal.ts';
import type { PublicKeyInfo } from '../store/keys.ts';
import { decodeUtf8 } from '../tlog/text.ts';
import { keyFactId } from './state-keys.ts';

export type FoundStatement =
  /** The whole signed note. */
  | { readonly kind: 'stated'; readonly note: string }
  /** The key was made just now: its statement is on its way. */
  | { readonly kind: 'unstated' }
  /** The journal is damaged where it lies. */
  | { readonly kind: 'unreadable' };

export type ReadKeyStatement = (key: Pick<PublicKeyInfo, 'use' | 'fingerprint'>) => Promise<FoundStatement>;

/**
 * A reader that keeps what it has read: statements never change.
 * @param deps.account The installation's first account, which facts of the installation belong to.
 */
export function keyStatementReader(deps: {
  readonly journal: Pick<Journal, 'find' | 'fetch'>;
  readonly account: AccountId;
}): ReadKeyStatement {
  const { journal, account } = deps;
  const read = new Map<string, FoundStatement>();
  return async (key) => {
    const factId = keyFactId(key);
    const known = read.get(factId);
    if (known !== undefined) return known;
    const sequence = await journal.find(account, factId);
    if (sequence === undefined) return { kind: 'unstated' };
    try {
      const [entry] = await journal.fetch([sequence]);
      const note = decodeUtf8(entry!.bytes);
      if (note === undefined) return { kind: 'unreadable' };
      const found: FoundStatement = { kind: 'stated', note };
      read.set(factId, found);
      return found;
    } catch (error) {
      if (error instanceof JournalDamaged) return { kind: 'unreadable' };
      throw error;
    }
  };
}
