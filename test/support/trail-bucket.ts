/**
 * A bucket as a trail needs it, made by signed requests: with the policy that CloudTrail documents.
 */
import type { Client } from '../../src/cli/client.ts';
import { bucketPolicy } from './trail-rig.ts';

/** @throws Error with the answer when it is refused. */
export async function putTrailBucket(client: Pick<Client, 'send'>, bucket: string, account: string): Promise<void> {
  const policy = Buffer.from(JSON.stringify(bucketPolicy(bucket, account)));
  for (const [path, request, wanted] of [
    [`/${bucket}`, {}, 200],
    [`/${bucket}?policy=`, { body: policy }, 204],
  ] as const) {
    const { status, body } = await client.send('s3', 'PUT', path, request);
    if (status !== wanted) throw new Error(`PUT ${path} was answered with ${status}: ${Buffer.from(body).toString()}`);
  }
}
