/**
 * S3's calls on buckets: create, list, location, policy, versioning, and the settings that are not kept here.
 *
 * A bucket belongs to the account that made it; others have the rights in it that its policy gives them. Settings that Snowtrail does not keep are
 * answered as not configured, which is true, and refused when somebody wants to set them.
 */
import type { BucketName, Region } from '../../event/types.ts';
import { isRegion } from '../../event/values.ts';
import { parsePolicy } from '../../policy/parse-policy.ts';
import { type Bucket, BucketExists, type Objects } from '../../store/objects.ts';
import { parseXml, xmlDocument, xmlText, xmlTextDocument } from '../xml.ts';
import { bucketChanges, changeBucket } from './change-bucket.ts';
import { s3Error } from './errors.ts';
import { isBucketName } from './names.ts';
import { hasGrants, readOwnership } from './ownership.ts';
import { PUBLIC_ACCESS_BLOCKED, requireNotPublic } from './public-access.ts';
import { receiveDocument } from './receive-body.ts';
import { answerXml, canonicalId, empty, S3_NAMESPACE, type S3Call, type S3Decision } from './s3-call.ts';

const POLICY_BYTES_MAX = 20 * 1024;
const BUCKETS_MAX = 1_000;
/** Versions asked for at once to see whether a bucket is empty. */
const LOOKED_AT_MAX = 100;

export async function listBuckets(call: S3Call): Promise<S3Decision> {
  const { account } = call.request.call;
  const prefix = call.param('prefix') ?? '';
  const after = call.param('continuation-token') ?? '';
  const limit = Math.max(1, call.whole('max-buckets', { fallback: BUCKETS_MAX, max: BUCKETS_MAX }));
  const wanted = call.param('bucket-region');
  const all = (await call.objects.listBuckets(account)).filter(
    ({ name, region }) => name.startsWith(prefix) && name > after && (wanted === undefined || wanted === region),
  );
  const page = all.slice(0, limit);
  return answerXml(
    xmlDocument(
      'ListAllMyBucketsResult',
      {
        Owner: { ID: canonicalId(account) },
        Buckets: {
          Bucket: page.map((bucket) => ({
            Name: bucket.name,
            CreationDate: new Date(bucket.createdAtMs).toISOString(),
            BucketRegion: bucket.region,
          })),
        },
        ContinuationToken: all.length > page.length ? page.at(-1)?.name : undefined,
        Prefix: prefix === '' ? undefined : prefix,
      },
      S3_NAMESPACE,
    ),
  );
}

export async function createBucket(call: S3Call): Promise<S3Decision> {
  const { call: caller, objects, clock } = call.request;
  const name = call.bucket;
  if (!isBucketName(name)) throw s3Error('InvalidBucketName', { details: { BucketName: name } });
  const isLocked = call.header('x-amz-bucket-object-lock-enabled')?.toLowerCase() === 'true';
  const ownership = readOwnership(call.header('x-amz-object-ownership') ?? 'BucketOwnerEnforced');
  if (ownership === undefined) throw s3Error('InvalidArgument', { message: 'Invalid x-amz-object-ownership header' });
  if (hasGrants(call) || (call.header('x-amz-acl') ?? 'private') !== 'private')
    throw ownership === 'BucketOwnerEnforced' ? s3Error('InvalidBucketAclWithObjectOwnership') : notImplemented('x-amz-acl');
  // Object Lock needs versions.
  const lock = isLocked ? ({ versioning: 'Enabled', objectLock: {} } as const) : ({ versioning: 'Off' } as const);
  const document = await receiveDocument(call);
  const region = regionOf(document, caller.region);
  const taken = await objects.getBucket(name);
  if (taken !== undefined) throw alreadyExists(name, taken, caller.account);
  if ((await objects.listBuckets(caller.account)).length >= BUCKETS_MAX) throw s3Error('TooManyBuckets');
  const bucket: Bucket = {
    name,
    owner: caller.account,
    region,
    createdAtMs: clock.nowMs(),
    ...lock,
    ownership,
    publicAccessBlock: PUBLIC_ACCESS_BLOCKED,
  };
  return {
    bytesIn: document.length,
    changes: bucketChanges(call, undefined, bucket),
    ...(document.length === 0
      ? {}
      : { requestParameters: { CreateBucketConfiguration: { LocationConstraint: region, xmlns: S3_NAMESPACE } } }),
    apply: async () => {
      try {
        await objects.createBucket(bucket);
      } catch (error) {
        if (!(error instanceof BucketExists)) throw error;
        throw alreadyExists(name, await objects.getBucket(name), caller.account);
      }
      return empty(200, { location: `/${name}` });
    },
  };
}

export async function headBucket(call: S3Call): Promise<S3Decision> {
  const { region } = await call.openBucket();
  return { bytesOut: 0, apply: () => empty(200, { 'x-amz-bucket-region': region, 'content-type': 'application/xml' }) };
}

export async function deleteBucket(call: S3Call): Promise<S3Decision> {
  const bucket = await call.openBucket();
  const { name } = bucket;
  if (!(await isEmpty(call.objects, name))) throw s3Error('BucketNotEmpty', { details: { BucketName: name } });
  return {
    bucketChange: { kind: 'removal', bucket: name },
    changes: bucketChanges(call, bucket, undefined),
    apply: async () => {
      await call.objects.deleteBucket(name);
      await call.request.uploads.forget(name);
      return empty(204);
    },
  };
}

/** A page may be empty and not the last: objects whose files somebody removed are left out of it. */
async function isEmpty(objects: Pick<Objects, 'listVersions'>, name: BucketName): Promise<boolean> {
  for (let from: Parameters<Objects['listVersions']>[1] = { limit: LOOKED_AT_MAX }; ; ) {
    const { versions, next } = await objects.listVersions(name, from);
    if (versions.length > 0) return false;
    if (next === undefined) return true;
    from = { limit: LOOKED_AT_MAX, after: next.key, afterVersionId: next.versionId };
  }
}

export async function getBucketLocation(call: S3Call): Promise<S3Decision> {
  const { region } = await call.openBucket();
  return answerXml(xmlTextDocument('LocationConstraint', region === 'us-east-1' ? '' : region, S3_NAMESPACE));
}

export async function getBucketPolicy(call: S3Call): Promise<S3Decision> {
  const { policy, name } = await call.openBucket();
  if (policy === undefined) throw s3Error('NoSuchBucketPolicy', { details: { BucketName: name } });
  return {
    bytesOut: Buffer.byteLength(policy),
    apply: () => ({ status: 200, headers: { 'content-type': 'application/json' }, text: policy }),
  };
}

export async function putBucketPolicy(call: S3Call): Promise<S3Decision> {
  const bucket = await call.openBucket();
  const { name } = bucket;
  const document = await receiveDocument(call, { bytesMax: 4 * POLICY_BYTES_MAX });
  const policy = readPolicy(document, name);
  requireNotPublic(bucket, policy);
  return {
    bytesIn: document.length,
    requestParameters: { bucketPolicy: JSON.parse(policy) },
    bucketChange: { kind: 'policy', bucket: name, policy },
    ...changeBucket(call, bucket, { policy }, 204),
  };
}

export async function deleteBucketPolicy(call: S3Call): Promise<S3Decision> {
  const bucket = await call.openBucket();
  const { name } = bucket;
  return {
    bucketChange: { kind: 'policy', bucket: name, policy: null },
    ...changeBucket(call, bucket, { policy: null }, 204),
  };
}

export async function getBucketVersioning(call: S3Call): Promise<S3Decision> {
  const { versioning } = await call.openBucket();
  return answerXml(xmlDocument('VersioningConfiguration', versioning === 'Off' ? {} : { Status: versioning }, S3_NAMESPACE));
}

export async function putBucketVersioning(call: S3Call): Promise<S3Decision> {
  const bucket = await call.openBucket();
  const { name } = bucket;
  const document = await receiveDocument(call);
  const root = parseXml(document);
  const status = xmlText(root, 'Status');
  if (root.name !== 'VersioningConfiguration' || (status !== 'Enabled' && status !== 'Suspended')) throw s3Error('MalformedXML');
  const mfaDelete = xmlText(root, 'MfaDelete') ?? xmlText(root, 'MFADelete');
  if (mfaDelete !== undefined && mfaDelete !== 'Disabled') throw notImplemented('MfaDelete');
  return {
    bytesIn: document.length,
    requestParameters: { VersioningConfiguration: { Status: status, xmlns: S3_NAMESPACE } },
    ...(status === 'Suspended' && bucket.versioning === 'Enabled' ? { bucketChange: { kind: 'versioning', bucket: name } } : {}),
    ...changeBucket(call, bucket, { versioning: status }, 200),
  };
}

/** A setting that nobody can have set. @param code S3's error that says so. */
export function notConfigured(code: string): (call: S3Call) => Promise<S3Decision> {
  return async (call) => {
    const { name } = await call.openBucket();
    throw s3Error(code, { details: { BucketName: name } });
  };
}

/** A setting that S3 answers with an empty document, or its default, when nobody has set it. */
export function emptySetting(name: string, fields: Readonly<Record<string, string>> = {}): (call: S3Call) => Promise<S3Decision> {
  return async (call) => {
    await call.openBucket();
    return answerXml(xmlDocument(name, fields, S3_NAMESPACE));
  };
}

/** Something that Snowtrail does not do. */
export function unsupported(what: string): (call: S3Call) => Promise<S3Decision> {
  return async (call) => {
    if (call.bucketName !== undefined) await call.openBucket();
    throw s3Error('NotImplemented', { message: `${what} is not implemented by this server.` });
  };
}

export function notImplemented(header: string): Error {
  return s3Error('NotImplemented', { details: { Header: header } });
}

function regionOf(document: Uint8Array, signed: Region): Region {
  if (document.length === 0) return signed;
  const root = parseXml(document);
  if (root.name !== 'CreateBucketConfiguration') throw s3Error('MalformedXML');
  const other = root.children.find(({ name }) => name !== 'LocationConstraint');
  if (other !== undefined) throw notImplemented(other.name);
  const given = xmlText(root, 'LocationConstraint') ?? '';
  const constraint = given === 'EU' ? 'eu-west-1' : given;
  if (constraint === '') return signed;
  if (!isRegion(constraint)) throw s3Error('InvalidArgument', { message: 'The specified location-constraint is not valid' });
  if (constraint !== signed && signed !== 'us-east-1') {
    throw s3Error('IllegalLocationConstraintException', {
      message: `The ${constraint} location constraint is incompatible for the region specific endpoint this request was sent to.`,
    });
  }
  return constraint;
}

function alreadyExists(name: BucketName, taken: Bucket | undefined, caller: string): Error {
  return s3Error(taken?.owner === caller ? 'BucketAlreadyOwnedByYou' : 'BucketAlreadyExists', { details: { BucketName: name } });
}

/** @throws ApiError MalformedPolicy */
function readPolicy(document: Buffer, bucket: BucketName): string {
  if (document.length === 0) throw s3Error('MalformedPolicy', { message: 'Policies must be valid JSON and the first byte must be "{"' });
  if (document.length > POLICY_BYTES_MAX)
    throw s3Error('MalformedPolicy', { message: `The policy has ${document.length} bytes; at most ${POLICY_BYTES_MAX} are allowed` });
  const policy = document.toString('utf8');
  const parsed = parsePolicy(policy);
  if (parsed.kind === 'malformed') throw s3Error('MalformedPolicy', { message: `Policies must be valid: ${parsed.reason}` });
  for (const resource of parsed.policy.statements.flatMap(({ resources }) => resources)) {
    const named = /^arn:[a-z-]+:s3:::(.*)$/s.exec(resource)?.[1];
    const isOwn = resource === '*' || named === bucket || named?.startsWith(`${bucket}/`);
    if (!isOwn) throw s3Error('MalformedPolicy', { message: 'Policy has invalid resource', details: { Detail: resource.slice(0, 1_024) } });
  }
  return policy;
}
