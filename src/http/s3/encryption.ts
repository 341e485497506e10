/**
 * Server-side encryption on the wire: what a put asks for, what a bucket puts without being asked, and how an object shows it.
 *
 * Nothing is encrypted that nobody asked for: objects of a bucket without a default lie at rest as they were put, and no answer says
 * otherwise (docs/decisions, "objects are encrypted where it is asked for"). Keys that the client sends (SSE-C) are refused.
 * Source: S3 API Reference, PutObject, GetBucketEncryption, PutBucketEncryption; S3 User Guide, "Using server-side encryption".
 */
import { ApiError } from '../../api/api-error.ts';
import type { Bucket, DefaultEncryption, Encryption, OpenDataKey, PutOptions } from '../../store/objects.ts';
import { parseXml, type XmlElement, xmlDocument, xmlText } from '../xml.ts';
import { notImplemented } from './buckets.ts';
import { changeBucket } from './change-bucket.ts';
import { s3Error } from './errors.ts';
import { bucketArn, objectArn } from './names.ts';
import { receiveDocument } from './receive-body.ts';
import { answerXml, S3_NAMESPACE, type S3Call, type S3Decision } from './s3-call.ts';

const HEADER = 'x-amz-server-side-encryption';
const CONTEXT_LENGTH_MAX = 8_192;

/** What a put does about encryption. */
export type SealOptions = Pick<PutOptions, 'encryption' | 'dataKey'>;

/** Whether the request says itself how the object is to be encrypted. */
export function asksForEncryption(call: S3Call): boolean {
  return call.header(HEADER) !== undefined;
}

/**
 * The data key of a new object, made in the caller's name; for a foreign bucket what it is asked for.
 * @throws ApiError InvalidArgument, AccessDenied, `KMS.DisabledException`, …
 */
export async function readEncryption(call: S3Call, bucket: Bucket): Promise<SealOptions> {
  const wanted = wantedBy(call) ?? bucket.encryption;
  if (wanted === undefined) return {};
  const { algorithm, keyId, isBucketKey = false } = wanted;
  const given = givenContext(call);
  if (bucket.owner === undefined)
    return { encryption: { algorithm, ...(keyId === undefined ? {} : { keyArn: keyId }), ...(given && { context: given }), isBucketKey } };
  const arn = isBucketKey ? bucketArn(bucket.name) : objectArn(bucket.name, call.key);
  const context = { 'aws:s3:arn': arn, ...given };
  const key = keyId === undefined ? {} : { keyId };
  return {
    dataKey: await asS3(() =>
      call.request.objectKeys.make(call.request.call, { algorithm, ...key, region: bucket.region, context, isBucketKey }),
    ),
  };
}

/** Opens an object's data key for the caller. @throws ApiError AccessDenied, `KMS.DisabledException`, … */
export function openKeyFor(call: S3Call): OpenDataKey {
  return (encryption) => asS3(() => call.request.objectKeys.open(call.request.call, encryption));
}

/** How an object shows that it is encrypted. */
export function encryptionHeaders({ encryption }: { readonly encryption?: Encryption | undefined }): Record<string, string> {
  if (encryption === undefined) return {};
  return {
    [HEADER]: encryption.algorithm,
    ...(encryption.keyArn === undefined ? {} : { [`${HEADER}-aws-kms-key-id`]: encryption.keyArn }),
    ...(encryption.isBucketKey ? { [`${HEADER}-bucket-key-enabled`]: 'true' } : {}),
  };
}

/** Parts are encrypted as their upload is. @throws ApiError InvalidArgument */
export function refuseEncryption(call: S3Call): void {
  if (asksForEncryption(call)) throw s3Error('InvalidArgument', { message: `${HEADER} header is not supported for this operation.` });
}

/** @throws ApiError InvalidArgument, NotImplemented */
function wantedBy(call: S3Call): DefaultEncryption | undefined {
  const algorithm = call.header(HEADER);
  const keyId = call.header(`${HEADER}-aws-kms-key-id`);
  const bucketKey = call.header(`${HEADER}-bucket-key-enabled`);
  if (algorithm !== 'aws:kms' && keyId !== undefined)
    throw s3Error('InvalidArgument', {
      message: `Server Side Encryption with AWS KMS managed key requires HTTP header ${HEADER} : aws:kms`,
      details: { ArgumentName: HEADER, ArgumentValue: algorithm ?? 'null' },
    });
  if (algorithm === undefined) return undefined;
  return checkDefault({ algorithm, keyId, isBucketKey: bucketKey?.toLowerCase() === 'true' });
}

/** @throws ApiError InvalidArgument, NotImplemented */
function checkDefault(wanted: { algorithm: string; keyId: string | undefined; isBucketKey: boolean }): DefaultEncryption {
  const { algorithm, keyId, isBucketKey } = wanted;
  if (algorithm === 'aws:kms:dsse') throw notImplemented(`${HEADER}: aws:kms:dsse`);
  if (algorithm !== 'AES256' && algorithm !== 'aws:kms')
    throw s3Error('InvalidArgument', {
      message: 'The encryption method specified is not supported',
      details: { ArgumentName: HEADER, ArgumentValue: algorithm.slice(0, 64) },
    });
  // There is no `aws/s3` key: a key that nobody made would be one that nobody knows the policy of.
  if (algorithm === 'aws:kms' && keyId === undefined) throw notImplemented(`${HEADER}: aws:kms without a key id`);
  return { algorithm, ...(keyId === undefined ? {} : { keyId }), ...(isBucketKey ? { isBucketKey } : {}) };
}

/** Base64 of a JSON object of texts. @throws ApiError InvalidArgument */
function givenContext(call: S3Call): Readonly<Record<string, string>> | undefined {
  const text = call.header(`${HEADER}-context`);
  if (text === undefined) return undefined;
  let context: unknown;
  try {
    context = JSON.parse(Buffer.from(text, 'base64').toString('utf8'));
  } catch {
    context = undefined;
  }
  const isContext =
    text.length <= CONTEXT_LENGTH_MAX &&
    typeof context === 'object' &&
    context !== null &&
    !Array.isArray(context) &&
    Object.values(context).every((value) => typeof value === 'string');
  if (!isContext)
    throw s3Error('InvalidArgument', {
      message: `The header '${HEADER}-context' shall be Base64-encoded UTF-8 string holding JSON which represents a string-string map`,
    });
  return context as Readonly<Record<string, string>>;
}

/** KMS's refusals in S3's words: `KMS.` before their codes, but for a right that is missing. */
async function asS3<Result>(use: () => Promise<Result>): Promise<Result> {
  try {
    return await use();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (/^AccessDenied/.test(error.code)) throw s3Error('AccessDenied', { message: error.message, cause: error });
    throw new ApiError(`KMS.${error.code}`, error.message, { status: 400, cause: error });
  }
}

export async function getBucketEncryption(call: S3Call): Promise<S3Decision> {
  const { name, encryption } = await call.openBuiltInBucket();
  if (encryption === undefined) throw s3Error('ServerSideEncryptionConfigurationNotFoundError', { details: { BucketName: name } });
  const { algorithm, keyId, isBucketKey = false } = encryption;
  const Rule = {
    ApplyServerSideEncryptionByDefault: { SSEAlgorithm: algorithm, KMSMasterKeyID: keyId },
    BucketKeyEnabled: isBucketKey,
  };
  return answerXml(xmlDocument('ServerSideEncryptionConfiguration', { Rule }, S3_NAMESPACE));
}

export async function putBucketEncryption(call: S3Call): Promise<S3Decision> {
  const bucket = await call.openBuiltInBucket();
  const document = await receiveDocument(call);
  const encryption = readConfiguration(parseXml(document));
  return {
    bytesIn: document.length,
    requestParameters: {
      ServerSideEncryptionConfiguration: { Rule: { ApplyServerSideEncryptionByDefault: { SSEAlgorithm: encryption.algorithm } } },
    },
    ...ofKey(bucket, encryption),
    ...changeBucket(call, bucket, { encryption }, 200),
  };
}

/** Who may read what is put, and whether it can be put at all, goes by the key: nobody has looked whether trails may use another one. */
function ofKey({ name, encryption: before }: Bucket, after: DefaultEncryption | undefined): Pick<S3Decision, 'bucketChange'> {
  return keyOf(before) === keyOf(after) ? {} : { bucketChange: { kind: 'encryption', bucket: name } };
}

/** How the key is named, and what it is asked for; `undefined` when the store's own encrypts. */
function keyOf(encryption: DefaultEncryption | undefined): string | undefined {
  if (encryption?.algorithm !== 'aws:kms') return undefined;
  return `${encryption.keyId ?? ''} ${encryption.isBucketKey ?? false}`;
}

export async function deleteBucketEncryption(call: S3Call): Promise<S3Decision> {
  const bucket = await call.openBuiltInBucket();
  return { ...ofKey(bucket, undefined), ...changeBucket(call, bucket, { encryption: null }, 204) };
}

/** @throws ApiError MalformedXML, InvalidArgument, NotImplemented */
function readConfiguration(root: XmlElement): DefaultEncryption {
  const rules = root.children.filter(({ name }) => name === 'Rule');
  const [rule] = rules;
  const settings = rule?.children.find(({ name }) => name === 'ApplyServerSideEncryptionByDefault');
  if (root.name !== 'ServerSideEncryptionConfiguration' || rules.length !== 1 || rule === undefined || settings === undefined)
    throw s3Error('MalformedXML');
  const keyId = xmlText(settings, 'KMSMasterKeyID');
  const algorithm = xmlText(settings, 'SSEAlgorithm') ?? '';
  if (algorithm === 'AES256' && keyId !== undefined)
    throw s3Error('InvalidArgument', {
      message: 'a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse',
    });
  return checkDefault({ algorithm, keyId, isBucketKey: xmlText(rule, 'BucketKeyEnabled') === 'true' });
}
