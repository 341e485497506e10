import { expect, test } from 'vitest';
import { createMemoryCatalog } from '../store/memory/catalog.ts';
import { findRollback } from './find-rollback.ts';

test('a place that the journal does not reach, of a follower or of a trail, is a rollback (F46)', async () => {
  for (const [key, value, name] of [
    [['cursor', 'history'], { sequence: '8' }, 'history'],
    [['trail-state', '111122223333', 'us-east-1', 'all'], { cursor: '8' }, 'trail/111122223333/us-east-1/all'],
  ] as const) {
    const catalog = createMemoryCatalog();
    await catalog.commit([
      { key: ['cursor', 'accounting'], value: { sequence: '3' }, expected: 0 },
      { key, value, expected: 0 },
    ]);
    expect(await findRollback({ catalog, journal: { head: () => 8n } })).toBeUndefined();
    expect(await findRollback({ catalog, journal: { head: () => 7n } })).toBe(
      `the journal holds 7 entries, and follower \`${name}\` had taken 8`,
    );
  }
});
