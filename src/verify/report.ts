/**
 * The report of a verification: a verdict on every file, what is wrong, what was trusted, and what nobody can know.
 *
 * Its JSON shape is stable (docs/verify.md). The exit code follows from the findings alone:
 * any `tampered` is 1; else any `incomplete` is 2; else 0 (reliability.md P13).
 */

export const REPORT_VERSION = 1;

/**
 * `tampered`: something contradicts. `incomplete`: something could not be read, or there is nothing to hold it against.
 * `pending`: announced by the newest receipt, or in the interval that is still open. `note`: worth knowing, no fault.
 */
export type FindingLevel = 'tampered' | 'incomplete' | 'pending' | 'note';

export interface Finding {
  readonly level: FindingLevel;
  /** Stable name of what was found; docs/verify.md lists them. */
  readonly code: string;
  /** A sentence, lower case, without a full stop. Text from files is in it: escape it before a terminal shows it. */
  readonly message: string;
  /** The file that it is about. */
  readonly key?: string;
  readonly trailARN?: string;
}

export type FileKind = 'log' | 'digest' | 'backfill-digest' | 'receipt' | 'key' | 'other';
/** `unchecked`: outside of the asked range or Region. `expired`: not there, because a lifecycle rule let it expire, as the journal shows. */
export type FileVerdict = 'valid' | 'tampered' | 'missing' | 'unlisted' | 'unreadable' | 'pending' | 'unchecked' | 'expired';

export interface FileReport {
  readonly key: string;
  readonly kind: FileKind;
  readonly verdict: FileVerdict;
  /** Absent when valid. */
  readonly reason?: string;
}

/** Number of files by verdict. */
export type Counts = Readonly<Record<FileVerdict, number>>;

export interface TrailReport {
  readonly trailARN: string;
  readonly bucket: string | null;
  /** Receipts found, and the newest of them. */
  readonly receipts: number;
  readonly newestReceipt: { readonly number: number; readonly sha256: string; readonly createdAt: string } | null;
  /** Whether logging was on when the newest receipt was made. */
  readonly isLogging: boolean;
  /** Records in the log files that were found valid. */
  readonly records: number;
}

export interface CheckpointReport {
  readonly origin: string;
  /** Number of leaves, decimal digits. */
  readonly size: string;
  /** Base64. */
  readonly root: string;
  readonly from: 'server' | 'evidence' | 'state';
}

export interface TrustReport {
  /** Where the key comes from under which the newest receipts were held; `none` makes the verdict incomplete at best. */
  readonly by: 'pinned' | 'state' | 'server' | 'none';
  /** The trusted checkpoint keys, as C2SP lines. */
  readonly checkpointKeys: readonly string[];
  /** Fingerprints of the digest keys that were used, and where each was found. */
  readonly digestKeys: readonly { readonly fingerprint: string; readonly from: DigestKeyOrigin }[];
}

export type DigestKeyOrigin = 'pinned' | 'server' | 'receipt' | 'evidence';

export interface VerifyReport {
  readonly version: typeof REPORT_VERSION;
  readonly verdict: 'consistent' | 'tampered' | 'incomplete';
  readonly exitCode: 0 | 1 | 2;
  /** One sentence. */
  readonly summary: string;
  readonly source: string;
  /** What was asked for; `null` means all. Times are ISO 8601. */
  readonly range: { readonly from: string | null; readonly to: string | null; readonly regions: readonly string[] | null };
  readonly trust: TrustReport;
  /** The newest checkpoint of each log that everything was held against. */
  readonly checkpoints: readonly CheckpointReport[];
  readonly trails: readonly TrailReport[];
  readonly counts: Readonly<Record<FileKind, Counts>>;
  readonly findings: readonly Finding[];
  /** Every file, in order of the keys. */
  readonly files: readonly FileReport[];
  /** What this verification cannot show, as sentences. */
  readonly cannotKnow: readonly string[];
}

const VERDICTS: readonly FileVerdict[] = ['valid', 'tampered', 'missing', 'unlisted', 'unreadable', 'pending', 'unchecked', 'expired'];
const KINDS: readonly FileKind[] = ['log', 'digest', 'backfill-digest', 'receipt', 'key', 'other'];

/** The level of a finding about a file with this verdict; `undefined` when there is nothing to say. */
const LEVELS: Readonly<Record<FileVerdict, FindingLevel | undefined>> = {
  valid: undefined,
  tampered: 'tampered',
  missing: 'tampered',
  unlisted: 'tampered',
  unreadable: 'incomplete',
  pending: 'pending',
  unchecked: undefined,
  expired: undefined,
};

/** Gathers what is found while the verification goes on. */
export class ReportBuilder {
  readonly #findings: Finding[] = [];
  /** By key. A later, worse verdict on the same file replaces the one before. */
  readonly #files = new Map<string, FileReport>();
  /** What expired, by bucket and rule. */
  readonly #expired = new Map<string, { bucket: string; rule: string; count: number; first: string; last: string }>();

  /** Something that is about no single file, or that comes on top of a file's verdict. */
  add(finding: Finding): void {
    this.#findings.push(finding);
  }

  /** A verdict on a file, and the finding that goes with it. */
  file(file: FileReport & { readonly code?: string; readonly trailARN?: string; readonly level?: FindingLevel }): void {
    const { key, kind, verdict, reason, code, trailARN } = file;
    const level = file.level ?? LEVELS[verdict];
    if (level !== undefined) {
      const message = reason ?? verdict;
      this.#findings.push({ level, code: code ?? verdict, message, key, ...(trailARN !== undefined && { trailARN }) });
    }
    const before = this.#files.get(key);
    if (before !== undefined && VERDICTS.indexOf(before.verdict) > 0 && verdict !== 'tampered') return;
    this.#files.set(key, { key, kind, verdict, ...(reason !== undefined && { reason }) });
  }

  /** A file that expired. Those of one rule together are one note. */
  expired(
    key: string,
    kind: FileKind,
    { bucket, rule, at }: { readonly bucket: string; readonly rule: string; readonly at: string },
  ): void {
    this.file({ key, kind, verdict: 'expired', reason: `expired by the rule \`${rule}\` of \`${bucket}\` on ${at.slice(0, 10)}` });
    const id = JSON.stringify([bucket, rule]);
    const { count, first, last } = this.#expired.get(id) ?? { count: 0, first: at, last: at };
    this.#expired.set(id, { bucket, rule, count: count + 1, first: at < first ? at : first, last: at > last ? at : last });
  }

  /** Whether the file was given a verdict. */
  has(key: string): boolean {
    return this.#files.has(key);
  }

  /** Whether there are log files and digests, and none of them was to be looked at. */
  get allUnchecked(): boolean {
    const files = [...this.#files.values()].filter(({ kind }) => kind === 'log' || kind === 'digest' || kind === 'backfill-digest');
    return files.length > 0 && files.every(({ verdict }) => verdict === 'unchecked');
  }

  get hasMissing(): boolean {
    return [...this.#files.values()].some(({ verdict }) => verdict === 'missing');
  }

  get isTampered(): boolean {
    return this.#findings.some(({ level }) => level === 'tampered');
  }

  get isIncomplete(): boolean {
    return this.#findings.some(({ level }) => level === 'incomplete');
  }

  finish(rest: Omit<VerifyReport, 'version' | 'verdict' | 'exitCode' | 'summary' | 'counts' | 'findings' | 'files'>): VerifyReport {
    for (const { bucket, rule, count, first, last } of this.#expired.values()) {
      const dates =
        first.slice(0, 10) === last.slice(0, 10) ? `on ${first.slice(0, 10)}` : `from ${first.slice(0, 10)} to ${last.slice(0, 10)}`;
      const what = count === 1 ? '1 file expired' : `${count} files expired`;
      const message = `${what} by the rule \`${rule}\` of \`${bucket}\` ${dates}, as the journal of the server shows: what was in them cannot be checked any more`;
      this.#findings.push({ level: 'note', code: 'expired', message });
    }
    const files = [...this.#files.values()].sort((one, other) => (one.key < other.key ? -1 : 1));
    const verdict = this.isTampered ? 'tampered' : this.isIncomplete ? 'incomplete' : 'consistent';
    return {
      version: REPORT_VERSION,
      verdict,
      exitCode: verdict === 'tampered' ? 1 : verdict === 'incomplete' ? 2 : 0,
      summary: this.#summary(verdict),
      ...rest,
      counts: countFiles(files),
      findings: this.#findings,
      files,
    };
  }

  #summary(verdict: VerifyReport['verdict']): string {
    if (verdict === 'consistent') return 'complete and consistent';
    const level: FindingLevel = verdict;
    const found = this.#findings.filter((finding) => finding.level === level);
    const first = found[0]!;
    const what = `${first.key === undefined ? '' : `\`${first.key}\`: `}${first.message}`;
    const more = found.length > 1 ? `, and ${found.length - 1} more` : '';
    return verdict === 'tampered' ? `tampered: ${what}${more}` : `incomplete: ${what}${more}`;
  }
}

function countFiles(files: readonly FileReport[]): Record<FileKind, Counts> {
  const counts = Object.fromEntries(KINDS.map((kind) => [kind, Object.fromEntries(VERDICTS.map((verdict) => [verdict, 0]))])) as Record<
    FileKind,
    Record<FileVerdict, number>
  >;
  for (const { kind, verdict } of files) counts[kind][verdict]++;
  return counts;
}
