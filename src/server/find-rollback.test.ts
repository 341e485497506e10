import { expect, test } from 'vitest';
import { IntakeRig, START_MS } from '../../test/support/intake-rig.ts';
import type { CatalogKey } from '../store/catalog.ts';
import { findRollback } from './find-rollback.ts';

/** A journal of two entries, beside a catalog that has this document, and a tree of so many leaves. */
async function find(document: { readonly key: CatalogKey; readonly value: object } | undefined, leaves = 0n) {
  const rig = await IntakeRig.open();
  const call = { kind: 'fact', factKind: 'configuration', account: '111122223333', region: 'us-east-1' } as const;
  for (const factId of ['one', 'two'])
    await rig.journal.append([{ ...call, factId, receivedAtMs: START_MS, bytes: new Uint8Array(1) } as never]);
  await rig.catalog.commit([
    { key: ['cursor', 'accounting'], value: { sequence: '1' }, expected: 'any' },
    ...(document === undefined ? [] : [{ ...document, expected: 'any' as const }]),
  ]);
  return findRollback({ catalog: rig.catalog, journal: rig.journal, treeHashes: { size: () => leaves } });
}

test('a place that the journal does not reach, of a follower, a trail, the tree or a checkpoint, is a rollback (F46)', async () => {
  const gone = { from: 3n, to: 8n, leftToMs: START_MS, thereAtMs: undefined };
  const holds = 'the journal holds 2 entries, and';
  expect(await find(undefined, 2n)).toBeUndefined();
  expect(await find({ key: ['cursor', 'history'], value: { sequence: '2' } })).toBeUndefined();
  expect(await find({ key: ['cursor', 'history'], value: { sequence: '8' } })).toEqual({
    ...gone,
    phrase: `${holds} follower \`history\` had taken 8`,
  });
  expect(
    await find({
      key: ['trail-state', '111122223333', 'us-east-1', 'all'],
      value: { cursor: '8', receiptedTo: '7', receipts: { createdAtMs: 9 } },
    }),
  ).toEqual({
    ...gone,
    thereAtMs: 9,
    phrase: `${holds} follower \`trail/111122223333/us-east-1/all\` had taken 8`,
  });
  expect(await find(undefined, 8n)).toEqual({ ...gone, phrase: `${holds} the evidence tree has leaves for 8` });
  expect(await find({ key: ['checkpoint'], value: { size: '8', signedAtMs: 7 } })).toEqual({
    ...gone,
    thereAtMs: 7,
    phrase: `${holds} a checkpoint was signed over 8`,
  });
});

test('what is gone reaches to the furthest place that is known', async () => {
  expect(await find({ key: ['cursor', 'history'], value: { sequence: '5' } }, 9n)).toMatchObject({ from: 3n, to: 9n });
});
