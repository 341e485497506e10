import { hash } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import type { AccountId, BucketName, ObjectKey, Region } from '../event/types.ts';
import { createManualClock, createSeededChance } from './memory/clock.ts';
import { createMemoryObjects } from './memory/objects.ts';
import { type DataKey, ObjectDamaged, type Objects } from './objects.ts';
import { sealObjects } from './sealed-objects.ts';

const BUCKET = 'sealed' as BucketName;
const KEY = 'object' as ObjectKey;
const clock = createManualClock({ startMs: Date.UTC(2026, 0, 2) });
const kms: DataKey = { plain: new Uint8Array(32).fill(7), encryption: { algorithm: 'aws:kms', keyArn: 'arn:key', dataKey: 'd3JhcA==' } };
const other: DataKey = { ...kms, plain: new Uint8Array(32).fill(8) };
const openKey = async () => kms.plain;
/** A little more than three pieces. */
const body = Buffer.from(Array.from({ length: 3 * 65_536 + 5 }, (_, at) => (at * 31) & 255));

let inner: Objects;
let objects: Objects;

beforeEach(async () => {
  inner = createMemoryObjects({ clock, chance: createSeededChance('inner') });
  objects = sealObjects(inner, { contentKey: new Uint8Array(32), chance: createSeededChance('seal') });
  const bucket = { name: BUCKET, owner: '111111111111' as AccountId, region: 'us-east-1' as Region, createdAtMs: 0 };
  await objects.createBucket({ ...bucket, versioning: 'Off' });
});

async function read(store: Objects, options: Parameters<Objects['get']>[2] = {}): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of (await store.get(BUCKET, KEY, options))!.body) pieces.push(piece);
  return Buffer.concat(pieces);
}

describe('an object that is put with a data key', () => {
  test('lies at rest as other bytes, and is read as it was put, with its own size', async () => {
    await objects.put(BUCKET, KEY, body, { dataKey: kms });
    expect((await read(inner)).includes(body.subarray(100, 132))).toBe(false);
    expect((await read(objects, { openKey })).equals(body)).toBe(true);
    expect(await objects.head(BUCKET, KEY)).toMatchObject({
      sizeBytes: body.length,
      encryption: { algorithm: 'aws:kms', keyArn: 'arn:key' },
    });
    expect((await objects.list(BUCKET, { limit: 10 })).objects).toMatchObject([{ sizeBytes: body.length }]);
  });

  test('is not staged in the clear either', async () => {
    let staged = Buffer.alloc(0);
    const watching: Objects = {
      ...inner,
      stage: async (pieces) => {
        const found = await inner.stage(pieces);
        for await (const piece of found.read()) staged = Buffer.concat([staged, piece]);
        return found;
      },
    };
    await sealObjects(watching, { contentKey: new Uint8Array(32), chance: createSeededChance('seal') }).put(BUCKET, KEY, body, {
      dataKey: kms,
    });
    expect([staged.length > body.length, staged.includes(body.subarray(100, 132))]).toEqual([true, false]);
  });

  test.each([
    [0, 0],
    [65_535, 65_536],
    [65_536, 131_071],
    [10, 3 * 65_536 + 4],
    [3 * 65_536, 4 * 65_536],
  ])('gives bytes %i to %i alone', async (first, last) => {
    await objects.put(BUCKET, KEY, body, { dataKey: kms });
    expect((await read(objects, { openKey, range: [first, last] })).equals(body.subarray(first, last + 1))).toBe(true);
  });

  test('is refused to a reader without its key, and with another one', async () => {
    await objects.put(BUCKET, KEY, body, { dataKey: kms });
    await expect(objects.get(BUCKET, KEY)).rejects.toThrow(/is encrypted/);
    await expect(read(objects, { openKey: async () => other.plain })).rejects.toThrow(/is damaged/);
  });

  test('leaves nothing open when its reader goes before the first byte', async () => {
    await objects.put(BUCKET, KEY, body, { dataKey: kms });
    let isOpen = true;
    const get: Objects['get'] = async (...given) => {
      const found = (await inner.get(...given))!;
      const end = { done: true, value: undefined } as const;
      const close = async () => {
        isOpen = false;
        return end;
      };
      return { ...found, body: { [Symbol.asyncIterator]: () => ({ next: async () => end, return: close }) } };
    };
    const watching = sealObjects({ ...inner, get }, { contentKey: new Uint8Array(32), chance: createSeededChance('open') });
    const found = await watching.get(BUCKET, KEY, { openKey });
    await found!.body[Symbol.asyncIterator]().return?.();
    expect(isOpen).toBe(false);
  });

  test('is damaged when a bit of it is changed, a piece is moved, or its end is cut off', async () => {
    await objects.put(BUCKET, KEY, body, { dataKey: kms });
    const info = (await inner.head(BUCKET, KEY))!;
    const atRest = await read(inner);
    const piece = 65_552;
    const flipped = Buffer.from(atRest);
    flipped[piece + 3]! ^= 1;
    const swapped = Buffer.concat([atRest.subarray(piece, 2 * piece), atRest.subarray(0, piece), atRest.subarray(2 * piece)]);
    for (const changed of [flipped, swapped, atRest.subarray(0, 3 * piece), atRest.subarray(0, piece)]) {
      await inner.put(BUCKET, KEY, changed, { encryption: info.encryption! });
      await expect(read(objects, { openKey })).rejects.toThrow(/is damaged/);
    }
  });

  test('has an ETag that is the MD5 of its bytes under a key of the store, and is not under a KMS key', async () => {
    const md5 = hash('md5', body);
    expect((await objects.put(BUCKET, KEY, body, { dataKey: kms })).etag).not.toBe(md5);
    const own: DataKey = { plain: kms.plain, encryption: { algorithm: 'AES256', dataKey: 'd3JhcA==' } };
    expect((await objects.put(BUCKET, KEY, body, { dataKey: own })).etag).toBe(md5);
  });
});

describe('a conditional put of the same bytes', () => {
  test('succeeds whatever the object there is encrypted with, and takes no key to tell', async () => {
    const keys = [{ dataKey: kms }, { dataKey: other }, {}];
    for (const there of keys)
      for (const repeated of keys) {
        await objects.put(BUCKET, KEY, body, there);
        const { etag } = (await inner.head(BUCKET, KEY))!;
        expect(await objects.put(BUCKET, KEY, body, { ...repeated, ifNoneMatch: true })).toMatchObject({ etag, sizeBytes: body.length });
      }
  });

  test('is damaged where the object there is: what cannot be read any more is not taken for put', async () => {
    await objects.put(BUCKET, KEY, body, { dataKey: kms });
    const get: Objects['get'] = async () => {
      throw new ObjectDamaged(BUCKET, KEY, 'its file is shorter');
    };
    const damaged = sealObjects({ ...inner, get }, { contentKey: new Uint8Array(32), chance: createSeededChance('again') });
    await expect(damaged.put(BUCKET, KEY, body, { dataKey: kms, ifNoneMatch: true })).rejects.toThrow(ObjectDamaged);
  });

  test('is refused for other bytes and for other metadata', async () => {
    await objects.put(BUCKET, KEY, body, { dataKey: kms });
    for (const [bytes, metadata] of [
      [Buffer.from('other'), {}],
      [body, { a: 'b' }],
    ] as const)
      await expect(objects.put(BUCKET, KEY, bytes, { dataKey: kms, ifNoneMatch: true, metadata })).rejects.toThrow(/holds other bytes/);
  });
});
