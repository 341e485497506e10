/**
 * Says when the journal is older than what was made of it: a copy of it was put back and not of the rest, or it was lost (F46).
 *
 * The catalog holds how far each follower has come, and the tree has a leaf for each entry. A place that the journal does not reach
 * is an entry that was acknowledged and is gone; new entries would take its place, and the followers would pass them by. The
 * evidence tree also holds its leaves against the journal's entries (`evidence/grow-tree.ts`).
 */
import type { EpochMs } from '../event/types.ts';
import type { Catalog } from '../store/catalog.ts';
import { type Journal, JournalDamaged } from '../store/journal.ts';
import type { TreeHashes } from '../store/tree-hashes.ts';

/** Entries that were there, and that the journal ends before. */
export interface Rollback {
  /** What contradicts, in a phrase. */
  readonly phrase: string;
  readonly from: bigint;
  /** The last that anything is known of; there may have been more. */
  readonly to: bigint;
  /** When the newest entry that is left was received; `undefined` when none is, or it cannot be read. */
  readonly leftToMs: EpochMs | undefined;
  /** When a checkpoint over some of those that are gone was signed, or a receipt over them made: they were there then. */
  readonly thereAtMs: EpochMs | undefined;
}

/** What of a trail's state says how far it went. */
interface TrailPlace {
  readonly cursor: string;
  readonly receiptedTo: string;
  readonly receipts: { readonly createdAtMs: EpochMs };
}

/** `undefined` when the journal reaches every place that is known. */
export async function findRollback(stores: {
  readonly catalog: Pick<Catalog, 'get' | 'list'>;
  readonly journal: Pick<Journal, 'head' | 'fetch'>;
  readonly treeHashes: Pick<TreeHashes, 'size'>;
}): Promise<Rollback | undefined> {
  const { catalog, journal, treeHashes } = stores;
  const head = journal.head();
  const followers = await catalog.list<{ readonly sequence: string }>(['cursor']);
  const trails = await catalog.list<TrailPlace>(['trail-state']);
  const checkpoint = (await catalog.get<{ readonly size: string; readonly signedAtMs: EpochMs }>(['checkpoint']))?.value;
  const places = [
    ...followers.map(({ key, value }) => ({ what: `follower \`${key.slice(1).join('/')}\` had taken`, to: BigInt(value.sequence) })),
    ...trails.map(({ key, value }) => ({ what: `follower \`trail/${key.slice(1).join('/')}\` had taken`, to: BigInt(value.cursor) })),
    { what: 'the evidence tree has leaves for', to: treeHashes.size() },
    { what: 'a checkpoint was signed over', to: BigInt(checkpoint?.size ?? 0) },
  ];
  const ahead = places.find(({ to }) => to > head);
  if (ahead === undefined) return undefined;
  let furthest = ahead.to;
  for (const { to } of places) if (to > furthest) furthest = to;
  return {
    phrase: `the journal holds ${head} entries, and ${ahead.what} ${ahead.to}`,
    from: head + 1n,
    to: furthest,
    leftToMs: await receivedAt(journal, head),
    thereAtMs: latest([
      ...(checkpoint !== undefined && BigInt(checkpoint.size) > head ? [checkpoint.signedAtMs] : []),
      ...trails.flatMap(({ value }) => (BigInt(value.receiptedTo) > head ? [value.receipts.createdAtMs] : [])),
    ]),
  };
}

function latest(times: readonly EpochMs[]): EpochMs | undefined {
  return times.length === 0 ? undefined : Math.max(...times);
}

async function receivedAt(journal: Pick<Journal, 'fetch'>, sequence: bigint): Promise<EpochMs | undefined> {
  if (sequence === 0n) return undefined;
  try {
    return (await journal.fetch([sequence]))[0]!.receivedAtMs;
  } catch (error) {
    if (error instanceof JournalDamaged) return undefined;
    throw error;
  }
}
