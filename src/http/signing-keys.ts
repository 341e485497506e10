/**
 * Derived signing keys of Signature Version 4, kept for a while: four HMACs saved on every request after the first.
 *
 * A key is good for one secret, day, Region and service; a replaced secret is never answered from here.
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
  /** By key id and scope; the oldest use comes first. Read and written only by `find`. */
  readonly #keys = new Map<string, { readonly secret: string; readonly signingKey: Buffer }>();
  /** Makes secrets for key ids that do not exist, so that those cost the same work as others (A09). */
  readonly #decoy = randomBytes(32).toString('base64');

  /** @param secretAccessKey `undefined` for a key id that nobody has: the result then verifies nothing. */
  find(accessKeyId: string, secretAccessKey: string | undefined, scope: Scope): Buffer {
    const secret = secretAccessKey ?? this.#decoy;
    const name = `${accessKeyId}/${scope.date}/${scope.region}/${scope.service}`;
    const known = this.#keys.get(name);
    const signingKey = known?.secret === secret ? known.signingKey : deriveSigningKey(secret, scope);
    this.#keys.delete(name);
    this.#keys.set(name, { secret, signingKey });
    if (this.#keys.size > KEYS_MAX) this.#keys.delete(this.#keys.keys().next().value!);
    return signingKey;
  }
}
