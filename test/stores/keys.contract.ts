/**
 * What every implementation of `Keys` promises.
 */
import { createHash, createPublicKey, verify } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { isKeyValidAt, KEY_LIFE_MS, type Keys, keyValidity, type PublicKeyInfo } from '../../src/store/keys.ts';
import { keyHash } from '../../src/tlog/note.ts';

export const KEYS_ORIGIN = 'snowtrail/contract';
export const KEYS_NOW_MS = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

const DAY_MS = 24 * 3600 * 1000;
const message = new TextEncoder().encode('message');

/** @param open Opens new, empty keys for `KEYS_ORIGIN` at `KEYS_NOW_MS`. */
export function describeKeys(name: string, open: () => Promise<Keys>): void {
  describe(`${name}: keys`, () => {
    test('there is one key of each use from the start, valid from a day before', async () => {
      const keys = await open();
      const all = [await keys.list('digest'), await keys.list('checkpoint')];
      expect(all.map((list) => list.length)).toEqual([1, 1]);
      for (const [key] of all) {
        expect(key).toMatchObject({ validFromMs: Date.UTC(2026, 0, 1, 3, 4, 5) });
        expect(key).not.toHaveProperty('validToMs');
      }
    });

    test('a digest key is PKCS#1 of 2,048 bits, named by its MD5, and signs PKCS#1 v1.5 with SHA-256', async () => {
      const keys = await open();
      const { signature, key } = await keys.sign('digest', message);
      expect([key]).toEqual(await keys.list('digest'));
      expect(Buffer.from(key.publicKey).toString('base64')).toMatch(/^MIIBCgKCAQEA/);
      expect(key.fingerprint).toBe(createHash('md5').update(key.publicKey).digest('hex'));
      expect(signature.length).toBe(256);
      expect(isSignedBy(key, signature)).toBe(true);
    });

    test('a checkpoint key is Ed25519, named by the C2SP key hash under the origin', async () => {
      const keys = await open();
      const { signature, key } = await keys.sign('checkpoint', message);
      expect([key]).toEqual(await keys.list('checkpoint'));
      const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();
      expect(key.fingerprint).toBe(keyHash(sha256, KEYS_ORIGIN, key.publicKey));
      expect([key.publicKey.length, signature.length]).toEqual([32, 64]);
      expect(isSignedBy(key, signature)).toBe(true);
    });

    test('the same message is signed with the same bytes, so that a repeat after a crash is exact', async () => {
      const keys = await open();
      for (const use of ['digest', 'checkpoint'] as const)
        expect((await keys.sign(use, message)).signature).toEqual((await keys.sign(use, message)).signature);
    });

    test('a rotation makes a new current key; the old one stays listed, a digest key for a day longer', async () => {
      const keys = await open();
      const nowMs = KEYS_NOW_MS + 40 * DAY_MS;
      for (const [use, overlapMs] of [
        ['digest', DAY_MS],
        ['checkpoint', 0],
      ] as const) {
        const [old] = await keys.list(use);
        const made = await keys.rotate(use, nowMs);
        expect(await keys.list(use)).toEqual([{ ...old, validToMs: nowMs + overlapMs }, made]);
        expect(made).toMatchObject({ use, validFromMs: Math.floor(nowMs / 1000) * 1000 - DAY_MS });
        expect((await keys.sign(use, message)).key).toEqual(made);
      }
    });

    test('the key before the current one can still vouch for it; older ones cannot sign', async () => {
      const keys = await open();
      for (const use of ['digest', 'checkpoint'] as const) {
        const [first] = await keys.list(use);
        await keys.rotate(use, KEYS_NOW_MS);
        const { signature, key } = await keys.sign(use, message, first!.fingerprint);
        expect(key.fingerprint).toBe(first!.fingerprint);
        expect(isSignedBy(first!, signature)).toBe(true);
        await keys.rotate(use, KEYS_NOW_MS);
        await expect(keys.sign(use, message, first!.fingerprint)).rejects.toThrow(/replaced twice/);
      }
    });

    test('nobody signs with a key that is not there, or is of another use', async () => {
      const keys = await open();
      const [digestKey] = await keys.list('digest');
      await expect(keys.sign('digest', message, 'f'.repeat(32))).rejects.toThrow(/not ours/);
      await expect(keys.sign('checkpoint', message, digestKey!.fingerprint)).rejects.toThrow(/not ours/);
    });

    test('rotations at one time come one after the other', async () => {
      const keys = await open();
      const made = await Promise.all([1, 2, 3].map(() => keys.rotate('checkpoint', KEYS_NOW_MS)));
      const listed = await keys.list('checkpoint');
      expect(listed.slice(1).map((key) => key.fingerprint)).toEqual(made.map((key) => key.fingerprint));
      expect(listed.filter((key) => key.validToMs === undefined)).toEqual([made.at(-1)]);
    });

    test('a wrapped secret opens under its context, and under no other', async () => {
      const keys = await open();
      for (const secret of [new Uint8Array(0), new TextEncoder().encode('secret'), new Uint8Array(65_536).fill(7)]) {
        const wrapped = await keys.wrap(secret, 'access-key/A');
        expect(Buffer.from(await keys.unwrap(wrapped, 'access-key/A'))).toEqual(Buffer.from(secret));
        await expect(keys.unwrap(wrapped, 'access-key/B')).rejects.toThrow(/context/);
      }
      await expect(keys.wrap(new Uint8Array(65_537), 'x')).rejects.toThrow(/at most/);
    });

    test('a wrapped secret that was changed or cut does not open', async () => {
      const keys = await open();
      const wrapped = await keys.wrap(new TextEncoder().encode('secret'), 'x');
      for (let index = 0; index < wrapped.length; index++) {
        const changed = Uint8Array.from(wrapped);
        changed[index]! ^= 1;
        await expect(keys.unwrap(changed, 'x')).rejects.toThrow();
        await expect(keys.unwrap(wrapped.subarray(0, index), 'x')).rejects.toThrow();
      }
    });

    test('the same secret is wrapped differently each time', async () => {
      const keys = await open();
      const [one, other] = [await keys.wrap(message, 'x'), await keys.wrap(message, 'x')];
      expect(Buffer.compare(one, other)).not.toBe(0);
    });

    test('derived secrets are stable, and different for each purpose', async () => {
      const keys = await open();
      const secrets = [await keys.derive('page-token'), await keys.derive('page-token'), await keys.derive('hash')];
      expect(secrets.map((secret) => secret.length)).toEqual([32, 32, 32]);
      expect(secrets[0]).toEqual(secrets[1]);
      expect(secrets[0]).not.toEqual(secrets[2]);
    });

    test('a current key is valid for ten years: a clock at 1970 or 2100 finds none', async () => {
      const [key] = await (await open()).list('checkpoint');
      expect(keyValidity(key!)).toEqual({ fromMs: key!.validFromMs, toMs: key!.validFromMs + KEY_LIFE_MS });
      const times = [0, key!.validFromMs - 1, key!.validFromMs, KEYS_NOW_MS, Date.UTC(2038, 0, 20), Date.UTC(2100, 0, 1)];
      expect(times.map((timeMs) => isKeyValidAt(key!, timeMs))).toEqual([false, false, true, true, false, false]);
    });
  });
}

function isSignedBy(key: PublicKeyInfo, signature: Uint8Array): boolean {
  const bytes = Buffer.from(key.publicKey);
  const publicKey =
    key.use === 'digest'
      ? createPublicKey({ key: bytes, format: 'der', type: 'pkcs1' })
      : createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: bytes.toString('base64url') }, format: 'jwk' });
  return verify(key.use === 'digest' ? 'sha256' : null, message, publicKey, signature);
}
