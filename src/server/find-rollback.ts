/**
 * Says when the journal is older than what was made of it: a copy of it was put back, and not of the rest (F46).
 *
 * The catalog holds how far each follower has come. A place that the journal does not reach is an entry that was
 * acknowledged and is gone; new entries would take its place, and the followers would pass them by. The evidence tree
 * holds itself and its checkpoint against the journal (`evidence/grow-tree.ts`).
 */
import type { Catalog } from '../store/catalog.ts';
import type { Journal } from '../store/journal.ts';

/** What contradicts, in a phrase; `undefined` when the journal reaches every place that is known. */
export async function findRollback(stores: {
  readonly catalog: Pick<Catalog, 'list'>;
  readonly journal: Pick<Journal, 'head'>;
}): Promise<string | undefined> {
  const head = stores.journal.head();
  const followers = await stores.catalog.list<{ readonly sequence: string }>(['cursor']);
  const trails = await stores.catalog.list<{ readonly cursor: string }>(['trail-state']);
  const places = [
    ...followers.map(({ key, value }) => ({ name: key.slice(1).join('/'), taken: value.sequence })),
    ...trails.map(({ key, value }) => ({ name: `trail/${key.slice(1).join('/')}`, taken: value.cursor })),
  ];
  const ahead = places.find(({ taken }) => BigInt(taken) > head);
  return ahead && `the journal holds ${head} entries, and follower \`${ahead.name}\` had taken ${ahead.taken}`;
}
