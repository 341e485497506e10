/**
 * Tells what a lifecycle rule of the bucket let expire from what somebody deleted: by the facts of the server's journal.
 *
 * The server's word is not enough. A fact counts when it is a leaf of the tree under a checkpoint that a trusted key signed, speaks of
 * the very place, and names the content that was delivered. What the server cannot be asked is unknown, neither expired nor deleted.
 * Operation: src/trail/get-expirations.ts.
 */
import { type Checkpoint, parseCheckpointNote } from '../tlog/checkpoint.ts';
import { type Expiry, explainAbsence, parseExpiry } from '../tlog/expiry.ts';
import { hashLeaf } from '../tlog/hash.ts';
import { hashBytes } from '../tlog/leaf.ts';
import type { Note } from '../tlog/note.ts';
import { decodeUtf8, toHex, utf8 } from '../tlog/text.ts';
import { verifyInclusion } from '../tlog/tree.ts';
import type { TrailName } from './layout.ts';
import type { ExpirationsAnswer, ServerEvidence, UnprovenEntry } from './server-evidence.ts';
import { sha256, type Trust } from './trust.ts';

/** Checkpoints whose signatures are remembered; a server signs a new one each second at most. */
const CHECKPOINTS_MAX = 1_000;

/** An expiry that the tree holds. */
export interface ShownExpiry extends Expiry {
  /** When it went on record: `YYYY-MM-DDTHH:MM:SSZ`. */
  readonly at: string;
}

export type Absence =
  | { readonly kind: 'expired'; readonly expiry: ShownExpiry /** Bytes of a receipt. */; readonly receipt?: Uint8Array }
  /** Nothing that counts says that it expired. */
  | { readonly kind: 'unexplained' }
  | { readonly kind: 'unknown'; readonly reason: string };

/** A place that is looked for; a copy has lost the bucket's name, and may lie below another prefix. */
export interface AbsentPlace {
  readonly bucket: string | undefined;
  readonly key: string;
  /** Ids of those that are still there, behind a delete marker. */
  readonly versions: ReadonlySet<string>;
}

export const NO_VERSIONS: ReadonlySet<string> = new Set();

export class Expired {
  readonly #server: ServerEvidence;
  readonly #trust: Trust;
  readonly #checkpoints = new Map<string, Checkpoint | undefined>();

  constructor(server: ServerEvidence, trust: Trust) {
    this.#server = server;
    this.#trust = trust;
  }

  /** Why a receipt is not there. With one that expired come its bytes, which have the hash that the fact names. */
  async receipt(trail: TrailName, number: number, { bucket, key, versions }: AbsentPlace): Promise<Absence> {
    const answer = await this.#ask(trail, { ReceiptNumber: number });
    if ('kind' in answer) return answer;
    const { receipt } = answer;
    if (receipt === undefined) return { kind: 'unexplained' };
    const below = key.slice(key.indexOf('AWSLogs/'));
    const isThere = (expiry: Expiry) =>
      bucket === undefined ? expiry.key.endsWith(below) : expiry.bucket === bucket && expiry.key === key;
    const shown = this.#shown(answer).filter(isThere);
    const expiry = explainAbsence(shown, { sha256: toHex(sha256(receipt)), versions });
    return expiry === undefined ? { kind: 'unexplained' } : { kind: 'expired', expiry, receipt };
  }

  /** @param content Hexadecimal hash of what was delivered; absent where any content will do. */
  async object(trail: TrailName, { bucket, key, versions }: AbsentPlace & { readonly bucket: string }, content?: string): Promise<Absence> {
    const answer = await this.#ask(trail, { S3BucketName: bucket, Key: key });
    if ('kind' in answer) return answer;
    const shown = this.#shown(answer).filter((expiry) => expiry.bucket === bucket && expiry.key === key);
    const expiry = explainAbsence(shown, { sha256: content, versions });
    return expiry === undefined ? { kind: 'unexplained' } : { kind: 'expired', expiry };
  }

  async #ask({ account, homeRegion, name }: TrailName, question: Readonly<Record<string, unknown>>): Promise<ExpirationsAnswer | Absence> {
    try {
      return await this.#server.expirations({ TrailARN: `arn:aws:cloudtrail:${homeRegion}:${account}:trail/${name}`, ...question });
    } catch (error) {
      // A trail of which this caller is told nothing: nothing is explained.
      if ((error as Error).name === 'TrailNotFoundException') return { kind: 'unexplained' };
      return { kind: 'unknown', reason: `the server does not say whether it expired: ${(error as Error).message}` };
    }
  }

  #shown({ entries }: ExpirationsAnswer): readonly ShownExpiry[] {
    return entries.flatMap((entry) => this.#show(entry) ?? []);
  }

  /** The fact that an entry is; `undefined` unless the tree holds it. */
  #show({ bytes, nonce, leafText, sequence, checkpoint, hashes }: UnprovenEntry): ShownExpiry | undefined {
    const signed = this.#signed(checkpoint);
    if (signed === undefined) return undefined;
    const claim = { leafHash: hashLeaf(sha256, utf8(leafText)), index: sequence - 1n, size: signed.size, root: signed.root };
    if (!verifyInclusion(sha256, claim, hashes)) return undefined;
    const [form, kind, number, receivedAtMs] = leafText.split('\n');
    const contentHash = toHex(hashBytes(sha256, { nonce, bytes }));
    if (form !== 'snowtrail-leaf/1' || kind !== 'fact:expiry' || number !== `${sequence}` || !leafText.endsWith(`\n${contentHash}\n`))
      return undefined;
    const text = decodeUtf8(bytes);
    const parsed = text === undefined ? undefined : parseExpiry(text);
    const time = new Date(Number(receivedAtMs));
    if (parsed?.kind !== 'ok' || Number.isNaN(time.getTime())) return undefined;
    return { ...parsed.value, at: `${time.toISOString().slice(0, 19)}Z` };
  }

  /** The checkpoint, if a trusted key signed it. */
  #signed(text: string): Checkpoint | undefined {
    if (this.#checkpoints.has(text)) return this.#checkpoints.get(text);
    const parsed = parseCheckpointNote(text);
    const checkpoint = parsed.kind === 'ok' && this.#isSigned(parsed.value) ? parsed.value.checkpoint : undefined;
    if (this.#checkpoints.size >= CHECKPOINTS_MAX) this.#checkpoints.clear();
    this.#checkpoints.set(text, checkpoint);
    return checkpoint;
  }

  #isSigned({ note, checkpoint: { origin } }: { readonly note: Note; readonly checkpoint: Checkpoint }): boolean {
    const verdict = this.#trust.verify(note);
    return verdict.kind === 'signed' && verdict.by.some(({ name }) => name === origin);
  }
}
