/**
 * A trail's receipt as the journal has it.
 */
import type { Journal } from '../store/journal.ts';
import { type TrailId, trailArn } from './trail.ts';

/** The bytes of its note; `undefined` when the journal has none of this number. */
export async function receiptBytes(
  { journal }: { readonly journal: Pick<Journal, 'find' | 'fetch'> },
  trail: TrailId,
  number: number,
): Promise<Uint8Array | undefined> {
  const sequence = await journal.find(trail.account, `receipt/${number}/${trailArn(trail)}`);
  const [entry] = sequence === undefined ? [] : await journal.fetch([sequence]);
  return entry?.kind === 'fact' ? entry.bytes : undefined;
}
