/**
 * Delivers log files: takes the next entries of the journal, binds a batch of them, and puts its files once it is announced.
 *
 * A batch is bound before anything of it is put: which entries, which names, which bytes. So a repeat after a crash, which
 * makes the files again from the journal, puts the same bytes at the same place.
 */
import assert from 'node:assert/strict';
import type { EpochMs, ObjectKey } from '../event/types.ts';
import { type LogFolder, parseLogFileKey } from '../logfile/log-file-key.ts';
import type { HourTable } from '../store/hour-table.ts';
import { announce } from './announce-step.ts';
import { type CollectedBatch, collectBatch } from './collect-batch.ts';
import { batchPut } from './delivery-status.ts';
import type { ReceiptContent } from './make-receipt.ts';
import { noticeOf } from './notices/notice.ts';
import { chainsOfRegions, openChain } from './open-chains.ts';
import { fileKeyOf, type PreparedFile, prepareFiles } from './prepare-batch.ts';
import { GZIP_JSON, putAll } from './put-object.ts';
import type { TrailSave } from './saved-trail.ts';
import { followerName, type TrailId, type TrailScope, trailScope } from './trail.ts';
import { type BoundFiles, type DeliveredFile, type DigestChain, fileKey, type PendingStep, type TrailCount } from './trail-state.ts';
import { type BatchFiles, putDepsOf, type TrailStep } from './trail-step.ts';

export type Batch = Extract<PendingStep['work'], { kind: 'batch' }>;

/** Takes the next entries up to `bound`: counts them, and binds a batch of those that the trail selects. */
export async function takeEntries(step: TrailStep, bound: bigint): Promise<void> {
  const { deps, saved, state, settings } = step;
  const after = saved.cursor;
  const scope = state.phase === 'logging' ? scopeOf(step, state.settings) : undefined;
  const collected = await collectBatch(deps, { after, to: bound }, scope, settings);
  if (collected.groups.length > 0) return bindBatch(step, after, collected);
  if (collected.counts.length === 0) return saved.passFacts(collected.to);
  const atMs = Math.max(deps.clock.nowMs(), state.lastBatchAtMs);
  await saved.save({
    state: { ...state, cursor: `${collected.to}` },
    chains: await chainsOfRegions(step, { regions: collected.regions, atMs }),
    counts: addCounts(saved.counts, collected.counts),
  });
}

/** Saves the bounds of a batch and its receipt; the next step puts it. */
async function bindBatch(step: TrailStep, after: bigint, collected: CollectedBatch): Promise<void> {
  const { id, deps, state, target, memory } = step;
  const nowMs = deps.clock.nowMs();
  const files = await prepareFiles(deps, id, collected.groups, { target, nameMs: nowMs });
  const content: ReceiptContent = {
    kind: 'delivery',
    fromSequence: BigInt(state.receiptedTo) + 1n,
    toSequence: collected.to,
    objects: files.map(({ object }) => object),
  };
  const work: Batch = { kind: 'batch', after: `${after}`, to: `${collected.to}`, ...bindFiles(step, files, nowMs) };
  const { number } = await announce(step, content, work);
  memory.files = { number, files, counts: collected.counts, regions: collected.regions };
}

/** What files of a step are to follow from: the settings in force, and the time of naming. */
export function bindFiles({ state }: TrailStep, files: readonly PreparedFile[], nowMs: EpochMs): BoundFiles {
  return {
    atMs: Math.max(nowMs, state.lastBatchAtMs),
    nameMs: nowMs,
    isMultiRegionTrail: state.settings.isMultiRegionTrail,
    includeGlobalServiceEvents: state.settings.includeGlobalServiceEvents,
    selection: state.settings.selection,
    files: hashesOf(files),
  };
}

function hashesOf(files: readonly PreparedFile[]): BoundFiles['files'] {
  return files.map(({ object }) => ({ contentSha256: object.contentSha256, sha256: object.sha256 }));
}

/** The files of a pending batch: kept from binding it, or made again after a restart. */
export async function filesOf(step: TrailStep, pending: PendingStep, work: Batch): Promise<BatchFiles> {
  const { id, deps, memory } = step;
  if (memory.files?.number === pending.number) return memory.files;
  const range = { after: BigInt(work.after), to: BigInt(work.to) };
  const collected = await collectBatch(deps, range, scopeOf(step, work), {
    batchBytesMax: Number.POSITIVE_INFINITY,
    batchFilesMax: Number.POSITIVE_INFINITY,
  });
  assert(collected.to === range.to, `journal entries up to ${range.to} are still there`);
  const files = await prepareFiles(deps, id, collected.groups, { target: pending.target, nameMs: work.nameMs });
  requireAsAnnounced(id, pending, work, files);
  memory.files = { number: pending.number, files, counts: collected.counts, regions: collected.regions };
  return memory.files;
}

/** INVARIANT: what a receipt has announced is what is put. Another zlib, or another reading of events, would break it. */
export function requireAsAnnounced(id: TrailId, { number }: PendingStep, work: BoundFiles, files: readonly PreparedFile[]): void {
  assert.deepEqual(hashesOf(files), work.files, `step ${number} of \`${followerName(id)}\` is made again as it was announced`);
}

/** Puts the files of a batch, whose receipt is put. */
export async function finishBatch(step: TrailStep, pending: PendingStep, work: Batch): Promise<void> {
  const { deps, saved, state, memory } = step;
  const { files, counts, regions } = await step.inTurn(() => filesOf(step, pending, work));
  await putFiles(step, pending, files);
  const nowMs = deps.clock.nowMs();
  const ofRegions = await chainsOfRegions(step, { regions, atMs: work.atMs });
  const { chains, written } = await documentsOf(step, pending, { work, files, opened: ofRegions });
  await saved.save({
    state: { ...state, cursor: work.to, receiptedTo: work.to, lastBatchAtMs: work.atMs, ...batchPut(state, nowMs) },
    pending: null,
    chains,
    counts: addCounts(saved.counts, counts),
    written,
  });
  deps.onNotice?.(step.id);
  memory.files = undefined;
}

export async function putFiles(step: TrailStep, { target }: PendingStep, files: readonly PreparedFile[]): Promise<void> {
  const { bucket } = target;
  await putAll(
    putDepsOf(step),
    files.map(({ object, body }) => ({ bucket, key: object.key as ObjectKey, body, options: GZIP_JSON, isSealed: true })),
  );
}

/**
 * What is to be saved of files that are put: what digests are to list, the chains that begin with it, whom to tell.
 * @param of.opened Chains that begin in any case.
 */
export async function documentsOf(
  { id, deps, saved, state }: TrailStep,
  pending: PendingStep,
  { work, files, opened }: { readonly work: BoundFiles; readonly files: readonly PreparedFile[]; readonly opened: readonly DigestChain[] },
): Promise<Required<Pick<TrailSave, 'chains' | 'written'>>> {
  const { bucket } = pending.target;
  const toList = state.settings.validates ? files.map(({ object }) => object) : [];
  const ofFiles = toList
    .map(chainOf)
    .filter(({ account, region }) => !opened.some((chain) => chain.account === account && chain.region === region))
    .flatMap((chain) => openChain(saved.chain(chain), chain, work.atMs));
  const notice = { bucket, keys: files.map(({ object }) => object.key), atMs: deps.clock.nowMs() };
  return {
    chains: [...opened, ...ofFiles],
    written: [
      ...toList.map((object) => ({
        key: fileKey(id, chainOf(object), { batch: pending.number, folder: folderInKey(object) }),
        value: deliveredFile(object, bucket, work.atMs),
      })),
      ...(await noticeOf(deps.catalog, id, pending.number, notice)),
    ],
  };
}

/** The same files under the step's target. */
export function renamedFiles(
  { id, deps, target }: TrailStep,
  files: readonly PreparedFile[],
  { nameMs }: BoundFiles,
): readonly PreparedFile[] {
  return files.map(({ object, body }) => ({
    body,
    object: { ...object, key: fileKeyOf(deps.sha256, id, { ...object, folder: folderInKey(object) }, { target, nameMs }) },
  }));
}

/** The accounts are those of the state: while a batch waits, no change is taken in. */
export function scopeOf(
  { id, state }: TrailStep,
  { isMultiRegionTrail, includeGlobalServiceEvents, selection }: Omit<TrailScope, 'account' | 'homeRegion' | 'members'>,
): TrailScope {
  const { members } = state.settings;
  return trailScope(id, { isMultiRegionTrail, includeGlobalServiceEvents, selection, ...(members && { members }) });
}

/** The new values of the counts that change. */
function addCounts(before: Pick<HourTable<TrailCount>, 'get'>, more: readonly TrailCount[]): readonly TrailCount[] {
  return more.map((count) => {
    const { delivered = 0, filtered = 0 } = before.get(count) ?? {};
    return { ...count, delivered: count.delivered + delivered, filtered: count.filtered + filtered };
  });
}

function chainOf({ account, region }: PreparedFile['object']): Pick<DigestChain, 'account' | 'region'> {
  return { account, region } as Pick<DigestChain, 'account' | 'region'>;
}

/** A log file's folder, which its key alone says. */
function folderInKey({ key }: PreparedFile['object']): LogFolder {
  return parseLogFileKey(key)!.folder;
}

function deliveredFile(object: PreparedFile['object'], bucket: string, atMs: EpochMs): DeliveredFile {
  const { key, contentSha256, oldestEventTime, newestEventTime } = object;
  return { bucket, key: key as ObjectKey, contentSha256, oldestEventTime, newestEventTime, atMs };
}
