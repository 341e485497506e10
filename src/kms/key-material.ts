/**
 * The materials of a key: made here, wrapped at once, and opened for the length of one use.
 *
 * No function gives a private key away; the symmetric material is given to `ciphertext.ts` alone.
 * Source: KMS Developer Guide, "Key spec reference", "Asymmetric key specs".
 */
import {
  constants,
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  type KeyObject,
  privateEncrypt,
  publicDecrypt,
  sign,
  verify,
} from 'node:crypto';
import { promisify } from 'node:util';
import { ApiError } from '../api/api-error.ts';
import type { KmsDeps } from './kms-deps.ts';
import { currentMaterial, type KeyMaterial, type KeySpec, type KmsKey, type KmsKeyId, materialContext } from './kms-key.ts';

/** New material, wrapped. */
export async function makeMaterial({ keys, chance }: Pick<KmsDeps, 'keys' | 'chance'>, key: KmsKeyId, spec: KeySpec): Promise<KeyMaterial> {
  const id = Buffer.from(chance.bytes(32)).toString('hex');
  const secret = spec === 'SYMMETRIC_DEFAULT' ? chance.bytes(32) : await makePrivateKey(spec);
  return { id, wrapped: Buffer.from(await keys.wrap(secret, materialContext(key, id))).toString('base64') };
}

/** A material of a key, in the clear. */
export function openMaterial({ keys }: Pick<KmsDeps, 'keys'>, key: KmsKeyId, material: KeyMaterial): Promise<Uint8Array> {
  return keys.unwrap(Buffer.from(material.wrapped, 'base64'), materialContext(key, material.id));
}

/** DER of the `SubjectPublicKeyInfo`. */
export async function publicKeyOf(deps: Pick<KmsDeps, 'keys'>, key: KmsKey): Promise<Uint8Array> {
  return createPublicKey(await openPrivateKey(deps, key)).export({ type: 'spki', format: 'der' });
}

/** What is signed: the message itself, or its digest. */
export interface Signed {
  readonly message: Uint8Array;
  readonly isDigest: boolean;
  /** Such as `RSASSA_PSS_SHA_256`: one that the key has. */
  readonly algorithm: string;
}

/** @throws ApiError ValidationException, UnsupportedOperationException */
export async function signWithKey(deps: Pick<KmsDeps, 'keys'>, key: KmsKey, signed: Signed): Promise<Uint8Array> {
  const privateKey = await openPrivateKey(deps, key);
  if (signed.isDigest) return privateEncrypt({ key: privateKey, padding: constants.RSA_PKCS1_PADDING }, digestInfo(signed));
  return promisify<string, Uint8Array, SigningKey, Buffer>(sign)(hashOf(signed), signed.message, signing(privateKey, signed));
}

/** Whether the signature is the key's. @throws ApiError as `signWithKey` */
export async function verifyWithKey(deps: Pick<KmsDeps, 'keys'>, key: KmsKey, signed: Signed, signature: Uint8Array): Promise<boolean> {
  const publicKey = createPublicKey(await openPrivateKey(deps, key));
  if (!signed.isDigest) return verify(hashOf(signed), signed.message, signing(publicKey, signed), signature);
  const wanted = digestInfo(signed);
  try {
    return publicDecrypt({ key: publicKey, padding: constants.RSA_PKCS1_PADDING }, signature).equals(wanted);
  } catch {
    return false;
  }
}

interface SigningKey {
  readonly key: KeyObject;
  readonly padding?: number;
  readonly saltLength?: number;
}

function signing(key: KeyObject, { algorithm }: Signed): SigningKey {
  if (!algorithm.startsWith('RSASSA_PSS')) return { key };
  return { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
}

function hashOf({ algorithm }: Signed): string {
  return `sha${algorithm.slice(-3)}`;
}

/** RFC 8017 §9.2: the prefixes of DigestInfo for SHA-256, SHA-384 and SHA-512. */
const DIGEST_PREFIX: Readonly<Record<string, string>> = {
  sha256: '3031300d060960864801650304020105000420',
  sha384: '3041300d060960864801650304020205000430',
  sha512: '3051300d060960864801650304020305000440',
};

/** @throws ApiError for a digest of another length, and for algorithms that this runtime signs whole messages with only. */
function digestInfo(signed: Signed): Buffer {
  const bytes = Number(signed.algorithm.slice(-3)) / 8;
  if (signed.message.length !== bytes)
    throw new ApiError('ValidationException', `Digest is invalid length for algorithm ${signed.algorithm}.`);
  if (!signed.algorithm.startsWith('RSASSA_PKCS1'))
    throw new ApiError(
      'UnsupportedOperationException',
      `MessageType DIGEST is not supported with ${signed.algorithm} yet; send the message as RAW.`,
    );
  return Buffer.concat([Buffer.from(DIGEST_PREFIX[hashOf(signed)]!, 'hex'), signed.message]);
}

async function openPrivateKey(deps: Pick<KmsDeps, 'keys'>, key: KmsKey): Promise<KeyObject> {
  return createPrivateKey({ key: Buffer.from(await openMaterial(deps, key, currentMaterial(key))), type: 'pkcs8', format: 'der' });
}

const CURVES = { ECC_NIST_P256: 'P-256', ECC_NIST_P384: 'P-384', ECC_NIST_P521: 'P-521', ECC_SECG_P256K1: 'secp256k1' } as const;
const MODULUS_LENGTHS = { RSA_2048: 2048, RSA_3072: 3072, RSA_4096: 4096 } as const;

/** Pairs that can be made. Those of KMS keys are some of them. */
export type PairSpec = keyof typeof CURVES | keyof typeof MODULUS_LENGTHS;

export function isPairSpec(text: string): text is PairSpec {
  return Object.hasOwn(CURVES, text) || Object.hasOwn(MODULUS_LENGTHS, text);
}

/** PKCS#8 DER of a new pair's private key. */
export async function makePrivateKey(spec: PairSpec): Promise<Uint8Array> {
  const make = promisify(generateKeyPair);
  const { privateKey } =
    spec in CURVES
      ? await make('ec', { namedCurve: CURVES[spec as keyof typeof CURVES] })
      : await make('rsa', { modulusLength: MODULUS_LENGTHS[spec as keyof typeof MODULUS_LENGTHS] });
  return new Uint8Array(privateKey.export({ type: 'pkcs8', format: 'der' }));
}
