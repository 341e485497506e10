/**
 * S3's calls on uploads in parts.
 *
 * Source: S3 API Reference, CreateMultipartUpload, UploadPart, UploadPartCopy, CompleteMultipartUpload,
 * AbortMultipartUpload, ListParts, ListMultipartUploads.
 */
import { createHash } from 'node:crypto';
import { isUploadOver } from '../../store/lifecycle.ts';
import type { Bucket } from '../../store/objects.ts';
import { parseXml, type XmlFields, xmlDocument, xmlText } from '../xml.ts';
import {
  ALGORITHMS,
  Checksummer,
  checksumElement,
  checksumHeader,
  checksumType,
  isChecksum,
  joinChecksums,
  parseAlgorithm,
} from './checksums.ts';
import { parseRange } from './conditions.ts';
import { findCopySource, openCopySource, tap } from './copy-object.ts';
import { encryptionHeaders, readEncryption, refuseEncryption } from './encryption.ts';
import { s3Error } from './errors.ts';
import { listParameters } from './list-objects.ts';
import type { Part, Upload } from './multipart-uploads.ts';
import { checksumElements, versionHeader } from './object-headers.ts';
import { refuseLockHeaders } from './object-lock.ts';
import { checkIfNoneMatch, commitObject, readPutOptions, refuseUnkept } from './put-object.ts';
import { receiveDocument, receiveNothing, receiveObject } from './receive-body.ts';
import { answerXml, canonicalId, empty, S3_NAMESPACE, type S3Call, type S3Decision } from './s3-call.ts';

const PART_NUMBER_MAX = 10_000;
/** All parts but the last. */
const PART_BYTES_MIN = 5 * 1024 * 1024;
const PARTS_PAGE_MAX = 1_000;

export async function createMultipartUpload(call: S3Call): Promise<S3Decision> {
  const bucket = await call.openBucket();
  const { name } = bucket;
  const { uploads, call: caller } = call.request;
  const { key } = call;
  refuseUnkept(call, bucket);
  await receiveNothing(call);
  const wanted = call.header('x-amz-checksum-algorithm');
  const type = call.header('x-amz-checksum-type');
  if (wanted === undefined && type !== undefined)
    throw s3Error('InvalidRequest', {
      message: 'The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.',
    });
  const algorithm = wanted === undefined ? undefined : parseAlgorithm(wanted);
  const checksum = algorithm === undefined ? undefined : { algorithm, type: checksumType(algorithm, type) };
  const { dataKey, ...asked } = await readEncryption(call, bucket);
  const options = { ...readPutOptions(call, bucket), ...asked };
  const uploadId = uploads.newId();
  const text = xmlDocument('InitiateMultipartUploadResult', { Bucket: name, Key: key, UploadId: uploadId }, S3_NAMESPACE);
  const headers: Record<string, string> = {
    ...encryptionHeaders(dataKey ?? asked),
    ...(checksum === undefined ? {} : { 'x-amz-checksum-algorithm': checksum.algorithm, 'x-amz-checksum-type': checksum.type }),
  };
  return {
    bytesIn: 0,
    bytesOut: text.length,
    apply: async () => {
      await uploads.begin(uploadId, {
        account: caller.account,
        bucket: name,
        key,
        options,
        ...(dataKey === undefined ? {} : { dataKey }),
        ...(checksum === undefined ? {} : { checksum }),
      });
      return { status: 200, headers: { 'content-type': 'application/xml', ...headers }, text };
    },
  };
}

export async function uploadPart(call: S3Call): Promise<S3Decision> {
  const bucket = await call.openBucket();
  refuseUnkept(call, bucket);
  refuseEncryption(call);
  refuseLockHeaders(call);
  const upload = findUpload(call, bucket);
  const number = partNumber(call);
  const { staged, checksum } = await receiveObject(call, { computed: upload.target.checksum?.algorithm, dataKey: upload.target.dataKey });
  const algorithm = upload.target.checksum?.algorithm;
  if (algorithm !== undefined && checksum?.algorithm !== algorithm) {
    await staged.discard();
    throw s3Error('InvalidRequest', {
      message: `Checksum Type mismatch occurred, expected checksum Type: ${algorithm.toLowerCase()}, actual checksum Type: ${checksum?.algorithm.toLowerCase() ?? 'null'}`,
    });
  }
  return {
    bytesIn: staged.sizeBytes,
    bytesOut: 0,
    discard: () => staged.discard(),
    apply: async () => {
      const { md5Hex: etag, sizeBytes } = staged;
      await upload.setPart({
        number,
        staged,
        etag,
        sizeBytes,
        modifiedAtMs: call.request.clock.nowMs(),
        ...(algorithm === undefined ? {} : { checksum: checksum!.value }),
      });
      return empty(200, { etag: `"${etag}"`, ...(checksum === undefined ? {} : { [checksumHeader(checksum.algorithm)]: checksum.value }) });
    },
  };
}

export async function uploadPartCopy(call: S3Call): Promise<S3Decision> {
  const bucket = await call.openBucket();
  refuseUnkept(call, bucket);
  refuseEncryption(call);
  refuseLockHeaders(call);
  await receiveNothing(call);
  const upload = findUpload(call, bucket);
  const number = partNumber(call);
  const source = await findCopySource(call);
  const wanted = call.header('x-amz-copy-source-range');
  const range = wanted === undefined ? undefined : parseRange(wanted, source.info.sizeBytes);
  if (wanted !== undefined && (range === undefined || !/^bytes=\d+-\d+$/.test(wanted))) {
    throw s3Error('InvalidArgument', {
      message:
        'The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy',
    });
  }
  const algorithm = upload.target.checksum?.algorithm;
  const summer = algorithm === undefined ? undefined : new Checksummer(algorithm);
  const staged = await call.objects.stage(tap(await openCopySource(call, source, range), summer), upload.target.dataKey);
  const checksum = summer?.digest();
  return {
    bytesIn: 0,
    discard: () => staged.discard(),
    apply: async () => {
      const modifiedAtMs = call.request.clock.nowMs();
      const { md5Hex: etag, sizeBytes } = staged;
      await upload.setPart({ number, staged, etag, sizeBytes, modifiedAtMs, ...(checksum === undefined ? {} : { checksum }) });
      const element = algorithm === undefined ? {} : { [checksumElement(algorithm)]: checksum };
      const text = xmlDocument(
        'CopyPartResult',
        { LastModified: new Date(modifiedAtMs).toISOString(), ETag: `"${etag}"`, ...element },
        S3_NAMESPACE,
      );
      return { status: 200, headers: { 'content-type': 'application/xml' }, text };
    },
  };
}

export async function completeMultipartUpload(call: S3Call): Promise<S3Decision> {
  const bucket = await call.openBucket();
  const { name } = bucket;
  const { key } = call;
  const {
    uploads,
    parts: { headers: _headers, ...target },
  } = call.request;
  const upload = findUpload(call, bucket);
  const document = await receiveDocument(call, { checksumOf: 'object' });
  const parts = chooseParts(upload, document);
  const mustBeFree = await checkIfNoneMatch(call, name, key);
  const etag = `${createHash('md5')
    .update(Buffer.concat(parts.map((part) => Buffer.from(part.etag, 'hex'))))
    .digest('hex')}-${parts.length}`;
  const checksums = wholeChecksum(call, upload, parts);
  const size = call.header('x-amz-mp-object-size');
  const sizeBytes = parts.reduce((sum, part) => sum + part.sizeBytes, 0);
  if (size !== undefined && size !== `${sizeBytes}`)
    throw s3Error('InvalidRequest', {
      message: `The provided 'x-amz-mp-object-size' header value ${size.slice(0, 20)} does not match what was computed: ${sizeBytes}`,
    });
  // From here on no part may change; when the call fails the upload is open again.
  if (upload.isClosed) throw s3Error('NoSuchUpload', { details: { UploadId: upload.id } });
  upload.isClosed = true;
  const reopen = (): void => {
    upload.isClosed = false;
  };
  const staged = await call.objects
    .join(
      parts.map((part) => part.staged),
      upload.target.dataKey,
    )
    .catch((error: unknown) => {
      reopen();
      throw error;
    });
  return {
    bytesIn: document.length,
    discard: async () => {
      reopen();
      await staged.discard();
    },
    apply: async () => {
      const info = await commitObject(call, staged, {
        ...upload.target.options,
        etag,
        ...(checksums === undefined ? {} : { checksums }),
        ...(mustBeFree ? { mustBeFree } : {}),
      });
      await uploads.end(upload);
      const location = `http://${call.header('host') ?? ''}${target.path}`;
      const text = xmlDocument(
        'CompleteMultipartUploadResult',
        { Location: location, Bucket: name, Key: key, ETag: `"${etag}"`, ...checksumElements(info) },
        S3_NAMESPACE,
      );
      return { status: 200, headers: { 'content-type': 'application/xml', ...encryptionHeaders(info), ...versionHeader(info) }, text };
    },
  };
}

export async function abortMultipartUpload(call: S3Call): Promise<S3Decision> {
  const bucket = await call.openBucket();
  const upload = findUpload(call, bucket);
  return {
    bytesOut: 0,
    apply: async () => {
      await call.request.uploads.end(upload);
      return empty(204);
    },
  };
}

export async function listParts(call: S3Call): Promise<S3Decision> {
  const bucket = await call.openBucket();
  const { name } = bucket;
  const upload = findUpload(call, bucket);
  const limit = Math.max(1, call.whole('max-parts', { fallback: PARTS_PAGE_MAX, max: PARTS_PAGE_MAX }));
  const marker = call.whole('part-number-marker', { fallback: 0, max: PART_NUMBER_MAX });
  const { write, encodingType } = listParameters(call);
  const after = upload.parts().filter((part) => part.number > marker);
  const page = after.slice(0, limit);
  const owner = { ID: canonicalId(call.owner) };
  const algorithm = upload.target.checksum?.algorithm;
  return answerXml(
    xmlDocument(
      'ListPartsResult',
      {
        Bucket: name,
        EncodingType: encodingType,
        Key: write(call.key),
        UploadId: upload.id,
        Initiator: owner,
        Owner: owner,
        StorageClass: 'STANDARD',
        PartNumberMarker: marker,
        NextPartNumberMarker: page.at(-1)?.number ?? 0,
        MaxParts: limit,
        IsTruncated: after.length > page.length,
        ChecksumAlgorithm: algorithm,
        ChecksumType: upload.target.checksum?.type,
        Part: page.map((part) => ({
          PartNumber: part.number,
          LastModified: new Date(part.modifiedAtMs).toISOString(),
          ETag: `"${part.etag}"`,
          Size: part.sizeBytes,
          ...(algorithm === undefined ? {} : { [checksumElement(algorithm)]: part.checksum }),
        })),
      },
      S3_NAMESPACE,
    ),
  );
}

export async function listMultipartUploads(call: S3Call): Promise<S3Decision> {
  const bucket = await call.openBucket();
  const { name } = bucket;
  const { prefix, delimiter, limit, write, encodingType } = listParameters(call, 'max-uploads');
  const keyMarker = call.param('key-marker') ?? '';
  const idMarker = call.param('upload-id-marker') ?? '';
  const all = call.request.uploads.list(name).filter((upload) => upload.target.key.startsWith(prefix) && isThere(call, bucket, upload));
  const markerAt = all.findIndex(({ id, target }) => target.key === keyMarker && id === idMarker);
  const isAfter = ({ target }: Upload, index: number): boolean =>
    markerAt >= 0 ? index > markerAt : keyMarker === '' || Buffer.compare(Buffer.from(target.key), Buffer.from(keyMarker)) > 0;

  const listed: Upload[] = [];
  const common = new Set<string>();
  let last: Upload | undefined;
  let isTruncated = false;
  for (const upload of all.filter(isAfter)) {
    const { key } = upload.target;
    const end = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
    const folded = end < 0 ? undefined : key.slice(0, end + delimiter.length);
    if (folded !== undefined && (common.has(folded) || folded === keyMarker)) {
      last = upload;
      continue;
    }
    if (listed.length + common.size >= limit) {
      isTruncated = true;
      break;
    }
    if (folded === undefined) listed.push(upload);
    else common.add(folded);
    last = upload;
  }
  const owner = { ID: canonicalId(call.owner) };
  const entry = (upload: Upload): XmlFields => ({
    Key: write(upload.target.key),
    UploadId: upload.id,
    Initiator: owner,
    Owner: owner,
    StorageClass: 'STANDARD',
    Initiated: new Date(upload.initiatedAtMs).toISOString(),
    ChecksumAlgorithm: upload.target.checksum?.algorithm,
    ChecksumType: upload.target.checksum?.type,
  });
  return answerXml(
    xmlDocument(
      'ListMultipartUploadsResult',
      {
        Bucket: name,
        KeyMarker: write(keyMarker),
        UploadIdMarker: idMarker,
        NextKeyMarker: isTruncated && last !== undefined ? write(last.target.key) : undefined,
        NextUploadIdMarker: isTruncated ? last?.id : undefined,
        Delimiter: delimiter === '' ? undefined : write(delimiter),
        Prefix: write(prefix),
        EncodingType: encodingType,
        MaxUploads: limit,
        IsTruncated: isTruncated,
        Upload: listed.map(entry),
        CommonPrefixes: [...common].map((folded) => ({ Prefix: write(folded) })),
      },
      S3_NAMESPACE,
    ),
  );
}

/** An upload that a rule has ended is not there, though its parts go with the idle ones only. */
function isThere(call: S3Call, { lifecycle }: Bucket, { target, initiatedAtMs }: Upload): boolean {
  return !isUploadOver(lifecycle, { key: target.key, initiatedAtMs }, call.request.clock.nowMs());
}

function findUpload(call: S3Call, bucket: Bucket): Upload {
  const upload = call.request.uploads.find(call.bucket, call.key, call.param('uploadId') ?? '');
  if (!isThere(call, bucket, upload)) throw s3Error('NoSuchUpload', { details: { UploadId: upload.id } });
  return upload;
}

function partNumber(call: S3Call): number {
  const text = call.param('partNumber') ?? '';
  const number = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (number < 1 || number > PART_NUMBER_MAX) {
    throw s3Error('InvalidArgument', {
      message: `Part number must be an integer between 1 and ${PART_NUMBER_MAX}, inclusive`,
      details: { ArgumentName: 'partNumber', ArgumentValue: text.slice(0, 64) },
    });
  }
  return number;
}

/** The parts that the client lists. @throws ApiError MalformedXML, InvalidPart, InvalidPartOrder, EntityTooSmall */
function chooseParts(upload: Upload, document: Uint8Array): readonly Part[] {
  const root = parseXml(document);
  const listed = root.children.filter((child) => child.name === 'Part');
  if (root.name !== 'CompleteMultipartUpload' || listed.length === 0 || listed.length > PART_NUMBER_MAX) throw s3Error('MalformedXML');
  const { checksum } = upload.target;
  const parts = listed.map((element): Part => {
    const number = Number(xmlText(element, 'PartNumber'));
    const etag = (xmlText(element, 'ETag') ?? '').replace(/^"(.*)"$/, '$1');
    const part = upload.part(number);
    const given = checksum === undefined ? undefined : xmlText(element, checksumElement(checksum.algorithm));
    if (part === undefined || part.etag !== etag || (given !== undefined && given !== part.checksum)) {
      throw s3Error('InvalidPart', { details: { UploadId: upload.id, PartNumber: `${number}`, ETag: etag.slice(0, 128) } });
    }
    return part;
  });
  if (parts.some((part, index) => index > 0 && parts[index - 1]!.number >= part.number))
    throw s3Error('InvalidPartOrder', { details: { UploadId: upload.id } });
  const small = parts.slice(0, -1).find((part) => part.sizeBytes < PART_BYTES_MIN);
  if (small !== undefined) {
    throw s3Error('EntityTooSmall', {
      details: { ProposedSize: `${small.sizeBytes}`, MinSizeAllowed: `${PART_BYTES_MIN}`, PartNumber: `${small.number}`, ETag: small.etag },
    });
  }
  return parts;
}

/** The object's checksum, compared with the one that the client gives. @throws ApiError BadDigest, InvalidRequest */
function wholeChecksum(call: S3Call, upload: Upload, parts: readonly Part[]): Record<string, string> | undefined {
  const { checksum } = upload.target;
  if (checksum === undefined) return undefined;
  const { algorithm, type } = checksum;
  const value = joinChecksums(
    algorithm,
    type,
    parts.map((part) => ({ value: part.checksum!, sizeBytes: part.sizeBytes })),
  );
  for (const known of ALGORITHMS) {
    const given = call.header(checksumHeader(known));
    if (given === undefined) continue;
    const plain = given.replace(/-\d+$/, '');
    if (known !== algorithm || !isChecksum(known, plain))
      throw s3Error('InvalidRequest', { message: `Value for ${checksumHeader(known)} header is invalid.` });
    if (plain !== value.replace(/-\d+$/, ''))
      throw s3Error('BadDigest', { message: `The ${algorithm} you specified did not match the calculated checksum.` });
  }
  return { [algorithm]: value };
}
