/**
 * A trail's receipts as facts of the journal.
 */
import type { Journal, JournalEntry } from '../store/journal.ts';
import { type TrailId, trailArn } from './trail.ts';

/** The id of the fact that holds the receipt of this number. */
export function receiptFactId(trail: TrailId, number: number): string {
  return `receipt/${number}/${trailArn(trail)}`;
}

/** The fact, whose bytes are those of the receipt's note; `undefined` when the journal has none of this number. */
export async function receiptFact(
  { journal }: { readonly journal: Pick<Journal, 'find' | 'fetch'> },
  trail: TrailId,
  number: number,
): Promise<JournalEntry | undefined> {
  const sequence = await journal.find(trail.account, receiptFactId(trail, number));
  const [entry] = sequence === undefined ? [] : await journal.fetch([sequence]);
  return entry?.kind === 'fact' ? entry : undefined;
}
