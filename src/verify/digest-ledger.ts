/**
 * Holds the digests of a trail against its receipts: links, intervals, and which log files they list.
 *
 * For each account and Region there are two chains, the standard one and the one of backfills. Together their intervals
 * cover all the time in which logging was on, without a gap; a chain begins anew only where a `start` receipt says so;
 * each log file is listed once, by a digest whose interval it was delivered in.
 *
 * Where a receipt cannot be read, what it may explain is no fault; what digests say of files that it may name is given
 * back, so that these are held against the digests.
 *
 * Receipts come in order; what a digest's file says may come at any time after its receipt. Memory: intervals, and the
 * log files that no digest has listed so far. Chain rules: cloudtrail.md §3.4.
 */
import type { Digest, DigestLogFile } from '../digest/digest-file.ts';
import type { Receipt, ReceiptDigest, ReceiptObject } from '../tlog/receipt.ts';
import { prefixOf, regionOf } from './layout.ts';
import type { UnreadReceipt, UnreadReceipts } from './unread-receipts.ts';

/** Something that does not agree, and the file it is about. */
export interface LedgerFault {
  readonly code: string;
  /** Where receipts say that the file lies. */
  readonly bucket: string;
  readonly key: string;
  readonly kind: 'log' | 'digest' | 'backfill-digest';
  readonly message: string;
}

/** The digest that comes before one in its chain. */
export interface DigestBefore {
  readonly bucket: string;
  readonly key: string;
  readonly contentSha256: string;
  readonly signature: string;
}

interface Interval {
  /** `YYYY-MM-DDTHH:MM:SSZ`, which compare as texts. */
  readonly start: string;
  readonly end: string;
  /** Of the digest's receipt. */
  readonly number: number;
  readonly key: string;
  /** Of the receipt of the digest before it in its chain; 0 when there is none. */
  readonly numberBefore: number;
  /** Whether the digest's list of log files was seen. */
  isListed: boolean;
}

interface Chain {
  readonly before: DigestBefore;
  readonly end: string;
  readonly number: number;
}

interface RegionLedger {
  readonly intervals: Interval[];
  standard: Chain | undefined;
  backfill: Chain | undefined;
}

interface Delivered {
  readonly object: ReceiptObject;
  readonly bucket: string;
  readonly number: number;
  readonly createdAt: string;
}

interface Listed {
  readonly file: DigestLogFile;
  readonly digest: Digest;
  readonly digestKey: string;
  /** A receipt that cannot be read may name it. */
  readonly isExcused: boolean;
  /** It says that the file lies in another bucket, or below another prefix. */
  readonly isElsewhere: boolean;
}

/** A digest that links to one that is not known here. */
interface Dangling {
  readonly digest: ReceiptDigest;
  /** A receipt that cannot be read may name that one. */
  readonly isExcused: boolean;
  /** Once its file was read. */
  content?: Digest;
  isElsewhere: boolean;
}

/** A digest, and the later one that links to it. */
export type LinkedDigest = DigestBefore & { readonly from: string };

/** What digests say of files whose receipts cannot be read. */
export interface OnlyDigests {
  readonly logFiles: readonly { readonly file: DigestLogFile; readonly digestKey: string }[];
  /** Digests to which a later one links. */
  readonly digests: readonly LinkedDigest[];
}

export class DigestLedger {
  readonly #unread: UnreadReceipts;
  readonly #regions = new Map<string, RegionLedger>();
  readonly #starts: { readonly number: number; readonly createdAt: string }[] = [];
  /** Numbers of receipts that come after others which lie at another place. */
  readonly #cuts: number[] = [];
  /** Log files that no digest has listed yet, by key. */
  readonly #unlisted = new Map<string, Delivered>();
  /** Listed by a digest before any receipt named them, by key; and those that were listed and named, twice or more. */
  readonly #unnamed = new Map<string, Listed>();
  /** Without the bucket where the file is a digest. */
  readonly #faults: (Omit<LedgerFault, 'bucket'> & { readonly bucket?: string })[] = [];
  /** Of each digest, by its key. */
  readonly #buckets = new Map<string, string>();
  readonly #dangling = new Map<string, Dangling>();
  /**
   * Files that a receipt names which one that cannot be read may withdraw, as long as no digest tells of them; by place, with
   * the key of that receipt.
   */
  readonly #doubted = new Map<string, string>();

  constructor(unread: UnreadReceipts) {
    this.#unread = unread;
  }

  /** Receipts just before this one lie at other places, and are not here: so are digests and log files of the time. */
  elsewhereBefore({ number }: Receipt): void {
    this.#cuts.push(number);
  }

  start(receipt: Receipt): void {
    this.#starts.push({ number: receipt.number, createdAt: receipt.createdAt });
  }

  /** The receipt that cannot be read and may withdraw the one that names this file. To be asked when everything was taken. */
  doubtedBy(bucket: string, key: string): string | undefined {
    return this.#doubted.get(`${bucket}/${key}`);
  }

  /** A digest that counts without its receipt lists this file: it was delivered. */
  confirm({ s3Bucket, s3Object }: DigestLogFile): void {
    this.#doubted.delete(`${s3Bucket}/${s3Object}`);
  }

  /** @param doubtedBy Key of the receipt after it, when that cannot be read. */
  delivery(receipt: Receipt & { readonly kind: 'delivery' | 'aggregation' }, doubtedBy?: string): void {
    for (const object of receipt.objects) {
      const place = `${receipt.bucket}/${object.key}`;
      if (doubtedBy === undefined) this.#doubted.delete(place);
      else this.#doubted.set(place, doubtedBy);
      const delivered = { object, bucket: receipt.bucket, number: receipt.number, createdAt: receipt.createdAt };
      const listed = this.#unnamed.get(object.key);
      if (listed === undefined || this.#isOtherPlace(delivered, listed.file)) this.#unlisted.set(object.key, delivered);
      else {
        this.#unnamed.delete(object.key);
        this.#compare(delivered, listed);
      }
    }
  }

  /** Takes a digest's receipt. Returns the digest before it in its chain; `undefined` when it begins one. */
  digest(receipt: Receipt & { readonly kind: 'digest' }, doubtedBy?: string): DigestBefore | undefined {
    const { digest, number, bucket } = receipt;
    this.#buckets.set(digest.key, bucket);
    const region = this.#region(digest.account, digest.region);
    const name = digest.isBackfill ? 'backfill' : 'standard';
    const chain = region[name];
    this.#checkLink(digest, number, chain);
    if (chain !== undefined && digest.previousSignature === chain.before.signature)
      this.#doubted.delete(`${chain.before.bucket}/${chain.before.key}`);
    if (doubtedBy !== undefined) this.#doubted.set(`${bucket}/${digest.key}`, doubtedBy);
    if (digest.end <= digest.start) this.#fault('interval', digest, 'its interval is empty');
    const mayBeAgain = chain !== undefined && this.#unread.isBetween(chain.number, number);
    if (!digest.isBackfill && chain !== undefined && digest.start < chain.end && !mayBeAgain)
      this.#fault('interval', digest, `its interval begins at ${digest.start}, before the one of \`${chain.before.key}\` ends`);
    region.intervals.push({
      start: digest.start,
      end: digest.end,
      number,
      key: digest.key,
      numberBefore: chain?.number ?? 0,
      isListed: false,
    });
    const { key, contentSha256, signature } = digest;
    region[name] = { before: { bucket, key, contentSha256, signature }, end: digest.end, number };
    const isLinked = digest.previousSignature !== null && !this.#isDangling(digest, number, chain);
    return isLinked ? chain?.before : undefined;
  }

  /** Takes the content of a digest whose file was found as its receipt says. */
  content(receipt: Receipt & { readonly kind: 'digest' }, digest: Digest): void {
    const { key, account, region } = receipt.digest;
    const interval = this.#region(account, region).intervals.find((each) => each.key === key);
    if (interval !== undefined) interval.isListed = true;
    const dangling = this.#dangling.get(key);
    if (dangling !== undefined) {
      dangling.content = digest;
      dangling.isElsewhere = isElsewhere(receipt, digest.previousDigestS3Bucket ?? '', digest.previousDigestS3Object ?? '');
    }
    const isExcused = this.#unread.isBetween(interval?.numberBefore ?? 0, receipt.number) || this.#unread.mayBeOf(receipt.digest);
    for (const file of digest.logFiles) {
      const listed = { file, digest, digestKey: key, isExcused, isElsewhere: isElsewhere(receipt, file.s3Bucket, file.s3Object) };
      const delivered = this.#unlisted.get(file.s3Object);
      if (delivered !== undefined && !this.#isOtherPlace(delivered, file)) {
        this.#unlisted.delete(file.s3Object);
        this.#compare(delivered, listed);
      } else if (this.#unnamed.has(file.s3Object)) {
        const other = this.#unnamed.get(file.s3Object)!.digest;
        if (this.#doubted.has(`${other.digestS3Bucket}/${other.digestS3Object}`)) continue;
        this.#fault(
          'listed-twice',
          receipt.digest,
          `it lists \`${file.s3Object}\`, as \`${this.#unnamed.get(file.s3Object)!.digestKey}\` does`,
        );
      } else this.#unnamed.set(file.s3Object, listed);
    }
  }

  /**
   * All that does not agree, once everything was taken; and the log files that no digest lists so far. Where receipts lie
   * elsewhere, neither links to another place nor log files there are faults.
   */
  finish(): { readonly faults: readonly LedgerFault[]; readonly unlisted: number; readonly onlyDigests: OnlyDigests } {
    const isCut = this.#cuts.length > 0;
    const onlyDigests: { logFiles: OnlyDigests['logFiles'][number][]; digests: OnlyDigests['digests'][number][] } = {
      logFiles: [],
      digests: [],
    };
    for (const { digest, content, isExcused, isElsewhere: isOut } of this.#dangling.values()) {
      if (isOut && isCut && !isExcused) continue;
      if (!isExcused) this.#fault('link', digest, 'it links to a digest that no receipt names');
      else {
        const before = content === undefined ? undefined : digestBefore(content);
        if (before !== undefined) onlyDigests.digests.push(before);
      }
    }
    for (const { file, digestKey, digest, isExcused, isElsewhere: isOut } of this.#unnamed.values()) {
      if (isExcused) {
        onlyDigests.logFiles.push({ file, digestKey });
        continue;
      }
      if (isOut && isCut) continue;
      const kind = digestKey.endsWith('_backfill.json.gz') ? 'backfill-digest' : 'digest';
      const message = `it lists \`${file.s3Object}\`, which no receipt names, or another digest lists too (interval to ${digest.digestEndTime})`;
      this.#faults.push({ code: 'lists-unnamed', key: digestKey, kind, message });
    }
    for (const region of this.#regions.values()) this.#checkIntervals(region);
    let unlisted = 0;
    for (const delivered of this.#unlisted.values()) if (!this.#checkListed(delivered)) unlisted++;
    const faults = this.#faults.map((fault) => ({ bucket: this.#buckets.get(fault.key) ?? '', ...fault }));
    return { faults, unlisted, onlyDigests };
  }

  /** Whether a receipt that cannot be read may name a log file that no digest lists: not when one lists all of the time when it was made, for it was not given up. */
  mayBeNamed(receipt: UnreadReceipt, { account, region }: { readonly account: string; readonly region: string }): boolean {
    const { number, notBefore, notAfter, isKept } = receipt;
    if (!isKept) return true;
    const { intervals } = this.#region(account, region);
    return !intervals.some((each) => each.isListed && each.number > number && each.start <= notBefore && notAfter < each.end);
  }

  #region(account: string, region: string): RegionLedger {
    const id = `${account}/${region}`;
    let ledger = this.#regions.get(id);
    if (ledger === undefined) {
      ledger = { intervals: [], standard: undefined, backfill: undefined };
      this.#regions.set(id, ledger);
    }
    return ledger;
  }

  /** Whether the file may have been announced again for this other bucket, by the receipt that may withdraw it. */
  #isOtherPlace({ bucket, object }: Delivered, { s3Bucket }: DigestLogFile): boolean {
    return s3Bucket !== bucket && this.#doubted.has(`${bucket}/${object.key}`);
  }

  #checkLink(digest: ReceiptDigest, number: number, chain: Chain | undefined): void {
    if (digest.previousSignature === null) {
      if (chain !== undefined && !this.#isStartBetween(chain.number, number) && !this.#isCutBetween(chain.number, number))
        this.#fault(
          'restart',
          digest,
          `it begins its chain anew after \`${chain.before.key}\`, and no receipt says that logging began again`,
        );
      return;
    }
    if (this.#isDangling(digest, number, chain))
      this.#dangling.set(digest.key, { digest, isExcused: this.#unread.isBetween(chain?.number ?? 0, number), isElsewhere: false });
    else if (digest.previousSignature !== chain!.before.signature)
      this.#fault('link', digest, `it does not carry the signature of \`${chain!.before.key}\`, the digest before it`);
  }

  /** Whether the digest that it links to is not known here. */
  #isDangling({ previousSignature }: ReceiptDigest, number: number, chain: Chain | undefined): boolean {
    return chain === undefined || (previousSignature !== chain.before.signature && this.#isCutBetween(chain.number, number));
  }

  /** Whether receipts between these lie elsewhere, or cannot be read. */
  #isCutBetween(after: number, upTo: number): boolean {
    return this.#cuts.some((number) => after < number && number <= upTo) || this.#unread.isBetween(after, upTo);
  }

  #isStartBetween(after: number, before: number): boolean {
    return this.#starts.some(({ number }) => after < number && number < before);
  }

  /** Finds time that no digest covers although logging was on. */
  #checkIntervals({ intervals }: RegionLedger): void {
    const inOrder = [...intervals].sort((one, other) =>
      one.start < other.start ? -1 : one.start > other.start ? 1 : one.number - other.number,
    );
    let covered: Interval | undefined;
    for (const interval of inOrder) {
      const before = covered;
      if (before !== undefined && interval.start > before.end) {
        const isExplained =
          this.#isCutBetween(before.number, interval.number) ||
          this.#starts.some(
            ({ number, createdAt }) =>
              (before.number < number && number < interval.number) || (before.end <= createdAt && createdAt <= interval.start),
          );
        if (!isExplained) {
          const kind = interval.key.endsWith('_backfill.json.gz') ? 'backfill-digest' : 'digest';
          const message = `no digest covers ${before.end} to ${interval.start}, and no receipt says that logging was off then`;
          this.#faults.push({ code: 'gap', key: interval.key, kind, message });
        }
      }
      if (covered === undefined || interval.end > covered.end) covered = interval;
    }
  }

  /** Whether it is a fault that no digest lists this file. Files of the interval still open are not. */
  #checkListed({ object, bucket, number, createdAt }: Delivered): boolean {
    const due = this.#region(object.account, object.region).intervals.find(
      (interval) => interval.number > number && interval.start <= createdAt && createdAt < interval.end && interval.isListed,
    );
    if (due === undefined || this.#doubted.has(`${bucket}/${object.key}`)) return false;
    const message = `\`${due.key}\` does not list it, though it was delivered at ${createdAt}`;
    this.#faults.push({ code: 'not-listed', bucket, key: object.key, kind: 'log', message });
    return true;
  }

  #compare({ object, bucket }: Delivered, { file, digest, digestKey }: Listed): void {
    this.#doubted.delete(`${bucket}/${object.key}`);
    const kind = digestKey.endsWith('_backfill.json.gz') ? 'backfill-digest' : 'digest';
    const differs = (what: string) =>
      this.#faults.push({
        code: 'list-differs',
        key: digestKey,
        kind,
        message: `it lists \`${object.key}\` with another ${what} than its receipt`,
      });
    if (file.hashValue !== object.contentSha256) differs('hash');
    if (file.s3Bucket !== bucket) differs('bucket');
    if (file.oldestEventTime !== object.oldestEventTime || file.newestEventTime !== object.newestEventTime) differs('event time');
    if (regionOf(object.key) !== object.region || digest.awsAccountId !== object.account) differs('account or Region');
  }

  #fault(code: string, digest: ReceiptDigest, message: string): void {
    this.#faults.push({ code, key: digest.key, kind: digest.isBackfill ? 'backfill-digest' : 'digest', message });
  }
}

/** The digest to which this one links; `undefined` when it begins its chain. */
export function digestBefore(digest: Digest): LinkedDigest | undefined {
  if (digest.previousDigestS3Object === null) return undefined;
  return {
    from: digest.digestS3Object,
    bucket: digest.previousDigestS3Bucket!,
    key: digest.previousDigestS3Object,
    contentSha256: digest.previousDigestHashValue!,
    signature: digest.previousDigestSignature!,
  };
}

function isElsewhere({ bucket, digest }: Receipt & { readonly kind: 'digest' }, otherBucket: string, otherKey: string): boolean {
  return otherBucket !== bucket || prefixOf(otherKey) !== prefixOf(digest.key);
}
