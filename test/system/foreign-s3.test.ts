/**
 * The contract of objects, held by our client against services that other people wrote.
 */
import { CreateBucketCommand, PutObjectLockConfigurationCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BucketName } from '../../src/event/types.ts';
import { createSystemChance } from '../../src/store/disk/chance.ts';
import { createSystemClock } from '../../src/store/disk/clock.ts';
import { createMemoryObjects } from '../../src/store/memory/objects.ts';
import { ObjectConflict, type Objects } from '../../src/store/objects.ts';
import { openForeignObjects } from '../../src/store/s3/objects.ts';
import { bytesOf, describeObjects, keyOf, readBody } from '../stores/objects.contract.ts';
import { hasRadosgw, type Radosgw, startRadosgw } from '../support/radosgw.ts';
import { freePort, hasCommands, startTool, untilAnswers } from '../support/start-tool.ts';

const clock = createSystemClock();
const credentials = { accessKeyId: 'snowtrail', secretAccessKey: 'snowtrail-secret' };

function open(endpoint: string): Promise<Objects> {
  const staging = createMemoryObjects({ clock, chance: createSystemChance() });
  return openForeignObjects({ endpoint, region: 'us-east-1', credentials, clock, staging });
}

if (hasCommands(['moto_server'], 'install `moto[server]` from PyPI to hold our S3 client against it')) {
  describeObjects(
    'moto',
    async () => {
      const port = await freePort();
      const moto = startTool('moto_server', ['-H', '127.0.0.1', '-p', String(port)]);
      const endpoint = `http://127.0.0.1:${port}`;
      await untilAnswers(endpoint, moto);
      return { objects: await open(endpoint), end: () => moto.stop() };
    },
    // moto 5.2.1 takes every change of what is locked, loses older versions when versioning is suspended, and an entry at the seam of two pages of versions.
    { isForeign: true, lacks: ['odd-keys', 'suspended', 'version-pages', 'lock-rules'] },
  );
}

describe.skipIf(!hasRadosgw())('Ceph RGW', () => {
  let ceph: Radosgw;
  beforeAll(async () => {
    ceph = await startRadosgw();
  });
  afterAll(() => ceph?.stop());

  describeObjects('radosgw', async () => ({ objects: await open(ceph.endpoint) }), { isForeign: true, lacks: ['page-order'] });

  describe('a bucket with Object Lock', () => {
    const bucket = 'locked-trail-bucket' as BucketName;
    const delivery = {
      ifNoneMatch: true,
      acl: 'bucket-owner-full-control',
      contentType: 'application/json',
      contentEncoding: 'gzip',
      metadata: { signature: 'ab'.repeat(256), 'signature-algorithm': 'SHA256withRSA' },
    } as const;
    let objects: Objects;

    beforeAll(async () => {
      const client = new S3Client({
        endpoint: ceph.endpoint,
        region: 'us-east-1',
        credentials,
        forcePathStyle: true,
        requestChecksumCalculation: 'WHEN_REQUIRED',
        responseChecksumValidation: 'WHEN_REQUIRED',
      });
      await client.send(new CreateBucketCommand({ Bucket: bucket, ObjectLockEnabledForBucket: true }));
      const rule = { DefaultRetention: { Mode: 'COMPLIANCE' as const, Days: 1 } };
      const configuration = { ObjectLockEnabled: 'Enabled' as const, Rule: rule };
      await client.send(new PutObjectLockConfigurationCommand({ Bucket: bucket, ObjectLockConfiguration: configuration }));
      client.destroy();
      objects = await open(ceph.endpoint);
    });
    afterAll(() => objects?.close());

    test('keeps its versions, and says so', async () => {
      expect(await objects.getBucket(bucket)).toMatchObject({ name: bucket, versioning: 'Enabled' });
    });

    test('takes a delivery once: a repeat makes no second version, though the service ignores the condition', async () => {
      const key = keyOf('AWSLogs/123456789012/CloudTrail-Digest/us-east-1/2026/01/02/digest.json.gz');
      const first = await objects.put(bucket, key, bytesOf('digest'), delivery);
      const again = await objects.put(bucket, key, bytesOf('digest'), delivery);
      expect([again.versionId, again.etag]).toEqual([first.versionId, first.etag]);
      await expect(objects.put(bucket, key, bytesOf('forged'), delivery)).rejects.toThrow(ObjectConflict);
      const otherSignature = { ...delivery, metadata: { ...delivery.metadata, signature: 'cd'.repeat(256) } };
      await expect(objects.put(bucket, key, bytesOf('digest'), otherSignature)).rejects.toThrow(ObjectConflict);
      expect((await objects.listVersions(bucket, { prefix: key, limit: 10 })).versions).toHaveLength(1);
    });

    test('keeps a locked version: what hides it can be taken away, and the version cannot', async () => {
      const key = keyOf('AWSLogs/123456789012/CloudTrail/us-east-1/2026/01/02/log.json.gz');
      const { versionId } = await objects.put(bucket, key, bytesOf('evidence'), delivery);
      await expect(objects.delete(bucket, key, versionId!)).rejects.toMatchObject({ name: 'ObjectsError', reason: 'AccessDenied' });
      const { deleteMarkerVersionId } = await objects.delete(bucket, key);
      expect(await objects.get(bucket, key)).toBeUndefined();
      const { versions } = await objects.listVersions(bucket, { prefix: key, limit: 10 });
      expect(versions.map(({ isDeleteMarker, isLatest }) => [isDeleteMarker, isLatest])).toEqual([
        [true, true],
        [false, false],
      ]);
      await objects.delete(bucket, key, deleteMarkerVersionId!);
      const found = await objects.get(bucket, key);
      expect(found && Buffer.from(await readBody(found.body)).toString()).toBe('evidence');
    });

    test('takes bodies that came in pieces', async () => {
      async function* pieces() {
        for (let piece = 0; piece < 3; piece++) yield new Uint8Array(5 * 1024 * 1024).fill(piece);
      }
      const staged = await objects.stage(pieces());
      const info = await staged.commit(bucket, keyOf('large'), delivery);
      expect(info).toMatchObject({ sizeBytes: 15 * 1024 * 1024, etag: staged.md5Hex });
      expect(await objects.head(bucket, keyOf('large'))).toMatchObject({ sizeBytes: 15 * 1024 * 1024, metadata: delivery.metadata });
      await staged.discard();
    });
  });
});
