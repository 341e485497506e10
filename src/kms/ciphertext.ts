/**
 * What KMS encrypts with a symmetric key: the blob that clients keep, and the encryption context that it is bound to.
 *
 * Blob: version 1 (1 byte), account (12 ASCII digits), key id (16 bytes), place of the material among those of the key (2), salt (16),
 * nonce (12), AES-256-GCM ciphertext, tag (16).
 * Each blob has a key of its own, derived from the material and the salt, so no number of them wears the material out. All before
 * the ciphertext, and the context in its canonical form, are authenticated.
 * A blob is untrusted: whoever sends it may have made it.
 */
import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';
import type { AccountId } from '../event/types.ts';
import { isAccountId } from '../event/values.ts';
import type { Chance } from '../store/clock.ts';

/** Texts by name that must be given again to decrypt. */
export type EncryptionContext = Readonly<Record<string, string>>;

const VERSION = 1;
const ACCOUNT_END = 13;
const ID_END = ACCOUNT_END + 16;
const MATERIAL_END = ID_END + 2;
const SALT_END = MATERIAL_END + 16;
const NONCE_END = SALT_END + 12;
const TAG_BYTES = 16;

/** A blob, taken apart; nothing of it is verified. */
export interface ReadBlob {
  readonly account: AccountId;
  readonly keyId: string;
  /** Which of the key's materials it was made with, from 0. */
  readonly materialIndex: number;
}

/** Account and key that a blob names; `undefined` for what is no blob of ours. */
export function readBlob(blob: Uint8Array): ReadBlob | undefined {
  if (blob[0] !== VERSION || blob.length < NONCE_END + TAG_BYTES) return undefined;
  const account = Buffer.from(blob.subarray(1, ACCOUNT_END)).toString('latin1');
  const hex = Buffer.from(blob.subarray(ACCOUNT_END, ID_END)).toString('hex');
  const keyId = hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  const materialIndex = Buffer.from(blob.subarray(ID_END, MATERIAL_END)).readUInt16BE();
  return isAccountId(account) ? { account, keyId, materialIndex } : undefined;
}

/** Encrypts under one material of a key. */
export function sealBlob(
  key: { readonly account: AccountId; readonly id: string; readonly material: Uint8Array; readonly materialIndex: number },
  plaintext: Uint8Array,
  context: EncryptionContext,
  chance: Pick<Chance, 'bytes'>,
): Uint8Array {
  const id = Buffer.from(key.id.replaceAll('-', ''), 'hex');
  const index = Uint8Array.of(key.materialIndex >> 8, key.materialIndex & 255);
  const head = Buffer.concat([Uint8Array.of(VERSION), Buffer.from(key.account), id, index, chance.bytes(16), chance.bytes(12)]);
  const cipher = createCipheriv('aes-256-gcm', blobKey(key.material, head), head.subarray(SALT_END, NONCE_END));
  cipher.setAAD(Buffer.concat([head, canonicalContext(context)]));
  return Buffer.concat([head, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

/** The plaintext; `undefined` when blob, key or context are not those of `sealBlob`. */
export function openBlob(material: Uint8Array, blob: Uint8Array, context: EncryptionContext): Uint8Array | undefined {
  const head = blob.subarray(0, NONCE_END);
  const decipher = createDecipheriv('aes-256-gcm', blobKey(material, head), head.subarray(SALT_END, NONCE_END), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(Buffer.concat([head, canonicalContext(context)]));
  decipher.setAuthTag(blob.subarray(blob.length - TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(blob.subarray(NONCE_END, blob.length - TAG_BYTES)), decipher.final()]);
  } catch {
    return undefined;
  }
}

/** Pairs in the order of their names' bytes, each text with its length before it: two contexts never look alike. */
function canonicalContext(context: EncryptionContext): Uint8Array {
  const pairs = Object.entries(context).map(([name, value]) => [Buffer.from(name), Buffer.from(value)] as const);
  pairs.sort(([one], [other]) => Buffer.compare(one, other));
  const pieces = pairs.flat().flatMap((text) => [lengthOf(text), text]);
  return Buffer.concat([Uint8Array.of(pairs.length >> 8, pairs.length & 255), ...pieces]);
}

function lengthOf(text: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(text.length);
  return length;
}

function blobKey(material: Uint8Array, head: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', material, head.subarray(MATERIAL_END, SALT_END), 'snowtrail/kms/blob', 32));
}
