/**
 * Verifies the evidence of one trail: its receipts in order, and every object that they name.
 *
 * Receipts are read ahead and taken in order; the objects that they name are checked side by side with that. Whether the
 * receipts are signed by somebody who is trusted is decided by the caller, when the keys of all trails are known.
 */
import { parseDigestKey } from '../digest/digest-key.ts';
import { parseLogFileKey } from '../logfile/log-file-key.ts';
import type { Checkpoint } from '../tlog/checkpoint.ts';
import type { Note } from '../tlog/note.ts';
import { RECEIPT_BYTES_MAX, type Receipt, type ReceiptDigest, type ReceiptObject } from '../tlog/receipt.ts';
import { AbsentReceiptList, type AbsentReceipts } from './absent-receipts.ts';
import { verifyLinkedDigest, verifyListedLog } from './aws-rules.ts';
import { checkObject, faultsOfDigest, type ObjectOutcome } from './check-object.ts';
import { DigestLedger, digestBefore, type LinkedDigest, type OnlyDigests } from './digest-ledger.ts';
import { KEY_FILE_BYTES_MAX, readEvidenceKey } from './evidence-key-file.ts';
import { type Absence, NO_VERSIONS, type ShownExpiry } from './expired.ts';
import { inOrder } from './job-limit.ts';
import { bucketOf, keyIn } from './join-buckets.ts';
import { type KeyLink, keyLink } from './key-link.ts';
import { organizationFolderOf, prefixOf, receiptKey, type ScopeId, scopeBelow, type TrailName } from './layout.ts';
import { isWithdrawn, type ReadReceipt, ReceiptChain, readReceipt, type UnknownReceipt } from './receipt-chain.ts';
import type { FileKind, TrailReport } from './report.ts';
import { type FoundReceipts, KEY_FILES_MAX, type Run, wantsRegion, wantsTime } from './run.ts';
import type { ServerTrail } from './server-evidence.ts';
import type { Fetched } from './source.ts';
import type { TrailState } from './state-file.ts';
import { digestFingerprint } from './trust.ts';
import { type UnreadReceipt, UnreadReceipts } from './unread-receipts.ts';

/** Receipts that are missing in one gap and are named one by one; the rest of a larger gap is named as a range. */
const MISSING_NAMED_MAX = 1_000;
/** Receipts that may appear while the source is being read. */
const NEW_RECEIPTS_MAX = 10_000;

/** Links between keys that are kept for one trail; a server whose key was rotated more often than that is none. */
const KEY_LINKS_MAX = 10_000;

const MISSING = 'this receipt is missing: receipts are numbered without gaps';

/** What a receipt names is put right after it; how long that may take in a bucket that is there. */
const PENDING_MS = 15 * 60 * 1000;

/** What is known of the trail from elsewhere. */
export interface TrailKnowledge {
  readonly server?: ServerTrail;
  /** Where the newest receipt is that the server has put, when that place is read. */
  readonly serverScope?: ScopeId;
  readonly state?: TrailState;
  /** Whether all that each of them knows must be here. A copy may be older than what they know: then it is incomplete. */
  readonly isTailDue: { readonly server: boolean; readonly state: boolean };
  /** Checkpoints that a receipt of the same size must agree with. */
  readonly checkpoints: readonly Checkpoint[];
}

export interface TrailResult {
  readonly trail: TrailName;
  readonly chain: ReceiptChain;
  /** From one checkpoint key to the next, by key receipts and the statements in key files. */
  readonly keyLinks: readonly KeyLink[];
  readonly report: TrailReport;
  /** End and length of the newest standard digest's interval; absent when there is none since logging began. */
  readonly newestInterval: { readonly endMs: number; readonly lengthMs: number } | undefined;
  readonly digests: number;
  /** Where its newest receipts lie. */
  readonly scope: ScopeId;
  /** Receipts and key statements of a version that is not known here. */
  readonly unknownNotes: readonly { readonly note: Note }[];
  /** Number of the first receipt whose bytes cannot be read; infinite when there is none. */
  readonly unreadableFrom: number;
  /** The receipt that cannot be read and may name this log file or digest. */
  readonly mayName: (key: string) => UnreadReceipt | undefined;
  /** Folders of organizations in which its receipts name files. */
  readonly organizationFolders: ReadonlySet<string>;
}

export function verifyTrail(
  run: Run,
  trail: TrailName,
  places: ReadonlyMap<ScopeId, FoundReceipts>,
  known: TrailKnowledge,
): Promise<TrailResult> {
  return new TrailVerification(run, trail, places, known).verify();
}

/** An object as its receipt names it. */
interface NamedObject {
  readonly bucket: string;
  readonly key: string;
  readonly sha256: string;
}

/** An object that is not there; whether that is a fault is known when all receipts are. */
interface Absent {
  readonly file: { readonly key: string; readonly kind: FileKind };
  readonly number: number;
  readonly outcome: ObjectOutcome;
  /** As its receipt has it. */
  readonly named: NamedObject;
  /** Looks for it once more. */
  readonly check: () => Promise<void>;
}

/** A receipt that was looked for. */
interface FoundReceipt {
  readonly number: number;
  readonly key: string;
  readonly fetched: Fetched;
  /** It is not there any more; its bytes are those of the server's journal. */
  readonly expiry?: ShownExpiry;
  /** It is not there, and whether it expired is not known. */
  readonly isUnknown?: boolean;
}

/** A place that receipts speak of. */
interface NamedPlace {
  readonly bucket: string | null;
  readonly prefix: string | null;
}

class TrailVerification {
  readonly #run: Run;
  readonly #trail: TrailName;
  readonly #places: ReadonlyMap<ScopeId, FoundReceipts>;
  readonly #known: TrailKnowledge;
  readonly #chain: ReceiptChain;
  readonly #unread = new UnreadReceipts();
  readonly #ledger = new DigestLedger(this.#unread);
  /** The receipts that cannot be read and may name files, by prefix, account and Region. */
  readonly #namers = new Map<string, UnreadReceipt | undefined>();
  /** In copies: log files, by their keys below the prefix, that digests list at places of which no receipt can be read. */
  readonly #unplaced = new Set<string>();
  readonly #unknownNotes: { readonly note: Note }[] = [];
  #unreadableFrom = Number.POSITIVE_INFINITY;
  /** By what they say: the file of each key repeats those of the keys before it. */
  readonly #keyLinks = new Map<string, KeyLink>();
  readonly #organizationFolders = new Set<string>();
  #absent: Absent[] = [];
  #arn: string | undefined;
  #bucket: string | null = null;
  #receipts = 0;
  #records = 0;
  #digests = 0;
  #newestInterval: TrailResult['newestInterval'];
  #isMoved = false;
  readonly #missing = new AbsentReceiptList();
  /** Places that receipts which are here speak of as their own, and the scope where they are. */
  readonly #seenPlaces = new Map<string, NamedPlace & { readonly scope: ScopeId }>();
  /** The receipt taken last: what it names is taken when the next one is read, which may withdraw it. */
  #held: { readonly read: ReadReceipt; readonly scope: ScopeId } | undefined;
  /** The number after the last that was looked for. */
  #next = 1;

  constructor(run: Run, trail: TrailName, places: ReadonlyMap<ScopeId, FoundReceipts>, known: TrailKnowledge) {
    this.#run = run;
    this.#trail = trail;
    this.#places = places;
    this.#known = known;
    this.#chain = new ReceiptChain(trail, known.checkpoints);
  }

  async verify(): Promise<TrailResult> {
    await this.#readKeyFiles();
    for (const { from, to, scope } of this.#ranges()) {
      await this.#takeMissing(this.#next, from - 1);
      await this.#takeRange(from, to, scope);
    }
    await this.#takeNewOnes();
    await this.#takeKnownToFollow();
    await this.#takeHeld();
    this.#chain.finish();
    await this.#run.jobs.done();
    await this.#lookAgain();
    this.#settleMissing();
    await this.#settleLedger();
    await this.#settleExpired();
    this.#settleAbsent();
    return {
      trail: this.#trail,
      chain: this.#chain,
      keyLinks: [...this.#keyLinks.values()],
      report: this.#report(),
      newestInterval: this.#newestInterval,
      digests: this.#digests,
      scope: this.#lastScope(),
      unknownNotes: this.#unknownNotes,
      unreadableFrom: this.#unreadableFrom,
      mayName: (key) => this.#mayName(key),
      organizationFolders: this.#organizationFolders,
    };
  }

  // --- receipts ---------------------------------------------------------------------------------------------------

  async #readKeyFiles(): Promise<void> {
    for (const { keyFiles } of this.#places.values()) {
      for (const key of keyFiles.slice(0, KEY_FILES_MAX)) {
        const fetched = await this.#run.source.get(key, KEY_FILE_BYTES_MAX);
        const name = key.slice(key.lastIndexOf('/') + 1);
        if (fetched.kind === 'missing') {
          const absence = await this.#whyAbsent(key, bucketOf(this.#run.source, key));
          if (absence.kind === 'expired') {
            this.#run.report.expired(key, 'key', absence.expiry);
            continue;
          }
        }
        if (fetched.kind === 'unreadable') {
          this.#unreadKeyFile(key, name, `cannot be read: ${fetched.reason}`);
          continue;
        }
        if (fetched.kind !== 'object') {
          this.#file(
            key,
            'key',
            'tampered',
            'key-file',
            `it cannot be read: ${fetched.kind === 'missing' ? 'it is not there' : 'it is too large'}`,
          );
          continue;
        }
        const read = readEvidenceKey(name, fetched.bytes);
        if (read.kind === 'unknown-version') {
          this.#unreadKeyFile(key, name, read.reason);
          continue;
        }
        if (read.kind === 'checkpoint') {
          this.#run.trust.addEvidenceKey(read.key);
          for (const link of read.links) this.#addLink(link);
          this.#unknownNotes.push(...read.unknown);
          const [unknown] = read.unknown;
          if (unknown !== undefined) this.#file(key, 'key', 'unreadable', 'key-file', `a statement in it ${unknown.reason}`);
        }
        const isUsable = read.kind === 'digest' ? this.#run.trust.addDigestKey(read.publicKey, 'evidence') : read.kind === 'checkpoint';
        if (isUsable) this.#file(key, 'key', 'valid');
        else this.#file(key, 'key', 'tampered', 'key-file', read.kind === 'malformed' ? `it ${read.reason}` : 'it is not an RSA key');
      }
    }
  }

  /** What a file of a checkpoint key says may lead to that key from one that is trusted. */
  #unreadKeyFile(key: string, name: string, reason: string): void {
    this.#file(key, 'key', 'unreadable', 'key-file', `it ${reason}`);
    const checkpointKey = /^checkpoint-([0-9a-f]+)\.json$/.exec(name)?.[1];
    if (checkpointKey !== undefined) this.#run.trust.doubt(checkpointKey);
  }

  /** The receipts that were listed, in order; each with the place that holds it. */
  #ranges(): readonly { readonly from: number; readonly to: number; readonly scope: ScopeId }[] {
    const ranges = [...this.#places].flatMap(([scope, { numbers }]) => numbers.ranges().map((range) => ({ ...range, scope })));
    return ranges.sort((one, other) => one.from - other.from);
  }

  async #takeRange(from: number, to: number, scope: ScopeId): Promise<void> {
    const read = inOrder(numbers(from, to), this.#run.source.jobs, (number) => this.#fetch(number, scope));
    for await (const found of read) await this.#take({ ...(await this.#orExpired(found)), scope });
    this.#next = to + 1;
  }

  /** The receipt as the server's journal has it, where the one that is not there expired. */
  async #orExpired<T extends FoundReceipt>(found: T): Promise<T> {
    const { expired, source } = this.#run;
    if (found.fetched.kind !== 'missing' || expired === undefined) return found;
    const { bucket, key } = bucketOf(source, found.key);
    const isPlace = source.kind === 'bucket' && !this.#run.isRelocated;
    const place = { bucket: isPlace ? bucket : undefined, key, versions: this.#run.inventory.hidden.get(found.key) ?? NO_VERSIONS };
    const absence = await expired.receipt(this.#trail, found.number, place);
    if (absence.kind === 'unexplained') return found;
    if (absence.kind === 'unknown') return { ...found, fetched: { kind: 'unreadable', reason: absence.reason }, isUnknown: true };
    return { ...found, fetched: { kind: 'object', bytes: absence.receipt! }, expiry: absence.expiry };
  }

  async #fetch(number: number, scope: ScopeId): Promise<FoundReceipt> {
    const key = receiptKey(scope, this.#trail, number);
    return { number, key, fetched: await this.#run.jobs.run(0, () => this.#run.source.get(key, RECEIPT_BYTES_MAX)) };
  }

  async #take({ number, key, scope, fetched, expiry }: FoundReceipt & { readonly scope: ScopeId }): Promise<void> {
    this.#run.progress();
    if (fetched.kind === 'unreadable') {
      this.#unreadableFrom = Math.min(this.#unreadableFrom, number);
      await this.#takeUnread({ number, key, scope });
      this.#file(key, 'receipt', 'unreadable', 'unreadable', `it cannot be read: ${fetched.reason}`);
      return;
    }
    if (fetched.kind !== 'object') {
      this.#chain.breakOff();
      if (fetched.kind === 'missing') this.#missingReceipt(number, key);
      else this.#file(key, 'receipt', 'tampered', 'receipt-form', 'it is larger than a receipt can be');
      return;
    }
    const read = readReceipt(fetched.bytes);
    if (read.kind === 'unknown-version') {
      await this.#takeUnread({ number, key, scope }, read);
      this.#unknownNotes.push(read);
      this.#checkKnown(number, read, key);
      this.#file(key, 'receipt', 'unreadable', 'receipt-version', `it ${read.reason}`);
      return;
    }
    if (read.kind === 'malformed') {
      this.#chain.breakOff();
      this.#file(key, 'receipt', 'tampered', 'receipt-form', `it is no receipt: ${read.reason}`);
      return;
    }
    const { value } = read;
    this.#receipts++;
    this.#arn ??= value.receipt.trailARN;
    this.#bucket = value.receipt.bucket;
    this.#unread.passed(value.receipt);
    const faults = this.#chain.take(value, { number, key });
    for (const { code, message } of faults) this.#file(key, 'receipt', 'tampered', code, message);
    const isOverwritten = this.#checkOverwritten(key);
    if (faults.length === 0 && !isOverwritten) {
      if (expiry === undefined) this.#file(key, 'receipt', 'valid');
      else this.#run.report.expired(key, 'receipt', expiry);
    }
    this.#checkKnown(number, value, key);
    this.#checkPlace(value.receipt, scope);
    // Copies of all places may be here.
    if (this.#missing.explain(value.receipt)) this.#ledger.elsewhereBefore(value.receipt);
    await this.#takeHeld(value.receipt);
    this.#held = { read: value, scope };
  }

  /** A receipt that is there, and whose text is not known. */
  async #takeUnread(receipt: Pick<UnreadReceipt, 'number' | 'key' | 'scope'>, signed?: UnknownReceipt): Promise<void> {
    const { number, key, scope } = receipt;
    this.#unread.add(receipt);
    // It may say where those lie that were made since the last one at its place, or that they were given up.
    this.#missing.mayExplain({ from: (this.#places.get(scope)?.numbers.lastBefore(number) ?? 0) + 1, to: number - 1 }, key);
    this.#run.trust.doubtDigestKeys();
    this.#checkOverwritten(key);
    this.#chain.skip({ number, key }, signed);
    await this.#takeHeld(undefined, key);
  }

  #checkOverwritten(key: string): boolean {
    const isOverwritten = this.#run.inventory.overwritten.has(key);
    if (isOverwritten) this.#file(key, 'receipt', 'tampered', 'overwritten', 'it was overwritten: several versions hold different bytes');
    return isOverwritten;
  }

  /** What the receipt before names, once `next`, the one after it, is known; absent when none is, or when that one cannot be read. */
  async #takeHeld(next?: Receipt, unreadKey?: string): Promise<void> {
    const held = this.#held;
    this.#held = undefined;
    if (held === undefined) return;
    if (next !== undefined && isWithdrawn(next, held.read.receipt.number)) await this.#takeWithdrawn(held.read, held.scope);
    else await this.#takeContent(held.read, held.scope, unreadKey);
  }

  /** Compares with what the server and an earlier run know of this very receipt. */
  #checkKnown(number: number, read: Pick<ReadReceipt, 'sha256'>, key: string): void {
    const { server, state } = this.#known;
    if (server?.last?.number === number && server.last.sha256 !== read.sha256)
      this.#file(key, 'receipt', 'tampered', 'server-receipt', 'the server made another receipt of this number');
    if (state?.number === number && state.sha256 !== read.sha256)
      this.#file(key, 'receipt', 'tampered', 'state-receipt', 'the saved state knows another receipt of this number');
  }

  /** A bucket is the place that receipts speak of, unless the caller says that it is a copy. */
  #checkPlace({ bucket, prefix, trailARN }: Receipt, scope: ScopeId): void {
    const { source, isRelocated, report } = this.#run;
    this.#seenPlaces.set(`${bucket}/${prefix ?? ''}`, { bucket, prefix, scope });
    if (source.kind !== 'bucket' || isRelocated || this.#isMoved) return;
    const here = bucketOf(source, scope);
    if (bucket === here.bucket && prefixOf(here.key) === prefixOf(scopeBelow('', prefix, this.#trail.account))) return;
    this.#isMoved = true;
    const message = `the receipts speak of \`${nameOf({ bucket, prefix })}\`, this is \`${source.name}\`: a copy is checked with --relocated`;
    report.add({ level: 'tampered', code: 'moved', message, trailARN });
  }

  async #takeMissing(from: number, to: number): Promise<void> {
    if (from > to) return;
    this.#chain.breakOff();
    let named = 0;
    for await (const found of inOrder(numbers(from, to), this.#run.source.jobs, (number) => this.#find(number))) {
      await this.#take(found);
      if (found.fetched.kind === 'missing') named++;
      if (named < MISSING_NAMED_MAX || found.number === to) continue;
      this.#missing.add(found.number + 1, to);
      this.#chain.breakOff();
      break;
    }
    this.#next = to + 1;
  }

  /** The listing may be older than the receipt: it is missing when it is not there now, at any of the places. */
  async #find(number: number): Promise<FoundReceipt & { readonly scope: ScopeId }> {
    const last = this.#lastScope();
    const newest = { ...(await this.#fetch(number, last)), scope: last };
    if (newest.fetched.kind !== 'missing') return newest;
    const places = [newest];
    for (const scope of this.#places.keys()) {
      const found = scope === last ? newest : { ...(await this.#fetch(number, scope)), scope };
      if (found.fetched.kind !== 'missing') return found;
      if (scope !== last) places.push(found);
    }
    for (const place of places) {
      const found = await this.#orExpired(place);
      if (found.fetched.kind !== 'missing') return found;
    }
    return newest;
  }

  /** Receipts that were put after the listing came by; the trail may have gone back to an earlier place meanwhile. */
  async #takeNewOnes(): Promise<void> {
    for (let count = 0; count < NEW_RECEIPTS_MAX; count++) {
      const number = this.#next;
      const found = await this.#find(number);
      if (found.fetched.kind === 'missing' || found.isUnknown) return;
      // Behind one that cannot be read, nobody can tell whether there is another.
      if (found.fetched.kind === 'unreadable' && this.#unread.newest?.number === number - 1) return;
      await this.#take(found);
      this.#next = number + 1;
    }
  }

  /** Receipts that the server or an earlier run knows of, after the last one that is there. */
  async #takeKnownToFollow(): Promise<void> {
    const { server, state, isTailDue } = this.#known;
    const [delivered, seen] = [server?.delivered ?? 0, state?.number ?? 0];
    // Each number up to the last one that is due is missing, and named.
    const due = Math.max(isTailDue.server ? delivered : 0, isTailDue.state ? seen : 0);
    if (due >= this.#next) await this.#takeMissing(this.#next, due);
    if (Math.max(delivered, seen) >= this.#next) {
      const message = `what is here ends before receipt ${this.#next}; ${Math.max(delivered, seen)} are known`;
      this.#run.report.add({ level: 'incomplete', code: 'behind', message, ...this.#arnMember() });
    } else if (server?.last !== undefined && server.last.number >= this.#next) {
      const key = receiptKey(this.#lastScope(), this.#trail, server.last.number);
      this.#file(key, 'receipt', 'pending', 'pending', 'the server has made it and not put it yet');
    }
  }

  #missingReceipt(number: number, key: string): void {
    if (this.#run.inventory.deleted.has(key))
      this.#file(key, 'receipt', 'missing', 'delete-marker', 'it was deleted: its newest version is a delete marker');
    else this.#missing.add(number);
  }

  #settleMissing(): void {
    const elsewhere = new Map<string, AbsentReceipts[]>();
    for (const absent of this.#missing.all()) {
      const { from, to, why } = absent;
      if (why === 'withdrawn') this.#noteWithdrawn({ from, to });
      else if (why === 'unexplained') this.#reportMissing({ from, to }, this.#lastScope());
      else if ('unreadKey' in why) {
        const message = `not here: ${rangeText(absent)}; \`${why.unreadKey}\`, which may say where they lie, cannot be read`;
        this.#run.report.add({ level: 'incomplete', code: 'undecided', message, ...this.#arnMember() });
      } else {
        const scope = this.#givenScope(why);
        if (scope === undefined) elsewhere.set(nameOf(why), [...(elsewhere.get(nameOf(why)) ?? []), absent]);
        else this.#reportMissing({ from, to }, scope);
      }
    }
    for (const [name, ranges] of elsewhere) {
      const numbers = ranges.map(rangeText).join(', ');
      const place = name === '' ? 'places that are too long ago to be named' : `\`${name}\``;
      const message = `not here: ${numbers}. The trail delivered to ${place} then: verify that as well, or copies of both in one folder`;
      this.#run.report.add({ level: 'incomplete', code: 'elsewhere', message, ...this.#arnMember() });
    }
  }

  /** Names the first of the receipts one by one. */
  #reportMissing({ from, to }: { readonly from: number; readonly to: number }, scope: ScopeId): void {
    const named = Math.min(to, from + MISSING_NAMED_MAX - 1);
    for (let number = from; number <= named; number++)
      this.#file(receiptKey(scope, this.#trail, number), 'receipt', 'missing', 'receipt-missing', MISSING);
    if (named === to) return;
    const message = `receipts ${named + 1} to ${to} are missing as well; those before them are named`;
    this.#run.report.add({ level: 'tampered', code: 'receipts-missing', message, ...this.#arnMember() });
  }

  #noteWithdrawn(range: { readonly from: number; readonly to: number }): void {
    const message = `given up when the trail left a place that refused it: ${rangeText(range)}. What such a receipt names may be absent`;
    this.#run.report.add({ level: 'note', code: 'withdrawn', message, ...this.#arnMember() });
  }

  /**
   * Where the receipts of a place should be in this source; `undefined` when the source is not, or need not be, of that
   * place. A bucket is all of its prefixes that are read; so is each of several. A copy is of the places whose receipts it holds, and of those
   * beside them in the same bucket of which it holds any file of the account.
   */
  #givenScope(place: NamedPlace): ScopeId | undefined {
    const { source, isRelocated, inventory } = this.#run;
    const { account } = this.#trail;
    if (source.kind === 'bucket' && !isRelocated) {
      const scope = scopeBelow('', place.prefix, account);
      const first = receiptKey(scope, this.#trail, 1);
      const here = keyIn(source, place.bucket, first);
      return here === undefined ? undefined : `${here.slice(0, here.length - first.length)}${scope}`;
    }
    const seen = this.#seenPlaces.get(`${place.bucket}/${place.prefix ?? ''}`);
    if (seen !== undefined) return seen.scope;
    const scopesHere = new Set([...inventory.trails.values()].flatMap(({ places }) => [...places.keys()]));
    for (const { bucket, prefix, scope } of this.#seenPlaces.values()) {
      const below = scopeBelow('', prefix, account);
      if (bucket !== place.bucket || !scope.endsWith(below)) continue;
      const beside = scopeBelow(scope.slice(0, -below.length), place.prefix, account);
      if (scopesHere.has(beside) || [...inventory.unnamed].some((key) => key.startsWith(beside))) return beside;
    }
    return undefined;
  }

  /** Where the newest receipt is, or is due. */
  #lastScope(): ScopeId {
    const last = this.#ranges().at(-1);
    const { server, serverScope } = this.#known;
    if (serverScope !== undefined && (last === undefined || last.to < (server?.delivered ?? 0))) return serverScope;
    return last?.scope ?? [...this.#places.keys()][0]!;
  }

  // --- what receipts name -------------------------------------------------------------------------------------------

  /** @param doubtedBy Key of the next receipt, when that cannot be read: it may withdraw this one. */
  async #takeContent({ note, receipt }: ReadReceipt, scope: ScopeId, doubtedBy?: string): Promise<void> {
    switch (receipt.kind) {
      case 'start':
        this.#ledger.start(receipt);
        this.#newestInterval = undefined;
        return;
      case 'stop':
        return;
      case 'key':
        return this.#takeKey(note, receipt, scope);
      case 'delivery':
      case 'aggregation':
        this.#ledger.delivery(receipt, doubtedBy);
        for (const object of receipt.objects) await this.#takeLogFile(receipt, object, scope);
        return;
      case 'digest':
        return this.#takeDigest(receipt, scope, doubtedBy);
    }
  }

  /** What a receipt names that was given up need not be there. What is there must be what it names, and counts for nothing. */
  async #takeWithdrawn({ note, receipt }: ReadReceipt, scope: ScopeId): Promise<void> {
    this.#noteWithdrawn({ from: receipt.number, to: receipt.number });
    // Who signed the next key is as true as before.
    if (receipt.kind === 'key') this.#takeKey(note, receipt, scope);
    const { selection, jobs, inventory } = this.#run;
    const form = receipt.kind === 'digest' ? 'digest' : 'log';
    for (const object of objectsOf(receipt)) {
      const key = this.#locate(object.key, receipt, scope);
      if (key === undefined) continue;
      const kind = receipt.kind === 'digest' ? kindOf(receipt.digest) : 'log';
      const isWanted = wantsTime(selection, receipt.createdAt, receipt.createdAt) && wantsRegion(selection, object.region);
      const wasListed = inventory.unnamed.delete(key);
      if (!isWanted && wasListed) {
        this.#file(key, kind, 'unchecked');
        continue;
      }
      await jobs.add(object.sizeBytes, async () => {
        const { verdict, code, reason } = await checkObject(this.#run, key, form, object);
        this.#run.progress();
        // A delete marker shows that it was there.
        if (verdict === 'missing' && code === undefined) return;
        const absence =
          verdict === 'missing' ? await this.#whyAbsent(key, { ...object, bucket: receipt.bucket }, object.sha256) : undefined;
        if (absence?.kind === 'expired') this.#run.report.expired(key, kind, absence.expiry);
        else this.#file(key, kind, verdict, code, reason);
      });
    }
  }

  #takeKey(note: Note, receipt: Receipt & { kind: 'key' }, scope: ScopeId): void {
    const { use, fingerprint, publicKey } = receipt.key;
    const at = receiptKey(scope, this.#trail, receipt.number);
    if (use === 'digest') {
      const isRight = digestFingerprint(publicKey) === fingerprint && this.#run.trust.addDigestKey(publicKey, 'receipt');
      if (!isRight) this.#file(at, 'receipt', 'tampered', 'key-identity', 'the key that it states is not the one of its fingerprint');
      return;
    }
    const link = keyLink(note, receipt.key);
    if (link === undefined) {
      this.#file(at, 'receipt', 'tampered', 'key-identity', 'the key that it states is not the one of its fingerprint, or did not sign it');
      return;
    }
    this.#run.trust.addEvidenceKey(link.key);
    this.#addLink(link);
  }

  #addLink(link: KeyLink): void {
    if (this.#keyLinks.size < KEY_LINKS_MAX)
      this.#keyLinks.set(`${link.note.text}${JSON.stringify(link.note.signatures.map(({ keyHash }) => keyHash))}`, link);
  }

  async #takeLogFile(receipt: Receipt, object: ReceiptObject, scope: ScopeId): Promise<void> {
    const key = this.#locate(object.key, receipt, scope);
    if (key === undefined) return;
    const { selection, jobs, inventory } = this.#run;
    const isWanted = wantsTime(selection, receipt.createdAt, receipt.createdAt) && wantsRegion(selection, object.region);
    const wasListed = inventory.unnamed.delete(key);
    if (!isWanted && wasListed) return this.#file(key, 'log', 'unchecked');
    const check = async () => {
      const outcome = await checkObject(this.#run, key, 'log', object);
      if (outcome.verdict === 'valid') this.#records += object.events;
      this.#settle(key, 'log', { number: receipt.number, outcome, named: { ...object, bucket: receipt.bucket }, check });
    };
    await jobs.add(object.sizeBytes, check);
  }

  async #takeDigest(receipt: Receipt & { kind: 'digest' }, scope: ScopeId, doubtedBy?: string): Promise<void> {
    const { digest } = receipt;
    const before = this.#ledger.digest(receipt, doubtedBy);
    const key = this.#locate(digest.key, receipt, scope);
    if (key === undefined) return;
    this.#digests++;
    if (!digest.isBackfill) {
      const endMs = Date.parse(digest.end);
      this.#newestInterval = { endMs, lengthMs: endMs - Date.parse(digest.start) };
    }
    const { selection, jobs, inventory } = this.#run;
    const kind = kindOf(digest);
    const isWanted = wantsTime(selection, digest.start, digest.end) && wantsRegion(selection, digest.region);
    const wasListed = inventory.unnamed.delete(key);
    if (!isWanted && wasListed) return this.#file(key, kind, 'unchecked');
    const check = async () => {
      const outcome = await checkObject(this.#run, key, 'digest', digest);
      const content = outcome.facts?.digest;
      const settled = { number: receipt.number, outcome, named: { ...digest, bucket: receipt.bucket }, check };
      if (content === undefined || !outcome.isSame) return this.#settle(key, kind, settled);
      this.#ledger.content(receipt, content);
      const claim = { trail: this.#trail, bucket: receipt.bucket, receipt: digest, before };
      const faults = faultsOfDigest(this.#run.trust, content, outcome.metadata, claim);
      for (const { code, reason, isIncomplete } of faults) this.#file(key, kind, isIncomplete ? 'unreadable' : 'tampered', code, reason);
      if (faults.length === 0 || outcome.verdict !== 'valid') this.#settle(key, kind, settled);
      else this.#run.progress();
    };
    await jobs.add(digest.sizeBytes, check);
  }

  /** Where an object lies in this source: below the same prefix as the receipt that names it. */
  #locate(key: string, receipt: Receipt, scope: ScopeId): string | undefined {
    const prefix = prefixOf(key);
    if (prefix === undefined) {
      const at = receiptKey(scope, this.#trail, receipt.number);
      this.#file(at, 'receipt', 'tampered', 'receipt-names', `it names \`${key}\`, which is no place for a log file or digest`);
      return undefined;
    }
    const located = `${prefixOf(scope) ?? ''}${key.slice(prefix.length)}`;
    const folder = organizationFolderOf(located);
    if (folder !== undefined) this.#organizationFolders.add(folder);
    return located;
  }

  #settle(key: string, kind: FileKind, checked: Omit<Absent, 'file'>): void {
    this.#run.progress();
    const { outcome } = checked;
    if (outcome.verdict === 'missing') this.#absent.push({ file: { key, kind }, ...checked });
    else this.#file(key, kind, outcome.verdict, outcome.code, outcome.reason);
  }

  /**
   * Looks once more for what was not there: a receipt that appeared while the source was read announced objects that were
   * put after they were looked for.
   */
  async #lookAgain(): Promise<void> {
    for (const { check } of this.#absent.splice(0)) await this.#run.jobs.add(0, check);
    await this.#run.jobs.done();
  }

  /** What a lifecycle rule let expire is not missing. */
  async #settleExpired(): Promise<void> {
    const { jobs, report } = this.#run;
    const settled = new Set<Absent>();
    for (const absent of this.#absent)
      await jobs.add(0, async () => {
        const { file, named } = absent;
        const absence = await this.#whyAbsent(file.key, named, named.sha256);
        if (absence.kind === 'unexplained') return;
        settled.add(absent);
        if (absence.kind === 'expired') report.expired(file.key, file.kind, absence.expiry);
        else this.#file(file.key, file.kind, 'unreadable', 'undecided', `it is not there; ${absence.reason}`);
      });
    await jobs.done();
    this.#absent = this.#absent.filter((each) => !settled.has(each));
  }

  /** @param content Hash of what was delivered. */
  async #whyAbsent(
    at: string,
    { bucket, key }: { readonly bucket: string | undefined; readonly key: string },
    content?: string,
  ): Promise<Absence> {
    const { expired, inventory } = this.#run;
    if (expired === undefined || bucket === undefined) return { kind: 'unexplained' };
    return expired.object(this.#trail, { bucket, key, versions: inventory.hidden.get(at) ?? NO_VERSIONS }, content);
  }

  /** What the newest receipt names may still be on its way; everything before it was put before that receipt was. */
  #settleAbsent(): void {
    const { source, nowMs } = this.#run;
    const newest = this.#chain.newest?.receipt;
    const isLate = source.kind === 'bucket' && newest !== undefined && nowMs - Date.parse(newest.createdAt) > PENDING_MS;
    for (const { file, number, outcome, named } of this.#absent) {
      if (outcome.code !== undefined) {
        this.#file(file.key, file.kind, 'missing', outcome.code, outcome.reason);
        continue;
      }
      const { delivered = 0 } = this.#known.isTailDue.server ? (this.#known.server ?? {}) : {};
      const doubtedBy = this.#ledger.doubtedBy(named.bucket, named.key);
      // The newest of which the server says that all it names was put is not withdrawn, whatever comes after it.
      if (doubtedBy !== undefined && number !== delivered) {
        const reason = `it is not there, though receipt ${number} names it; \`${doubtedBy}\`, which may withdraw that, cannot be read`;
        this.#file(file.key, file.kind, 'unreadable', 'undecided', reason);
        continue;
      }
      const isDue = number !== newest?.number || delivered >= number;
      if (isDue) this.#file(file.key, file.kind, 'missing', 'missing', outcome.reason);
      else if (isLate) {
        const reason = `the newest receipt, of ${newest.createdAt}, names it, and it is not there: put late, or deleted`;
        this.#run.report.file({ ...file, verdict: 'pending', level: 'incomplete', code: 'overdue', reason, ...this.#arnMember() });
      } else this.#file(file.key, file.kind, 'pending', 'pending', 'the newest receipt names it, and it is not there yet');
    }
  }

  async #settleLedger(): Promise<void> {
    const { faults, unlisted, onlyDigests } = this.#ledger.finish();
    for (const { code, key, bucket, kind, message } of faults)
      this.#file(this.#placeOf(key, bucket) ?? key, kind, 'tampered', code, message);
    await this.#checkByDigests(onlyDigests);
    if (unlisted > 0) {
      const message = `${unlisted} log files are listed by no digest so far: their interval is still open, or logged without digests; receipts name them`;
      this.#run.report.add({ level: 'note', code: 'not-listed-yet', message, ...this.#arnMember() });
    }
  }

  /** Files whose receipts cannot be read: what digests say of them holds all the same. */
  async #checkByDigests({ logFiles, digests }: OnlyDigests): Promise<void> {
    const { jobs, inventory, report } = this.#run;
    const lists = [...logFiles];
    // Back to the first one that is known anyway, lies at a place that is not here, or is not what the link says.
    const followLinks = async (newest: LinkedDigest): Promise<void> => {
      for (let next: LinkedDigest | undefined = newest; next !== undefined; ) {
        const { bucket, contentSha256: hash, ...link }: LinkedDigest = next;
        const key = this.#placeOf(link.key, bucket);
        if (key === undefined || report.has(key)) return;
        inventory.unnamed.delete(key);
        const digest = await verifyLinkedDigest(this.#run, { ...link, key, hash });
        for (const file of digest?.logFiles ?? []) lists.push({ file, digestKey: key });
        next = digest === undefined ? undefined : digestBefore(digest);
      }
    };
    for (const newest of digests) await jobs.add(0, () => followLinks(newest));
    await jobs.done();
    const absent = new Set(this.#absent.map(({ file }) => file.key));
    for (const { file, digestKey } of lists) {
      this.#ledger.confirm(file);
      const key = this.#placeOf(file.s3Object, file.s3Bucket);
      // A bucket says itself what it is.
      if (key === undefined && (this.#run.source.kind === 'folder' || this.#run.isRelocated))
        this.#unplaced.add(belowPrefix(file.s3Object));
      // All others are judged by their receipts.
      if (key === undefined || report.has(key) || absent.has(key)) continue;
      inventory.unnamed.delete(key);
      await jobs.add(0, () => verifyListedLog(this.#run, { key, sha256: file.hashValue, digestKey }));
    }
    await jobs.done();
  }

  /** Where a file that receipts or digests name lies in this source; `undefined` in a copy of which no receipt that was read is of its place. */
  #placeOf(key: string, bucket: string): string | undefined {
    const prefix = prefixOf(key);
    const isIts = (place: NamedPlace) => (place.prefix === null ? '' : `${place.prefix}/`) === prefix && place.bucket === bucket;
    const place = [...this.#seenPlaces.values()].findLast(isIts);
    if (place !== undefined && prefix !== undefined) return `${prefixOf(place.scope) ?? ''}${key.slice(prefix.length)}`;
    return this.#run.isRelocated ? undefined : keyIn(this.#run.source, bucket, key);
  }

  #mayName(key: string): UnreadReceipt | undefined {
    const log = parseLogFileKey(key);
    const digest = log === undefined ? parseDigestKey(key) : undefined;
    if (log === undefined && (digest?.trailName !== this.#trail.name || digest.homeRegion !== this.#trail.homeRegion)) return undefined;
    const prefix = prefixOf(key);
    if (this.#unplaced.has(belowPrefix(key))) return this.#unread.all().find(({ scope }) => prefixOf(scope) === prefix);
    const kind = `${prefix}/${log?.account}/${log?.region}`;
    if (!this.#namers.has(kind)) {
      const mayName = (receipt: UnreadReceipt) =>
        prefixOf(receipt.scope) === prefix && (log === undefined || this.#ledger.mayBeNamed(receipt, log));
      this.#namers.set(kind, this.#unread.all().find(mayName));
    }
    return this.#namers.get(kind);
  }

  #report(): TrailReport {
    const { newest, isLogging } = this.#chain;
    const { account, homeRegion, name } = this.#trail;
    return {
      trailARN: this.#arn ?? `arn:aws:cloudtrail:${homeRegion}:${account}:trail/${name}`,
      bucket: this.#bucket,
      receipts: this.#receipts,
      newestReceipt:
        newest === undefined ? null : { number: newest.receipt.number, sha256: newest.sha256, createdAt: newest.receipt.createdAt },
      isLogging,
      records: this.#records,
    };
  }

  #file(key: string, kind: FileKind, verdict: Parameters<Run['report']['file']>[0]['verdict'], code?: string, reason?: string): void {
    this.#run.report.file({
      key,
      kind,
      verdict,
      ...(code !== undefined && { code }),
      ...(reason !== undefined && { reason }),
      ...this.#arnMember(),
    });
  }

  #arnMember(): { trailARN?: string } {
    return this.#arn === undefined ? {} : { trailARN: this.#arn };
  }
}

function objectsOf(receipt: Receipt): readonly (ReceiptObject | ReceiptDigest)[] {
  if (receipt.kind === 'delivery' || receipt.kind === 'aggregation') return receipt.objects;
  return receipt.kind === 'digest' ? [receipt.digest] : [];
}

function nameOf({ bucket, prefix }: NamedPlace): string {
  return bucket === null ? '' : `s3://${bucket}/${prefix === null ? '' : `${prefix}/`}`;
}

function belowPrefix(key: string): string {
  return key.slice(prefixOf(key)?.length ?? 0);
}

function rangeText({ from, to }: { readonly from: number; readonly to: number }): string {
  return from === to ? `receipt ${from}` : `receipts ${from} to ${to}`;
}

function kindOf(digest: ReceiptDigest): 'digest' | 'backfill-digest' {
  return digest.isBackfill ? 'backfill-digest' : 'digest';
}

function* numbers(from: number, to: number): Generator<number> {
  for (let number = from; number <= to; number++) yield number;
}

/** Splits the places of a trail into sets that hold each receipt once: two copies of a bucket are two sets. */
export function separateCopies(places: ReadonlyMap<ScopeId, FoundReceipts>): readonly ReadonlyMap<ScopeId, FoundReceipts>[] {
  const sets: Map<ScopeId, FoundReceipts>[] = [];
  for (const [scope, found] of places) {
    const free = sets.find((set) => [...set.values()].every((other) => !other.numbers.overlaps(found.numbers)));
    if (free === undefined) sets.push(new Map([[scope, found]]));
    else free.set(scope, found);
  }
  return sets;
}
