/**
 * Our side of `bench/verify.ts`: verifies a bucket over HTTP and prints valid digests and log files.
 *
 * Arguments: endpoint, bucket, file of pinned keys, present time in milliseconds.
 */
import { readFileSync } from 'node:fs';
import { bucketSource } from '../src/verify/bucket-source.ts';
import { parsePinnedKeys } from '../src/verify/trust.ts';
import { verify } from '../src/verify/verify.ts';
import { plainS3Client } from '../test/support/plain-s3-client.ts';

const [url, bucket, keys, nowMs] = process.argv.slice(2) as [string, string, string, string];
const report = await verify({
  source: bucketSource({ bucket, request: plainS3Client(url, bucket) }),
  pinnedKeys: parsePinnedKeys(readFileSync(keys, 'utf8')),
  nowMs: Number(nowMs),
});
console.log(`${report.counts.digest.valid}/${report.counts.log.valid}`);
process.exit(report.exitCode);
