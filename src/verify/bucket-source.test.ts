import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { buildEvidence, type MemoryBucket } from '../../test/support/evidence-builder.ts';
import { type EndpointOptions, serveEvidence } from '../../test/support/evidence-endpoint.ts';
import { plainS3Client } from '../../test/support/plain-s3-client.ts';
import { bucketSource } from './bucket-source.ts';
import { readListing } from './read-listing.ts';
import type { EvidenceSource } from './source.ts';
import { parsePinnedKeys } from './trust.ts';
import { verify } from './verify.ts';

const cleanUps: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});

async function overHttp(bucket: MemoryBucket, options: EndpointOptions = {}): Promise<EvidenceSource> {
  const builder = await buildEvidence({ digests: 0 });
  const endpoint = await serveEvidence(builder, bucket, options);
  cleanUps.push(() => endpoint.close());
  return bucketSource({ bucket: bucket.name, request: plainS3Client(endpoint.url, bucket.name) });
}

describe('a bucket as a source', () => {
  test('is verified over HTTP as it is in memory, with pages that end anywhere', async () => {
    const builder = await buildEvidence({ digests: 3, prefix: 'with space+plus' });
    const bucket = builder.bucket.copy();
    const [log, other] = bucket.keys('/CloudTrail/');
    bucket.markDeleted(log!);
    bucket.putVersion(other!, new TextEncoder().encode('else'));
    for (const pageSize of [1, 2, 3, 1_000]) {
      const pinnedKeys = parsePinnedKeys(builder.installation.verifierKey);
      const clean = await verify({ source: await overHttp(builder.bucket, { pageSize }), pinnedKeys, nowMs: builder.nowMs, threads: 0 });
      expect(clean.findings).toEqual([]);
      const report = await verify({ source: await overHttp(bucket, { pageSize }), pinnedKeys, nowMs: builder.nowMs, threads: 0 });
      expect(report.findings.map(({ code, key }) => [code, key]).sort()).toEqual(
        [
          ['bytes', other],
          ['delete-marker', log],
        ].sort(),
      );
    }
  });

  test('names the versions behind a delete marker, and no others', async () => {
    const builder = await buildEvidence({ digests: 3 });
    const bucket = builder.bucket.copy();
    const [log, other] = bucket.keys('/CloudTrail/');
    bucket.markDeleted(log!);
    const hidden = new Map<string, readonly string[] | undefined>();
    for await (const each of (await overHttp(bucket, { pageSize: 2 })).list()) hidden.set(each.key, each.versionIds);
    expect([hidden.get(log!), hidden.get(other!)]).toEqual([['v1'], undefined]);
  });

  test('that knows no versions is listed plainly, and the report says so; one that refuses to list them is incomplete', async () => {
    const builder = await buildEvidence({ digests: 1 });
    const pinnedKeys = parsePinnedKeys(builder.installation.verifierKey);
    const answering = (status: number) =>
      overHttp(builder.bucket, { pageSize: 2, fail: (_, __, query) => (query.has('versions') ? status : undefined) });
    const none = await verify({ source: await answering(501), pinnedKeys, nowMs: builder.nowMs, threads: 0 });
    expect(none.exitCode).toBe(0);
    expect(none.cannotKnow.join()).toContain('versions');
    const refused = await verify({ source: await answering(403), pinnedKeys, nowMs: builder.nowMs, threads: 0 });
    expect(refused).toMatchObject({ exitCode: 2, findings: [{ code: 'versions' }] });
  });

  test('that is busy is asked again; one that denies reading makes it incomplete', async () => {
    const builder = await buildEvidence({ digests: 1 });
    const pinnedKeys = parsePinnedKeys(builder.installation.verifierKey);
    const [log] = builder.bucket.keys('/CloudTrail/');
    let busy = 2;
    const source = await overHttp(builder.bucket, { fail: (_, path) => (path.endsWith(log!) && busy-- > 0 ? 503 : undefined) });
    expect((await verify({ source, pinnedKeys, nowMs: builder.nowMs, threads: 0 })).exitCode).toBe(0);
    const denied = await overHttp(builder.bucket, { fail: (_, path) => (path.endsWith(log!) ? 403 : undefined) });
    const report = await verify({ source: denied, pinnedKeys, nowMs: builder.nowMs, threads: 0 });
    expect(report).toMatchObject({ exitCode: 2, findings: [{ code: 'unreadable', key: log }] });
  });

  test('says of a file that grew far beyond its receipt that it was tampered with, and asks for it once', async () => {
    const builder = await buildEvidence({ digests: 1 });
    const bucket = builder.bucket.copy();
    const [log] = bucket.keys('/CloudTrail/');
    const object = bucket.objects.get(log!)!;
    bucket.objects.set(log!, { ...object, body: Buffer.concat([object.body, Buffer.alloc(2 * 1024 * 1024)]) });
    let asked = 0;
    const source = await overHttp(bucket, {
      fail: (_, path) => {
        if (path.endsWith(log!)) asked++;
        return undefined;
      },
    });
    const report = await verify({
      source,
      pinnedKeys: parsePinnedKeys(builder.installation.verifierKey),
      nowMs: builder.nowMs,
      threads: 0,
    });
    expect(report).toMatchObject({ exitCode: 1, findings: [{ code: 'bytes', key: log }] });
    expect(asked).toBe(1);
  });

  test('that is not there is incomplete', async () => {
    const report = await verify({ source: await overHttp((await buildEvidence({ digests: 0 })).bucket, { fail: () => 404 }), threads: 0 });
    expect(report.exitCode).toBe(2);
    expect(report.findings[0]!.code).toBe('unreachable');
  });

  test('reads listings strictly, and never throws for other bytes', () => {
    expect(readListing(Buffer.from('<html>')).kind).toBe('malformed');
    expect(readListing(Buffer.from('<ListBucketResult><Contents><Size>1</Size></Contents></ListBucketResult>')).kind).toBe('malformed');
    expect(readListing(Buffer.from('<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>')).kind).toBe('malformed');
    const plain = '<ListBucketResult><Contents><Key>a&amp;b&#x41;&#0;</Key><ETag>"e"</ETag><Size>7</Size></Contents></ListBucketResult>';
    expect(readListing(Buffer.from(plain))).toMatchObject({ kind: 'listing', entries: [{ key: 'a&bA\0', sizeBytes: 7, isLatest: true }] });
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('<', '>', '&', '/', 'Key', 'Contents', 'Version', 'ListBucketResult', ' ', '%', '+', 'é') }),
        (text) => {
          readListing(Buffer.from(`<ListBucketResult>${text}`));
        },
      ),
    );
  });
});
