/**
 * The tags of a bucket.
 *
 * Source: S3 API Reference, PutBucketTagging, GetBucketTagging, DeleteBucketTagging; Billing, "User-defined tag restrictions".
 */
import { isTagText } from '../../api/tags.ts';
import { parseXml, type XmlElement, xmlChild, xmlDocument, xmlExactText } from '../xml.ts';
import { changeBucket } from './change-bucket.ts';
import { s3Error } from './errors.ts';
import { receiveDocument } from './receive-body.ts';
import { answerXml, S3_NAMESPACE, type S3Call, type S3Decision } from './s3-call.ts';

const TAGS_MAX = 50;
const KEY_LENGTH_MAX = 128;
const VALUE_LENGTH_MAX = 256;

export async function getBucketTagging(call: S3Call): Promise<S3Decision> {
  const { name, tags } = await call.openBuiltInBucket();
  if (tags === undefined) throw s3Error('NoSuchTagSet', { details: { BucketName: name } });
  const Tag = tags.map(([Key, Value]) => ({ Key, Value }));
  return answerXml(xmlDocument('Tagging', { TagSet: { Tag } }, S3_NAMESPACE));
}

export async function putBucketTagging(call: S3Call): Promise<S3Decision> {
  const bucket = await call.openBuiltInBucket();
  const document = await receiveDocument(call);
  const tags = readTags(parseXml(document));
  return {
    bytesIn: document.length,
    requestParameters: { Tagging: { xmlns: S3_NAMESPACE, TagSet: { Tag: tags.map(([Key, Value]) => ({ Key, Value })) } } },
    ...changeBucket(call, bucket, { tags }, 204),
  };
}

export async function deleteBucketTagging(call: S3Call): Promise<S3Decision> {
  const bucket = await call.openBuiltInBucket();
  return changeBucket(call, bucket, { tags: null }, 204);
}

/** @throws ApiError MalformedXML, InvalidTag */
function readTags(root: XmlElement): readonly (readonly [key: string, value: string])[] {
  const set = xmlChild(root, 'TagSet');
  if (root.name !== 'Tagging' || set === undefined || set.children.some(({ name }) => name !== 'Tag')) throw s3Error('MalformedXML');
  const tags = set.children.map((tag) => {
    const [key, value] = [xmlExactText(tag, 'Key'), xmlExactText(tag, 'Value')];
    if (key === undefined || value === undefined) throw s3Error('MalformedXML');
    return [key, value] as const;
  });
  if (tags.length > TAGS_MAX) throw s3Error('BadRequest', { message: `Bucket tag count cannot be greater than ${TAGS_MAX}` });
  for (const [key, value] of tags) {
    if (key === '' || key.length > KEY_LENGTH_MAX || !isTagText(key)) throw invalid('The TagKey you have provided is invalid', key);
    if (/^aws:/i.test(key)) throw invalid('System tags cannot be added/updated by requester', key);
    if (value.length > VALUE_LENGTH_MAX || !isTagText(value)) throw invalid('The TagValue you have provided is invalid', key);
    if (tags.filter(([other]) => other === key).length > 1) throw invalid('Cannot provide multiple Tags with the same key', key);
  }
  return tags;
}

function invalid(message: string, key: string): Error {
  return s3Error('InvalidTag', { message, details: { TagKey: key.slice(0, KEY_LENGTH_MAX) } });
}
