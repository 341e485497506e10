/**
 * Which keys are believed, and why.
 *
 * Checkpoint keys sign receipts and checkpoints. One is trusted because the caller pinned it, because a state file from
 * an earlier run knows it, or because the server states it, in that order: where a key is pinned or known, the server's
 * word adds none (an endpoint that somebody swapped would state its own, A39). From a trusted key, trust goes on to the
 * next over a key receipt that both signed. Keys that only lie beside the evidence prove nothing: whoever rewrote the
 * evidence could have put them there; they serve to find faults.
 *
 * Digest keys (RSA) are pinned, stated by the server, named in a receipt, or lie beside the evidence.
 */
import { createHash, createPublicKey, hash, type KeyObject, verify } from 'node:crypto';
import { formatNoteKey, type Note, type NoteKey, type NoteVerdict, parseNoteKey, verifyNote } from '../tlog/note.ts';
import { fromBase64, toHex } from '../tlog/text.ts';
import type { DigestKeyOrigin, TrustReport } from './report.ts';

/** Keys that the caller trusts, whatever the evidence or the server say. */
export interface PinnedKeys {
  readonly checkpoint: readonly NoteKey[];
  readonly digest: readonly { readonly fingerprint: string; readonly publicKey: Uint8Array }[];
}

export const NO_KEYS: PinnedKeys = { checkpoint: [], digest: [] };

export function sha256(bytes: Uint8Array): Uint8Array {
  return hash('sha256', bytes, 'buffer');
}

/** MD5 of the PKCS#1 DER, as CloudTrail names its keys. */
export function digestFingerprint(publicKey: Uint8Array): string {
  return createHash('md5').update(publicKey).digest('hex');
}

/** Checks an Ed25519 signature; false for a key or signature of the wrong form. */
export function verifyEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  try {
    return verify(null, message, ed25519Key(publicKey), signature);
  } catch {
    return false;
  }
}

type BaseTrust = 'pinned' | 'state' | 'server';

export class Trust {
  readonly #keys = new Map<string, { readonly key: NoteKey; readonly by: BaseTrust }>();
  /** Checkpoint keys that only the evidence gives. */
  readonly #evidenceKeys: NoteKey[] = [];
  readonly #digestKeys = new Map<string, { readonly key: KeyObject; readonly from: DigestKeyOrigin }>();
  readonly #usedDigestKeys = new Set<string>();
  /** Whether the caller named digest keys: then a key that merely lies beside the evidence is not taken. */
  readonly #isDigestPinned: boolean;
  /** Key hashes of checkpoint keys for which something that cannot be read may vouch. */
  readonly #doubted = new Set<string>();
  /** Whether digest keys may be stated by something that cannot be read. */
  #areDigestKeysDoubted = false;

  constructor(given: { readonly pinned: PinnedKeys; readonly state: readonly NoteKey[]; readonly server: PinnedKeys }) {
    for (const key of given.pinned.checkpoint) this.#trust(key, 'pinned');
    for (const key of given.state) this.#trust(key, 'state');
    if (this.#keys.size === 0) for (const key of given.server.checkpoint) this.#trust(key, 'server');
    this.#isDigestPinned = given.pinned.digest.length > 0;
    for (const { publicKey } of given.pinned.digest) this.addDigestKey(publicKey, 'pinned');
    if (!this.#isDigestPinned) for (const { publicKey } of given.server.digest) this.addDigestKey(publicKey, 'server');
  }

  get hasTrustedKey(): boolean {
    return this.#keys.size > 0;
  }

  /** Whether all trust rests on what the server says. */
  get isServerOnly(): boolean {
    return this.hasTrustedKey && [...this.#keys.values()].every(({ by }) => by === 'server');
  }

  trustedKeys(): readonly NoteKey[] {
    return [...this.#keys.values()].map(({ key }) => key);
  }

  addEvidenceKey(key: NoteKey): void {
    if (this.#evidenceKeys.length < 10_000) this.#evidenceKeys.push(key);
  }

  /** Holds a note against the trusted keys. */
  verify(note: Note): NoteVerdict {
    return verifyNote(note, this.trustedKeys(), verifyEd25519);
  }

  /** Holds a note against keys that prove nothing, to find a signature that is wrong under any of them. */
  verifyUntrusted(note: Note): NoteVerdict {
    return verifyNote(note, [...this.trustedKeys(), ...this.#evidenceKeys], verifyEd25519);
  }

  /** Trusts the key of a key receipt when a trusted key and the key itself signed it. Returns whether it is news. */
  follow(note: Note, next: NoteKey): boolean {
    if (this.#keys.has(idOf(next))) return false;
    const verdict = verifyNote(note, [...this.trustedKeys(), next], verifyEd25519);
    if (verdict.kind !== 'signed') return false;
    const old = verdict.by.find((key) => this.#keys.has(idOf(key)));
    if (old === undefined || !verdict.by.includes(next)) return false;
    this.#trust(next, this.#keys.get(idOf(old))!.by);
    return true;
  }

  /**
   * Something that cannot be read may vouch for this checkpoint key, so that a signature by it is no fault.
   * Returns whether it is news.
   */
  doubt(keyHash: string): boolean {
    const isNews = !this.#doubted.has(keyHash);
    this.#doubted.add(keyHash);
    return isNews;
  }

  /** Whether a note that no trusted key signed is by a key for which something that cannot be read may vouch. */
  isDoubted({ signatures }: Note): boolean {
    return signatures.some(({ keyHash }) => this.#doubted.has(keyHash));
  }

  /** Something that cannot be read may state digest keys. */
  doubtDigestKeys(): void {
    this.#areDigestKeysDoubted = true;
  }

  /** Adds a digest key unless one with its fingerprint is known from a better source. False when it is no RSA key. */
  addDigestKey(publicKey: Uint8Array, from: DigestKeyOrigin): boolean {
    const fingerprint = digestFingerprint(publicKey);
    const isKnown = this.#digestKeys.has(fingerprint);
    if (isKnown || (this.#isDigestPinned && from === 'evidence')) return true;
    try {
      const key = createPublicKey({ key: Buffer.from(publicKey), format: 'der', type: 'pkcs1' });
      this.#digestKeys.set(fingerprint, { key, from });
      return true;
    } catch {
      return false;
    }
  }

  /** Checks a digest's signature. `unknown-key` when no key of the fingerprint is known. */
  verifyDigest(fingerprint: string, message: string, signatureHex: string): 'signed' | 'bad-signature' | 'unknown-key' {
    const known = this.#digestKeys.get(fingerprint);
    if (known === undefined) return 'unknown-key';
    this.#usedDigestKeys.add(fingerprint);
    const isRight = verify('sha256', Buffer.from(message), known.key, Buffer.from(signatureHex, 'hex'));
    return isRight ? 'signed' : 'bad-signature';
  }

  /** Whether a digest key that is not known is a fault: the caller named those that count, and all that states more was read. */
  get isDigestKeyDue(): boolean {
    return this.#isDigestPinned && !this.#areDigestKeysDoubted;
  }

  report(): TrustReport {
    const by = (['pinned', 'state', 'server'] as const).find((each) => [...this.#keys.values()].some((key) => key.by === each));
    return {
      by: by ?? 'none',
      checkpointKeys: this.trustedKeys().map(formatNoteKey),
      digestKeys: [...this.#usedDigestKeys].sort().map((fingerprint) => ({ fingerprint, from: this.#digestKeys.get(fingerprint)!.from })),
    };
  }

  #trust(key: NoteKey, by: BaseTrust): void {
    if (!this.#keys.has(idOf(key))) this.#keys.set(idOf(key), { key, by });
  }
}

/** Keys are told apart by name and whole key: the key hash has 32 bits only. */
function idOf(key: NoteKey): string {
  return `${key.name} ${toHex(key.publicKey)}`;
}

const ed25519Keys = new Map<string, KeyObject>();

function ed25519Key(publicKey: Uint8Array): KeyObject {
  const id = Buffer.from(publicKey).toString('base64url');
  let key = ed25519Keys.get(id);
  if (key === undefined) {
    key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: id }, format: 'jwk' });
    if (ed25519Keys.size >= 1000) ed25519Keys.clear();
    ed25519Keys.set(id, key);
  }
  return key;
}

/**
 * Reads a file of pinned keys. Each of these may stand in it, any number of times:
 * a C2SP verifier key on a line (`snowtrail/…+hash+key`); RSA public keys as PEM, PKCS#1 or SubjectPublicKeyInfo; the
 * JSON that `aws cloudtrail list-public-keys` or `ListEvidenceKeys` prints. Lines that begin with `#` are comments.
 *
 * @throws Error for anything else: a key file that is half understood would pin less than its owner believes.
 */
export function parsePinnedKeys(text: string): PinnedKeys {
  const trimmed = text.trim();
  if (trimmed.startsWith('{')) return parseKeyJson(trimmed);
  const checkpoint: NoteKey[] = [];
  const digest: PinnedKeys['digest'][number][] = [];
  const withoutPem = text.replace(/-----BEGIN (RSA )?PUBLIC KEY-----[^-]*-----END (RSA )?PUBLIC KEY-----/g, (pem) => {
    digest.push(digestKeyOf(pem));
    return '\n';
  });
  for (const line of withoutPem.split('\n').map((each) => each.trim())) {
    if (line === '' || line.startsWith('#')) continue;
    checkpoint.push(noteKeyOf(line));
  }
  if (checkpoint.length + digest.length === 0) throw new Error('the key file holds no key');
  return { checkpoint, digest };
}

function parseKeyJson(text: string): PinnedKeys {
  let value: { PublicKeyList?: unknown; Keys?: unknown };
  try {
    value = JSON.parse(text) as typeof value;
  } catch (cause) {
    throw new Error(`the key file is neither keys nor JSON: ${(cause as Error).message}`, { cause });
  }
  const lists = [value.PublicKeyList, value.Keys].filter(Array.isArray).flat() as readonly unknown[];
  const checkpoint: NoteKey[] = [];
  const digest: PinnedKeys['digest'][number][] = [];
  for (const item of lists) {
    const { Value, PublicKey, VerifierKey } = (item ?? {}) as { Value?: unknown; PublicKey?: unknown; VerifierKey?: unknown };
    const der = Value ?? PublicKey;
    if (typeof VerifierKey === 'string') checkpoint.push(noteKeyOf(VerifierKey));
    else if (typeof der === 'string') digest.push(derKeyOf(der));
    else throw new Error('the key file has an entry without `Value`, `PublicKey` or `VerifierKey`');
  }
  if (checkpoint.length + digest.length === 0) throw new Error('the key file holds no key');
  return { checkpoint, digest };
}

function noteKeyOf(line: string): NoteKey {
  const parsed = parseNoteKey(sha256, line);
  if (parsed.kind === 'malformed') throw new Error(`\`${line.slice(0, 80)}\` is no key: ${parsed.reason}`);
  return parsed.value;
}

function derKeyOf(base64: string): PinnedKeys['digest'][number] {
  const publicKey = fromBase64(base64);
  if (publicKey === undefined) throw new Error('the key file has a public key that is not base64');
  try {
    createPublicKey({ key: Buffer.from(publicKey), format: 'der', type: 'pkcs1' });
  } catch (cause) {
    throw new Error('the key file has a public key that is not PKCS#1 DER', { cause });
  }
  return { fingerprint: digestFingerprint(publicKey), publicKey };
}

function digestKeyOf(pem: string): PinnedKeys['digest'][number] {
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch (cause) {
    throw new Error('the key file has a PEM block that is no public key', { cause });
  }
  if (key.asymmetricKeyType !== 'rsa')
    throw new Error('the key file has a PEM block that is not an RSA key; pin checkpoint keys as C2SP lines');
  const publicKey = pkcs1Of(key);
  return { fingerprint: digestFingerprint(publicKey), publicKey };
}

/** DER of PKCS#1 `RSAPublicKey`, from the numbers themselves: some versions of Node cannot export a key that was read from PEM. */
function pkcs1Of(key: KeyObject): Uint8Array {
  const { n = '', e = '' } = key.export({ format: 'jwk' });
  const numbers = [n, e].map((text) => derInteger(Buffer.from(text, 'base64url')));
  return new Uint8Array(derElement(0x30, Buffer.concat(numbers)));
}

/** A positive whole number, big-endian. */
function derInteger(bytes: Buffer): Buffer {
  return derElement(0x02, (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes);
}

function derElement(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}
