/**
 * Verifies evidence: every file that a trail's receipts name, every file that none names, every link between them, and
 * the whole against what is known from elsewhere: pinned keys, a running server, an earlier run.
 *
 * Works offline and with no code of the server. The source is listed first; receipts are read after it, so that a file
 * which was put meanwhile is never taken for one that nobody announced. Where a file is left over all the same, and a trail
 * turns out to have begun while the source was being listed, all is done again. Nothing is written but the state file.
 * Specified in reliability.md P13, §6.1–6.4; docs/verify.md.
 */
import { verifyByAwsRules } from './aws-rules.ts';
import { isTrail } from './check-object.ts';
import { Expired, NO_VERSIONS } from './expired.ts';
import { holdAgainst, type ToHold } from './hold-against.ts';
import { Inspector } from './inspector.ts';
import { JobLimit } from './job-limit.ts';
import { bucketOf, keyIn } from './join-buckets.ts';
import { followKeys } from './key-link.ts';
import {
  NumberSet,
  organizationFolderOf,
  parseTrailArn,
  placeOf,
  receiptKey,
  regionOf,
  type ScopeId,
  type TrailName,
  trailId,
} from './layout.ts';
import { type OpenPlace, openPlaces } from './open-places.ts';
import { type Finding, ReportBuilder, type VerifyReport } from './report.ts';
import { type FoundReceipts, type FoundTrail, type Inventory, type Run, type Selection, wantsRegion } from './run.ts';
import { type CallServer, ServerEvidence, type ServerKeys, type ServerTrail } from './server-evidence.ts';
import { type EvidenceSource, type ListedObject, type ListedSource, SourceUnreachable } from './source.ts';
import { checkpointOf, NO_STATE, readState, StateDamaged, type TrailState, type VerifyState, writeState } from './state-file.ts';
import { NO_KEYS, type PinnedKeys, Trust } from './trust.ts';
import { separateCopies, type TrailResult, verifyTrail } from './verify-trail.ts';

/** Bytes of files that are in memory at once, beside one that is larger than that. */
const BYTES_AT_ONCE = 128 * 1024 * 1024;
/** Times that a source is listed because trails begin in it meanwhile; then it is judged as it was listed last. */
const LISTINGS_MAX = 3;

export interface VerifyOptions {
  readonly source: EvidenceSource;
  /** Opens the other places of trails that were moved; absent when the source alone is to be verified, as a copy always is. */
  readonly openPlace?: OpenPlace;
  /** Calls operations of the running server; absent offline. */
  readonly callServer?: CallServer;
  /** Keys that the caller trusts, from `parsePinnedKeys`. */
  readonly pinnedKeys?: PinnedKeys;
  /** Path of the state file; made when it is not there. Trusted: keep it away from those who can write to the bucket. */
  readonly statePath?: string;
  /** Trails by ARN or name; all of the source when absent. */
  readonly trails?: readonly string[];
  /** Only files delivered, and digests that overlap, in this time. Receipts are read whole whatever it is. */
  readonly from?: Date;
  readonly to?: Date;
  readonly regions?: readonly string[];
  /** The source is a copy at another place: then the place that files state is not compared with where they are. */
  readonly isRelocated?: boolean;
  /** Reads at once; by default what helps the source. */
  readonly jobs?: number;
  /** Worker threads; 0 for none. By default one less than there are processors. */
  readonly threads?: number;
  /** The present, to tell that a bucket has gone stale. By default the machine's clock. */
  readonly nowMs?: number;
  readonly onProgress?: (progress: VerifyProgress) => void;
  /** What the caller found itself, such as damage of the server's journal: counts for the verdict as any other. */
  readonly findings?: readonly Finding[];
}

export interface VerifyProgress {
  readonly phase: 'listing' | 'checking';
  /** Keys listed, or files looked at. */
  readonly done: number;
  /** Files there are, as far as they were listed; absent while listing. */
  readonly total?: number;
}

/** @returns A report for every outcome; what the source, the server or a file does wrong is in it, never thrown. */
export async function verify(options: VerifyOptions): Promise<VerifyReport> {
  for (let listing = 1; ; listing++) {
    const report = await verifyAsListed(options, listing === LISTINGS_MAX);
    if (report !== 'outdated') return report;
  }
}

/** @returns `outdated`, unless this is the last listing, when a trail began at one of the places while that was listed. */
async function verifyAsListed(options: VerifyOptions, isLast: boolean): Promise<VerifyReport | 'outdated'> {
  const report = new ReportBuilder();
  for (const finding of options.findings ?? []) report.add(finding);
  const state = await loadState(options.statePath, report);
  const server = options.callServer === undefined ? undefined : new ServerEvidence(options.callServer);
  const serverWord = await askServer(server, report);
  const trust = new Trust({
    pinned: options.pinnedKeys ?? NO_KEYS,
    state: state.logs.flatMap(({ keys }) => keys),
    server: serverWord.keys,
  });
  // What the server shows of its journal is under its newest key.
  followKeys(trust, serverWord.links);
  const inspector = new Inspector(options.threads);
  let done = 0;
  const total = { files: 0 };
  const run: Omit<Run, 'source'> = {
    trust,
    report,
    jobs: new JobLimit(options.jobs ?? options.source.jobs, BYTES_AT_ONCE),
    inspector,
    inventory: { unnamed: new Set(), deleted: new Set(), hidden: new Map(), overwritten: new Map(), trails: new Map() },
    selection: selectionOf(options),
    ...(server !== undefined && { expired: new Expired(server, trust) }),
    isRelocated: options.isRelocated ?? false,
    nowMs: options.nowMs ?? Date.now(),
    progress: () => options.onProgress?.({ phase: 'checking', done: ++done, total: Math.max(done, total.files) }),
  };
  let source: ListedSource = options.source;
  let results: TrailResults = { results: [], aside: [] };
  try {
    const opened = await openPlaces({
      given: options.source,
      openPlace: run.isRelocated ? undefined : options.openPlace,
      isWanted: (trail) => isAskedFor(options, trail),
      server: serverWord.trails,
      links: serverWord.links,
      trust,
      report,
      onListed: (listed) => options.onProgress?.({ phase: 'listing', done: listed }),
    });
    source = opened.source;
    total.files = takeInventory({ ...run, source }, opened.objects);
    inspector.expect(run.inventory.unnamed.size);
    results = await verifyTrails({ ...run, source }, options, { state, server: serverWord.trails });
    // Its receipts may have been listed before they came, and its log files after.
    if (run.inventory.unnamed.size > 0 && !isLast && (await opened.hasNewRun())) return 'outdated';
    await verifyUnnamed({ ...run, source }, [...results.results, ...results.aside]);
  } catch (error) {
    if (!(error instanceof SourceUnreachable)) throw error;
    report.add({ level: 'incomplete', code: 'unreachable', message: error.message });
  } finally {
    await inspector.close();
  }
  return conclude({ ...run, source }, options, { ...results, state, server, serverKeys: serverWord });
}

function isAskedFor({ trails }: VerifyOptions, trail: TrailName): boolean {
  return trails === undefined || trails.some((wanted) => isTrail(wanted, trail));
}

/** What the server says before anything is listed: what it has put by now must be found. */
interface ServerWord extends ServerKeys {
  readonly trails: readonly ServerTrail[];
}

const NO_WORD: ServerWord = { keys: NO_KEYS, links: [], unknown: [], trails: [] };

async function askServer(server: ServerEvidence | undefined, report: ReportBuilder): Promise<ServerWord> {
  if (server === undefined) return NO_WORD;
  try {
    const keys = await server.keys();
    return { ...keys, trails: await server.trails() };
  } catch (error) {
    report.add({ level: 'incomplete', code: 'server', message: `the server does not say what it delivered: ${(error as Error).message}` });
    return NO_WORD;
  }
}

/** Whether this is the place of the trail's newest receipt, so that all is due which the server has put. */
function isHere(source: ListedSource, { bucket, evidencePrefix }: ServerTrail): boolean {
  return keyIn(source, bucket, evidencePrefix) !== undefined;
}

/** Whether this is no place of evidence itself: it may be older than what is known. */
function isCopy({ source, isRelocated }: Pick<Run, 'source' | 'isRelocated'>): boolean {
  return source.kind === 'folder' || isRelocated;
}

async function loadState(path: string | undefined, report: ReportBuilder): Promise<VerifyState> {
  if (path === undefined) return NO_STATE;
  try {
    return await readState(path);
  } catch (error) {
    if (!(error instanceof StateDamaged)) throw error;
    report.add({ level: 'incomplete', code: 'state', message: error.message });
    return NO_STATE;
  }
}

function selectionOf({ from, to, regions }: VerifyOptions): Selection {
  const time = (date: Date) => `${date.toISOString().slice(0, 19)}Z`;
  return {
    ...(from !== undefined && { from: time(from) }),
    ...(to !== undefined && { to: time(to) }),
    ...(regions !== undefined && { regions: new Set(regions) }),
  };
}

/** @returns How many files there are. */
function takeInventory({ source, inventory, report }: Run, objects: Iterable<ListedObject>): number {
  let count = 0;
  for (const { key, sizeBytes, isPresent, contents, versionIds } of objects) {
    const place = placeOf(key);
    if (place === undefined) continue;
    count++;
    if (!isPresent) inventory.deleted.add(key);
    if (!isPresent && versionIds !== undefined && contents > 0) inventory.hidden.set(key, new Set(versionIds));
    if (contents > 1) inventory.overwritten.set(key, { contents, versionIds });
    switch (place.kind) {
      case 'log':
      case 'digest':
        // A folder's own mark, as some tools make it, holds nothing. A deleted key counts: a version of it is still there.
        if (key.endsWith('/') && sizeBytes === 0) break;
        if (isPresent || contents > 0) inventory.unnamed.add(key);
        break;
      case 'receipt':
        foundAt(inventory, place.trail, place.scope).numbers.add(place.number);
        break;
      case 'key':
        foundAt(inventory, place.trail, place.scope).keyFiles.push(key);
        break;
      case 'other-evidence':
        report.add({ level: 'note', code: 'other-evidence', key, message: 'it lies beside the evidence and is none' });
    }
  }
  const versions = source.versionsUnknown();
  if (versions?.kind === 'refused')
    report.add({ level: 'incomplete', code: 'versions', message: `versions cannot be checked: ${versions.reason}` });
  return count;
}

function foundAt({ trails }: Inventory, trail: TrailName, scope: ScopeId): FoundReceipts {
  const id = trailId(trail);
  const found: FoundTrail = trails.get(id) ?? { trail, places: new Map() };
  trails.set(id, found);
  const receipts = found.places.get(scope) ?? { numbers: new NumberSet(), keyFiles: [] };
  found.places.set(scope, receipts);
  return receipts;
}

/** The trails that were asked for, and others whose receipts were read because they share the folders. */
interface TrailResults {
  readonly results: readonly TrailResult[];
  readonly aside: readonly TrailResult[];
}

async function verifyTrails(
  run: Run,
  options: VerifyOptions,
  known: { readonly state: VerifyState; readonly server: readonly ServerTrail[] },
): Promise<TrailResults> {
  const isWanted = (trail: TrailName) => isAskedFor(options, trail);
  await addAbsentTrails(run, known, isWanted);
  addLosses(run, known.server, isWanted);
  const checkpoints = known.state.logs.map(checkpointOf);
  const results: TrailResult[] = [];
  const asides: TrailResult[] = [];
  for (const { trail, places } of run.inventory.trails.values()) {
    const of = ({ trailARN }: { trailARN: string }) => isTrail(trailARN, trail);
    const server = known.server.find(of);
    const state = known.state.trails.find(of);
    const isTailDue = {
      server: server !== undefined && isHere(run.source, server),
      state: state !== undefined && isSamePlace(run.source, state),
    };
    const serverScope = server && isTailDue.server ? newestScope(run.source, server) : undefined;
    const word = { ...(server && { server }), ...(serverScope !== undefined && { serverScope }), ...(state && { state }) };
    for (const copy of separateCopies(places)) {
      if (isWanted(trail)) {
        results.push(await verifyTrail(run, trail, copy, { ...word, isTailDue, checkpoints }));
      } else {
        // Its receipts tell which files in the shared folders are its own; they are not the caller's question.
        const aside = { ...run, report: new ReportBuilder(), selection: { ...run.selection, regions: new Set<string>() } };
        asides.push(await verifyTrail(aside, trail, copy, { isTailDue, checkpoints: [] }));
      }
    }
  }
  return { results, aside: asides };
}

/** Where the newest receipt that the server has put is in this source; elsewhere, where it was. */
function newestScope(source: ListedSource, { bucket, evidencePrefix }: ServerTrail): ScopeId | undefined {
  const first = `${evidencePrefix}receipts/000000000001.note`;
  return placeOf(keyIn(source, bucket, first) ?? first)?.scope;
}

/** What the server put again would else be seen by nobody: that it was gone is news all the same. */
function addLosses(run: Run, trails: readonly ServerTrail[], isWanted: (trail: TrailName) => boolean): void {
  for (const server of trails) {
    const { trailARN, lost } = server;
    const trail = parseTrailArn(trailARN);
    if (trail === undefined || !isWanted(trail) || !(isCopy(run) || isHere(run.source, server))) continue;
    for (const { bucket, key, outcome, foundAt } of lost) {
      const message =
        outcome === 'put-again'
          ? `the server found it gone at ${foundAt}, and puts it again as soon as the bucket takes it: find out who or what took it out of the bucket`
          : `the server found it ${outcome === 'gone' ? 'gone' : 'changed'} at ${foundAt}`;
      run.report.add({ level: 'note', code: 'lost-object', message, key: keyIn(run.source, bucket, key) ?? key, trailARN });
    }
  }
}

/**
 * Trails that somebody knows of and of which nothing is there. In the bucket that they were delivered to they are missing
 * as a whole, and named; a folder may be the copy of something else.
 */
async function addAbsentTrails(
  run: Run,
  known: { readonly state: VerifyState; readonly server: readonly ServerTrail[] },
  isWanted: (trail: TrailName) => boolean,
): Promise<void> {
  const fromServer = known.server
    .filter(({ delivered }) => delivered > 0)
    .map((server) => ({
      ...{ trailARN: server.trailARN, number: server.delivered },
      ...{ scope: newestScope(run.source, server), isDue: isHere(run.source, server) },
    }));
  const fromState = known.state.trails.map((state) => ({
    ...{ trailARN: state.trailARN, number: state.number },
    scope: keyIn(run.source, state.bucket, state.scope) ?? state.scope,
    isDue: isSamePlace(run.source, state),
  }));
  const absent = new Set<string>();
  for (const { trailARN, number, scope, isDue } of [...fromServer, ...fromState]) {
    const trail = parseTrailArn(trailARN);
    if (trail === undefined || scope === undefined || !isWanted(trail) || run.inventory.trails.has(trailId(trail))) continue;
    if (isDue) {
      foundAt(run.inventory, trail, scope);
      const newest = bucketOf(run.source, receiptKey(scope, trail, number));
      // It expired, or nobody knows: its receipts are looked for one by one.
      const absence = await run.expired?.receipt(trail, number, { ...newest, versions: NO_VERSIONS });
      if (absence !== undefined && absence.kind !== 'unexplained') continue;
      run.report.add({
        level: 'tampered',
        code: 'trail-missing',
        message: 'nothing of this trail is there, though it delivered',
        trailARN,
      });
    } else if (isCopy(run) && !absent.has(trailARN)) {
      absent.add(trailARN);
      run.report.add({ level: 'incomplete', code: 'trail-absent', message: 'nothing of this trail is in this copy', trailARN });
    }
  }
}

/** Whether a run that saved this was of the same place: a state may be kept for several buckets. */
function isSamePlace(source: ListedSource, { bucket, scope }: TrailState): boolean {
  return source.kind === 'folder' ? bucket === null : keyIn(source, bucket, scope) !== undefined;
}

/** Log files and digests that no receipt named: forged where all receipts were read, else checked by AWS's rules where there are none. */
async function verifyUnnamed(run: Run, trails: readonly TrailResult[]): Promise<void> {
  const { inventory, report, selection } = run;
  const strict = new Set([...inventory.trails.values()].flatMap(({ places }) => [...places.keys()]));
  // Receipts of an organization's trail lie in one account's folder, and name all that may lie in any account's folder of the organization.
  const organizations = new Set(trails.flatMap(({ organizationFolders }) => [...organizationFolders]));
  const others = new Map<ScopeId, string[]>();
  for (const key of inventory.unnamed) {
    const place = placeOf(key)!;
    if (!strict.has(place.scope) && !organizations.has(organizationFolderOf(key) ?? '')) {
      const keys = others.get(place.scope) ?? [];
      keys.push(key);
      others.set(place.scope, keys);
    } else if (wantsRegion(selection, regionOf(key))) {
      const kind = place.kind === 'log' ? 'log' : key.endsWith('_backfill.json.gz') ? 'backfill-digest' : 'digest';
      const isDeleted = inventory.deleted.has(key);
      // Named or not, it should not be deleted.
      const by = isDeleted ? undefined : trails.map(({ mayName }) => mayName(key)).find((receipt) => receipt !== undefined);
      if (by !== undefined) {
        const reason = `no receipt names it that can be read; \`${by.key}\` may, which cannot`;
        report.file({ key, kind, verdict: 'unreadable', code: 'undecided', reason });
        run.progress();
        continue;
      }
      const reason = `no receipt names it: Snowtrail did not put it there${isDeleted ? ' (it is deleted, and its versions are still there)' : ''}`;
      report.file({ key, kind, verdict: 'unlisted', code: 'unlisted', reason });
      run.progress();
    }
  }
  for (const [scope, keys] of others) await verifyByAwsRules(run, scope, keys);
  for (const folder of organizations) {
    const { bucket = null, key } = bucketOf(run.source, folder);
    if (run.source.kind === 'folder' || keyIn(run.source, bucket, key) !== undefined) continue;
    const message = `\`${folder}\` was not listed: what receipts name there was checked, what none names was not looked for`;
    report.add({ level: 'incomplete', code: 'places', message });
  }
}

async function conclude(run: Run, options: VerifyOptions, { results, aside, state, server, serverKeys }: ToHold): Promise<VerifyReport> {
  const { report, source, selection } = run;
  const isPartial =
    selection.from !== undefined || selection.to !== undefined || selection.regions !== undefined || options.trails !== undefined;
  const held = await holdAgainst(run, { results, aside, state, server, serverKeys });
  if (results.every(({ digests }) => digests === 0) && !report.isIncomplete) {
    report.add({ level: 'incomplete', code: 'no-digests', message: 'no digests found' });
  }
  const isBackwards = selection.from !== undefined && selection.to !== undefined && selection.to < selection.from;
  if (isBackwards || (isPartial && report.allUnchecked)) {
    // A mistyped Region or time must not read as a trail that is well. One that is stopped has nothing of later times.
    const isDue = isBackwards || selection.regions !== undefined || results.some(({ chain }) => chain.isLogging);
    const message = 'no log file or digest is of the time and the Regions that were asked for: nothing of them was checked';
    report.add({ level: isDue ? 'incomplete' : 'note', code: 'nothing-selected', message });
  }
  const finished = report.finish({
    source: source.name,
    range: {
      from: selection.from ?? null,
      to: selection.to ?? null,
      regions: selection.regions === undefined ? null : [...selection.regions],
    },
    trust: run.trust.report(),
    checkpoints: held.checkpoints,
    trails: results.map((result) => result.report),
    cannotKnow: cannotKnow(run, options, isPartial),
  });
  if (options.statePath !== undefined && finished.exitCode === 0 && !isPartial) await writeState(options.statePath, held.nextState);
  return finished;
}

function cannotKnow({ source, isRelocated, report }: Run, options: VerifyOptions, isPartial: boolean): string[] {
  const sentences = ['events that were never sent, or were false when they were sent'];
  if (options.callServer === undefined)
    sentences.push(
      options.statePath === undefined
        ? 'whether evidence newer than the newest receipt here was removed together with its receipts, or lies where the trail was moved to since: ask the server, or keep a state file'
        : 'whether evidence newer than both the newest receipt here and the last run was removed together with its receipts, or lies where the trail was moved to since: ask the server',
    );
  if (options.callServer === undefined && report.hasMissing)
    sentences.push('whether what is missing expired by a lifecycle rule of the bucket: ask the server');
  if (source.kind === 'folder')
    sentences.push('object metadata, versions and delete markers, and the place of the bucket: a copied folder keeps none');
  else if (isRelocated) sentences.push('that this bucket is the one that was delivered to: it was checked as a copy');
  if (source.versionsUnknown()?.kind === 'none' && source.kind === 'bucket')
    sentences.push('versions and delete markers: the bucket does not list them');
  if (isPartial) sentences.push('anything outside of what was asked for: trails, Regions and times left out were not checked');
  return sentences;
}
