/**
 * Holds the digests of a trail against its receipts: links, intervals, and which log files they list.
 *
 * For each account and Region there are two chains, the standard one and the one of backfills. Together their intervals
 * cover all the time in which logging was on, without a gap; a chain begins anew only where a `start` receipt says so;
 * each log file is listed once, by a digest whose interval it was delivered in.
 *
 * Receipts come in order; what a digest's file says may come at any time after its receipt. Memory: intervals, and the
 * log files that no digest has listed so far. Chain rules: cloudtrail.md §3.4.
 */
import type { Digest, DigestLogFile } from '../digest/digest-file.ts';
import type { Receipt, ReceiptDigest, ReceiptObject } from '../tlog/receipt.ts';
import { prefixOf } from './layout.ts';

/** Something that does not agree, and the file it is about. */
export interface LedgerFault {
  readonly code: string;
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
  /** It says that the file lies in another bucket, or below another prefix. */
  readonly isElsewhere: boolean;
}

export class DigestLedger {
  readonly #regions = new Map<string, RegionLedger>();
  readonly #starts: { readonly number: number; readonly createdAt: string }[] = [];
  /** Numbers of receipts that come after others which lie at another place. */
  readonly #cuts: number[] = [];
  /** Log files that no digest has listed yet, by key. */
  readonly #unlisted = new Map<string, Delivered>();
  /** Listed by a digest before any receipt named them, by key; and those that were listed and named, twice or more. */
  readonly #unnamed = new Map<string, Listed>();
  readonly #faults: LedgerFault[] = [];
  /** Digests that link to one that is not known here, and whether it lies at another place once that is known. */
  readonly #dangling = new Map<string, { readonly digest: ReceiptDigest; isElsewhere: boolean }>();

  /** Receipts just before this one lie at other places, and are not here: so are digests and log files of the time. */
  elsewhereBefore({ number }: Receipt): void {
    this.#cuts.push(number);
  }

  start(receipt: Receipt): void {
    this.#starts.push({ number: receipt.number, createdAt: receipt.createdAt });
  }

  delivery(receipt: Receipt & { readonly kind: 'delivery' }): void {
    for (const object of receipt.objects) {
      const delivered = { object, bucket: receipt.bucket, number: receipt.number, createdAt: receipt.createdAt };
      const listed = this.#unnamed.get(object.key);
      if (listed === undefined) this.#unlisted.set(object.key, delivered);
      else {
        this.#unnamed.delete(object.key);
        this.#compare(delivered, listed);
      }
    }
  }

  /** Takes a digest's receipt. Returns the digest before it in its chain; `undefined` when it begins one. */
  digest(receipt: Receipt & { readonly kind: 'digest' }): DigestBefore | undefined {
    const { digest, number, bucket } = receipt;
    const region = this.#region(digest.account, digest.region);
    const name = digest.isBackfill ? 'backfill' : 'standard';
    const chain = region[name];
    this.#checkLink(digest, number, chain);
    if (digest.end <= digest.start) this.#fault('interval', digest, 'its interval is empty');
    if (!digest.isBackfill && chain !== undefined && digest.start < chain.end)
      this.#fault('interval', digest, `its interval begins at ${digest.start}, before the one of \`${chain.before.key}\` ends`);
    region.intervals.push({ start: digest.start, end: digest.end, number, key: digest.key, isListed: false });
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
    if (dangling !== undefined)
      dangling.isElsewhere = isElsewhere(receipt, digest.previousDigestS3Bucket ?? '', digest.previousDigestS3Object ?? '');
    for (const file of digest.logFiles) {
      const listed = { file, digest, digestKey: key, isElsewhere: isElsewhere(receipt, file.s3Bucket, file.s3Object) };
      const delivered = this.#unlisted.get(file.s3Object);
      if (delivered !== undefined) {
        this.#unlisted.delete(file.s3Object);
        this.#compare(delivered, listed);
      } else if (this.#unnamed.has(file.s3Object)) {
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
  finish(): { readonly faults: readonly LedgerFault[]; readonly unlisted: number } {
    const isCut = this.#cuts.length > 0;
    for (const { digest, isElsewhere: isOut } of this.#dangling.values()) {
      if (!(isCut && isOut)) this.#fault('link', digest, 'it links to a digest that no receipt names');
    }
    for (const { file, digestKey, digest, isElsewhere: isOut } of this.#unnamed.values()) {
      if (isCut && isOut) continue;
      const kind = digestKey.endsWith('_backfill.json.gz') ? 'backfill-digest' : 'digest';
      const message = `it lists \`${file.s3Object}\`, which no receipt names, or another digest lists too (interval to ${digest.digestEndTime})`;
      this.#faults.push({ code: 'lists-unnamed', key: digestKey, kind, message });
    }
    for (const region of this.#regions.values()) this.#checkIntervals(region);
    let unlisted = 0;
    for (const delivered of this.#unlisted.values()) if (!this.#checkListed(delivered)) unlisted++;
    return { faults: this.#faults, unlisted };
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
    if (this.#isDangling(digest, number, chain)) this.#dangling.set(digest.key, { digest, isElsewhere: false });
    else if (digest.previousSignature !== chain!.before.signature)
      this.#fault('link', digest, `it does not carry the signature of \`${chain!.before.key}\`, the digest before it`);
  }

  /** Whether the digest that it links to is not known here. */
  #isDangling({ previousSignature }: ReceiptDigest, number: number, chain: Chain | undefined): boolean {
    return chain === undefined || (previousSignature !== chain.before.signature && this.#isCutBetween(chain.number, number));
  }

  #isCutBetween(after: number, upTo: number): boolean {
    return this.#cuts.some((number) => after < number && number <= upTo);
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
  #checkListed({ object, number, createdAt }: Delivered): boolean {
    const due = this.#region(object.account, object.region).intervals.find(
      (interval) => interval.number > number && interval.start <= createdAt && createdAt < interval.end && interval.isListed,
    );
    if (due === undefined) return false;
    const message = `\`${due.key}\` does not list it, though it was delivered at ${createdAt}`;
    this.#faults.push({ code: 'not-listed', key: object.key, kind: 'log', message });
    return true;
  }

  #compare({ object, bucket }: Delivered, { file, digest, digestKey }: Listed): void {
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
    if (!object.key.includes(`/CloudTrail/${object.region}/`) || digest.awsAccountId !== object.account) differs('account or Region');
  }

  #fault(code: string, digest: ReceiptDigest, message: string): void {
    this.#faults.push({ code, key: digest.key, kind: digest.isBackfill ? 'backfill-digest' : 'digest', message });
  }
}

function isElsewhere({ bucket, digest }: Receipt & { readonly kind: 'digest' }, otherBucket: string, otherKey: string): boolean {
  return otherBucket !== bucket || prefixOf(otherKey) !== prefixOf(digest.key);
}
