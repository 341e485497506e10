/**
 * The keys that both implementations of `Keys` hold in memory; they differ in how it is kept.
 *
 * Private keys lie in a `KeyringState` only wrapped, and leave this file in no other form. Node's crypto does the rest:
 * AES-256-GCM wraps, HKDF derives, RSA and Ed25519 sign (both deterministic).
 * Promises: `keys.ts`. Fingerprints: cloudtrail.md §3.5 (MD5 of the PKCS#1 DER), C2SP signed-note (key hash).
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  hkdfSync,
  type KeyObject,
  sign as signWith,
} from 'node:crypto';
import { promisify } from 'node:util';
import type { EpochMs } from '../event/types.ts';
import type { Chance, Clock } from './clock.ts';
import type { Keys, PublicKeyInfo, SigningKeyUse } from './keys.ts';

export const MASTER_KEY_BYTES = 32;

const DAY_MS = 24 * 3600 * 1000;
const SECRET_BYTES_MAX = 65_536;
const WRAP_VERSION = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * The name of the log, `snowtrail/<installation id>`; or how to find it, asked at the first use of a signing key: the
 * installation is made with the help of `wrap`.
 */
export type Origin = string | (() => string);

/** One key as it is kept. */
export interface StoredKey {
  readonly use: SigningKeyUse;
  readonly fingerprint: string;
  /** Base64. */
  readonly publicKey: string;
  readonly validFromMs: EpochMs;
  readonly validToMs?: EpochMs;
  /** PKCS#8 DER, wrapped, base64. Dropped at the second rotation after the key was current. */
  readonly privateKey?: string;
}

/** All keys of both uses, oldest first within a use. Holds no secret that is not wrapped. */
export interface KeyringState {
  readonly keys: readonly StoredKey[];
}

export interface KeyringOptions {
  /** Name of the log: the key hash of a checkpoint key depends on it. */
  readonly origin: Origin;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly chance: Pick<Chance, 'bytes'>;
  /** 32 bytes. Trusted: who has it has every key. */
  readonly masterKey: Uint8Array;
  /** What was kept before; absent on the first start. */
  readonly state?: KeyringState;
  /** Keeps a state; returns when it is durable. */
  readonly save: (state: KeyringState) => Promise<void>;
  readonly makeRsaKey: () => Promise<KeyObject>;
}

/** A private RSA key of 2,048 bits. */
export async function generateRsaKey(): Promise<KeyObject> {
  const pair = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 });
  return pair.privateKey;
}

/**
 * Opens the keys. The first signing key of each use is made when one is first asked for.
 * @throws Error when the state was not written under this master key.
 */
export async function openKeyring(options: KeyringOptions): Promise<Keys> {
  const keyring = new Keyring(options);
  if (options.state === undefined) await options.save({ keys: [] });
  return keyring;
}

class Keyring implements Keys {
  readonly #options: KeyringOptions;
  readonly #wrapKey: Uint8Array;
  /** What `save` last kept. Replaced as a whole, after it is durable, by `#change` alone. */
  #state: KeyringState;
  /** The keys that can sign, by fingerprint. */
  #privateKeys = new Map<string, KeyObject>();
  /** That there is a key of each use, made for our origin. Asked for by whatever needs signing keys. */
  #complete: Promise<string> | undefined;
  /** The last change under way: rotations come one after the other. */
  #lastChange: Promise<unknown> = Promise.resolve();

  constructor(options: KeyringOptions) {
    this.#options = options;
    if (options.masterKey.length !== MASTER_KEY_BYTES)
      throw new Error(`the master key has ${MASTER_KEY_BYTES} bytes, not ${options.masterKey.length}`);
    this.#wrapKey = deriveFrom(options.masterKey, 'snowtrail/wrap');
    this.#state = options.state ?? { keys: [] };
    for (const key of this.#state.keys) {
      if (key.privateKey !== undefined) this.#privateKeys.set(key.fingerprint, this.#openPrivateKey(key, key.privateKey));
    }
  }

  async list(use: SigningKeyUse): Promise<readonly PublicKeyInfo[]> {
    await this.#completed();
    return this.#ofUse(use).map(publicInfo);
  }

  async sign(use: SigningKeyUse, message: Uint8Array, fingerprint?: string): Promise<{ signature: Uint8Array; key: PublicKeyInfo }> {
    await this.#completed();
    const keys = this.#ofUse(use);
    const key = fingerprint === undefined ? keys.at(-1) : keys.find((each) => each.fingerprint === fingerprint);
    const privateKey = key && this.#privateKeys.get(key.fingerprint);
    if (key === undefined || privateKey === undefined)
      throw new Error(`no ${use} key \`${fingerprint}\` that can sign: it is not ours, or was replaced twice`);
    // RSA: `null` would mean no hash; Ed25519 takes none.
    const signature = signWith(use === 'digest' ? 'sha256' : null, message, privateKey);
    return { signature, key: publicInfo(key) };
  }

  rotate(use: SigningKeyUse, nowMs: EpochMs): Promise<PublicKeyInfo> {
    const rotation = this.#lastChange.then(() => this.#rotate(use, nowMs));
    this.#lastChange = rotation.catch(() => undefined);
    return rotation;
  }

  async wrap(secret: Uint8Array, context: string): Promise<Uint8Array> {
    return this.#wrap(secret, context);
  }

  async unwrap(wrapped: Uint8Array, context: string): Promise<Uint8Array> {
    return this.#unwrap(wrapped, context);
  }

  async derive(purpose: string): Promise<Uint8Array> {
    return deriveFrom(this.#options.masterKey, `snowtrail/derive/${purpose}`);
  }

  /** @returns the origin. */
  #completed(): Promise<string> {
    this.#complete ??= this.#completeKeys().catch((error) => {
      this.#complete = undefined;
      throw error;
    });
    return this.#complete;
  }

  async #completeKeys(): Promise<string> {
    const origin = typeof this.#options.origin === 'string' ? this.#options.origin : this.#options.origin();
    for (const { use, fingerprint, publicKey } of this.#state.keys) {
      if (fingerprint !== fingerprintOf(use, Buffer.from(publicKey, 'base64'), origin))
        throw new Error(`the ${use} key \`${fingerprint}\` was made for another origin than \`${origin}\``);
    }
    const uses = (['digest', 'checkpoint'] as const).filter((use) => this.#ofUse(use).length === 0);
    const made = await Promise.all(uses.map((use) => this.#make(use, origin, this.#options.clock.nowMs())));
    if (made.length > 0) await this.#replace([...this.#state.keys, ...made.map(({ stored }) => stored)], made);
    return origin;
  }

  #ofUse(use: SigningKeyUse): readonly StoredKey[] {
    return this.#state.keys.filter((key) => key.use === use);
  }

  async #rotate(use: SigningKeyUse, nowMs: EpochMs): Promise<PublicKeyInfo> {
    const made = await this.#make(use, await this.#completed(), nowMs);
    const current = this.#ofUse(use).at(-1);
    const others = this.#state.keys.map((key) => {
      if (key.use !== use) return key;
      if (key === current) return retired(key, nowMs);
      const { privateKey: _, ...withoutPrivateKey } = key;
      return withoutPrivateKey;
    });
    await this.#replace([...others, made.stored], [made]);
    return publicInfo(made.stored);
  }

  /** Takes over a new list of keys once it is durable, and forgets the private keys that it no longer holds. */
  async #replace(keys: readonly StoredKey[], made: readonly { stored: StoredKey; privateKey: KeyObject }[]): Promise<void> {
    await this.#options.save({ keys });
    this.#state = { keys };
    for (const { stored, privateKey } of made) this.#privateKeys.set(stored.fingerprint, privateKey);
    for (const key of keys) if (key.privateKey === undefined) this.#privateKeys.delete(key.fingerprint);
  }

  async #make(use: SigningKeyUse, origin: string, nowMs: EpochMs): Promise<{ stored: StoredKey; privateKey: KeyObject }> {
    const privateKey = use === 'digest' ? await this.#options.makeRsaKey() : ed25519Key(this.#options.chance.bytes(32));
    const publicKey = publicBytes(use, privateKey);
    const fingerprint = fingerprintOf(use, publicKey, origin);
    const wrapped = this.#wrap(privateKey.export({ type: 'pkcs8', format: 'der' }), contextOf(use, fingerprint));
    const stored: StoredKey = {
      use,
      fingerprint,
      publicKey: toBase64(publicKey),
      // Whole seconds, as they are shown; one day early, so that a clock a little behind finds the key valid.
      validFromMs: Math.floor(nowMs / 1000) * 1000 - DAY_MS,
      privateKey: toBase64(wrapped),
    };
    return { stored, privateKey };
  }

  #openPrivateKey(key: StoredKey, wrapped: string): KeyObject {
    const der = this.#unwrap(Buffer.from(wrapped, 'base64'), contextOf(key.use, key.fingerprint));
    const privateKey = createPrivateKey({ key: Buffer.from(der), type: 'pkcs8', format: 'der' });
    const publicKey = publicBytes(key.use, privateKey);
    if (toBase64(publicKey) !== key.publicKey)
      throw new Error(`the ${key.use} key \`${key.fingerprint}\` is kept with another key's public half`);
    return privateKey;
  }

  #wrap(secret: Uint8Array, context: string): Uint8Array {
    if (secret.length > SECRET_BYTES_MAX) throw new Error(`a secret has at most ${SECRET_BYTES_MAX} bytes, not ${secret.length}`);
    const nonce = this.#options.chance.bytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.#wrapKey, nonce);
    cipher.setAAD(Buffer.from(context));
    return Buffer.concat([Uint8Array.of(WRAP_VERSION), nonce, cipher.update(secret), cipher.final(), cipher.getAuthTag()]);
  }

  #unwrap(wrapped: Uint8Array, context: string): Uint8Array {
    if (wrapped[0] !== WRAP_VERSION || wrapped.length < 1 + NONCE_BYTES + TAG_BYTES)
      throw new Error(`\`${context}\` is not a wrapped secret`);
    const nonce = wrapped.subarray(1, 1 + NONCE_BYTES);
    const tag = wrapped.subarray(wrapped.length - TAG_BYTES);
    const decipher = createDecipheriv('aes-256-gcm', this.#wrapKey, nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(Buffer.from(context));
    decipher.setAuthTag(tag);
    try {
      return Buffer.concat([decipher.update(wrapped.subarray(1 + NONCE_BYTES, wrapped.length - TAG_BYTES)), decipher.final()]);
    } catch (cause) {
      throw new Error(`the secret \`${context}\` was changed, or wrapped under another master key or context`, { cause });
    }
  }
}

/** A digest key stays valid for a day after its last use, so that periods overlap. */
function retired(key: StoredKey, nowMs: EpochMs): StoredKey {
  const lastMs = key.use === 'digest' ? nowMs + DAY_MS : nowMs;
  return { ...key, validToMs: Math.max(lastMs, key.validFromMs) };
}

function publicInfo(key: StoredKey): PublicKeyInfo {
  const { use, fingerprint, validFromMs, validToMs } = key;
  const publicKey = new Uint8Array(Buffer.from(key.publicKey, 'base64'));
  return { use, fingerprint, publicKey, validFromMs, ...(validToMs === undefined ? {} : { validToMs }) };
}

function ed25519Key(seed: Uint8Array): KeyObject {
  // RFC 8410: a PKCS#8 document of an Ed25519 key is this prefix and the seed.
  const prefix = Buffer.from('302e020100300506032b657004220420', 'hex');
  return createPrivateKey({ key: Buffer.concat([prefix, seed]), format: 'der', type: 'pkcs8' });
}

function publicBytes(use: SigningKeyUse, privateKey: KeyObject): Uint8Array {
  const publicKey = createPublicKey(privateKey);
  return use === 'digest'
    ? publicKey.export({ type: 'pkcs1', format: 'der' })
    : Buffer.from(publicKey.export({ format: 'jwk' }).x!, 'base64url');
}

function fingerprintOf(use: SigningKeyUse, publicKey: Uint8Array, origin: string): string {
  if (use === 'digest') return createHash('md5').update(publicKey).digest('hex');
  return createHash('sha256').update(`${origin}\n\u0001`).update(publicKey).digest('hex').slice(0, 8);
}

function contextOf(use: SigningKeyUse, fingerprint: string): string {
  return `signing-key/${use}/${fingerprint}`;
}

function deriveFrom(masterKey: Uint8Array, info: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', masterKey, new Uint8Array(0), info, 32));
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
