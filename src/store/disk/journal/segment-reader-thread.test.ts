/**
 * Reading in the thread as it is shipped: from `dist/`, so that it needs a build.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterAll, expect, test, vi } from 'vitest';
import type { AccountId, Region } from '../../../event/types.ts';
import type { NewEvent } from '../../journal.ts';
import { encodeFrame, frameBytes } from './frame.ts';
import { BlockBuilder } from './sealed-block.ts';
import { SegmentReaderThread } from './segment-reader-thread.ts';
import { UnpackedBlock } from './unpack-block.ts';

const root = await mkdtemp(join(tmpdir(), 'snowtrail-reader-'));
afterAll(() => rm(root, { recursive: true }));

const isBuilt = existsSync('dist/read-segments.worker.js');
if (!isBuilt && process.env['SNOWTRAIL_REQUIRE_ALL'] === '1') throw new Error('the workers are not built; run `npm run build`');
if (!isBuilt) console.warn('skipped: the workers are not built; run `npm run build`');

const SALT = 7;
const NONCE_KEY = new Uint8Array(32);
const dictionary = new Uint8Array(new SharedArrayBuffer(0));

/** A block with one entry. */
function blockOf(text: string): Buffer {
  const entry: NewEvent = {
    kind: 'event',
    source: 'record',
    account: '111111111111' as AccountId,
    region: 'us-east-1' as Region,
    eventId: text,
    receivedAtMs: 1,
    bytes: Buffer.from(text),
  };
  const frame = Buffer.alloc(frameBytes(entry));
  encodeFrame(frame, 0, entry, { salt: SALT, sequence: 1, isConflicting: false, nonce: new Uint8Array(16) });
  const builder = new BlockBuilder({ salt: SALT, firstSequence: 1, dictionary, nonceKey: NONCE_KEY, level: 3 });
  builder.add(frame, 0, frame.length);
  return builder.finish();
}

async function fileOf(name: string, bytes: Uint8Array): Promise<string> {
  const path = join(root, name);
  await writeFile(path, bytes);
  return path;
}

test.runIf(isBuilt)('pieces of many files that are asked for at once come each to who asked', async () => {
  const thread = new SegmentReaderThread();
  const files = await Promise.all(
    Array.from({ length: 100 }, async (_, index) => ({ path: await fileOf(`many-${index}`, Buffer.from(`<${index}>`)) })),
  );
  const pieces = await Promise.all(files.map((file) => thread.read(file, 1, 100)));
  expect(pieces.map(String)).toEqual(files.map((_, index) => `${index}>`));
  expect(String(await thread.read(files[7]!, 0, 2))).toBe('<7');
  await thread.close();
});

test.runIf(isBuilt)('a block comes unpacked, and a damaged one as what is wrong with it', async () => {
  const thread = new SegmentReaderThread();
  const block = blockOf('hello');
  const packing = { salt: SALT, firstSequence: 1, dictionary, nonceKey: NONCE_KEY };
  const whole = { path: await fileOf('whole', block), packing };
  const unpacked = (await thread.read(whole, 0, block.length)) as Buffer;
  expect(Buffer.from(new UnpackedBlock(unpacked, { salt: SALT, firstSequence: 1 }).entry(1).bytes)).toEqual(Buffer.from('hello'));
  block[block.length - 1]! ^= 1;
  const damaged = { path: await fileOf('damaged', block), packing };
  expect(await thread.read(damaged, 0, block.length)).toBe('the CRC of a block differs');
  expect(await thread.read(whole, 0, block.length - 1)).toBe('the file ends within a block');
  await thread.close();
});

test.runIf(isBuilt)('a file that is not there fails with the code of the system, and the others are read', async () => {
  const thread = new SegmentReaderThread();
  const here = { path: await fileOf('here', Buffer.from('here')) };
  const outcomes = await Promise.allSettled([thread.read({ path: join(root, 'gone') }, 0, 1), thread.read(here, 0, 4)]);
  expect(outcomes).toEqual([
    { status: 'rejected', reason: expect.objectContaining({ code: 'ENOENT' }) },
    { status: 'fulfilled', value: Buffer.from('here') },
  ]);
  await thread.close();
});

test.runIf(isBuilt)('a forgotten file is opened anew when it is read again', async () => {
  const thread = new SegmentReaderThread();
  const file = { path: await fileOf('replaced', Buffer.from('old')) };
  expect(String(await thread.read(file, 0, 3))).toBe('old');
  await rm(file.path);
  await writeFile(file.path, 'new');
  expect(String(await thread.read(file, 0, 3))).toBe('old');
  thread.forget(file);
  expect(String(await thread.read(file, 0, 3))).toBe('new');
  await thread.close();
});

test.runIf(isBuilt)('when the thread ends (F04), those who wait are told, and the next question starts another one', async () => {
  const started = vi.spyOn(Worker.prototype, 'postMessage');
  const thread = new SegmentReaderThread();
  const file = { path: await fileOf('again', Buffer.from('again')) };
  expect(String(await thread.read(file, 0, 5))).toBe('again');
  const [worker] = started.mock.contexts as [Worker];
  void worker.terminate();
  await expect(thread.read(file, 0, 5)).rejects.toThrow('ended with code');
  expect(String(await thread.read(file, 0, 5))).toBe('again');
  await thread.close();
  await expect(thread.read(file, 0, 5)).rejects.toThrow('the journal is closed');
  started.mockRestore();
});
