/**
 * Derived signing keys of Signature Version 4, kept for a while: four HMACs saved on every request after the first.
 *
 * Holds derived keys, not secrets; a key is good for one day, Region and service. The entry is bound to the secret by
 * a hash, so a replaced secret is never answered from here.
 */
import { createHmac, randomBytes } from 'node:crypto';
import type { Scope } from './canonical-request.ts';

/** Derives the signing key of a scope. Source: IAM User Guide, "Derive a signing key". */
export function deriveSigningKey(secretAccessKey: string, { date, region, service }: Scope): Buffer {
  return hmac(hmac(hmac(hmac(`AWS4${secretAccessKey}`, date), region), service), 'aws4_request');
}

export function hmac(key: string | Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text, 'latin1').digest();
}

/** Most derived keys in memory: 4,096 of about 300 bytes. */
const KEYS_MAX = 4_096;

export class SigningKeys {
  /** By key id, secret and scope; the oldest use comes first. Read and written only by `find`. */
  readonly #keys = new Map<string, Buffer>();
  /** Makes secrets for key ids that do not exist, so that those cost the same work as others (A09). */
  readonly #decoy = randomBytes(32);

  /** @param secretAccessKey `undefined` for a key id that nobody has: the result then verifies nothing. */
  find(accessKeyId: string, secretAccessKey: string | undefined, scope: Scope): Buffer {
    const tag = hmac(this.#decoy, `${accessKeyId}\n${secretAccessKey ?? ''}`);
    const secret = secretAccessKey ?? tag.toString('base64');
    const name = `${tag.toString('latin1')}/${scope.date}/${scope.region}/${scope.service}`;
    const known = this.#keys.get(name);
    const key = known ?? deriveSigningKey(secret, scope);
    this.#keys.delete(name);
    this.#keys.set(name, key);
    if (this.#keys.size > KEYS_MAX) this.#keys.delete(this.#keys.keys().next().value!);
    return key;
  }
}
