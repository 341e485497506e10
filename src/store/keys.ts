/**
 * The keys: they sign, wrap and unwrap; they never leave.
 *
 * Promises, for every implementation (`test/stores/keys.contract.ts`):
 * - A private key is durable before its public half is shown to anyone, and is never returned.
 * - Retired keys still verify: their public halves stay listed with their validity for ever.
 * - `rotate` makes a new current key; signatures by the old one stay valid for what was signed before.
 */
import type { EpochMs } from '../event/types.ts';

/** `digest`: RSA-2048, PKCS#1 v1.5 with SHA-256, as CloudTrail signs. `checkpoint`: Ed25519, as C2SP notes are signed. */
export type SigningKeyUse = 'digest' | 'checkpoint';

export interface PublicKeyInfo {
  readonly use: SigningKeyUse;
  /** Digest keys: 32 lower-case hexadecimal digits, MD5 of the PKCS#1 DER. Checkpoint keys: 8 digits, the C2SP key hash. */
  readonly fingerprint: string;
  /** Digest keys: DER of PKCS#1 `RSAPublicKey`. Checkpoint keys: the 32 bytes of the Ed25519 public key. */
  readonly publicKey: Uint8Array;
  /** One day before the first use (cloudtrail.md §3.5). */
  readonly validFromMs: EpochMs;
  /** Absent while current. A retired digest key stays valid for a day after its last use, so that periods overlap. */
  readonly validToMs?: EpochMs;
}

export interface Keys {
  /** All keys of one use, oldest first; the last one is current. */
  list(use: SigningKeyUse): Promise<readonly PublicKeyInfo[]>;
  /** Signs `message` with the current key. Digest keys hash it themselves. */
  sign(use: SigningKeyUse, message: Uint8Array): Promise<{ readonly signature: Uint8Array; readonly key: PublicKeyInfo }>;
  /** Makes a new current key and retires the old one at `nowMs`. */
  rotate(use: SigningKeyUse, nowMs: EpochMs): Promise<PublicKeyInfo>;
  /** Encrypts a secret of at most 64 KiB (AES-256-GCM under the master key); `context` must be given again to unwrap. */
  wrap(secret: Uint8Array, context: string): Promise<Uint8Array>;
  /** @throws Error when the bytes or the context are not what `wrap` saw. */
  unwrap(wrapped: Uint8Array, context: string): Promise<Uint8Array>;
  /** A stable 32-byte secret derived for one purpose, such as sealing page tokens or keying hashes. */
  derive(purpose: string): Promise<Uint8Array>;
}
