/**
 * Grows the evidence tree: a leaf for each journal entry, and signed checkpoints over them.
 *
 * Leaf index = sequence − 1, so the tree needs no cursor of its own: how many leaves there are says where to read on.
 * A checkpoint is a promise that cannot be taken back, hence the order: leaves synced → root → signed → saved in the
 * catalog by compare-and-set → shown. Whoever else signs with this data directory loses the compare-and-set.
 *
 * Refuses to sign (`CannotSign`):
 * - when the journal is shorter than what was signed, or holds other entries: an older copy was restored (F46). Nothing
 *   is added either until an operator has looked at it.
 * - when the clock is outside of the key's validity, or, at a start, before the last checkpoint (F30). Leaves are added
 *   all the same, and signing goes on by itself once the clock is right.
 * While it runs, jumps of the clock don't stop it: order comes from sequences (P11), and a checkpoint states no time.
 */
import type { EpochMs } from '../event/types.ts';
import type { Catalog } from '../store/catalog.ts';
import { CatalogConflict } from '../store/catalog.ts';
import type { Clock } from '../store/clock.ts';
import type { Follower } from '../store/follower.ts';
import { type Journal, JournalDamaged, type JournalEntry } from '../store/journal.ts';
import { isKeyValidAt, type Keys, keyValidity, type PublicKeyInfo } from '../store/keys.ts';
import type { TreeHashes } from '../store/tree-hashes.ts';
import { encodeCheckpoint } from '../tlog/checkpoint.ts';
import { HASH_BYTES, isSameHash, type Sha256 } from '../tlog/hash.ts';
import { hashEntry } from '../tlog/leaf.ts';
import { formatNote, keyHash } from '../tlog/note.ts';
import { fromBase64, toBase64, utf8 } from '../tlog/text.ts';
import { consistencyProof, inclusionProof, treeHead } from '../tlog/tree.ts';

/** Longest time between two checkpoints while the tree grows. */
const CHECKPOINT_INTERVAL_MS = 1_000;
/** Leaves hashed at one go: about 10 ms, then others have their turn. */
const LEAVES_AT_ONCE = 1_024;
/** Leaves compared with the journal at a start: the last one, and some spread over the rest. */
const SAMPLES = 8;

const CHECKPOINT_KEY = ['checkpoint'] as const;

/** A checkpoint that is signed and saved. */
export interface SignedCheckpoint {
  /** The signed note, whole. */
  readonly note: string;
  /** Number of leaves: every journal entry up to this sequence. */
  readonly size: bigint;
  readonly root: Uint8Array;
}

/** Signing is refused. The message says why and what to do; nothing was signed. */
export class CannotSign extends Error {
  override readonly name = 'CannotSign';
  /** The two of the clock go away once it is right; a contradiction needs an operator. */
  readonly reason: 'clock-outside-validity' | 'clock-before-last-checkpoint' | 'contradiction';

  constructor(reason: CannotSign['reason'], message: string) {
    super(message);
    this.reason = reason;
  }
}

export interface TreeFollower extends Follower {
  readonly name: 'tree';
  /** The newest checkpoint, also right after a start; `undefined` before the very first. */
  latestCheckpoint(): SignedCheckpoint | undefined;
  /** What in the stored data contradicts each other, and what to do: nothing is added or signed then. `undefined` when all is well. */
  contradiction(): string | undefined;
  /**
   * Signs a checkpoint over all leaves, unless the newest one covers them under the current key.
   * @returns the newest checkpoint; `undefined` while there is no leaf.
   * @throws CannotSign
   */
  checkpointNow(): Promise<SignedCheckpoint | undefined>;
  /** Whether the leaf at the entry's place is the entry's own. @throws RangeError when the tree has no such leaf yet. */
  holds(entry: JournalEntry): Promise<boolean>;
  /**
   * RFC 6962 consistency proof; empty for `fromSize` 0 and for equal sizes.
   * @throws RangeError unless 0 ≤ fromSize ≤ toSize ≤ the number of leaves.
   */
  consistency(fromSize: bigint, toSize: bigint): Promise<Uint8Array[]>;
  /**
   * RFC 6962 inclusion proof of a journal entry.
   * @throws RangeError unless 1 ≤ sequence ≤ size ≤ the number of leaves.
   */
  inclusion(sequence: bigint, size: bigint): Promise<Uint8Array[]>;
  /**
   * Signs each second while the tree grows, until `signal` aborts.
   * @param report Called when signing begins to fail, when the reason changes, and with `undefined` when it works again.
   */
  run(signal: AbortSignal, report: (problem: Error | undefined) => void): Promise<void>;
}

export interface TreeOptions {
  readonly journal: Pick<Journal, 'head' | 'fetch'>;
  readonly hashes: TreeHashes;
  readonly keys: Pick<Keys, 'list' | 'sign'>;
  readonly clock: Clock;
  readonly catalog: Pick<Catalog, 'get' | 'commit'>;
  /** Name of the log, `snowtrail/<installation id>`: the one that the keys were opened with. */
  readonly origin: string;
  readonly sha256: Sha256;
  /** What contradicts that others found, in a phrase: nothing is added or signed then. */
  readonly rollback?: string | undefined;
}

/** The catalog's document: the last checkpoint that was signed. */
interface StoredCheckpoint {
  readonly note: string;
  /** Decimal digits. */
  readonly size: string;
  /** Base64. */
  readonly root: string;
  /** Key that signed it. */
  readonly fingerprint: string;
  readonly signedAtMs: EpochMs;
}

/** Opens the tree and compares it with the journal and the last checkpoint. What does not fit is refused at each use. */
export async function createTreeFollower(options: TreeOptions): Promise<TreeFollower> {
  const tree = new GrowingTree(options);
  await tree.open();
  return tree;
}

class GrowingTree implements TreeFollower {
  readonly name = 'tree';
  readonly #options: TreeOptions;
  /** The last checkpoint in the catalog, and its version there (0 when there is none). Changed by `#sign` and `#save` alone. */
  #stored: { readonly value: StoredCheckpoint; readonly signed: SignedCheckpoint } | undefined;
  #storedVersion = 0;
  /** The note that was last given to the catalog, whether or not it took it. */
  #attempted: string | undefined;
  /** The root at the size of the last checkpoint of an earlier run was found to be the one that was signed. */
  #isLastConfirmed = false;
  /** A checkpoint was signed by this process: from then on the monotonic clock vouches for the order. */
  #hasSigned = false;
  /** Why nothing is added or signed any more: the stored data contradict each other. */
  #contradiction: CannotSign | undefined;
  /** The last signing under way: they come one after the other. */
  #lastSigning: Promise<unknown> = Promise.resolve();

  constructor(options: TreeOptions) {
    this.#options = options;
  }

  async open(): Promise<void> {
    const { catalog, journal, hashes } = this.#options;
    const document = await catalog.get<StoredCheckpoint>(CHECKPOINT_KEY);
    if (document !== undefined) {
      this.#stored = { value: document.value, signed: readStored(document.value) };
      this.#storedVersion = document.version;
    }
    const signedSize = this.#stored?.signed.size ?? 0n;
    const head = journal.head();
    if (this.#options.rollback !== undefined) {
      this.#contradict(this.#options.rollback);
    } else if (head < signedSize) {
      this.#contradict(`the journal holds ${head} entries, and a checkpoint over ${signedSize} was signed`);
    } else if (head < hashes.size()) {
      this.#contradict(`the journal holds ${head} entries, and the tree ${hashes.size()} leaves`);
    } else {
      await this.#compareSamples();
      await this.#confirmLast();
    }
  }

  cursor(): bigint {
    return this.#options.hashes.size();
  }

  async take(entries: readonly JournalEntry[]): Promise<bigint> {
    const { hashes } = this.#options;
    if (this.#contradiction !== undefined) throw this.#contradiction;
    const fresh = entries.filter((entry) => entry.sequence > hashes.size());
    for (let from = 0; from < fresh.length; from += LEAVES_AT_ONCE) {
      await hashes.append(this.#hashLeaves(fresh.slice(from, from + LEAVES_AT_ONCE)));
    }
    return hashes.size();
  }

  latestCheckpoint(): SignedCheckpoint | undefined {
    return this.#stored?.signed;
  }

  contradiction(): string | undefined {
    return this.#contradiction?.message;
  }

  checkpointNow(): Promise<SignedCheckpoint | undefined> {
    const signing = this.#lastSigning.then(() => this.#signIfNew());
    this.#lastSigning = signing.catch(() => undefined);
    return signing;
  }

  async holds(entry: JournalEntry): Promise<boolean> {
    const { hashes, sha256 } = this.#options;
    return isSameHash(await hashes.read(0, entry.sequence - 1n), hashEntry(sha256, entry));
  }

  async consistency(fromSize: bigint, toSize: bigint): Promise<Uint8Array[]> {
    this.#requireLeaves(toSize);
    return consistencyProof(this.#options.sha256, fromSize, toSize, this.#read);
  }

  async inclusion(sequence: bigint, size: bigint): Promise<Uint8Array[]> {
    this.#requireLeaves(size);
    return inclusionProof(this.#options.sha256, sequence - 1n, size, this.#read);
  }

  async run(signal: AbortSignal, report: (problem: Error | undefined) => void): Promise<void> {
    const { clock } = this.#options;
    let reported: string | undefined;
    while (!signal.aborted) {
      const beganAtMs = clock.monotonicMs();
      const problem = await this.checkpointNow().then(
        () => undefined,
        (error: unknown) => (error instanceof Error ? error : new Error(String(error))),
      );
      // A message about the clock tells the time, and would be another one each second.
      const kind = problem instanceof CannotSign ? problem.reason : problem?.message;
      if (kind !== reported) report(problem);
      reported = kind;
      await clock.sleep(Math.max(0, CHECKPOINT_INTERVAL_MS - (clock.monotonicMs() - beganAtMs)), signal);
    }
  }

  readonly #read = (level: number, index: bigint): Promise<Uint8Array> => this.#options.hashes.read(level, index);

  #requireLeaves(size: bigint): void {
    const leaves = this.#options.hashes.size();
    if (size > leaves) throw new RangeError(`the tree has ${leaves} leaves, not \`${size}\``);
  }

  /** Hashes of the leaves of entries that follow the last leaf, one after the other. */
  #hashLeaves(entries: readonly JournalEntry[]): Uint8Array {
    const hashes = new Uint8Array(entries.length * HASH_BYTES);
    const size = this.#options.hashes.size();
    entries.forEach((entry, index) => {
      // INVARIANT: a leaf's place is its sequence − 1. An entry left out would move all that follow.
      if (entry.sequence !== size + BigInt(index) + 1n)
        throw new Error(`entry ${entry.sequence} does not follow leaf ${size + BigInt(index)}`);
      hashes.set(hashEntry(this.#options.sha256, entry), index * HASH_BYTES);
    });
    return hashes;
  }

  async #signIfNew(): Promise<SignedCheckpoint | undefined> {
    const { hashes, keys } = this.#options;
    if (this.#contradiction !== undefined) throw this.#contradiction;
    const size = hashes.size();
    const last = this.#stored;
    // Leaves that were lost come again from the journal; until then the last checkpoint says more than we could.
    if (size === 0n || (last !== undefined && size < last.signed.size)) return last?.signed;
    await this.#confirmLast();
    if (this.#contradiction !== undefined) throw this.#contradiction;
    const key = (await keys.list('checkpoint')).at(-1)!;
    if (last?.signed.size === size && last.value.fingerprint === key.fingerprint) return last.signed;
    this.#requireRightClock(key);
    return this.#sign(size, key);
  }

  async #sign(size: bigint, key: PublicKeyInfo): Promise<SignedCheckpoint> {
    const { hashes, keys, clock, origin, sha256 } = this.#options;
    await hashes.sync();
    const root = await treeHead(sha256, size, this.#read);
    const text = encodeCheckpoint({ origin, size, root });
    if (key.fingerprint !== keyHash(sha256, origin, key.publicKey))
      throw new Error(`the checkpoint key was made for another log than \`${origin}\``);
    const { signature } = await keys.sign('checkpoint', utf8(text), key.fingerprint);
    const signed: SignedCheckpoint = { note: formatNote(text, [{ name: origin, keyHash: key.fingerprint, signature }]), size, root };
    const value: StoredCheckpoint = {
      note: signed.note,
      size: `${size}`,
      root: toBase64(root),
      fingerprint: key.fingerprint,
      signedAtMs: clock.nowMs(),
    };
    await this.#save(value);
    this.#stored = { value, signed };
    this.#isLastConfirmed = true;
    this.#hasSigned = true;
    return signed;
  }

  /** Puts the checkpoint in place of the one before, and of no other. */
  async #save(value: StoredCheckpoint): Promise<void> {
    const { catalog } = this.#options;
    const attempted = this.#attempted;
    this.#attempted = value.note;
    try {
      await catalog.commit([{ key: CHECKPOINT_KEY, value, expected: this.#storedVersion }]);
      this.#storedVersion += 1;
    } catch (error) {
      if (!(error instanceof CatalogConflict)) throw error;
      // A commit that failed on its way back may have taken effect: then what we find is what we tried before.
      const found = await catalog.get<StoredCheckpoint>(CHECKPOINT_KEY);
      if (found === undefined || found.value.note !== attempted)
        throw this.#contradict('another process signs checkpoints with this data directory');
      await catalog.commit([{ key: CHECKPOINT_KEY, value, expected: found.version }]);
      this.#storedVersion = found.version + 1;
    }
  }

  #requireRightClock(key: PublicKeyInfo): void {
    const nowMs = this.#options.clock.nowMs();
    if (!isKeyValidAt(key, nowMs)) {
      const { fromMs, toMs } = keyValidity(key);
      throw new CannotSign(
        'clock-outside-validity',
        `the clock says \`${iso(nowMs)}\`, and the checkpoint key \`${key.fingerprint}\` is valid from ${iso(fromMs)} to ${iso(toMs)}; ` +
          'set the clock right, or run `snowtrail evidence rotate-key checkpoint` if it is',
      );
    }
    const last = this.#stored?.value;
    // Rotating the key is the operator's word that the clock is right now.
    const isVouchedFor = this.#hasSigned || last === undefined || last.fingerprint !== key.fingerprint;
    if (!isVouchedFor && nowMs < last.signedAtMs) {
      throw new CannotSign(
        'clock-before-last-checkpoint',
        `the clock says \`${iso(nowMs)}\`, and the last checkpoint was signed at ${iso(last.signedAtMs)}; ` +
          'set the clock right, or run `snowtrail evidence rotate-key checkpoint` if it was wrong then',
      );
    }
  }

  /** Compares some leaves with the journal's entries. What the journal cannot read is the journal's to report. */
  async #compareSamples(): Promise<void> {
    const { hashes, journal, sha256 } = this.#options;
    for (const sequence of sampleSequences(hashes.size())) {
      const entry = await fetchIfReadable(journal, sequence);
      if (entry === undefined) continue;
      const leaf = await hashes.read(0, sequence - 1n);
      if (!isSameHash(leaf, hashEntry(sha256, entry))) {
        this.#contradict(`entry ${sequence} of the journal is not the one in the tree`);
        return;
      }
    }
  }

  /** Holds the tree against the last checkpoint of an earlier run, as soon as it has as many leaves. */
  async #confirmLast(): Promise<void> {
    const last = this.#stored?.signed;
    if (this.#isLastConfirmed || last === undefined || this.#contradiction !== undefined || this.#options.hashes.size() < last.size) return;
    const root = await treeHead(this.#options.sha256, last.size, this.#read);
    if (isSameHash(root, last.root)) this.#isLastConfirmed = true;
    else this.#contradict(`the first ${last.size} entries are not the ones that were signed`);
  }

  /** Ends all adding and signing. */
  #contradict(finding: string): CannotSign {
    this.#contradiction = new CannotSign(
      'contradiction',
      `${finding}: the data directory, or a part of it, was lost or replaced by another copy; nothing more is signed. ` +
        'Put back the newest copy, or keep this one for an investigation and begin with a new data directory',
    );
    return this.#contradiction;
  }
}

function readStored(value: StoredCheckpoint): SignedCheckpoint {
  const root = fromBase64(value.root);
  if (root === undefined) throw new Error('the last checkpoint in the catalog is damaged: its root is not base64');
  return { note: value.note, size: BigInt(value.size), root };
}

/** The last sequence, and others spread evenly below it. */
function sampleSequences(size: bigint): readonly bigint[] {
  const spread = Array.from({ length: SAMPLES }, (_, index) => (size * BigInt(index + 1)) / BigInt(SAMPLES));
  return [...new Set(spread)].filter((sequence) => sequence > 0n);
}

async function fetchIfReadable(journal: Pick<Journal, 'fetch'>, sequence: bigint): Promise<JournalEntry | undefined> {
  try {
    return (await journal.fetch([sequence]))[0];
  } catch (error) {
    if (error instanceof JournalDamaged) return undefined;
    throw error;
  }
}

function iso(timeMs: EpochMs): string {
  return new Date(timeMs).toISOString();
}
