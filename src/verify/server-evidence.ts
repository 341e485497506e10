/**
 * What a running server says beside what lies in the bucket: its keys, the newest checkpoint, how far each trail's receipts go.
 *
 * The server is believed as far as its keys are (see `trust.ts`); everything else it says is checked under them. A call
 * that fails makes the verdict incomplete, never tampered.
 * Operations: src/evidence (GetCheckpoint, GetConsistencyProof, ListEvidenceKeys), src/trail (GetTrailEvidence, GetExpirations).
 */
import type { NoteKey } from '../tlog/note.ts';
import { parseNoteKey } from '../tlog/note.ts';
import { fromBase64 } from '../tlog/text.ts';
import { type KeyLink, readKeyLink, type UnknownStatement } from './key-link.ts';
import { digestFingerprint, type PinnedKeys, sha256 } from './trust.ts';

/**
 * Calls one operation of the server and gives its JSON answer, as decoded by `JSON.parse`.
 * @throws Error when there is none, or when the call was refused; `name` is then the error's wire code.
 */
export type CallServer = (operation: string, input: Readonly<Record<string, unknown>>) => Promise<unknown>;

/** A server's answer has another shape than it should. */
class BadAnswer extends Error {
  override readonly name = 'BadAnswer';
}

/** How far the evidence of a trail goes, by the server's word. */
export interface ServerTrail {
  readonly trailARN: string;
  readonly bucket: string;
  /** Prefix of the keys of its evidence, with a slash at its end. */
  readonly evidencePrefix: string;
  /** Every place where receipts of it went, up to and with the newest that is put. */
  readonly places: readonly { readonly bucket: string; readonly prefix: string | null }[];
  /** Every organization that it was a trail of. */
  readonly organizationIds: readonly string[];
  /** Number of the newest receipt that is put with all that it names; 0 before the first. */
  readonly delivered: number;
  /** Number of the newest receipt that was made, and the hexadecimal hash of its bytes; absent before the first. */
  readonly last?: { readonly number: number; readonly sha256: string };
  /** Objects that the server found missing or changed, as far as it lists them. */
  readonly lost: readonly ServerLoss[];
}

/** The server's keys, and what leads from one checkpoint key to the next. */
export interface ServerKeys {
  readonly keys: PinnedKeys;
  readonly links: readonly KeyLink[];
  /** Statements of a version that is not known here. */
  readonly unknown: readonly UnknownStatement[];
}

/** An object that the server found not to be in its bucket as it should be. */
export interface ServerLoss {
  readonly bucket: string;
  readonly key: string;
  readonly outcome: string;
  /** As the server gives it. */
  readonly foundAt: string;
}

/** An entry of the journal with the proof that it is in the tree; nothing of it is checked. */
export interface UnprovenEntry {
  readonly bytes: Uint8Array;
  readonly nonce: Uint8Array;
  readonly leafText: string;
  readonly sequence: bigint;
  /** The signed note of the tree that the proof leads to. */
  readonly checkpoint: string;
  readonly hashes: readonly Uint8Array[];
}

export interface ExpirationsAnswer {
  readonly entries: readonly UnprovenEntry[];
  readonly receipt: Uint8Array | undefined;
}

export class ServerEvidence {
  readonly #call: CallServer;

  constructor(call: CallServer) {
    this.#call = call;
  }

  /** All keys in use, from `ListEvidenceKeys`, and the statements that lead from one checkpoint key to the next. */
  async keys(): Promise<ServerKeys> {
    const answer = asMembers(await this.#call('ListEvidenceKeys', {}), 'ListEvidenceKeys');
    const list = answer['Keys'];
    if (!Array.isArray(list)) throw new BadAnswer('ListEvidenceKeys answered without `Keys`');
    const checkpoint: NoteKey[] = [];
    const digest: PinnedKeys['digest'][number][] = [];
    const links: KeyLink[] = [];
    const unknown: UnknownStatement[] = [];
    for (const item of list as readonly unknown[]) {
      const key = asMembers(item, 'a key of ListEvidenceKeys');
      if (key['Use'] === 'checkpoint') {
        const parsed = parseNoteKey(sha256, String(key['VerifierKey']));
        if (parsed.kind === 'malformed') throw new BadAnswer(`ListEvidenceKeys answered with a key that is none: ${parsed.reason}`);
        checkpoint.push(parsed.value);
        const link = typeof key['Statement'] === 'string' ? readKeyLink(key['Statement']) : undefined;
        if (link?.kind === 'ok') links.push(link.value);
        else if (link?.kind === 'unknown-version') unknown.push(link);
      } else if (key['Use'] === 'digest') {
        const publicKey = fromBase64(String(key['PublicKey']));
        if (publicKey === undefined) throw new BadAnswer('ListEvidenceKeys answered with a key that is not base64');
        digest.push({ fingerprint: digestFingerprint(publicKey), publicKey });
      }
    }
    return { keys: { checkpoint, digest }, links, unknown };
  }

  /** The newest checkpoint, as a note. `undefined` before the first. */
  async checkpoint(): Promise<string | undefined> {
    try {
      const note = asMembers(await this.#call('GetCheckpoint', {}), 'GetCheckpoint')['Checkpoint'];
      if (typeof note !== 'string') throw new BadAnswer('GetCheckpoint answered without `Checkpoint`');
      return note;
    } catch (error) {
      if ((error as Error).name === 'CheckpointNotFoundException') return undefined;
      throw error;
    }
  }

  async consistencyProof(fromSize: bigint, toSize: bigint): Promise<readonly Uint8Array[]> {
    const answer = asMembers(
      await this.#call('GetConsistencyProof', { FromSize: `${fromSize}`, ToSize: `${toSize}` }),
      'GetConsistencyProof',
    );
    const hashes = answer['Hashes'];
    if (!Array.isArray(hashes)) throw new BadAnswer('GetConsistencyProof answered without `Hashes`');
    return (hashes as readonly unknown[]).map((hash) => asBytes(hash, 'GetConsistencyProof'));
  }

  /** What the journal says of an object's expiry. */
  async expirations(input: Readonly<Record<string, unknown>>): Promise<ExpirationsAnswer> {
    const answer = asMembers(await this.#call('GetExpirations', input), 'GetExpirations');
    const list = answer['Expirations'];
    if (!Array.isArray(list)) throw new BadAnswer('GetExpirations answered without `Expirations`');
    const receipt = answer['Receipt'] === undefined ? undefined : asBytes(answer['Receipt'], 'GetExpirations');
    return { entries: (list as readonly unknown[]).map(readEntry), receipt };
  }

  /** The trails that the caller may see, or one of them. */
  async trails(trailARN?: string): Promise<readonly ServerTrail[]> {
    const answer = asMembers(
      await this.#call('GetTrailEvidence', trailARN === undefined ? {} : { TrailARN: trailARN }),
      'GetTrailEvidence',
    );
    const list = answer['Trails'];
    if (!Array.isArray(list)) throw new BadAnswer('GetTrailEvidence answered without `Trails`');
    return (list as readonly unknown[]).map(readTrail);
  }
}

function readTrail(value: unknown): ServerTrail {
  const trail = asMembers(value, 'a trail of GetTrailEvidence');
  const [trailARN, bucket, evidencePrefix] = [trail['TrailARN'], trail['S3BucketName'], trail['EvidencePrefix']];
  const [delivered, number, sha] = [trail['DeliveredReceiptNumber'], trail['LastReceiptNumber'], trail['LastReceiptSha256']];
  if (typeof trailARN !== 'string' || typeof bucket !== 'string' || typeof evidencePrefix !== 'string')
    throw new BadAnswer('GetTrailEvidence answered with a trail that is not complete');
  if (!isNumber(delivered) || !isNumber(number)) throw new BadAnswer('GetTrailEvidence answered with receipt numbers that are none');
  const lost = (Array.isArray(trail['LostObjects']) ? (trail['LostObjects'] as readonly unknown[]) : []).map((item) => {
    const loss = asMembers(item, 'a lost object of GetTrailEvidence');
    return {
      bucket: String(loss['S3BucketName']),
      key: String(loss['Key']),
      outcome: String(loss['Outcome']),
      foundAt: String(loss['FoundAt']),
    };
  });
  const base = {
    trailARN,
    bucket,
    evidencePrefix,
    places: readPlaces(trail['Places']),
    organizationIds: readIds(trail['OrganizationIds']),
    delivered,
    lost,
  };
  if (number === 0) return base;
  if (typeof sha !== 'string') throw new BadAnswer('GetTrailEvidence answered without `LastReceiptSha256`');
  return { ...base, last: { number, sha256: sha } };
}

function readEntry(value: unknown): UnprovenEntry {
  const what = 'GetExpirations';
  const entry = asMembers(value, `an entry of ${what}`);
  const [leafText, sequence, checkpoint, hashes] = [entry['LeafText'], entry['Sequence'], entry['Checkpoint'], entry['Hashes']];
  if (typeof leafText !== 'string' || typeof checkpoint !== 'string' || !Array.isArray(hashes))
    throw new BadAnswer(`${what} answered with an entry that is not complete`);
  if (typeof sequence !== 'string' || !/^[1-9][0-9]{0,18}$/.test(sequence))
    throw new BadAnswer(`${what} answered with a sequence that is none`);
  return {
    bytes: asBytes(entry['Bytes'], what),
    nonce: asBytes(entry['Nonce'], what),
    leafText,
    sequence: BigInt(sequence),
    checkpoint,
    hashes: (hashes as readonly unknown[]).map((hash) => asBytes(hash, what)),
  };
}

function asBytes(value: unknown, what: string): Uint8Array {
  const bytes = typeof value === 'string' ? fromBase64(value) : undefined;
  if (bytes === undefined) throw new BadAnswer(`${what} answered with something that is not base64`);
  return bytes;
}

function readPlaces(value: unknown): ServerTrail['places'] {
  if (!Array.isArray(value)) throw new BadAnswer('GetTrailEvidence answered without `Places`');
  return (value as readonly unknown[]).map((item) => {
    const { S3BucketName: bucket, S3KeyPrefix: prefix } = asMembers(item, 'a place of GetTrailEvidence');
    if (typeof bucket !== 'string' || (prefix !== undefined && typeof prefix !== 'string'))
      throw new BadAnswer('GetTrailEvidence answered with a place that is none');
    return { bucket, prefix: prefix ?? null };
  });
}

function readIds(value: unknown): readonly string[] {
  return (Array.isArray(value) ? (value as readonly unknown[]) : []).filter(
    (id): id is string => typeof id === 'string' && /^o-[a-z0-9]{10,32}$/.test(id),
  );
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function asMembers(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new BadAnswer(`${what} answered with no object`);
  return value as Readonly<Record<string, unknown>>;
}
