/**
 * What of a bucket is open to everybody, and what keeps it from being so.
 *
 * There are no ACLs here that grant anything to others, so the two settings about ACLs hold by themselves. `BlockPublicPolicy`
 * refuses a policy that opens the bucket to everybody; with `RestrictPublicBuckets` such a policy gives other accounts nothing.
 * Source: S3 API Reference, PutPublicAccessBlock, GetBucketPolicyStatus.
 */
import type { Bucket, PublicAccessBlock } from '../../store/objects.ts';
import { parseXml, type XmlElement, xmlDocument, xmlText } from '../xml.ts';
import { changeBucket } from './change-bucket.ts';
import { s3Error } from './errors.ts';
import { isPublic } from './public-policy.ts';
import { receiveDocument } from './receive-body.ts';
import { answerXml, S3_NAMESPACE, type S3Call, type S3Decision } from './s3-call.ts';

/** Of a new bucket. */
export const PUBLIC_ACCESS_BLOCKED: PublicAccessBlock = {
  blockPublicAcls: true,
  ignorePublicAcls: true,
  blockPublicPolicy: true,
  restrictPublicBuckets: true,
};

export async function getPublicAccessBlock(call: S3Call): Promise<S3Decision> {
  const { name, publicAccessBlock } = await call.openBuiltInBucket();
  if (publicAccessBlock === undefined) throw s3Error('NoSuchPublicAccessBlockConfiguration', { details: { BucketName: name } });
  return answerXml(xmlDocument('PublicAccessBlockConfiguration', membersOf(publicAccessBlock), S3_NAMESPACE));
}

export async function putPublicAccessBlock(call: S3Call): Promise<S3Decision> {
  const bucket = await call.openBuiltInBucket();
  const document = await receiveDocument(call);
  const root = parseXml(document);
  if (root.name !== 'PublicAccessBlockConfiguration') throw s3Error('MalformedXML');
  const publicAccessBlock = {
    blockPublicAcls: readFlag(root, 'BlockPublicAcls'),
    ignorePublicAcls: readFlag(root, 'IgnorePublicAcls'),
    blockPublicPolicy: readFlag(root, 'BlockPublicPolicy'),
    restrictPublicBuckets: readFlag(root, 'RestrictPublicBuckets'),
  };
  return {
    bytesIn: document.length,
    requestParameters: { PublicAccessBlockConfiguration: { xmlns: S3_NAMESPACE, ...membersOf(publicAccessBlock) } },
    ...changeBucket(call, bucket, { publicAccessBlock }, 200),
  };
}

export async function deletePublicAccessBlock(call: S3Call): Promise<S3Decision> {
  const bucket = await call.openBuiltInBucket();
  return changeBucket(call, bucket, { publicAccessBlock: null }, 204);
}

export async function getBucketPolicyStatus(call: S3Call): Promise<S3Decision> {
  const { name, policy } = await call.openBucket();
  if (policy === undefined) throw s3Error('NoSuchBucketPolicy', { details: { BucketName: name } });
  return answerXml(xmlDocument('PolicyStatus', { IsPublic: isPublic(policy) }, S3_NAMESPACE));
}

/** @throws ApiError AccessDenied for a policy that opens a bucket to everybody which is kept from it */
export function requireNotPublic({ publicAccessBlock }: Bucket, policy: string): void {
  if (publicAccessBlock?.blockPublicPolicy && isPublic(policy))
    throw s3Error('AccessDenied', {
      message:
        'Public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access: the policy allows something to everybody.',
    });
}

function membersOf(block: PublicAccessBlock) {
  return {
    BlockPublicAcls: block.blockPublicAcls,
    IgnorePublicAcls: block.ignorePublicAcls,
    BlockPublicPolicy: block.blockPublicPolicy,
    RestrictPublicBuckets: block.restrictPublicBuckets,
  };
}

function readFlag(root: XmlElement, name: string): boolean {
  const text = xmlText(root, name)?.toLowerCase() ?? 'false';
  if (text !== 'true' && text !== 'false') throw s3Error('MalformedXML');
  return text === 'true';
}
