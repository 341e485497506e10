/**
 * S3's calls on Object Lock: of a bucket, and of one version; and the headers by which an object is put under it.
 *
 * What may be loosened, and by whom, the store decides (`store/object-lock.ts`); here is only how clients say it.
 * Source: S3 API Reference, PutObjectLockConfiguration, GetObjectLockConfiguration, PutObjectRetention, GetObjectRetention,
 * PutObjectLegalHold, GetObjectLegalHold.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Bucket, DefaultRetention, ObjectInfo, ProtectionChange, PutOptions, Retention, RetentionMode } from '../../store/objects.ts';
import { NULL_VERSION } from '../../store/objects-rules.ts';
import { parseXml, type XmlElement, xmlChild, xmlDocument, xmlText } from '../xml.ts';
import { bucketPlace, changeBucket } from './change-bucket.ts';
import { s3Error } from './errors.ts';
import { findObject } from './find-object.ts';
import { objectArn } from './names.ts';
import { receiveDocument } from './receive-body.ts';
import { answerXml, empty, S3_NAMESPACE, type S3Call, type S3Decision } from './s3-call.ts';

const DAYS_MAX = 36_500;
const YEARS_MAX = 100;

export async function getObjectLockConfiguration(call: S3Call): Promise<S3Decision> {
  const { name, objectLock } = await call.openBucket();
  if (objectLock === undefined) throw s3Error('ObjectLockConfigurationNotFoundError', { details: { BucketName: name } });
  const { default: found } = objectLock;
  const rule = found && { DefaultRetention: { Mode: found.mode, Days: found.days, Years: found.years } };
  return answerXml(xmlDocument('ObjectLockConfiguration', { ObjectLockEnabled: 'Enabled', Rule: rule }, S3_NAMESPACE));
}

/** Object Lock once on stays on; a configuration without a rule takes the default away. */
export async function putObjectLockConfiguration(call: S3Call): Promise<S3Decision> {
  const bucket = await call.openBucket();
  const { name, versioning, objectLock: before } = bucket;
  const document = await receiveDocument(call);
  const objectLock = readConfiguration(parseXml(document));
  if (versioning !== 'Enabled')
    throw s3Error('InvalidBucketState', { message: "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration" });
  return {
    bytesIn: document.length,
    requestParameters: { ObjectLockConfiguration: { xmlns: S3_NAMESPACE, ...lockParameters(objectLock) } },
    ...(isLoosened(before?.default, objectLock.default) && { bucketChange: { kind: 'lock', bucket: name } as const }),
    ...changeBucket(call, bucket, { objectLock }, 200),
  };
}

/** Whether new objects are locked for a shorter time than until now, or so that some may lift it. */
function isLoosened(before: DefaultRetention | undefined, after: DefaultRetention | undefined): boolean {
  if (before === undefined) return false;
  if (after === undefined) return true;
  const days = ({ days: given, years = 0 }: DefaultRetention) => given ?? years * 365;
  return days(after) < days(before) || (before.mode === 'COMPLIANCE' && after.mode === 'GOVERNANCE');
}

function lockParameters({ default: found }: NonNullable<Bucket['objectLock']>) {
  const { mode: Mode, days: Days, years: Years } = found ?? {};
  const period = { ...(Days !== undefined && { Days }), ...(Years !== undefined && { Years }) };
  return { ObjectLockEnabled: 'Enabled', ...(Mode !== undefined && { Rule: { DefaultRetention: { Mode, ...period } } }) };
}

/** @throws ApiError MalformedXML, InvalidRetentionPeriod */
function readConfiguration(root: XmlElement): NonNullable<Bucket['objectLock']> {
  if (root.name !== 'ObjectLockConfiguration' || xmlText(root, 'ObjectLockEnabled') !== 'Enabled') throw s3Error('MalformedXML');
  const rule = xmlChild(root, 'Rule');
  if (rule === undefined) return {};
  const retention = xmlChild(rule, 'DefaultRetention');
  if (retention === undefined) throw s3Error('MalformedXML');
  const mode = readMode(xmlText(retention, 'Mode'));
  const [days, years] = [readPeriod(retention, 'Days', DAYS_MAX), readPeriod(retention, 'Years', YEARS_MAX)];
  if (mode === undefined || (days === undefined) === (years === undefined)) throw s3Error('MalformedXML');
  const period: DefaultRetention = { mode, ...(days === undefined ? { years: years! } : { days }) };
  return { default: period };
}

function readPeriod(retention: XmlElement, name: string, max: number): number | undefined {
  const text = xmlText(retention, name);
  if (text === undefined) return undefined;
  if (!/^-?\d{1,10}$/.test(text)) throw s3Error('MalformedXML');
  const value = Number(text);
  if (value < 1 || value > max)
    throw s3Error('InvalidRetentionPeriod', { message: `The retention period must be 1 to ${max} ${name.toLowerCase()}, and is ${text}` });
  return value;
}

function readMode(text: string | undefined): RetentionMode | undefined {
  return text === 'GOVERNANCE' || text === 'COMPLIANCE' ? text : undefined;
}

export async function getObjectRetention(call: S3Call): Promise<S3Decision> {
  const { retention } = (await findLockable(call)).info;
  if (retention === undefined) throw s3Error('NoSuchObjectLockConfiguration', { details: { Key: call.key } });
  const until = new Date(retention.untilMs).toISOString();
  return answerXml(xmlDocument('Retention', { Mode: retention.mode, RetainUntilDate: until }, S3_NAMESPACE));
}

export async function getObjectLegalHold(call: S3Call): Promise<S3Decision> {
  const { legalHold } = (await findLockable(call)).info;
  if (legalHold === undefined) throw s3Error('NoSuchObjectLockConfiguration', { details: { Key: call.key } });
  return answerXml(xmlDocument('LegalHold', { Status: legalHold ? 'ON' : 'OFF' }, S3_NAMESPACE));
}

export async function putObjectRetention(call: S3Call): Promise<S3Decision> {
  const found = await findLockable(call);
  const document = await receiveDocument(call);
  const root = parseXml(document);
  if (root.name !== 'Retention') throw s3Error('MalformedXML');
  const retention = root.children.length === 0 ? null : readRetention(root);
  return { bytesIn: document.length, ...protect(call, found, { retention, bypassGovernance: isBypassing(call) }) };
}

export async function putObjectLegalHold(call: S3Call): Promise<S3Decision> {
  const found = await findLockable(call);
  const document = await receiveDocument(call);
  const root = parseXml(document);
  const status = xmlText(root, 'Status');
  if (root.name !== 'LegalHold' || (status !== 'ON' && status !== 'OFF')) throw s3Error('MalformedXML');
  return { bytesIn: document.length, ...protect(call, found, { legalHold: status === 'ON' }) };
}

interface Lockable {
  readonly bucket: Bucket;
  readonly info: ObjectInfo;
}

/** The version that a call on locks names. @throws ApiError InvalidRequest in a bucket without Object Lock */
async function findLockable(call: S3Call): Promise<Lockable> {
  const bucket = await call.openBucket();
  if (bucket.objectLock === undefined) throw missingConfiguration();
  return { bucket, info: await findObject(call, bucket) };
}

/** Retention and legal hold of a version decide what may be deleted: a change of one has a fact, as one of its own. */
function protect(call: S3Call, { bucket, info: of }: Lockable, change: ProtectionChange): S3Decision {
  const part = change.legalHold === undefined ? 'retention' : 'legalHold';
  const [before, after] = [of[part], change[part] ?? undefined].map((value) => (value === undefined ? undefined : { [part]: value }));
  const version = {
    ...bucketPlace(call, bucket),
    resource: objectArn(bucket.name, call.key),
    part: `${part}/${of.versionId ?? NULL_VERSION}`,
  };
  return {
    changes: isDeepStrictEqual(before, after) ? [] : [{ ...version, before, after }],
    apply: async () => {
      const versionId = of.versionId ?? call.param('versionId');
      const info = await call.objects.protect(bucket.name, call.key, versionId, { ...change, expected: of });
      if (info === undefined) throw s3Error('NoSuchKey', { details: { Key: call.key } });
      return empty(200);
    },
  };
}

function readRetention(root: XmlElement): Retention {
  const mode = readMode(xmlText(root, 'Mode'));
  const untilMs = parseDate(xmlText(root, 'RetainUntilDate') ?? '');
  if (mode === undefined || untilMs === undefined) throw s3Error('MalformedXML');
  return { mode, untilMs };
}

/** Whether the caller wants to go past GOVERNANCE. */
export function isBypassing(call: S3Call): boolean {
  return call.header('x-amz-bypass-governance-retention')?.toLowerCase() === 'true';
}

const LOCK_HEADERS = ['x-amz-object-lock-mode', 'x-amz-object-lock-retain-until-date', 'x-amz-object-lock-legal-hold'];

/**
 * What the headers of a put say about locks.
 * @throws ApiError InvalidArgument, InvalidRequest in a bucket without Object Lock
 */
export function readLockHeaders(call: S3Call, { objectLock }: Pick<Bucket, 'objectLock'>): Pick<PutOptions, 'retention' | 'legalHold'> {
  const [mode, until, hold] = LOCK_HEADERS.map((name) => call.header(name));
  if (mode === undefined && until === undefined && hold === undefined) return {};
  if (objectLock === undefined) throw missingConfiguration();
  if ((mode === undefined) !== (until === undefined))
    throw s3Error('InvalidArgument', {
      message: 'x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied',
    });
  if (hold !== undefined && hold !== 'ON' && hold !== 'OFF')
    throw s3Error('InvalidArgument', { message: "Legal Hold must be either of 'ON' or 'OFF'" });
  return {
    ...(mode !== undefined && { retention: retentionOf(call, mode, until!) }),
    ...(hold !== undefined && { legalHold: hold === 'ON' }),
  };
}

function retentionOf(call: S3Call, modeText: string, untilText: string): Retention {
  const mode = readMode(modeText);
  if (mode === undefined) throw s3Error('InvalidArgument', { message: 'Unknown wormMode directive.' });
  const untilMs = parseDate(untilText);
  if (untilMs === undefined) throw s3Error('InvalidArgument', { message: 'The retain until date must be provided in ISO 8601 format' });
  if (untilMs <= call.request.lockTime.latestMs())
    throw s3Error('InvalidArgument', { message: 'The retain until date must be in the future!' });
  return { mode, untilMs };
}

/** A part of an object is locked with the object. @throws ApiError InvalidArgument */
export function refuseLockHeaders(call: S3Call): void {
  if (LOCK_HEADERS.some((name) => call.header(name) !== undefined))
    throw s3Error('InvalidArgument', { message: 'Object Lock parameters belong to CreateMultipartUpload, not to a part' });
}

/** What protects an object, in the headers of an answer. */
export function lockHeaders({ retention, legalHold }: ObjectInfo): Record<string, string> {
  return {
    ...(retention !== undefined && {
      'x-amz-object-lock-mode': retention.mode,
      'x-amz-object-lock-retain-until-date': new Date(retention.untilMs).toISOString(),
    }),
    ...(legalHold !== undefined && { 'x-amz-object-lock-legal-hold': legalHold ? 'ON' : 'OFF' }),
  };
}

function missingConfiguration(): Error {
  return s3Error('InvalidRequest', { message: 'Bucket is missing Object Lock Configuration' });
}

/** An ISO 8601 instant. */
function parseDate(text: string): number | undefined {
  const isInstant = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)$/.test(text);
  const ms = isInstant ? Date.parse(text) : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}
