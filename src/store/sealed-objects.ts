/**
 * Objects that are encrypted at rest, over a store that keeps bytes as they are.
 *
 * With a data key a body is encrypted on its way in: it never lies on the disk in the clear, also not while it is staged. Without one
 * it goes through as it is. Sizes, ranges, ETags and conditional puts are those of the plain bytes; a put is repeated with another data
 * key and still is the same, which a keyed hash of the plain bytes tells.
 * The ETag is the MD5 of the plain bytes for `AES256`, and that of the encrypted ones for `aws:kms`, as S3 has it.
 * Who may have a data key is decided by whoever gives it.
 */
import { createHash, createHmac, hash } from 'node:crypto';
import type { BucketName, ObjectKey } from '../event/types.ts';
import type { Chance } from './clock.ts';
import {
  type DataKey,
  ObjectConflict,
  ObjectDamaged,
  type ObjectInfo,
  type Objects,
  ObjectsError,
  type PutOptions,
  type StagedObject,
} from './objects.ts';
import { cutRange, isAlike, keptOptions } from './objects-rules.ts';
import { bodyKey, openPieces, sealedRange, sealPieces } from './seal-pieces.ts';

const SALT_BYTES = 16;

export interface SealObjectsOptions {
  /** 32 bytes, the same at each start: it keys the hashes that tell equal bodies apart from others. */
  readonly contentKey: Uint8Array;
  readonly chance: Pick<Chance, 'bytes'>;
}

/** Plain facts of a body that was encrypted. */
interface PlainBody {
  readonly sizeBytes: number;
  readonly md5Hex: string;
  /** Keyed. */
  readonly content: string;
}

/** The store behind is closed with it. */
export function sealObjects(inner: Objects, { contentKey, chance }: SealObjectsOptions): Objects {
  const contentOf = (sha256: Uint8Array) => createHmac('sha256', contentKey).update(sha256).digest('hex');

  async function stage(body: AsyncIterable<Uint8Array>, dataKey: DataKey | undefined): Promise<StagedObject> {
    if (dataKey === undefined) return inner.stage(body);
    const salt = chance.bytes(SALT_BYTES);
    const key = bodyKey(dataKey.plain, salt);
    const plain = new PlainFacts();
    const staged = await inner.stage(sealPieces(plain.watch(body), key));
    const { sizeBytes, md5Hex, sha256 } = plain.facts();
    const facts = { sizeBytes, md5Hex, content: contentOf(sha256) };
    const damaged = (detail: string) => new ObjectsError('InternalError', `a staged body is damaged: ${detail}`);
    return {
      sizeBytes,
      md5Hex,
      read: () => openPieces(staged.read(), key, { sizeBytes, from: 0, to: sizeBytes }, damaged),
      commit: (bucket, objectKey, options) =>
        unlessSame(bucket, objectKey, facts, options, () => staged.commit(bucket, objectKey, sealedOptions(options, dataKey, salt, facts))),
      discard: () => staged.discard(),
    };
  }

  function sealedOptions(options: PutOptions, { encryption }: DataKey, salt: Uint8Array, facts: PlainBody): PutOptions {
    const { dataKey: _, ...rest } = options;
    const { sizeBytes, content } = facts;
    return {
      ...rest,
      ...(encryption.algorithm === 'AES256' && { etag: options.etag ?? facts.md5Hex }),
      encryption: { ...encryption, sealed: { salt: Buffer.from(salt).toString('base64'), sizeBytes, content } },
    };
  }

  /** Puts; a conditional put that finds the same plain bytes, however encrypted, has succeeded. */
  async function unlessSame(
    bucket: BucketName,
    key: ObjectKey,
    body: PlainBody,
    options: PutOptions,
    put: () => Promise<ObjectInfo>,
  ): Promise<ObjectInfo> {
    try {
      return plainInfo(await put());
    } catch (error) {
      if (!(error instanceof ObjectConflict) || !options.ifNoneMatch) throw error;
      const there = await inner.head(bucket, key);
      if (there === undefined || !isAlike(plainInfo(there), { ...keptOptions(options), sizeBytes: body.sizeBytes })) throw error;
      if ((await contentThere(bucket, key)) !== body.content) throw error;
      return plainInfo(there);
    }
  }

  /** @throws ObjectDamaged where its file has another size, which a hash that was written down does not tell. */
  async function contentThere(bucket: BucketName, key: ObjectKey): Promise<string | undefined> {
    const found = await inner.get(bucket, key);
    if (found === undefined) return undefined;
    const sealed = found.info.encryption?.sealed;
    if (sealed !== undefined) {
      await leave(found.body);
      return sealed.content;
    }
    const sha256 = createHash('sha256');
    for await (const piece of found.body) sha256.update(piece);
    return contentOf(sha256.digest());
  }

  const get: Objects['get'] = async (bucket, key, options = {}) => {
    const { versionId, range, openKey } = options;
    const version = versionId === undefined ? {} : { versionId };
    const info = range === undefined ? undefined : await inner.head(bucket, key, versionId);
    const before = info?.encryption?.sealed;
    const wanted = range && before && cutRange(before.sizeBytes, range);
    const innerRange = wanted ? sealedRange(before!.sizeBytes, wanted) : range;
    const found = await inner.get(bucket, key, { ...version, ...(innerRange && { range: innerRange }) });
    if (found === undefined) return undefined;
    const { encryption } = found.info;
    const sealed = encryption?.sealed;
    if (range !== undefined && sealed?.salt !== before?.salt) {
      // Another object is there by now.
      await leave(found.body);
      return get(bucket, key, options);
    }
    if (encryption === undefined || sealed === undefined) return found;
    try {
      if (openKey === undefined) throw new ObjectsError('AccessDenied', `\`${bucket}/${key}\` is encrypted, and no key was given for it`);
      const dataKey = await openKey({ ...encryption, dataKey: encryption.dataKey! });
      const { from, to } = wanted ?? { from: 0, to: sealed.sizeBytes };
      const damaged = (detail: string) => new ObjectDamaged(bucket, key, detail);
      const place = { sizeBytes: sealed.sizeBytes, from, to };
      return {
        info: plainInfo(found.info),
        body: closing(openPieces(found.body, bodyKey(dataKey, Buffer.from(sealed.salt, 'base64')), place, damaged), found.body),
      };
    } catch (error) {
      await leave(found.body);
      throw error;
    }
  };

  return {
    ...passedOn(inner),
    put: async (bucket, key, body, options = {}) => {
      const facts = { sizeBytes: body.length, md5Hex: '', content: options.ifNoneMatch ? contentOf(hash('sha256', body, 'buffer')) : '' };
      if (options.dataKey === undefined) return unlessSame(bucket, key, facts, options, () => inner.put(bucket, key, body, options));
      const staged = await stage(once(body), options.dataKey);
      try {
        return await staged.commit(bucket, key, options);
      } finally {
        await staged.discard();
      }
    },
    stage,
    join: (parts, dataKey) => (dataKey === undefined ? inner.join(parts) : stage(joined(parts), dataKey)),
    head: async (bucket, key, versionId) => {
      const info = await inner.head(bucket, key, versionId);
      return info && plainInfo(info);
    },
    get,
    list: async (bucket, options) => {
      const page = await inner.list(bucket, options);
      return { ...page, objects: page.objects.map(plainInfo) };
    },
    listVersions: async (bucket, options) => {
      const page = await inner.listVersions(bucket, options);
      return { ...page, versions: page.versions.map(plainInfo) };
    },
    protect: async (bucket, key, versionId, change) => {
      const info = await inner.protect(bucket, key, versionId, change);
      return info && plainInfo(info);
    },
  };
}

function passedOn(
  inner: Objects,
): Pick<Objects, 'createBucket' | 'getBucket' | 'listBuckets' | 'updateBucket' | 'deleteBucket' | 'delete' | 'close'> {
  return {
    createBucket: (bucket) => inner.createBucket(bucket),
    getBucket: (name) => inner.getBucket(name),
    listBuckets: (owner) => inner.listBuckets(owner),
    updateBucket: (name, change, expected) => inner.updateBucket(name, change, expected),
    deleteBucket: (name) => inner.deleteBucket(name),
    delete: (bucket, key, versionId, options) => inner.delete(bucket, key, versionId, options),
    close: () => inner.close(),
  };
}

/** As a reader sees it: with the size of the plain bytes. */
function plainInfo(info: ObjectInfo): ObjectInfo {
  const sealed = info.encryption?.sealed;
  return sealed === undefined ? info : { ...info, sizeBytes: sealed.sizeBytes };
}

/** Size and hashes of a body that goes by. */
class PlainFacts {
  #sizeBytes = 0;
  readonly #md5 = createHash('md5');
  readonly #sha256 = createHash('sha256');

  async *watch(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const piece of body) {
      this.#sizeBytes += piece.length;
      this.#md5.update(piece);
      this.#sha256.update(piece);
      yield piece;
    }
  }

  /** Once, when it has gone by. */
  facts(): { readonly sizeBytes: number; readonly md5Hex: string; readonly sha256: Uint8Array } {
    return { sizeBytes: this.#sizeBytes, md5Hex: this.#md5.digest('hex'), sha256: this.#sha256.digest() };
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}

async function* joined(parts: readonly StagedObject[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield* part.read();
}

/** The pieces of a body. A reader that leaves before the first one closes the body, too: a generator that was not begun would not. */
function closing(pieces: AsyncGenerator<Uint8Array>, body: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const iterator: AsyncIterator<Uint8Array> = {
    next: () => pieces.next(),
    async return() {
      await pieces.return(undefined);
      await leave(body);
      return { done: true, value: undefined };
    },
  };
  return { [Symbol.asyncIterator]: () => iterator };
}

/** Closes a body that nobody reads. */
async function leave(body: AsyncIterable<Uint8Array>): Promise<void> {
  await body[Symbol.asyncIterator]().return?.();
}
