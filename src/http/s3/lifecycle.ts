/**
 * S3's calls on the lifecycle rules of a bucket. What is due by them is carried out by `lifecycle/`.
 *
 * There is one storage class here, so a rule that moves objects to another is refused, and so is one about tags, which objects do
 * not have.
 * Source: S3 API Reference, PutBucketLifecycleConfiguration, GetBucketLifecycleConfiguration, DeleteBucketLifecycle.
 */
import { createHash } from 'node:crypto';
import type { LifecycleExpiration, LifecycleFilter, LifecycleRule } from '../../store/objects.ts';
import { parseXml, type XmlElement, type XmlFields, xmlChild, xmlDocument, xmlExactText, xmlText } from '../xml.ts';
import { changeBucket } from './change-bucket.ts';
import { s3Error } from './errors.ts';
import { receiveDocument } from './receive-body.ts';
import { answerXml, S3_NAMESPACE, type S3Call, type S3Decision } from './s3-call.ts';

const RULES_MAX = 1_000;
const ID_LENGTH_MAX = 255;
const KEPT_MAX = 100;
const DAY_MS = 24 * 3_600_000;
/** About transitions, of which there are none; clients compare what they set with what is answered. */
const MINIMUM_SIZE_HEADER = 'x-amz-transition-default-minimum-object-size';
const MINIMUM_SIZE = 'all_storage_classes_128K';

export async function getBucketLifecycle(call: S3Call): Promise<S3Decision> {
  const { name, lifecycle } = await call.openBuiltInBucket();
  if (lifecycle === undefined) throw s3Error('NoSuchLifecycleConfiguration', { details: { BucketName: name } });
  const text = xmlDocument('LifecycleConfiguration', { Rule: lifecycle.map(ruleFields) }, S3_NAMESPACE);
  return answerXml(text, { [MINIMUM_SIZE_HEADER]: MINIMUM_SIZE });
}

export async function putBucketLifecycle(call: S3Call): Promise<S3Decision> {
  const bucket = await call.openBuiltInBucket();
  const { name } = bucket;
  const minimum = call.header(MINIMUM_SIZE_HEADER) ?? MINIMUM_SIZE;
  if (minimum !== MINIMUM_SIZE) throw s3Error('NotImplemented', { details: { Header: MINIMUM_SIZE_HEADER } });
  const document = await receiveDocument(call);
  const root = parseXml(document);
  const elements = root.children.filter((child) => child.name === 'Rule');
  if (root.name !== 'LifecycleConfiguration' || elements.length === 0 || elements.length !== root.children.length)
    throw s3Error('MalformedXML');
  if (elements.length > RULES_MAX) throw invalid(`The lifecycle configuration has more than ${RULES_MAX} rules`);
  const lifecycle = elements.map(readRule);
  if (new Set(lifecycle.map(({ id }) => id)).size < lifecycle.length)
    throw invalid('Rule ID must be unique. Found same ID for more than one rule');
  return {
    bytesIn: document.length,
    requestParameters: { LifecycleConfiguration: { xmlns: S3_NAMESPACE, Rule: lifecycle.map(ruleFields) as never } },
    bucketChange: { kind: 'lifecycle', bucket: name },
    ...changeBucket(call, bucket, { lifecycle }, 200, { [MINIMUM_SIZE_HEADER]: MINIMUM_SIZE }),
  };
}

export async function deleteBucketLifecycle(call: S3Call): Promise<S3Decision> {
  const bucket = await call.openBuiltInBucket();
  return changeBucket(call, bucket, { lifecycle: null }, 204);
}

function ruleFields(rule: LifecycleRule): XmlFields {
  const { id, isEnabled, filter, expiration, noncurrentExpiration, abortDays } = rule;
  return {
    ID: id,
    ...(filter.isLegacy ? { Prefix: filter.prefix ?? '' } : { Filter: filterFields(filter) }),
    Status: isEnabled ? 'Enabled' : 'Disabled',
    Expiration: expiration && expirationFields(expiration),
    NoncurrentVersionExpiration: noncurrentExpiration && {
      NoncurrentDays: noncurrentExpiration.days,
      NewerNoncurrentVersions: noncurrentExpiration.keptCount,
    },
    AbortIncompleteMultipartUpload: abortDays === undefined ? undefined : { DaysAfterInitiation: abortDays },
  };
}

function filterFields({ prefix, sizeGreaterThan, sizeLessThan }: LifecycleFilter): XmlFields {
  const members = { Prefix: prefix, ObjectSizeGreaterThan: sizeGreaterThan, ObjectSizeLessThan: sizeLessThan };
  return Object.values(members).filter((value) => value !== undefined).length > 1 ? { And: members } : members;
}

function expirationFields(expiration: LifecycleExpiration): XmlFields {
  if (expiration.kind === 'days') return { Days: expiration.days };
  if (expiration.kind === 'date') return { Date: new Date(expiration.atMs).toISOString() };
  return { ExpiredObjectDeleteMarker: true };
}

/** Members of a rule that ask for another storage class. */
const TRANSITIONS = ['Transition', 'NoncurrentVersionTransition'];
const MEMBERS = ['ID', 'Prefix', 'Filter', 'Status', 'Expiration', 'NoncurrentVersionExpiration', 'AbortIncompleteMultipartUpload'];

/** @throws ApiError MalformedXML, InvalidArgument, InvalidRequest, NotImplemented */
function readRule(element: XmlElement, index: number): LifecycleRule {
  if (element.children.some(({ name }) => TRANSITIONS.includes(name)))
    throw s3Error('NotImplemented', {
      message: 'This server has one storage class: transitions are not implemented. Keep colder copies in a bucket of a foreign S3.',
    });
  if (element.children.some(({ name }) => !MEMBERS.includes(name))) throw s3Error('MalformedXML');
  const given = xmlExactText(element, 'ID') ?? '';
  if (given.length > ID_LENGTH_MAX) throw invalid(`ID length should not exceed allowed limit of ${ID_LENGTH_MAX}`);
  const status = xmlText(element, 'Status');
  if (status !== 'Enabled' && status !== 'Disabled') throw s3Error('MalformedXML');
  const filter = readFilter(element);
  const expiration = readExpiration(xmlChild(element, 'Expiration'));
  const noncurrent = xmlChild(element, 'NoncurrentVersionExpiration');
  const abort = xmlChild(element, 'AbortIncompleteMultipartUpload');
  if (expiration === undefined && noncurrent === undefined && abort === undefined)
    throw s3Error('InvalidRequest', { message: 'At least one action needs to be specified in a rule.' });
  const isSized = filter.sizeGreaterThan !== undefined || filter.sizeLessThan !== undefined;
  if (isSized && (abort !== undefined || expiration?.kind === 'delete-marker'))
    throw s3Error('InvalidRequest', { message: 'A rule about incomplete uploads or expired delete markers cannot be about sizes.' });
  const rule = {
    isEnabled: status === 'Enabled',
    filter,
    ...(expiration && { expiration }),
    ...(noncurrent && { noncurrentExpiration: readNoncurrent(noncurrent) }),
    ...(abort && { abortDays: readDays(abort, 'DaysAfterInitiation') }),
  };
  return { id: given === '' ? madeUpId(index, rule) : given, ...rule };
}

/** The same document gives the same ids, so that a call that waits for approval is known again. */
function madeUpId(index: number, rule: Omit<LifecycleRule, 'id'>): string {
  return createHash('sha256')
    .update(JSON.stringify([index, rule]))
    .digest('base64url')
    .slice(0, 32);
}

function readFilter(rule: XmlElement): LifecycleFilter {
  const [filter, legacy] = [xmlChild(rule, 'Filter'), xmlExactText(rule, 'Prefix')];
  if ((filter === undefined) === (legacy === undefined)) throw s3Error('MalformedXML');
  if (filter === undefined) return { prefix: legacy!, isLegacy: true };
  const and = xmlChild(filter, 'And');
  if ((and !== undefined && filter.children.length > 1) || (and === undefined && filter.children.length > 1)) throw s3Error('MalformedXML');
  const members = and ?? filter;
  if (members.children.some(({ name }) => name === 'Tag'))
    throw s3Error('NotImplemented', { message: 'Objects have no tags on this server: a rule about tags is not implemented.' });
  if (members.children.some(({ name }) => !['Prefix', 'ObjectSizeGreaterThan', 'ObjectSizeLessThan'].includes(name)))
    throw s3Error('MalformedXML');
  const prefix = xmlExactText(members, 'Prefix');
  const [sizeGreaterThan, sizeLessThan] = [readSize(members, 'ObjectSizeGreaterThan'), readSize(members, 'ObjectSizeLessThan')];
  if (sizeGreaterThan !== undefined && sizeLessThan !== undefined && sizeLessThan <= sizeGreaterThan + 1)
    throw s3Error('InvalidRequest', { message: 'ObjectSizeLessThan has to be a value greater than ObjectSizeGreaterThan.' });
  return {
    ...(prefix !== undefined && { prefix }),
    ...(sizeGreaterThan !== undefined && { sizeGreaterThan }),
    ...(sizeLessThan !== undefined && { sizeLessThan }),
  };
}

function readSize(element: XmlElement, name: string): number | undefined {
  const text = xmlText(element, name);
  if (text === undefined) return undefined;
  if (!/^\d{1,15}$/.test(text)) throw s3Error('MalformedXML');
  return Number(text);
}

function readExpiration(element: XmlElement | undefined): LifecycleExpiration | undefined {
  if (element === undefined) return undefined;
  const [date, marker] = [xmlText(element, 'Date'), xmlText(element, 'ExpiredObjectDeleteMarker')];
  if (element.children.length !== 1) throw s3Error('MalformedXML');
  if (date !== undefined) {
    const atMs = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?)?$/.test(date) ? Date.parse(date) : Number.NaN;
    if (Number.isNaN(atMs)) throw s3Error('MalformedXML');
    if (atMs % DAY_MS !== 0) throw invalid("'Date' must be at midnight GMT");
    return { kind: 'date', atMs };
  }
  if (marker !== undefined) {
    if (marker !== 'true') throw s3Error('MalformedXML');
    return { kind: 'delete-marker' };
  }
  return { kind: 'days', days: readDays(element, 'Days') };
}

function readNoncurrent(element: XmlElement): NonNullable<LifecycleRule['noncurrentExpiration']> {
  const days = readDays(element, 'NoncurrentDays');
  const text = xmlText(element, 'NewerNoncurrentVersions');
  if (text === undefined) return { days };
  const keptCount = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (keptCount < 1 || keptCount > KEPT_MAX) throw invalid(`'NewerNoncurrentVersions' must be 1 to ${KEPT_MAX}`);
  return { days, keptCount };
}

function readDays(element: XmlElement, name: string): number {
  const text = xmlText(element, name) ?? '';
  if (!/^-?\d{1,10}$/.test(text)) throw s3Error('MalformedXML');
  const days = Number(text);
  if (days < 1 || days > 2 ** 31 - 1) throw invalid(`'${name}' for the action must be a positive integer`);
  return days;
}

function invalid(message: string): Error {
  return s3Error('InvalidArgument', { message });
}
