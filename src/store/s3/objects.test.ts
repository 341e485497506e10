/**
 * How the client of a foreign S3 behaves when the store misbehaves. The store is a small server that answers as told;
 * real ones are in test/system/foreign-s3.test.ts.
 */
import { hash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { BucketName, ObjectKey } from '../../event/types.ts';
import { createSystemClock } from '../disk/clock.ts';
import { createManualClock, createSeededChance } from '../memory/clock.ts';
import { createMemoryObjects } from '../memory/objects.ts';
import { AddressRefused, createAddressGuard } from '../net/address-guard.ts';
import { ObjectConflict, ObjectDamaged, type Objects } from '../objects.ts';
import { type ForeignObjectsOptions, openForeignObjects } from './objects.ts';

const bucket = 'trail-bucket' as BucketName;
const key = 'AWSLogs/123456789012/CloudTrail/us-east-1/2026/01/02/a b+c.json.gz' as ObjectKey;
const body = new TextEncoder().encode('the bytes of a log file');
const md5 = hash('md5', body);
const delivery = { ifNoneMatch: true, acl: 'bucket-owner-full-control', contentType: 'application/json', contentEncoding: 'gzip' } as const;

interface Seen {
  readonly line: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}
type Answer = (request: Seen, response: ServerResponse) => void;

let server: ReturnType<typeof createServer>;
let endpoint: string;
let seen: Seen[];
let answers: Record<string, Answer>;
let objects: Objects;

const open = (more: Partial<ForeignObjectsOptions> = {}) => {
  const clock = createSystemClock();
  const staging = createMemoryObjects({ clock: createManualClock({ startMs: 0 }), chance: createSeededChance(1) });
  return openForeignObjects({
    endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'AK', secretAccessKey: 'SK' },
    clock,
    staging,
    ...more,
  });
};
const fail =
  (status: number, code?: string): Answer =>
  (_request, response) => {
    response.statusCode = status;
    response.end(code === undefined ? undefined : `<?xml version="1.0"?><Error><Code>${code}</Code><Message>no</Message></Error>`);
  };
const stored =
  (etag = md5, more: Record<string, string> = {}): Answer =>
  (_request, response) =>
    response.writeHead(200, { etag: `"${etag}"`, ...more }).end();
/** HEAD or GET of the object as a delivery puts it. */
const there =
  (bytes: Uint8Array = body, more: Record<string, string> = {}): Answer =>
  ({ line }, response) => {
    const headers = {
      etag: `"${hash('md5', bytes)}"`,
      'content-type': 'application/json',
      'content-encoding': 'gzip',
      'content-length': bytes.length,
    };
    response.writeHead(200, { ...headers, ...more }).end(line.startsWith('HEAD') ? undefined : bytes);
  };

beforeEach(async () => {
  seen = [];
  answers = { HEAD: fail(404), PUT: stored() };
  server = createServer(async (request, response) => {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    const one = { line: `${request.method} ${request.url}`, headers: request.headers, body: Buffer.concat(pieces) };
    seen.push(one);
    const answer = answers[request.method ?? ''];
    if (answer === undefined) return void response.writeHead(500).end();
    answer(one, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  objects = await open();
});
afterEach(async () => {
  await objects.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const methods = () => seen.map(({ line }) => line.split(' ')[0]);

describe('a delivery to a foreign bucket', () => {
  test('asks first, then puts with condition, MD5 and ACL, path-style and without checksum trailers', async () => {
    const info = await objects.put(bucket, key, body, { ...delivery, metadata: { signature: 'ab' } });
    expect(info).toMatchObject({ key, sizeBytes: body.length, etag: md5, versionId: null, metadata: { signature: 'ab' } });
    expect(methods()).toEqual(['HEAD', 'PUT']);
    const put = seen[1]!;
    expect(put.line).toMatch(/^PUT \/trail-bucket\/AWSLogs\/123456789012\/CloudTrail\/us-east-1\/2026\/01\/02\/a%20b%2Bc\.json\.gz/);
    expect(put.headers).toMatchObject({
      'if-none-match': '*',
      'content-md5': Buffer.from(md5, 'hex').toString('base64'),
      'x-amz-acl': 'bucket-owner-full-control',
      'x-amz-meta-signature': 'ab',
      'content-type': 'application/json',
      'content-encoding': 'gzip',
      'content-length': String(body.length),
    });
    expect(Object.keys(put.headers).filter((name) => /checksum|trailer|sdk-checksum/.test(name))).toEqual([]);
    expect(put.body.equals(Buffer.from(body))).toBe(true);
  });

  test('an equal object that is there counts as put, though the store would have taken a second version', async () => {
    answers['HEAD'] = there(body, { 'x-amz-version-id': 'v1' });
    expect(await objects.put(bucket, key, body, delivery)).toMatchObject({ etag: md5, versionId: 'v1' });
    expect(methods()).toEqual(['HEAD']);
  });

  test('other bytes, or other metadata, are a conflict and nothing is put', async () => {
    answers['HEAD'] = there(new TextEncoder().encode('the bytes of a log filE'));
    answers['GET'] = answers['HEAD'];
    await expect(objects.put(bucket, key, body, delivery)).rejects.toThrow(ObjectConflict);
    answers['HEAD'] = there(body, { 'x-amz-meta-signature': 'forged' });
    await expect(objects.put(bucket, key, body, { ...delivery, metadata: { signature: 'ours' } })).rejects.toThrow(ObjectConflict);
    expect(methods()).not.toContain('PUT');
  });

  test('where the ETag is not an MD5, the bytes themselves are compared', async () => {
    const kms = { etag: '"0123456789abcdef0123456789abcdef"', 'x-amz-server-side-encryption': 'aws:kms' };
    answers = { HEAD: there(body, kms), GET: there(body, kms) };
    await objects.put(bucket, key, body, delivery);
    const other = new TextEncoder().encode('the bytes of a log filE');
    answers = { HEAD: there(other, kms), GET: there(other, kms) };
    await expect(objects.put(bucket, key, body, delivery)).rejects.toThrow(ObjectConflict);
  });

  test('one who came between is noticed by the condition (412)', async () => {
    for (const [bytes, outcome] of [
      [body, 'same'],
      [new TextEncoder().encode('the bytes of a log filE'), 'other'],
    ] as const) {
      answers = {
        HEAD: fail(404),
        GET: there(bytes),
        PUT: (request, response) => {
          answers['HEAD'] = there(bytes);
          fail(412, 'PreconditionFailed')(request, response);
        },
      };
      const putting = objects.put(bucket, key, body, delivery);
      if (outcome === 'same') expect((await putting).etag).toBe(md5);
      else await expect(putting).rejects.toThrow(ObjectConflict);
    }
  });

  test('credentials that may not look still put', async () => {
    answers['HEAD'] = fail(403);
    expect((await objects.put(bucket, key, body, delivery)).etag).toBe(md5);
  });

  test('a put whose answer is lost fails with the reason, and its repeat finds the object (F19)', async () => {
    answers['PUT'] = (request) => {
      answers['HEAD'] = there(request.body);
      server.closeAllConnections();
    };
    await expect(objects.put(bucket, key, body, delivery)).rejects.toMatchObject({ name: 'ObjectsError', reason: 'ECONNRESET' });
    expect((await objects.put(bucket, key, body, delivery)).etag).toBe(md5);
    expect(methods()).toEqual(['HEAD', 'PUT', 'HEAD']);
  });

  test('a store that says it holds other bytes is not believed (F22)', async () => {
    answers['PUT'] = stored('0123456789abcdef0123456789abcdef');
    await expect(objects.put(bucket, key, body, delivery)).rejects.toMatchObject({ reason: 'BadDigest' });
    answers['PUT'] = stored('0123456789abcdef0123456789abcdef', { 'x-amz-server-side-encryption': 'aws:kms' });
    await objects.put(bucket, key, body, delivery);
  });

  test('what the store answers is the reason, and each failure costs one request (F17, F21)', async () => {
    const codes: [number, string][] = [
      [403, 'AccessDenied'],
      [404, 'NoSuchBucket'],
      [503, 'SlowDown'],
      [500, 'InternalError'],
      [400, 'KMS.DisabledException'],
    ];
    for (const [status, code] of codes) {
      seen = [];
      answers['PUT'] = fail(status, code);
      await expect(objects.put(bucket, key, body, { acl: 'bucket-owner-full-control' })).rejects.toMatchObject({ reason: code });
      expect(methods()).toEqual(['PUT']);
    }
    seen = [];
    answers['HEAD'] = fail(503);
    await expect(objects.put(bucket, key, body, delivery)).rejects.toMatchObject({ reason: 'ServiceUnavailable' });
    expect(methods()).toEqual(['HEAD']);
  });

  test('a store that does not know the condition gets the put without it', async () => {
    answers['PUT'] = (request, response) => (request.headers['if-none-match'] ? fail(501, 'NotImplemented') : stored())(request, response);
    await objects.put(bucket, key, body, delivery);
    expect(methods()).toEqual(['HEAD', 'PUT', 'PUT']);
  });

  test('a store that does not answer is given up after the time limit (F18)', async () => {
    const clock = createManualClock({ startMs: 0 });
    const slow = await open({ clock, timeoutMs: 5_000 });
    const arrived = new Promise<void>((resolve) => {
      answers['PUT'] = () => resolve();
    });
    const failed = expect(slow.put(bucket, key, body)).rejects.toMatchObject({ reason: 'RequestTimeout' });
    await arrived;
    await clock.advance(6_000);
    await failed;
    await slow.close();
  });

  test('where nobody listens, the reason is the system’s code (F16)', async () => {
    const nobody = await open({ endpoint: 'http://127.0.0.1:1' });
    await expect(nobody.put(bucket, key, body, delivery)).rejects.toMatchObject({ name: 'ObjectsError', reason: 'ECONNREFUSED' });
    await nobody.close();
  });

  test('with a guard, an endpoint that leads to a forbidden address is not called', async () => {
    const guarded = await open({ outboundGuard: createAddressGuard() });
    await expect(guarded.put(bucket, key, body)).rejects.toMatchObject({ reason: 'AddressRefused', cause: expect.any(AddressRefused) });
    expect(seen).toEqual([]);
    await guarded.close();
    const allowed = await open({ outboundGuard: createAddressGuard({ allow: ['127.0.0.1/32'] }) });
    await allowed.put(bucket, key, body);
    await allowed.close();
  });
});

describe('reading from a foreign bucket', () => {
  const readAll = async () => {
    const found = await objects.get(bucket, key);
    const pieces: Uint8Array[] = [];
    for await (const piece of found!.body) pieces.push(piece);
    return Buffer.concat(pieces);
  };

  test('bytes that do not have the MD5 the store promised are not passed on as whole', async () => {
    answers['GET'] = there(body);
    expect((await readAll()).equals(Buffer.from(body))).toBe(true);
    answers['GET'] = there(body, { etag: `"${'0'.repeat(32)}"` });
    await expect(readAll()).rejects.toThrow(ObjectDamaged);
  });

  test('a body that stops half-way ends in the time limit', async () => {
    const clock = createManualClock({ startMs: 0 });
    const slow = await open({ clock, timeoutMs: 5_000 });
    answers['GET'] = (_request, response) => {
      response.writeHead(200, { etag: `"${md5}"`, 'content-length': '100' });
      response.write('x');
    };
    const found = await slow.get(bucket, key);
    const failed = expect(found!.body[Symbol.asyncIterator]().next()).rejects.toMatchObject({ reason: 'RequestTimeout' });
    await clock.advance(6_000);
    await failed;
    await slow.close();
  });

  test('a bucket that will not be looked at is there, and one that is missing is absent', async () => {
    answers = { HEAD: fail(403), GET: fail(403, 'AccessDenied') };
    expect(await objects.getBucket(bucket)).toEqual({ name: bucket, region: 'us-east-1', createdAtMs: 0, versioning: 'Off' });
    answers['HEAD'] = fail(404);
    expect(await objects.getBucket(bucket)).toBeUndefined();
  });
});
