/**
 * Who owns the objects of a bucket, and its ACLs.
 *
 * A new bucket has `BucketOwnerEnforced`: no ACL is taken but the owner's full control (`AccessControlListNotSupported`).
 * With ACLs on, those are taken that give nobody else anything; grants to others are not kept here, and refused.
 * Every object belongs to the bucket's owner.
 * Source: S3 User Guide, "Controlling ownership of objects"; S3 API Reference, PutBucketOwnershipControls, PutBucketAcl.
 */
import type { Bucket, ObjectOwnership } from '../../store/objects.ts';
import { parseXml, type XmlElement, xmlChild, xmlDocument, xmlText } from '../xml.ts';
import { changeBucket } from './change-bucket.ts';
import { s3Error } from './errors.ts';
import { findObject } from './find-object.ts';
import { receiveDocument } from './receive-body.ts';
import { answerXml, canonicalId, empty, S3_NAMESPACE, type S3Call, type S3Decision } from './s3-call.ts';

export async function getBucketOwnershipControls(call: S3Call): Promise<S3Decision> {
  const { name, ownership } = await call.openBuiltInBucket();
  if (ownership === undefined) throw s3Error('OwnershipControlsNotFoundError', { details: { BucketName: name } });
  return answerXml(xmlDocument('OwnershipControls', { Rule: [{ ObjectOwnership: ownership }] }, S3_NAMESPACE));
}

export async function putBucketOwnershipControls(call: S3Call): Promise<S3Decision> {
  const bucket = await call.openBuiltInBucket();
  const document = await receiveDocument(call);
  const root = parseXml(document);
  const rules = root.children.filter((child) => child.name === 'Rule');
  const ownership = rules.length === 1 ? readOwnership(xmlText(rules[0]!, 'ObjectOwnership')) : undefined;
  if (root.name !== 'OwnershipControls' || ownership === undefined) throw s3Error('MalformedXML');
  return {
    bytesIn: document.length,
    requestParameters: { OwnershipControls: { xmlns: S3_NAMESPACE, Rule: { ObjectOwnership: ownership } } },
    ...changeBucket(call, bucket, { ownership }, 200),
  };
}

export async function deleteBucketOwnershipControls(call: S3Call): Promise<S3Decision> {
  const bucket = await call.openBuiltInBucket();
  return changeBucket(call, bucket, { ownership: null }, 204);
}

export function readOwnership(text: string | undefined): ObjectOwnership | undefined {
  return text === 'BucketOwnerEnforced' || text === 'BucketOwnerPreferred' || text === 'ObjectWriter' ? text : undefined;
}

/** The owner's full control: there are no other grants. */
export async function getBucketAcl(call: S3Call): Promise<S3Decision> {
  await call.openBucket();
  return answerXml(aclDocument(call));
}

export async function getObjectAcl(call: S3Call): Promise<S3Decision> {
  await findObject(call, await call.openBucket());
  return answerXml(aclDocument(call));
}

function aclDocument(call: S3Call): string {
  const ID = canonicalId(call.owner);
  const grant = { Grantee: { 'xsi:type': 'CanonicalUser', ID }, Permission: 'FULL_CONTROL' };
  return xmlDocument('AccessControlPolicy', { Owner: { ID }, AccessControlList: { Grant: [grant] } }, S3_NAMESPACE);
}

export function putBucketAcl(call: S3Call): Promise<S3Decision> {
  return putAcl(call, ['private']);
}

export async function putObjectAcl(call: S3Call): Promise<S3Decision> {
  return putAcl(call, ['private', 'bucket-owner-full-control'], async (bucket) => void (await findObject(call, bucket)));
}

/** Takes an ACL that is the one which is there already. */
async function putAcl(call: S3Call, canned: readonly string[], find?: (bucket: Bucket) => Promise<void>): Promise<S3Decision> {
  const bucket = await call.openBucket();
  await find?.(bucket);
  const document = await receiveDocument(call);
  const acl = call.header('x-amz-acl');
  const isOwners = acl === undefined && document.length > 0 && isOwnersControl(parseXml(document), canonicalId(call.owner));
  const isNoChange = !hasGrants(call) && (isOwners || (acl !== undefined && canned.includes(acl) && document.length === 0));
  if (areAclsOff(bucket) ? !isOwners && acl !== 'bucket-owner-full-control' : !isNoChange) throw refusal(bucket);
  return { bytesIn: document.length, apply: () => empty(200) };
}

/**
 * Refuses what a put would give to others.
 * @throws ApiError AccessControlListNotSupported; NotImplemented where ACLs are on
 */
export function requireNoGrants(call: S3Call, bucket: Bucket): void {
  const acl = call.header('x-amz-acl');
  const taken = areAclsOff(bucket) ? ['bucket-owner-full-control'] : ['bucket-owner-full-control', 'bucket-owner-read', 'private'];
  if (hasGrants(call) || (acl !== undefined && !taken.includes(acl))) throw refusal(bucket);
}

/** A foreign bucket's setting is not known here; no ACL but the owner's is passed on to it. */
function areAclsOff({ owner, ownership }: Bucket): boolean {
  return owner === undefined || ownership === 'BucketOwnerEnforced';
}

export function hasGrants(call: S3Call): boolean {
  return ['read', 'write', 'read-acp', 'write-acp', 'full-control'].some((right) => call.header(`x-amz-grant-${right}`) !== undefined);
}

function refusal(bucket: Bucket): Error {
  if (areAclsOff(bucket)) return s3Error('AccessControlListNotSupported');
  return s3Error('NotImplemented', {
    message: 'ACLs that grant something to others are not implemented by this server; use a bucket policy.',
  });
}

/** Whether an ACL is one grant: full control to the owner. */
function isOwnersControl(root: XmlElement, owner: string): boolean {
  if (root.name !== 'AccessControlPolicy') throw s3Error('MalformedACLError');
  const grants = xmlChild(root, 'AccessControlList')?.children ?? [];
  return (
    grants.length === 1 &&
    grants.every((grant) => {
      const grantee = xmlChild(grant, 'Grantee');
      return grantee !== undefined && xmlText(grantee, 'ID') === owner && xmlText(grant, 'Permission') === 'FULL_CONTROL';
    })
  );
}
