/**
 * Signs what is sent to subscribers, so that a client's check of SNS messages passes once it trusts our address.
 *
 * The key is made at the first message and used for nothing else: callers choose much of the text. It is kept in the catalog, wrapped
 * by the store's keys; its certificate is served to everybody (`SigningCertURL`), under a name that is known before it is made.
 * Source: SNS Developer Guide, "Verifying the signatures of Amazon SNS messages".
 */
import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import type { Catalog, CatalogKey } from '../store/catalog.ts';
import type { Chance, Clock } from '../store/clock.ts';
import { generateRsaKey } from '../store/keyring.ts';
import type { Keys } from '../store/keys.ts';
import { makeSigningCertificate } from '../store/signing-certificate.ts';
import type { SignatureVersion } from './topic.ts';

export interface SignerDeps {
  readonly catalog: Pick<Catalog, 'get' | 'commit'>;
  readonly keys: Pick<Keys, 'wrap' | 'unwrap' | 'derive'>;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly chance: Pick<Chance, 'bytes'>;
  /** Name in the certificate: this installation's. */
  readonly name: string;
  /** RSA, 2,048 bits; the system's own generator when absent. */
  readonly makeRsaKey?: () => Promise<KeyObject>;
}

interface StoredKey {
  /** PKCS#8, wrapped, in base64. */
  readonly wrappedKey: string;
  /** PEM. */
  readonly certificate: string;
}

const KEY: CatalogKey = ['sns-signing-key'];
const CONTEXT = 'sns-signing-key';

export class MessageSigner {
  readonly #deps: SignerDeps;
  /** Where the certificate is served. */
  readonly path: string;
  #key: Promise<KeyObject> | undefined;

  private constructor(deps: SignerDeps, path: string) {
    this.#deps = deps;
    this.path = path;
  }

  static async open(deps: SignerDeps): Promise<MessageSigner> {
    const id = Buffer.from(await deps.keys.derive('sns-certificate-name')).toString('hex');
    return new MessageSigner(deps, `/SimpleNotificationService-${id.slice(0, 32)}.pem`);
  }

  /** The signature in base64: RSA by PKCS#1 v1.5, of SHA-1 where the topic did not choose the second version. */
  async sign(version: SignatureVersion, text: string): Promise<string> {
    this.#key ??= this.#open();
    const key = await this.#key.catch((error: unknown) => {
      // The next message tries again.
      this.#key = undefined;
      throw error;
    });
    return sign(version === '1' ? 'sha1' : 'sha256', Buffer.from(text, 'utf8'), key).toString('base64');
  }

  /** PEM; `undefined` before anything was signed. */
  async certificate(): Promise<string | undefined> {
    return (await this.#deps.catalog.get<StoredKey>(KEY))?.value.certificate;
  }

  async #open(): Promise<KeyObject> {
    const { catalog, keys, clock, chance, name, makeRsaKey = generateRsaKey } = this.#deps;
    const stored = await catalog.get<StoredKey>(KEY);
    if (stored !== undefined) {
      const key = await keys.unwrap(Buffer.from(stored.value.wrappedKey, 'base64'), CONTEXT);
      return createPrivateKey({ key: Buffer.from(key), type: 'pkcs8', format: 'der' });
    }
    const key = await makeRsaKey();
    const certificate = await makeSigningCertificate(key, { name, serialNumber: chance.bytes(16), nowMs: clock.nowMs() });
    const wrapped = await keys.wrap(key.export({ type: 'pkcs8', format: 'der' }), CONTEXT);
    const value: StoredKey = { wrappedKey: Buffer.from(wrapped).toString('base64'), certificate };
    await catalog.commit([{ key: KEY, value, expected: 0 }]);
    return key;
  }
}
