import { chmod, lstat, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { describeKeys, KEYS_NOW_MS, KEYS_ORIGIN } from '../../../test/stores/keys.contract.ts';
import type { Keys } from '../keys.ts';
import { openDiskKeys } from './keys.ts';

const clock = { nowMs: () => KEYS_NOW_MS };
const root = await mkdtemp(join(tmpdir(), 'snowtrail-keys-'));
let folders = 0;

afterAll(() => rm(root, { recursive: true }));

const newFolder = () => join(root, `${folders++}`);

async function openAt(folder: string, origin = KEYS_ORIGIN): Promise<Keys> {
  const keys = await openDiskKeys({ folder, origin, clock });
  await keys.list('digest');
  return keys;
}

describeKeys('disk', () => openAt(newFolder()));

describe('keys on disk', () => {
  test('are there again after a restart, and sign and unwrap as before', async () => {
    const folder = newFolder();
    const before = await openAt(folder);
    await before.rotate('digest', KEYS_NOW_MS);
    const message = Uint8Array.of(1);
    const seen = async (keys: typeof before) => ({
      digest: await keys.list('digest'),
      checkpoint: await keys.list('checkpoint'),
      signed: [await keys.sign('digest', message), await keys.sign('checkpoint', message)],
      vouched: await keys.sign('digest', message, (await keys.list('digest'))[0]!.fingerprint),
      derived: await keys.derive('x'),
    });
    const wrapped = await before.wrap(message, 'x');
    const after = await openAt(folder);
    expect(await seen(after)).toEqual(await seen(before));
    expect(await after.unwrap(wrapped, 'x')).toEqual(Buffer.from(message));
  });

  test('wrap secrets before the origin is known: signing keys are made when one is first asked for', async () => {
    const folder = newFolder();
    let origin: string | undefined;
    const open = () =>
      openDiskKeys({
        folder,
        clock,
        origin: () => {
          if (origin === undefined) throw new Error('no installation yet');
          return origin;
        },
      });
    const keys = await open();
    const wrapped = await keys.wrap(Uint8Array.of(1), 'x');
    await expect(keys.list('checkpoint')).rejects.toThrow('no installation yet');
    expect(await (await open()).unwrap(wrapped, 'x')).toEqual(Buffer.of(1));
    origin = KEYS_ORIGIN;
    expect(await keys.list('checkpoint')).toEqual(await (await openAt(folder)).list('checkpoint'));
  });

  test('lie in files that nobody else may read, with no private key in the clear', async () => {
    const folder = newFolder();
    await openAt(folder);
    expect((await readdir(folder)).sort()).toEqual(['keys.json', 'master.key']);
    const modes = await Promise.all(['', 'keys.json', 'master.key'].map(async (name) => (await lstat(join(folder, name))).mode & 0o777));
    expect(modes).toEqual([0o700, 0o600, 0o600]);
    const kept = JSON.parse(await readFile(join(folder, 'keys.json'), 'utf8'));
    // PKCS#8 DER begins with a SEQUENCE (0x30); what is wrapped begins with its version.
    expect(kept.keys.map((key: { privateKey: string }) => Buffer.from(key.privateKey, 'base64')[0])).toEqual([1, 1]);
  });

  test.each([
    ['.', '750'],
    ['.', '701'],
    ['master.key', '640'],
    ['keys.json', '604'],
    ['keys.json', '602'],
  ])('are refused when `%s` has mode %s', async (name, mode) => {
    const folder = newFolder();
    await openAt(folder);
    await chmod(join(folder, name), Number.parseInt(mode, 8));
    await expect(openAt(folder)).rejects.toThrow(`has mode ${mode}`);
  });

  test('are refused behind a link', async () => {
    const folder = newFolder();
    await openAt(folder);
    const elsewhere = join(root, 'elsewhere.key');
    await rename(join(folder, 'master.key'), elsewhere);
    await symlink(elsewhere, join(folder, 'master.key'));
    await expect(openAt(folder)).rejects.toThrow(/is not a file/);
  });

  test('are not made anew when a file is lost, replaced or damaged', async () => {
    const folder = newFolder();
    await openAt(folder);
    const [masterKey, keysJson] = [await readFile(join(folder, 'master.key')), await readFile(join(folder, 'keys.json'), 'utf8')];
    const put = async (name: string, content: Uint8Array | string) => writeFile(join(folder, name), content, { mode: 0o600 });

    await rm(join(folder, 'master.key'));
    await expect(openAt(folder)).rejects.toThrow(/master\.key` is missing/);
    await put(
      'master.key',
      masterKey.map((byte) => byte ^ 1),
    );
    await expect(openAt(folder)).rejects.toThrow(/another master key/);
    await put('master.key', masterKey.subarray(1));
    await expect(openAt(folder)).rejects.toThrow(/32 bytes/);
    await put('master.key', masterKey);

    for (const damaged of ['', '{', '{}', keysJson.slice(0, -10), keysJson.replace('"version": 1', '"version": 2')]) {
      await put('keys.json', damaged);
      await expect(openAt(folder)).rejects.toThrow(/cannot be read/);
    }
    await put('keys.json', keysJson);
    await openAt(folder);

    await rm(join(folder, 'keys.json'));
    await expect(openAt(folder)).rejects.toThrow(/keys\.json` is missing/);
  });

  test('are made anew after a first start that did not come to its end', async () => {
    const folder = newFolder();
    await openAt(folder);
    await rename(join(folder, 'master.key'), join(folder, 'master.key.first'));
    const keys = await openAt(folder);
    expect((await readdir(folder)).sort()).toEqual(['keys.json', 'master.key']);
    expect(await (await openAt(folder)).list('digest')).toEqual(await keys.list('digest'));
  });

  test('are refused when a public half, or the origin, is not the one they were made with', async () => {
    const folder = newFolder();
    const keys = await openAt(folder);
    await expect(openAt(folder, 'snowtrail/other')).rejects.toThrow(/another origin/);
    const other = await openAt(newFolder());
    const path = join(folder, 'keys.json');
    const [ours, theirs] = await Promise.all(
      [keys, other].map(async (each) => Buffer.from((await each.list('checkpoint'))[0]!.publicKey).toString('base64')),
    );
    await writeFile(path, (await readFile(path, 'utf8')).replace(ours!, theirs!));
    await expect(openAt(folder)).rejects.toThrow(/public half/);
  });

  test('a file that a crash left beside does no harm', async () => {
    const folder = newFolder();
    const before = await (await openAt(folder)).list('digest');
    await writeFile(join(folder, 'keys.json.new'), 'half', { mode: 0o644 });
    const keys = await openAt(folder);
    expect(await keys.list('digest')).toEqual(before);
    await keys.rotate('digest', KEYS_NOW_MS);
    expect(await (await openAt(folder)).list('digest')).toEqual(await keys.list('digest'));
  });

  test('a rotation that cannot be kept changes nothing', async () => {
    const folder = newFolder();
    const keys = await openAt(folder);
    const before = await keys.list('digest');
    await rm(folder, { recursive: true });
    await expect(keys.rotate('digest', KEYS_NOW_MS)).rejects.toThrow();
    expect(await keys.list('digest')).toEqual(before);
    expect((await keys.sign('digest', Uint8Array.of(1))).key).toEqual(before[0]);
  });
});
