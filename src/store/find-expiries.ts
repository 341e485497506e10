/**
 * Finds the facts of the journal that say that a lifecycle rule let an object expire (`tlog/expiry.ts`).
 */
import type { AccountId, BucketName, ObjectKey } from '../event/types.ts';
import { expiryId, parseExpiry } from '../tlog/expiry.ts';
import type { Sha256 } from '../tlog/hash.ts';
import type { Journal } from './journal.ts';
import type { Objects } from './objects.ts';

/** Facts of one key that are looked at: one more comes each time that something is put there again and expires. */
const FACTS_MAX = 100;

export interface FindExpiriesDeps {
  readonly journal: Pick<Journal, 'find'>;
  readonly objects: Pick<Objects, 'getBucket'>;
  /** Their owners carry out rules of their own, of which nothing is known here. */
  readonly foreignBuckets?: ReadonlySet<BucketName>;
  readonly sha256: Sha256;
}

/** Sequences of the facts about a key, oldest first; none for a bucket that is not there, or lies at another S3. */
export async function findExpiries(
  { journal, objects, foreignBuckets, sha256 }: FindExpiriesDeps,
  bucket: BucketName,
  key: ObjectKey,
): Promise<readonly bigint[]> {
  if (foreignBuckets?.has(bucket)) return [];
  const owner = (await objects.getBucket(bucket))?.owner;
  return owner === undefined ? [] : findFacts({ journal, sha256 }, owner, { bucket, key });
}

/**
 * Whether a rule let an object expire.
 * @param sha256 Hexadecimal, of its content: that something else at its place expired, which others may have put there, explains nothing.
 */
export async function hasExpired(
  deps: FindExpiriesDeps & { readonly journal: Pick<Journal, 'fetch'> },
  { bucket, key, sha256 }: { readonly bucket: BucketName; readonly key: ObjectKey; readonly sha256: string },
): Promise<boolean> {
  const sequences = await findExpiries(deps, bucket, key);
  const entries = sequences.length === 0 ? [] : await deps.journal.fetch(sequences);
  return entries.some(({ bytes }) => {
    const parsed = parseExpiry(new TextDecoder().decode(bytes));
    return parsed.kind === 'ok' && parsed.value.operation !== 'remove' && parsed.value.sha256 === sha256;
  });
}

/** As `findExpiries`, with the bucket's owner, to whom the facts belong. */
export async function findFacts(
  { journal, sha256 }: Pick<FindExpiriesDeps, 'journal' | 'sha256'>,
  owner: AccountId,
  object: { readonly bucket: string; readonly key: string },
): Promise<readonly bigint[]> {
  const sequences: bigint[] = [];
  while (sequences.length < FACTS_MAX) {
    const sequence = await journal.find(owner, expiryId(sha256, object, sequences.length + 1));
    if (sequence === undefined) break;
    sequences.push(sequence);
  }
  return sequences;
}
