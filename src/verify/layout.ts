/**
 * What the keys of evidence say: which account, which trail, which kind of file.
 *
 * Layout: cloudtrail.md §2.1 and §3.1; ARCHITECTURE.md, "Evidence beside the digests". Keys are untrusted; a key that
 * fits no pattern has no place here and gives `undefined`.
 */

/** The files of one account below one prefix. Its id is the key up to and with the account: `x/AWSLogs/123456789012/`. */
export type ScopeId = string;

export type Place =
  | { readonly kind: 'log' | 'digest'; readonly scope: ScopeId }
  | { readonly kind: 'receipt'; readonly scope: ScopeId; readonly trail: TrailName; readonly number: number }
  | { readonly kind: 'key'; readonly scope: ScopeId; readonly trail: TrailName }
  | { readonly kind: 'other-evidence'; readonly scope: ScopeId };

export interface TrailName {
  readonly account: string;
  readonly homeRegion: string;
  readonly name: string;
}

const PLACE =
  /^(?<scope>(?:.*?\/)?AWSLogs\/(?:o-[a-z0-9]{10,32}\/)?(?<account>[0-9]{12})\/)(?<folder>CloudTrail|CloudTrail-NetworkActivity|CloudTrail-Aggregated|CloudTrail-Digest|CloudTrail-Evidence)\/(?<rest>.+)$/s;
const EVIDENCE =
  /^(?<homeRegion>[a-z][a-z0-9-]{1,31})\/(?<name>[A-Za-z0-9._-]{3,128})\/(?:receipts\/(?<number>[0-9]{12})\.note|keys\/(?:digest|checkpoint)-[0-9a-f]+\.json)$/;

/** Where a key belongs; `undefined` for keys that are no log file, digest or evidence. */
export function placeOf(key: string): Place | undefined {
  const parts = PLACE.exec(key)?.groups;
  if (parts === undefined) return undefined;
  const scope = parts['scope']!;
  if (parts['folder'] === 'CloudTrail-Digest') return { kind: 'digest', scope };
  if (parts['folder'] !== 'CloudTrail-Evidence') return { kind: 'log', scope };
  const evidence = EVIDENCE.exec(parts['rest']!)?.groups;
  if (evidence === undefined) return { kind: 'other-evidence', scope };
  const trail = { account: parts['account']!, homeRegion: evidence['homeRegion']!, name: evidence['name']! };
  const number = evidence['number'];
  return number === undefined ? { kind: 'key', scope, trail } : { kind: 'receipt', scope, trail, number: Number(number) };
}

/** The scope of an account below a prefix of a bucket; `root` is what comes before that, with its slash. */
export function scopeBelow(root: string, prefix: string | null, account: string): ScopeId {
  return `${root}${prefix === null ? '' : `${prefix}/`}AWSLogs/${account}/`;
}

/** The folder of a trail's evidence below its scope, with the slash at its end. */
function evidenceFolder(scope: ScopeId, trail: TrailName): string {
  return `${scope}CloudTrail-Evidence/${trail.homeRegion}/${trail.name}/`;
}

export function receiptKey(scope: ScopeId, trail: TrailName, number: number): string {
  return `${evidenceFolder(scope, trail)}receipts/${String(number).padStart(12, '0')}.note`;
}

/** The trail's name as one text, equal for equal trails. */
export function trailId(trail: TrailName): string {
  return `${trail.account}/${trail.homeRegion}/${trail.name}`;
}

/** The parts of a trail's ARN; `undefined` for other texts. */
export function parseTrailArn(arn: string): TrailName | undefined {
  const parts =
    /^arn:[^:]+:cloudtrail:(?<homeRegion>[a-z][a-z0-9-]{1,31}):(?<account>[0-9]{12}):trail\/(?<name>[A-Za-z0-9._-]{3,128})$/.exec(
      arn,
    )?.groups;
  if (parts === undefined) return undefined;
  return { account: parts['account']!, homeRegion: parts['homeRegion']!, name: parts['name']! };
}

/** The prefix before `AWSLogs/` of a scope or a key of log files and digests, with its slash; empty when there is none. */
export function prefixOf(key: string): string | undefined {
  return /^((?:.*?\/)?)AWSLogs\/(?:o-[a-z0-9]{10,32}\/)?[0-9]{12}\//s.exec(key)?.[1];
}

/** The folder of the organization that a key lies in, with its slash; `undefined` for keys that lie in none. */
export function organizationFolderOf(key: string): string | undefined {
  return /^(?:.*?\/)?AWSLogs\/o-[a-z0-9]{10,32}\//s.exec(key)?.[0];
}

/** The Region in the key of a log file or digest; `undefined` for other keys. */
export function regionOf(key: string): string | undefined {
  return /AWSLogs\/(?:o-[a-z0-9]{10,32}\/)?[0-9]{12}\/CloudTrail(?:-Digest|-NetworkActivity|-Aggregated)?\/([^/]+)\//.exec(key)?.[1];
}

/** Numbers that mostly follow on one another, kept as ranges. */
export class NumberSet {
  /** Neither overlapping nor touching, as long as numbers are added in ascending order; a listing does. */
  readonly #ranges: { from: number; to: number }[] = [];

  add(number: number): void {
    const last = this.#ranges.at(-1);
    if (last !== undefined && number === last.to + 1) last.to = number;
    else if (!this.has(number)) this.#ranges.push({ from: number, to: number });
  }

  has(number: number): boolean {
    return this.#ranges.some(({ from, to }) => from <= number && number <= to);
  }

  /** The last number before this one; 0 when there is none. */
  lastBefore(number: number): number {
    return Math.max(0, ...this.#ranges.filter(({ from }) => from < number).map(({ to }) => Math.min(to, number - 1)));
  }

  /** Ascending. */
  ranges(): readonly { readonly from: number; readonly to: number }[] {
    return [...this.#ranges].sort((one, other) => one.from - other.from);
  }

  /** Whether a number is in both. */
  overlaps(other: NumberSet): boolean {
    return this.#ranges.some((mine) => other.#ranges.some((theirs) => mine.from <= theirs.to && theirs.from <= mine.to));
  }
}
