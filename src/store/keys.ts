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

/** How long a current key may sign, from `validFromMs` on. A clock beyond it is taken for a wrong clock (F30). */
export const KEY_LIFE_MS = 10 * 365 * 24 * 3600 * 1000;

/** First and last moment at which the key is valid, for a current one as well. */
export function keyValidity(key: PublicKeyInfo): { readonly fromMs: EpochMs; readonly toMs: EpochMs } {
  return { fromMs: key.validFromMs, toMs: key.validToMs ?? key.validFromMs + KEY_LIFE_MS };
}

/** Whether the key may sign at `nowMs`. When not, the clock is wrong or the key is old: refuse to sign, and say so. */
export function isKeyValidAt(key: PublicKeyInfo, nowMs: EpochMs): boolean {
  const { fromMs, toMs } = keyValidity(key);
  return fromMs <= nowMs && nowMs <= toMs;
}

export interface Keys {
  /** All keys of one use, oldest first; the last one is current. */
  list(use: SigningKeyUse): Promise<readonly PublicKeyInfo[]>;
  /**
   * Signs `message`. Digest keys hash it themselves. The same key and message give the same signature.
   *
   * @param fingerprint The current key when absent. The key before it can sign, too, so that it can vouch for its
   *   successor; older ones cannot.
   * @throws Error when there is no such key, or it cannot sign any more.
   */
  sign(
    use: SigningKeyUse,
    message: Uint8Array,
    fingerprint?: string,
  ): Promise<{ readonly signature: Uint8Array; readonly key: PublicKeyInfo }>;
  /** Makes a new current key and retires the old one at `nowMs`. */
  rotate(use: SigningKeyUse, nowMs: EpochMs): Promise<PublicKeyInfo>;
  /** Encrypts a secret of at most 64 KiB (AES-256-GCM under the master key); `context` must be given again to unwrap. */
  wrap(secret: Uint8Array, context: string): Promise<Uint8Array>;
  /** @throws Error when the bytes or the context are not what `wrap` saw. */
  unwrap(wrapped: Uint8Array, context: string): Promise<Uint8Array>;
  /** A stable 32-byte secret derived for one purpose, such as sealing page tokens or keying hashes. */
  derive(purpose: string): Promise<Uint8Array>;
}
