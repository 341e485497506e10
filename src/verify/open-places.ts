/**
 * Lists what is to be verified: the source that was asked for, and every other place of its trails.
 *
 * A trail that was moved has left receipts in other buckets, or below other prefixes. The server names them; so does the
 * first receipt after each move. The places that are opened so may name others in turn. What only the evidence names is
 * opened when a trusted key signed it: otherwise whoever may write to one bucket would choose what else is read. Either
 * way it is read with the caller's own rights, through the caller's endpoint, and below the folders of the trail's account and organizations.
 *
 * A place more can only add contradictions: what receipts say lies there must then be there, and a receipt must lie where
 * it says. One that cannot be listed is named, and the verdict is incomplete.
 */
import { RECEIPT_BYTES_MAX, RECEIPT_RANGES_MAX } from '../tlog/receipt.ts';
import { isTrail } from './check-object.ts';
import { KEY_FILE_BYTES_MAX, readEvidenceKey } from './evidence-key-file.ts';
import { joinBuckets, keyIn } from './join-buckets.ts';
import { followKeys, type KeyLink } from './key-link.ts';
import {
  NumberSet,
  organizationFolderOf,
  parseTrailArn,
  placeOf,
  receiptKey,
  type ScopeId,
  scopeBelow,
  type TrailName,
  trailId,
} from './layout.ts';
import { readReceipt } from './receipt-chain.ts';
import type { ReportBuilder } from './report.ts';
import { type FoundReceipts, KEY_FILES_MAX } from './run.ts';
import type { ServerTrail } from './server-evidence.ts';
import { type EvidenceSource, type ListedObject, type ListedSource, SourceUnreachable } from './source.ts';
import type { Trust } from './trust.ts';

/** Places that one verification reads; a trail that was moved more often than that does not name all of its own (receipt.ts). */
const PLACES_MAX = 100;
/** Names that can be told from the rest of a joined key: none holds a slash, none is `AWSLogs`. */
const BUCKET_NAME = /^[a-z0-9][a-z0-9._-]{1,254}$/;

/** Gives another bucket, to be listed as far as the prefix, with the rights of the caller and at the same endpoint. */
export type OpenPlace = (place: { readonly bucket: string; readonly prefix: string }) => EvidenceSource;

/** What was opened, with all of its keys that are evidence, each once. */
export interface Opened {
  readonly source: ListedSource;
  readonly objects: Iterable<ListedObject>;
  /**
   * Lists all of it once more: whether a run of receipts has begun since, because a trail is new at a place. Receipts that go
   * on from listed ones do not count.
   * @throws SourceUnreachable
   */
  readonly hasNewRun: () => Promise<boolean>;
}

export interface PlacesToOpen {
  readonly given: EvidenceSource;
  /** Absent when no other place is to be read. */
  readonly openPlace: OpenPlace | undefined;
  readonly isWanted: (trail: TrailName) => boolean;
  readonly server: readonly ServerTrail[];
  /** Statements of keys that the server passes on. */
  readonly links: readonly KeyLink[];
  readonly trust: Trust;
  readonly report: ReportBuilder;
  readonly onListed: (count: number) => void;
}

/** A place of a trail. */
interface TrailPlace {
  readonly bucket: string;
  /** The account's folder; or that of an organization, which holds log files and digests and no receipt. */
  readonly scope: ScopeId;
  /** Begins as the keys of its receipts do; the folder of an organization itself. */
  readonly receipts: string;
}

interface OpenedPlace {
  readonly source: EvidenceSource;
  readonly objects: readonly ListedObject[];
}

/** @throws SourceUnreachable when not one of the places can be listed. */
export async function openPlaces(options: PlacesToOpen): Promise<Opened> {
  const { given, report } = options;
  const openPlace = given.bucket !== undefined && BUCKET_NAME.test(given.bucket) ? options.openPlace : undefined;
  const tried: EvidenceSource[] = [];
  const opened: OpenedPlace[] = [];
  const failures: SourceUnreachable[] = [];
  let leftOut: TrailPlace | undefined;
  for (let next: readonly EvidenceSource[] = [given]; next.length > 0; ) {
    const news: OpenedPlace[] = [];
    for (const source of next) {
      tried.push(source);
      try {
        news.push({ source, objects: await listEvidence(source, options.onListed) });
      } catch (error) {
        if (!(error instanceof SourceUnreachable)) throw error;
        failures.push(error);
      }
    }
    opened.push(...news);
    next = [];
    if (openPlace === undefined || leftOut !== undefined) break;
    const named: TrailPlace[] = [];
    for (const place of news) named.push(...(await namedByReceipts(options, place)));
    named.push(...namedByServer(options, tried));
    const free = named.filter(({ bucket, receipts }) => BUCKET_NAME.test(bucket) && !isOf(tried, bucket, receipts));
    const places = [...new Map(free.map((place) => [`${place.bucket}/${place.scope}`, place])).values()];
    leftOut = places[PLACES_MAX - tried.length];
    next = places.slice(0, PLACES_MAX - tried.length).map(({ bucket, scope }) => openPlace({ bucket, prefix: scope }));
  }
  if (leftOut !== undefined) {
    const message = `no more than ${PLACES_MAX} places are read: not \`s3://${leftOut.bucket}/${leftOut.scope}\`, nor those after it. Verify fewer trails at once`;
    report.add({ level: 'incomplete', code: 'places', message });
  }
  const [first] = failures;
  if (first !== undefined && opened.length === 0) throw first;
  for (const { message } of failures) {
    const what =
      'what trails delivered there was not verified. Make it readable with this key, or verify copies of all places in one folder';
    report.add({ level: 'incomplete', code: 'unreachable', message: `${message}; ${what}` });
  }
  return join(opened);
}

async function listEvidence(source: EvidenceSource, onListed: (count: number) => void): Promise<readonly ListedObject[]> {
  const objects: ListedObject[] = [];
  for await (const object of source.list()) {
    if (placeOf(object.key) === undefined) continue;
    objects.push(object);
    if (objects.length % 1_000 === 0) onListed(objects.length);
  }
  return objects;
}

function isOf(sources: readonly EvidenceSource[], bucket: string, key: string): boolean {
  return sources.some((source) => keyIn(source, bucket, key) !== undefined);
}

/** All places of the trails that have one of them in what is open. */
function namedByServer({ server, isWanted }: PlacesToOpen, tried: readonly EvidenceSource[]): readonly TrailPlace[] {
  return server.flatMap(({ trailARN, places, organizationIds }) => {
    const trail = parseTrailArn(trailARN);
    if (trail === undefined || !isWanted(trail)) return [];
    const all = places.flatMap(({ bucket, prefix }) => trailPlaces(trail, { bucket, prefix }, organizationIds));
    return all.some(({ bucket, receipts }) => isOf(tried, bucket, receipts)) ? all : [];
  });
}

/** What the receipts say that were the first after a move to this place: before each of them, numbers are missing here. */
async function namedByReceipts({ isWanted, links, trust }: PlacesToOpen, { source, objects }: OpenedPlace): Promise<readonly TrailPlace[]> {
  const places: TrailPlace[] = [];
  const organizationIds = idsOf(objects);
  for (const { trail, scope, numbers, keyFiles } of receiptsOf(objects)) {
    const firsts = numbers.ranges().filter(({ from }) => from > 1);
    if (firsts.length === 0 || !isWanted(trail)) continue;
    followKeys(trust, [...links, ...(await readLinks(source, keyFiles))]);
    for (const { from } of firsts.slice(-RECEIPT_RANGES_MAX)) {
      const fetched = await source.get(receiptKey(scope, trail, from), RECEIPT_BYTES_MAX);
      const read = fetched.kind === 'object' ? readReceipt(fetched.bytes) : undefined;
      if (read?.kind !== 'ok' || trust.verify(read.value.note).kind !== 'signed' || !isTrail(read.value.receipt.trailARN, trail)) continue;
      for (const { bucket, prefix } of read.value.receipt.elsewhere ?? [])
        if (bucket !== null) places.push(...trailPlaces(trail, { bucket, prefix }, organizationIds));
    }
  }
  return places;
}

function trailPlaces(
  trail: TrailName,
  { bucket, prefix }: { readonly bucket: string; readonly prefix: string | null },
  organizationIds: Iterable<string>,
): readonly TrailPlace[] {
  const scope = scopeBelow('', prefix, trail.account);
  const folders = [...organizationIds].map((id) => `${prefix === null ? '' : `${prefix}/`}AWSLogs/${id}/`);
  return [
    { bucket, scope, receipts: receiptKey(scope, trail, 1) },
    ...folders.map((folder) => ({ bucket, scope: folder, receipts: folder })),
  ];
}

/** The organizations whose folders are in a listing. */
function idsOf(objects: readonly ListedObject[]): ReadonlySet<string> {
  return new Set(objects.flatMap(({ key }) => organizationFolderOf(key)?.split('/').at(-2) ?? []));
}

function receiptsOf(objects: readonly ListedObject[]): Iterable<FoundReceipts & { readonly trail: TrailName; readonly scope: ScopeId }> {
  const all = new Map<string, FoundReceipts & { readonly trail: TrailName; readonly scope: ScopeId }>();
  for (const { key } of objects) {
    const place = placeOf(key);
    if (place?.kind !== 'receipt' && place?.kind !== 'key') continue;
    const { trail, scope } = place;
    const id = `${scope} ${trailId(trail)}`;
    const found = all.get(id) ?? { trail, scope, numbers: new NumberSet(), keyFiles: [] };
    all.set(id, found);
    if (place.kind === 'receipt') found.numbers.add(place.number);
    else found.keyFiles.push(key);
  }
  return all.values();
}

/** Who vouches for the checkpoint keys that lie beside the receipts. Files that say nothing of use are told of later. */
async function readLinks(source: EvidenceSource, keyFiles: readonly string[]): Promise<readonly KeyLink[]> {
  const links: KeyLink[] = [];
  for (const key of keyFiles.slice(0, KEY_FILES_MAX)) {
    const name = key.slice(key.lastIndexOf('/') + 1);
    const fetched = name.startsWith('checkpoint-') ? await source.get(key, KEY_FILE_BYTES_MAX) : undefined;
    const read = fetched?.kind === 'object' ? readEvidenceKey(name, fetched.bytes) : undefined;
    if (read?.kind === 'checkpoint') links.push(...read.links);
  }
  return links;
}

function join(opened: readonly OpenedPlace[]): Opened {
  const listed = opened.map(({ source, objects }) => ({ source, runs: runsOf(objects) }));
  const hasNewRun = async () => {
    for (const { source, runs } of listed) {
      const now = runsOf(await listEvidence(source, () => undefined));
      if ([...now].some((run) => !runs.has(run))) return true;
    }
    return false;
  };
  const [first] = opened;
  if (first !== undefined && opened.length === 1) return { ...first, hasNewRun };
  const objects = new Map<string, ListedObject>();
  for (const place of opened)
    for (const object of place.objects) {
      const key = `${place.source.bucket}/${object.key}`;
      objects.set(key, { ...object, key });
    }
  return { source: joinBuckets(opened.map(({ source }) => source)), objects: objects.values(), hasNewRun };
}

/** The first receipt of each unbroken run. */
function runsOf(objects: readonly ListedObject[]): ReadonlySet<string> {
  const runs = new Set<string>();
  for (const { trail, scope, numbers } of receiptsOf(objects))
    for (const { from } of numbers.ranges()) runs.add(receiptKey(scope, trail, from));
  return runs;
}
