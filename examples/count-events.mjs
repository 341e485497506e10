/**
 * Counts the events in a trail's log files by name, with the AWS SDK for JavaScript: the bucket is read as any tool reads the one
 * of CloudTrail.
 *
 * Run: `node examples/count-events.mjs TRAIL`, after `eval "$(bin/snowtrail env)"`.
 */
import { gunzipSync } from 'node:zlib';
import { CloudTrailClient, GetTrailCommand } from '@aws-sdk/client-cloudtrail';
import { GetObjectCommand, paginateListObjectsV2, S3Client } from '@aws-sdk/client-s3';

const [name] = process.argv.slice(2);
const { Trail } = await new CloudTrailClient().send(new GetTrailCommand({ Name: name }));
const account = Trail.TrailARN.split(':')[4];
const prefix = `${Trail.S3KeyPrefix ? `${Trail.S3KeyPrefix}/` : ''}AWSLogs/${account}/CloudTrail/`;

// Buckets are in the path: 127.0.0.1 has no names below it.
const s3 = new S3Client({ forcePathStyle: true });
const counts = new Map();
let files = 0;
for await (const { Contents = [] } of paginateListObjectsV2({ client: s3 }, { Bucket: Trail.S3BucketName, Prefix: prefix })) {
  for (const { Key } of Contents) {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: Trail.S3BucketName, Key }));
    const { Records } = JSON.parse(gunzipSync(await Body.transformToByteArray()).toString());
    for (const { eventName } of Records) counts.set(eventName, (counts.get(eventName) ?? 0) + 1);
    files += 1;
  }
}

for (const [eventName, count] of [...counts].sort((one, other) => other[1] - one[1])) console.log(String(count).padStart(6), eventName);
console.log(`${[...counts.values()].reduce((sum, count) => sum + count, 0)} events in ${files} log files`);
