import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { UsageError } from './exit.ts';
import { findInputFiles, readPieces, unpackIfGzip } from './input-files.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'snowtrail-input-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function put(name: string, content: string | Uint8Array = '{}'): Promise<string> {
  const path = join(folder, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
  return path;
}

/** The records of a file as text; what is malformed as its reason. */
async function recordsOf(path: string): Promise<string[]> {
  const found: string[] = [];
  for await (const pieces of readPieces({ path, sizeBytes: 0, changedMs: 0 })) {
    for (const piece of pieces) found.push(piece.kind === 'record' ? new TextDecoder().decode(piece.bytes) : piece.reason);
  }
  return found;
}

describe('findInputFiles', () => {
  test('a folder is walked in the order of its names, and given paths keep their order', async () => {
    for (const name of ['d/2026/02.json.gz', 'd/2026/01.json.gz', 'd/2025/09.ndjson', 'd/b.log', 'z.txt', 'a.json'])
      await put(name, '12345');
    const { files, passedOver } = await findInputFiles([join(folder, 'z.txt'), '-', join(folder, 'd'), join(folder, 'a.json')]);
    const names = files.map(({ path }) => (path === '-' ? path : relative(folder, path)));
    expect(names).toEqual(['z.txt', '-', 'd/2025/09.ndjson', 'd/2026/01.json.gz', 'd/2026/02.json.gz', 'd/b.log', 'a.json']);
    expect([files[0]!.sizeBytes, files[1]!.sizeBytes, passedOver]).toEqual([5, 0, {}]);
  });

  test('digests, evidence and files that are no logs are passed over and counted by what they are; insights are events', async () => {
    const inside = ['CloudTrail-Digest/d.json.gz', 'CloudTrail-Evidence/r.json', '.snowtrail/s.json'];
    for (const name of ['AWSLogs/1/CloudTrail/e.json.gz', 'AWSLogs/1/CloudTrail-Insight/i.json.gz', 'README.md', 'x.json.bak', ...inside])
      await put(name);
    const { files, passedOver } = await findInputFiles([folder]);
    expect(files.map(({ path }) => relative(folder, path))).toEqual([
      'AWSLogs/1/CloudTrail-Insight/i.json.gz',
      'AWSLogs/1/CloudTrail/e.json.gz',
    ]);
    expect(passedOver).toEqual({ 'digest files': 1, 'receipts and checkpoints': 2, 'files of another kind': 2 });
  });

  test('a link in a folder is not followed, and counted as passed over', async () => {
    await symlink(await put('a.json'), join(folder, 'b.json'));
    const { files, passedOver } = await findInputFiles([folder]);
    expect([files.map(({ path }) => relative(folder, path)), passedOver]).toEqual([['a.json'], { 'links and special files': 1 }]);
  });

  test('a folder that cannot be read hides nothing of what is beside it', async () => {
    await put('b.json');
    // A path of more than 4,096 bytes is refused to everybody, also to root. It grows and shrinks at its top, where it is short.
    const [top, other] = [join(folder, 'a'), join(folder, 'c')];
    const DEEP = 17;
    const name = 'd'.repeat(250);
    await mkdir(top);
    for (let depth = 0; depth < DEEP; depth++) {
      await mkdir(other);
      await rename(top, join(other, name));
      await rename(other, top);
    }
    try {
      const { files, unreadable } = await findInputFiles([folder]);
      expect(files.map(({ path }) => relative(folder, path))).toEqual(['b.json']);
      expect(unreadable).toEqual([{ path: expect.stringContaining(`/a/${name}/`), reason: expect.stringContaining('ENAMETOOLONG') }]);
    } finally {
      for (let depth = 0; depth < DEEP; depth++) {
        await rename(join(top, name), other);
        await rm(top, { recursive: true });
        await rename(other, top);
      }
    }
  });

  test('a path that is not there is named', async () => {
    const finding = findInputFiles([join(folder, 'missing.json')]);
    await expect(finding).rejects.toThrow(UsageError);
    await expect(finding).rejects.toThrow(/missing\.json` is not there/);
  });
});

describe('readPieces', () => {
  test('gzip is told by its first bytes, not by the name', async () => {
    const lines = '{"a":1}\n{"a":2}\n';
    expect(await recordsOf(await put('plain.gz', lines))).toEqual(['{"a":1}', '{"a":2}']);
    expect(await recordsOf(await put('packed.json', gzipSync(lines)))).toEqual(['{"a":1}', '{"a":2}']);
    expect(await recordsOf(await put('document.json', '{"Records":[{"a":1},{"a":2}]}'))).toEqual(['{"a":1}', '{"a":2}']);
  });

  test('gzip members that follow each other are read to the last', async () => {
    expect(await recordsOf(await put('two.gz', Buffer.concat([gzipSync('{"a":1}\n'), gzipSync('{"a":2}\n')])))).toEqual([
      '{"a":1}',
      '{"a":2}',
    ]);
  });

  test('an empty file and one of a single byte have no records of gzip', async () => {
    expect(await recordsOf(await put('empty.json', ''))).toEqual([]);
    expect(await recordsOf(await put('one.json', '\u001f'))).toHaveLength(1);
  });

  test('gzip that is cut off or changed is an error', async () => {
    const whole = gzipSync('{"a":1}\n'.repeat(1_000));
    const changed = Uint8Array.from(whole);
    changed[changed.length - 6]! ^= 0xff;
    for (const bytes of [whole.subarray(0, whole.length - 9), changed])
      await expect(recordsOf(await put('broken.gz', bytes))).rejects.toThrow();
  });
});

describe('unpackIfGzip', () => {
  test.each([
    ['gzip', gzipSync(Buffer.alloc(5_000_000, 'x'), { level: 0 })],
    ['plain', Buffer.alloc(5_000_000, 'x')],
  ])('a reader that leaves ends a source that would go on for ever (%s)', async (_, bytes) => {
    let isEnded = false;
    const source = (async function* () {
      try {
        yield bytes.subarray(0, 1_000_000);
        for (;;) yield bytes.subarray(1_000_000, 1_001_000);
      } finally {
        isEnded = true;
      }
    })();
    for await (const chunk of unpackIfGzip(source)) if (chunk.length > 0) break;
    await vi.waitFor(() => expect(isEnded).toBe(true));
  });

  test.each([
    ['gzip', gzipSync('{"a":1}')],
    ['plain text', Buffer.from('{"a":1}')],
  ])('%s is told by its first bytes, however they are cut', async (_, bytes) => {
    const byteByByte = async function* () {
      for (const byte of bytes) yield Uint8Array.of(byte);
    };
    const found: Uint8Array[] = [];
    for await (const chunk of unpackIfGzip(byteByByte())) found.push(chunk);
    expect(Buffer.concat(found).toString()).toBe('{"a":1}');
  });

  test('gzip that breaks off is an error, and nothing at all is nothing', async () => {
    const read = async (bytes: Uint8Array) => {
      const once = async function* () {
        if (bytes.length > 0) yield bytes;
      };
      let length = 0;
      for await (const chunk of unpackIfGzip(once())) length += chunk.length;
      return length;
    };
    await expect(read(gzipSync('{"a":1}').subarray(0, 20))).rejects.toThrow('unexpected end of file');
    expect(await read(new Uint8Array())).toBe(0);
  });
});
