/**
 * Builds the evidence of trails as Snowtrail delivers it, from the engines alone: log files, digests, receipts, keys,
 * checkpoints of a growing tree. What it builds is consistent; tests then take things away, add and change them.
 *
 * Everything is deterministic but the keys. A bucket is a map in memory; it can be written to a folder, served over HTTP
 * (`evidence-endpoint.ts`), or read as a source directly.
 */
import { createHash, generateKeyPairSync, hash, type KeyObject, sign } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type Digest, encodeDigest } from '../../src/digest/digest-file.ts';
import { digestKey, digestMetadata, digestTime } from '../../src/digest/digest-key.ts';
import { stringToSign } from '../../src/digest/string-to-sign.ts';
import type { AccountId, Region } from '../../src/event/types.ts';
import { encodeLogFile } from '../../src/logfile/encode-log-file.ts';
import { logFileKey, uniqueText } from '../../src/logfile/log-file-key.ts';
import { encodeCheckpoint } from '../../src/tlog/checkpoint.ts';
import { hashLeaf, hashNode } from '../../src/tlog/hash.ts';
import { formatNote, formatNoteKey, keyHash, type NoteKey, type NoteSignature } from '../../src/tlog/note.ts';
import { encodeReceipt, RECEIPT_VERSION, type Receipt, type ReceiptObject, type ReceiptsElsewhere } from '../../src/tlog/receipt.ts';
import { toBase64, toHex, utf8 } from '../../src/tlog/text.ts';
import { consistencyProof, treeHead } from '../../src/tlog/tree.ts';
import type { CallServer } from '../../src/verify/server-evidence.ts';
import type { EvidenceSource, ListedObject } from '../../src/verify/source.ts';

export interface StoredObject {
  readonly body: Uint8Array;
  readonly metadata: Readonly<Record<string, string>>;
}

/** A bucket with versions. `objects` holds what is there now. */
export class MemoryBucket {
  readonly name: string;
  readonly objects: Map<string, StoredObject>;
  /** Versions before the newest, by key. */
  readonly older = new Map<string, StoredObject[]>();
  /** Keys whose newest version is a delete marker; what was there is in `older`. */
  readonly deleted = new Set<string>();
  /** Keys that nobody may read. */
  readonly unreadable = new Set<string>();

  constructor(name: string, objects: Iterable<readonly [string, StoredObject]> = []) {
    this.name = name;
    this.objects = new Map(objects);
  }

  /** An independent bucket with the same objects. */
  copy(name = this.name): MemoryBucket {
    const bucket = new MemoryBucket(name, this.objects);
    for (const [key, versions] of this.older) bucket.older.set(key, [...versions]);
    for (const key of this.deleted) bucket.deleted.add(key);
    for (const key of this.unreadable) bucket.unreadable.add(key);
    return bucket;
  }

  put(key: string, body: Uint8Array, metadata: Readonly<Record<string, string>> = {}): void {
    this.objects.set(key, { body, metadata });
  }

  /** Puts a newer version over what is there, as a versioned bucket does. */
  putVersion(key: string, body: Uint8Array, metadata: Readonly<Record<string, string>> = {}): void {
    this.older.set(key, [...(this.older.get(key) ?? []), this.objects.get(key)!]);
    this.put(key, body, metadata);
  }

  /** Places a delete marker. */
  markDeleted(key: string): void {
    this.older.set(key, [...(this.older.get(key) ?? []), this.objects.get(key)!]);
    this.objects.delete(key);
    this.deleted.add(key);
  }

  keys(part = ''): string[] {
    return [...this.objects.keys()].filter((key) => key.includes(part)).sort();
  }

  /** The bucket as a source that tells everything, metadata and versions too. It lists what begins with the prefix. */
  source(prefix = ''): EvidenceSource {
    const bucket = this;
    return {
      name: `s3://${this.name}${prefix === '' ? '' : `/${prefix}`}`,
      kind: 'bucket',
      bucket: this.name,
      prefix,
      jobs: 8,
      async *list(): AsyncGenerator<ListedObject> {
        for (const key of [...new Set([...bucket.objects.keys(), ...bucket.deleted])].sort()) {
          if (!key.startsWith(prefix)) continue;
          const now = bucket.objects.get(key);
          const all = [...(bucket.older.get(key) ?? []), ...(now === undefined ? [] : [now])];
          const contents = new Set(all.map(({ body }) => hash('sha256', body, 'hex'))).size;
          yield { key, sizeBytes: now?.body.length ?? 0, isPresent: now !== undefined, contents };
        }
      },
      versionsUnknown: () => undefined,
      get: async (key, bytesMax) => {
        if (bucket.unreadable.has(key)) return { kind: 'unreadable', reason: 'status 403' };
        const object = bucket.objects.get(key);
        if (object === undefined) return { kind: 'missing' };
        if (object.body.length > bytesMax) return { kind: 'too-large' };
        return { kind: 'object', bytes: object.body.slice(), metadata: object.metadata };
      },
    };
  }

  /** Writes the objects below a folder; metadata and versions are lost, as in any copy. */
  async writeTo(folder: string): Promise<void> {
    const folders = new Set([...this.objects.keys()].map((key) => dirname(join(folder, key))));
    for (const path of folders) await mkdir(path, { recursive: true });
    for (const [key, { body }] of this.objects) await writeFile(join(folder, key), body);
  }
}

export interface RsaKey {
  readonly privateKey: KeyObject;
  /** PKCS#1 DER. */
  readonly publicKey: Uint8Array;
  readonly fingerprint: string;
}

const rsaKeys: RsaKey[] = [];

/** RSA keys take long to make: tests share them by number. */
export function rsaKey(index: number): RsaKey {
  while (rsaKeys.length <= index) {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const der = new Uint8Array(publicKey.export({ type: 'pkcs1', format: 'der' }));
    rsaKeys.push({ privateKey, publicKey: der, fingerprint: createHash('md5').update(der).digest('hex') });
  }
  return rsaKeys[index]!;
}

export interface CheckpointKey {
  readonly privateKey: KeyObject;
  readonly noteKey: NoteKey;
}

export function checkpointKey(origin: string): CheckpointKey {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const bytes = new Uint8Array(Buffer.from(publicKey.export({ format: 'jwk' }).x!, 'base64url'));
  return { privateKey, noteKey: { name: origin, keyHash: keyHash(sha256, origin, bytes), publicKey: bytes } };
}

function sha256(bytes: Uint8Array): Uint8Array {
  return hash('sha256', bytes, 'buffer');
}

export function signNote(text: string, keys: readonly CheckpointKey[]): string {
  const signatures: NoteSignature[] = keys.map(({ privateKey, noteKey }) => ({
    name: noteKey.name,
    keyHash: noteKey.keyHash,
    signature: new Uint8Array(sign(null, utf8(text), privateKey)),
  }));
  return formatNote(text, signatures);
}

/** One installation: a tree that grows, and the keys. */
export class Installation {
  readonly origin: string;
  readonly digestKeys: RsaKey[] = [rsaKey(0)];
  readonly checkpointKeys: CheckpointKey[];
  /** `levels[n][i]` is the hash over leaves i·2^n up to before (i+1)·2^n. */
  readonly #levels: Uint8Array[][] = [[]];
  readonly #history: string;

  /** @param history Told apart, two installations of one origin have two different trees. */
  constructor(origin = 'snowtrail/test', history = 'one') {
    this.origin = origin;
    this.#history = history;
    this.checkpointKeys = [checkpointKey(origin)];
  }

  get size(): bigint {
    return BigInt(this.#levels[0]!.length);
  }

  get checkpointKey(): CheckpointKey {
    return this.checkpointKeys.at(-1)!;
  }

  get digestKey(): RsaKey {
    return this.digestKeys.at(-1)!;
  }

  /** What one pins: the line of the newest checkpoint key. */
  get verifierKey(): string {
    return formatNoteKey(this.checkpointKey.noteKey);
  }

  grow(leaves: number): void {
    for (let count = 0; count < leaves; count++) {
      this.#levels[0]!.push(hashLeaf(sha256, utf8(`leaf ${this.size} of ${this.#history}`)));
      for (let level = 0; this.#levels[level]!.length % 2 === 0; level++) {
        const below = this.#levels[level]!;
        this.#levels[level + 1] ??= [];
        this.#levels[level + 1]!.push(hashNode(sha256, below.at(-2)!, below.at(-1)!));
      }
    }
  }

  readonly read = (level: number, index: bigint): Uint8Array => this.#levels[level]![Number(index)]!;

  async checkpoint(size = this.size): Promise<string> {
    const root = await treeHead(sha256, size, this.read);
    return signNote(encodeCheckpoint({ origin: this.origin, size, root }), [this.checkpointKey]);
  }

  proof(from: bigint, to: bigint): Promise<Uint8Array[]> {
    return consistencyProof(sha256, from, to, this.read);
  }
}

export interface TrailOptions {
  readonly installation?: Installation;
  readonly bucket?: MemoryBucket;
  readonly account?: string;
  readonly homeRegion?: string;
  readonly name?: string;
  /** Without a slash at its end. */
  readonly prefix?: string;
  readonly nowMs?: number;
  readonly intervalMs?: number;
}

interface Chain {
  startMs: number;
  standard: Link | undefined;
  backfill: Link | undefined;
  files: { readonly bucket: string; readonly object: ReceiptObject }[];
}

interface Link {
  readonly bucket: string;
  readonly key: string;
  readonly contentSha256: string;
  readonly signature: string;
}

type Content = Receipt extends infer Each
  ? Each extends Receipt
    ? Omit<Each, 'trailARN' | 'number' | 'previousReceiptSha256' | 'createdAt' | 'bucket' | 'prefix' | 'checkpoint' | 'consistency'>
    : never
  : never;

/** Delivers for one trail. Its clock moves only when it is told to. */
export class EvidenceBuilder {
  readonly installation: Installation;
  readonly account: AccountId;
  readonly homeRegion: Region;
  readonly name: string;
  bucket: MemoryBucket;
  prefix: string | undefined;
  nowMs: number;
  readonly intervalMs: number;
  readonly #chains = new Map<string, Chain>();
  /** Receipts are written as of this version. */
  receiptVersion = RECEIPT_VERSION;
  #sequence = 1n;
  #receiptedTo = 0n;
  #number = 0;
  /** Where the receipts from 1 on went. */
  readonly #places: { readonly bucket: string; readonly prefix: string | null }[] = [];
  #previousSha256: string | null = null;
  #previousSize: bigint | null = null;

  constructor(options: TrailOptions = {}) {
    this.installation = options.installation ?? new Installation();
    this.bucket = options.bucket ?? new MemoryBucket('evidence');
    this.account = (options.account ?? '123837392027') as AccountId;
    this.homeRegion = (options.homeRegion ?? 'eu-central-1') as Region;
    this.name = options.name ?? 'main';
    this.prefix = options.prefix;
    this.nowMs = options.nowMs ?? Date.UTC(2026, 0, 2, 3, 0, 0);
    this.intervalMs = options.intervalMs ?? 3_600_000;
  }

  get trailARN(): string {
    return `arn:aws:cloudtrail:${this.homeRegion}:${this.account}:trail/${this.name}`;
  }

  /** Number of the newest receipt. */
  get receipts(): number {
    return this.#number;
  }

  get #evidence(): string {
    return `${this.prefix === undefined ? '' : `${this.prefix}/`}AWSLogs/${this.account}/CloudTrail-Evidence/${this.homeRegion}/${this.name}/`;
  }

  receiptKey(number = this.#number): string {
    return `${this.#evidence}receipts/${String(number).padStart(12, '0')}.note`;
  }

  /** Logging begins: a `start` receipt, the keys, a chain for each Region. */
  async start(regions: readonly string[] = [this.homeRegion], event = 'StartLogging'): Promise<this> {
    this.#grow(1);
    this.#receiptedTo = this.#sequence - 1n;
    await this.#receipt({ kind: 'start', reason: { event, principal: `arn:aws:iam::${this.account}:root` } });
    if (this.#number === 1) {
      await this.#stateKey('checkpoint', [this.installation.checkpointKey]);
      await this.#stateKey('digest', [this.installation.checkpointKey]);
    }
    for (const region of regions) this.#chains.set(region, { startMs: this.nowMs, standard: undefined, backfill: undefined, files: [] });
    return this;
  }

  /** A log file for each given Region, one receipt for all. Returns their keys. */
  async deliver(regions: readonly string[] = [this.homeRegion], records = 3): Promise<readonly string[]> {
    const made = regions.map((region) => this.#logFile(region, records));
    const toSequence = this.#sequence - 1n;
    const content: Content = {
      kind: 'delivery',
      fromSequence: this.#receiptedTo + 1n,
      toSequence,
      objects: made.map(({ object }) => object),
    };
    await this.#receipt(content);
    for (const { object, body } of made) {
      this.bucket.put(object.key, body);
      this.#chain(object.region).files.push({ bucket: this.bucket.name, object });
    }
    this.#receiptedTo = toSequence;
    return made.map(({ object }) => object.key);
  }

  /** Moves the clock to the end of the interval, and writes a digest for each Region. Returns their keys. */
  async closeInterval(options: { readonly isBackfill?: boolean } = {}): Promise<readonly string[]> {
    const endMs = (Math.floor(this.nowMs / this.intervalMs) + 1) * this.intervalMs;
    this.nowMs = endMs;
    const keys: string[] = [];
    for (const region of [...this.#chains.keys()].sort()) keys.push(await this.digest(region, { endMs, ...options }));
    return keys;
  }

  /** Logging ends: a last digest for each Region, then a `stop` receipt. */
  async stop(): Promise<readonly string[]> {
    this.nowMs += 1_000;
    const keys: string[] = [];
    for (const region of [...this.#chains.keys()].sort()) keys.push(await this.digest(region, { endMs: this.nowMs }));
    await this.#receipt({ kind: 'stop', reason: { event: 'StopLogging', principal: `arn:aws:iam::${this.account}:root` } });
    this.#chains.clear();
    return keys;
  }

  /** The digest files of one Region are not written for a while, and no receipt tells of it. */
  skipInterval(): void {
    this.nowMs = (Math.floor(this.nowMs / this.intervalMs) + 1) * this.intervalMs;
    for (const chain of this.#chains.values()) {
      chain.startMs = this.nowMs;
      chain.files = [];
    }
  }

  async rotate(use: 'digest' | 'checkpoint'): Promise<void> {
    const { installation } = this;
    const before = installation.checkpointKey;
    if (use === 'digest') installation.digestKeys.push(rsaKey(installation.digestKeys.length));
    else installation.checkpointKeys.push(checkpointKey(installation.origin));
    await this.#stateKey(use, use === 'digest' ? [before] : [before, installation.checkpointKey]);
  }

  /** Writes one digest, as it comes or changed before it is signed. Returns its key. */
  async digest(
    region: string,
    options: {
      readonly endMs: number;
      readonly isBackfill?: boolean;
      readonly change?: (digest: Digest) => Digest;
      readonly beginsAnew?: boolean;
    },
  ): Promise<string> {
    const { endMs, isBackfill = false, change = (digest) => digest, beginsAnew = false } = options;
    const chain = this.#chain(region);
    const previous = beginsAnew ? undefined : isBackfill ? chain.backfill : chain.standard;
    const key = digestKey({
      ...(this.prefix === undefined ? {} : { prefix: this.prefix }),
      account: this.account,
      region: region as Region,
      trailName: this.name,
      homeRegion: this.homeRegion,
      endTimeMs: endMs,
      isBackfill,
    });
    const listed = chain.files;
    const times = listed.flatMap(({ object }) => [object.oldestEventTime, object.newestEventTime]).sort();
    const digest = change({
      awsAccountId: this.account,
      digestStartTime: digestTime(chain.startMs),
      digestEndTime: digestTime(endMs),
      digestS3Bucket: this.bucket.name,
      digestS3Object: key,
      digestPublicKeyFingerprint: this.installation.digestKey.fingerprint,
      digestSignatureAlgorithm: 'SHA256withRSA',
      newestEventTime: times.at(-1) ?? null,
      oldestEventTime: times.at(0) ?? null,
      previousDigestS3Bucket: previous?.bucket ?? null,
      previousDigestS3Object: previous?.key ?? null,
      previousDigestHashValue: previous?.contentSha256 ?? null,
      previousDigestHashAlgorithm: previous === undefined ? null : 'SHA-256',
      previousDigestSignature: previous?.signature ?? null,
      logFiles: listed.map(({ bucket, object }) => ({
        s3Bucket: bucket,
        s3Object: object.key,
        hashValue: object.contentSha256,
        hashAlgorithm: 'SHA-256',
        newestEventTime: object.newestEventTime,
        oldestEventTime: object.oldestEventTime,
      })),
    });
    const signed = signDigest(digest, { bucket: this.bucket.name, key }, this.installation.digestKey);
    await this.#receipt({
      kind: 'digest',
      digest: {
        key,
        account: this.account,
        region,
        sha256: toHex(sha256(signed.body)),
        contentSha256: signed.contentSha256,
        sizeBytes: signed.body.length,
        start: digest.digestStartTime,
        end: digest.digestEndTime,
        isBackfill,
        signature: signed.signature,
        fingerprint: digest.digestPublicKeyFingerprint,
        previousSignature: digest.previousDigestSignature,
        logFiles: digest.logFiles.length,
      },
    });
    const metadata = digestMetadata({ signature: signed.signature, ...(isBackfill && { backfillGeneratedAtMs: this.nowMs }) });
    this.bucket.put(key, signed.body, metadata);
    const link = { bucket: this.bucket.name, key, contentSha256: signed.contentSha256, signature: signed.signature };
    if (isBackfill) chain.backfill = link;
    else chain.standard = link;
    chain.startMs = endMs;
    chain.files = [];
    return key;
  }

  /** The trail goes on in another bucket or below another prefix. */
  async moveTo(bucket: MemoryBucket, prefix?: string): Promise<void> {
    this.bucket = bucket;
    this.prefix = prefix;
    this.#putKeyFile('checkpoint');
    this.#putKeyFile('digest');
  }

  /** Where the receipts since the last one at the present place went. */
  #elsewhere(): ReceiptsElsewhere[] {
    const isHere = ({ bucket, prefix }: { bucket: string; prefix: string | null }) =>
      bucket === this.bucket.name && prefix === (this.prefix ?? null);
    const ranges: ReceiptsElsewhere[] = [];
    for (let number = this.#places.findLastIndex(isHere) + 2; number <= this.#number; number++) {
      const place = this.#places[number - 1]!;
      const last = ranges.at(-1);
      if (last?.bucket === place.bucket && last.prefix === place.prefix) ranges[ranges.length - 1] = { ...last, to: number };
      else ranges.push({ from: number, to: number, ...place });
    }
    return ranges;
  }

  #placesOnce(): { S3BucketName: string; S3KeyPrefix?: string }[] {
    const once = new Map(this.#places.map((place) => [`${place.bucket}/${place.prefix}`, place]));
    return [...once.values()].map(({ bucket, prefix }) => ({ S3BucketName: bucket, ...(prefix !== null && { S3KeyPrefix: prefix }) }));
  }

  /** Answers as a running server does. */
  callServer(overrides: Partial<Record<string, (input: Readonly<Record<string, unknown>>) => unknown>> = {}): CallServer {
    const { installation } = this;
    const answers: Record<string, (input: Readonly<Record<string, unknown>>) => unknown> = {
      ListEvidenceKeys: () => ({
        Origin: installation.origin,
        Keys: [
          ...installation.digestKeys.map(({ fingerprint, publicKey }) => ({
            Use: 'digest',
            Fingerprint: fingerprint,
            PublicKey: toBase64(publicKey),
          })),
          ...installation.checkpointKeys.map(({ noteKey }) => ({
            Use: 'checkpoint',
            Fingerprint: noteKey.keyHash,
            VerifierKey: formatNoteKey(noteKey),
          })),
        ],
      }),
      GetCheckpoint: async () => ({ Checkpoint: await installation.checkpoint() }),
      GetConsistencyProof: async ({ FromSize, ToSize }) => ({
        Hashes: (await installation.proof(BigInt(String(FromSize)), BigInt(String(ToSize)))).map(toBase64),
      }),
      GetExpirations: () => ({ Expirations: [] }),
      GetTrailEvidence: () => ({
        Trails: [
          {
            TrailARN: this.trailARN,
            S3BucketName: this.bucket.name,
            EvidencePrefix: this.#evidence,
            Places: this.#placesOnce(),
            DeliveredReceiptNumber: this.#number,
            LastReceiptNumber: this.#number,
            LastReceiptSha256: this.#previousSha256,
          },
        ],
      }),
      ...overrides,
    };
    return async (operation, input) => {
      const answer = answers[operation];
      if (answer === undefined) throw Object.assign(new Error(`no such operation: ${operation}`), { name: 'UnknownOperationException' });
      return JSON.parse(JSON.stringify(await answer(input)));
    };
  }

  #chain(region: string): Chain {
    const chain = this.#chains.get(region) ?? { startMs: this.nowMs, standard: undefined, backfill: undefined, files: [] };
    this.#chains.set(region, chain);
    return chain;
  }

  #logFile(region: string, records: number): { readonly object: ReceiptObject; readonly body: Uint8Array } {
    const firstSequence = this.#sequence;
    const eventTime = digestTime(this.nowMs - 60_000);
    const bytes = Array.from({ length: records }, (_, index) =>
      utf8(JSON.stringify(sampleRecord(this.account, region, eventTime, firstSequence + BigInt(index)))),
    );
    this.#grow(records);
    const content = encodeLogFile(bytes);
    const body = new Uint8Array(gzipSync(content));
    const key = logFileKey({
      ...(this.prefix === undefined ? {} : { prefix: this.prefix }),
      account: this.account,
      folder: 'CloudTrail',
      region: region as Region,
      timeMs: this.nowMs,
      unique: uniqueText(sha256(utf8(`${this.trailARN} ${region} ${firstSequence}`))),
    });
    const object = {
      key,
      account: this.account,
      region,
      sha256: toHex(sha256(body)),
      contentSha256: toHex(sha256(content)),
      sizeBytes: body.length,
      events: records,
      firstSequence,
      lastSequence: this.#sequence - 1n,
      oldestEventTime: eventTime,
      newestEventTime: eventTime,
    };
    return { object, body };
  }

  #grow(leaves: number): void {
    this.installation.grow(leaves);
    this.#sequence += BigInt(leaves);
  }

  async #stateKey(use: 'digest' | 'checkpoint', signers: readonly CheckpointKey[]): Promise<void> {
    const { installation } = this;
    const keys =
      use === 'digest'
        ? installation.digestKeys.map(({ fingerprint, publicKey }) => ({ fingerprint, publicKey }))
        : installation.checkpointKeys.map(({ noteKey }) => ({ fingerprint: noteKey.keyHash, publicKey: noteKey.publicKey }));
    const { fingerprint, publicKey } = keys.at(-1)!;
    await this.#receipt(
      { kind: 'key', key: { use, fingerprint, publicKey, previousFingerprint: keys.at(-2)?.fingerprint ?? null } },
      signers,
    );
    this.#putKeyFile(use);
  }

  #putKeyFile(use: 'digest' | 'checkpoint'): void {
    const { installation } = this;
    const { fingerprint, publicKey } =
      use === 'digest'
        ? installation.digestKey
        : { fingerprint: installation.checkpointKey.noteKey.keyHash, publicKey: installation.checkpointKey.noteKey.publicKey };
    const file = {
      version: 1,
      origin: installation.origin,
      use,
      fingerprint,
      publicKey: toBase64(publicKey),
      validFrom: digestTime(this.nowMs),
    };
    this.bucket.put(`${this.#evidence}keys/${use}-${fingerprint}.json`, utf8(`${JSON.stringify(file)}\n`));
  }

  async #receipt(content: Content, signers: readonly CheckpointKey[] = [this.installation.checkpointKey]): Promise<void> {
    const { installation } = this;
    // The fact of the receipt before is a leaf as well.
    this.#grow(1);
    const size = installation.size;
    const elsewhere = this.#elsewhere();
    const receipt = {
      trailARN: this.trailARN,
      number: this.#number + 1,
      previousReceiptSha256: this.#previousSha256,
      createdAt: digestTime(this.nowMs),
      ...content,
      bucket: this.bucket.name,
      prefix: this.prefix ?? null,
      ...(elsewhere.length > 0 && { elsewhere }),
      checkpoint: await installation.checkpoint(size),
      consistency: this.#previousSize === null ? [] : await installation.proof(this.#previousSize, size),
    } as Receipt;
    const text = encodeReceipt(receipt).replace(/^\{"version":\d+/, `{"version":${this.receiptVersion}`);
    const note = utf8(signNote(text, signers));
    this.#number++;
    this.#places.push({ bucket: this.bucket.name, prefix: this.prefix ?? null });
    this.#previousSha256 = toHex(sha256(note));
    this.#previousSize = size;
    this.bucket.put(this.receiptKey(), note);
  }
}

export interface SignedDigest {
  readonly body: Uint8Array;
  readonly contentSha256: string;
  /** Hexadecimal. */
  readonly signature: string;
}

export function signDigest(digest: Digest, place: { readonly bucket: string; readonly key: string }, key: RsaKey): SignedDigest {
  const content = encodeDigest(digest);
  const contentSha256 = toHex(sha256(content));
  const signature = sign('sha256', utf8(stringToSign(digest, place, contentSha256)), key.privateKey).toString('hex');
  return { body: new Uint8Array(gzipSync(content)), contentSha256, signature };
}

function sampleRecord(account: string, region: string, eventTime: string, sequence: bigint): object {
  return {
    eventVersion: '1.11',
    userIdentity: { type: 'Root', principalId: account, arn: `arn:aws:iam::${account}:root`, accountId: account },
    eventTime,
    eventSource: 's3.amazonaws.com',
    eventName: 'PutBucketPolicy',
    awsRegion: region,
    sourceIPAddress: '203.0.113.7',
    userAgent: 'aws-cli/1.45.11',
    requestParameters: { bucketName: `bucket-${sequence}` },
    responseElements: null,
    requestID: `REQ${String(sequence).padStart(13, '0')}`,
    eventID: `aaaaaaaa-bbbb-4ccc-8ddd-${String(sequence).padStart(12, '0')}`,
    readOnly: false,
    eventType: 'AwsApiCall',
    managementEvent: true,
    recipientAccountId: account,
    eventCategory: 'Management',
  };
}

/** A trail as most tests use it: `digests` hours, each with `logsEach` log files. */
export async function buildEvidence(
  options: TrailOptions & { readonly digests?: number; readonly logsEach?: number; readonly records?: number } = {},
): Promise<EvidenceBuilder> {
  const { digests = 6, logsEach = 1, records } = options;
  const builder = new EvidenceBuilder(options);
  await builder.start();
  for (let hour = 0; hour < digests; hour++) {
    for (let log = 0; log < logsEach; log++) {
      builder.nowMs += Math.min(60_000, Math.floor(builder.intervalMs / (logsEach + 1)));
      await builder.deliver(undefined, records);
    }
    await builder.closeInterval();
  }
  return builder;
}
