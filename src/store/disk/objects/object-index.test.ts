import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { AccountId, BucketName, ObjectKey, Region } from '../../../event/types.ts';
import { createSeededChance } from '../../memory/clock.ts';
import { currentPath, ObjectIndex } from './object-index.ts';

test('an object that is sent aside, where the one before it lay, is not dropped with it (F02)', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'snowtrail-object-index-'));
  const index = await ObjectIndex.open(folder, createSeededChance(1));
  const bucket = 'plain-bucket' as BucketName;
  const key = 'AWSLogs/1' as ObjectKey;
  const info = { sizeBytes: 1, etag: '', modifiedAtMs: 0, isDeleteMarker: false, metadata: {} };
  try {
    await index.createBucket({
      name: bucket,
      owner: '111122223333' as AccountId,
      region: 'us-east-1' as Region,
      createdAtMs: 0,
      versioning: 'Off',
    });
    const first = await index.place(bucket, key, { sha256: '', info, from: '.snowtrail/staged/1', place: 'aside' });
    await index.finish([first.moving.id]);
    // The folder that was in the way is gone when the second is placed, and back when its file is moved.
    const second = await index.place(bucket, key, { sha256: '', info, from: '.snowtrail/staged/2', place: 'path' });
    const aside = currentPath(bucket, key, 'aside');
    expect(second.moving.move.drop).toEqual([aside]);
    const { move } = await index.divert(second.moving);
    expect(move.bring).toEqual({ from: '.snowtrail/staged/2', to: aside });
    expect(move.drop).not.toContain(aside);
  } finally {
    await index.close();
    await rm(folder, { recursive: true });
  }
});
