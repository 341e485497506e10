/**
 * Delivers aggregated events: counts the data events that a trail takes, and puts what they come to when their windows are closed.
 *
 * Counting follows delivery: it looks at what is delivered already, some entries at a time, so that log files never wait for it. What is
 * counted is kept in memory until it is announced (`announce-step.ts`); a restart counts again from where the last run ended. When the
 * trail changes, everything up to the change is counted and put before, by the settings of then.
 * Specified in docs/formats/aggregation.md; cloudtrail.md §1.9, §4.4.
 */
import assert from 'node:assert/strict';
import { encodeAggregatedEvent } from '../aggregate/encode-aggregated-event.ts';
import { WINDOW_MS, type WindowGroup, windowOf } from '../aggregate/window-table.ts';
import type { EpochMs } from '../event/types.ts';
import { AggregationRun } from './aggregation-run.ts';
import { announce } from './announce-step.ts';
import type { RecordGroup } from './collect-batch.ts';
import { bindFiles, documentsOf, putFiles, requireAsAnnounced, scopeOf } from './deliver-batch.ts';
import { batchPut } from './delivery-status.ts';
import { type PastAggregation, rememberAggregation } from './past-aggregations.ts';
import { type PreparedFile, prepareFiles } from './prepare-batch.ts';
import { readInTurns } from './read-in-turns.ts';
import { followerName, type TrailId, trailArn, trailScope } from './trail.ts';
import type { TrailDeps } from './trail-deps.ts';
import type { AggregationPoint, DeliverySettings, PendingStep, TrailChange, TrailState } from './trail-state.ts';
import type { BatchFiles, TrailStep } from './trail-step.ts';

type Aggregation = Extract<PendingStep['work'], { kind: 'aggregation' }>;

/** Entries looked at in one piece of work: the trail's other work comes between. */
const ENTRIES_MAX = 50_000n;

/** Where aggregation begins with a change: after it, and with the window that it lies in. Nothing when it is not set. */
export function aggregationFrom({ settings, sequence, atMs }: TrailChange): Pick<TrailState, 'aggregation'> {
  if (settings.selection.aggregationTemplates === undefined) return {};
  return { aggregation: { from: sequence, to: sequence, closedToMs: windowOf(atMs) } };
}

/**
 * Counts more of what is delivered, or binds what is counted.
 * @param isEnding A change waits behind all that is delivered: it is all counted first.
 * @returns false when nothing is due.
 */
export async function aggregateEvents(step: TrailStep, isEnding: boolean): Promise<boolean> {
  const { deps, saved, state, memory } = step;
  if (state.phase !== 'logging' || state.aggregation === undefined || state.settings.selection.aggregationTemplates === undefined)
    return false;
  const { aggregation: point, settings } = state;
  // A point that is the same may come with other settings: a change was applied.
  const isGoingOn = memory.aggregation?.point === point && memory.aggregation.settings === settings;
  const { run } = isGoingOn ? memory.aggregation! : { run: newRun(step, point, settings) };
  memory.aggregation = { run, point, settings };
  if (!run.isOver && run.at < saved.cursor) {
    await countEntries(step, run, saved.cursor);
    return true;
  }
  if (isEnding && run.isEmpty && !run.isOver) return false;
  if (!isEnding && !run.isOver && !run.isDue(deps.clock.nowMs())) return false;
  await bind(step, run, isEnding && !run.isOver);
  return true;
}

async function countEntries({ deps }: TrailStep, run: AggregationRun, to: bigint): Promise<void> {
  const after = run.at;
  await readInTurns(deps, { after, to: to < after + ENTRIES_MAX ? to : after + ENTRIES_MAX }, (entry) => run.take(entry));
}

/** Saves the bounds of a run and its receipt; the next step puts it. Where there is nothing to put, the run is done. */
async function bind(step: TrailStep, run: AggregationRun, isLast: boolean): Promise<void> {
  const { id, deps, saved, state, target, memory } = step;
  const { point } = run;
  const { groups, next } = run.result(isLast);
  if (groups.length === 0) return saved.save({ state: { ...state, aggregation: next } });
  const nowMs = deps.clock.nowMs();
  const files = await step.inTurn(() => prepare(deps, id, { point, groups }, { target, nameMs: nowMs }));
  const objects = files.map(({ object }) => object);
  const content = { kind: 'aggregation' as const, fromSequence: BigInt(point.from) + 1n, toSequence: BigInt(next.to), objects };
  const { number } = await announce(step, content, { kind: 'aggregation', point, next, isLast, ...bindFiles(step, files, nowMs) });
  memory.files = { number, files, counts: [], regions: [] };
}

/** The files of a pending aggregation: kept from binding it, or made again after a restart. */
export async function aggregatedFilesOf(step: TrailStep, pending: PendingStep, work: Aggregation): Promise<BatchFiles> {
  const { deps, id, state, memory } = step;
  if (memory.files?.number === pending.number) return memory.files;
  const files = await makeAgain(deps, id, { work, target: pending.target, ...membersOf(state) });
  requireAsAnnounced(id, pending, work, files);
  memory.files = { number: pending.number, files, counts: [], regions: [] };
  return memory.files;
}

/** The files of an aggregation that was announced, from the journal. */
export async function makeAgain(
  deps: Pick<TrailDeps, 'journal' | 'clock' | 'sha256' | 'gzip'>,
  id: TrailId,
  { work, target, members }: PastAggregation,
): Promise<readonly PreparedFile[]> {
  // Where it ends is known, however long windows are waited for now.
  const tools = { sha256: deps.sha256, graceMs: Number.POSITIVE_INFINITY };
  const run = new AggregationRun(work.point, trailScope(id, { ...work, ...(members && { members }) }), tools);
  const to = BigInt(work.next.to);
  const reached = await readInTurns(deps, { after: run.at, to }, (entry) => run.take(entry));
  assert(reached === to, `\`${followerName(id)}\` counts again up to ${to}, and came to ${reached}`);
  return prepare(deps, id, { point: work.point, groups: run.result(work.isLast).groups }, { target, nameMs: work.nameMs });
}

/** Puts the files of an aggregation, whose receipt is put. */
export async function finishAggregation(step: TrailStep, pending: PendingStep, work: Aggregation): Promise<void> {
  const { id, deps, saved, state, memory } = step;
  const { files } = await step.inTurn(() => aggregatedFilesOf(step, pending, work));
  await putFiles(step, pending, files);
  const { chains, written } = await documentsOf(step, pending, { work, files, opened: [] });
  const past = await rememberAggregation(deps.catalog, id, { number: pending.number, work, target: pending.target, ...membersOf(state) });
  await saved.save({
    state: { ...state, aggregation: work.next, lastBatchAtMs: work.atMs, ...batchPut(state, deps.clock.nowMs()) },
    pending: null,
    chains,
    written: [...written, ...past.written],
    removed: past.removed,
  });
  deps.onNotice?.(id);
  memory.files = undefined;
}

function newRun(step: TrailStep, point: AggregationPoint, settings: DeliverySettings): AggregationRun {
  const { deps, settings: amounts } = step;
  return new AggregationRun(point, scopeOf(step, settings), { sha256: deps.sha256, graceMs: amounts.aggregationGraceMs });
}

/** The accounts of the state: while a step waits, no change is taken in. */
function membersOf({ settings: { members } }: TrailState): Pick<DeliverySettings, 'members'> {
  return members === undefined ? {} : { members };
}

/** One file for each account and Region. */
async function prepare(
  deps: Pick<TrailDeps, 'sha256' | 'gzip'>,
  id: TrailId,
  { point, groups }: { readonly point: AggregationPoint; readonly groups: readonly WindowGroup[] },
  naming: { readonly target: PendingStep['target']; readonly nameMs: EpochMs },
): Promise<readonly PreparedFile[]> {
  const by = { sha256: deps.sha256, trailArn: trailArn(id) };
  const places = new Map<string, WindowGroup[]>();
  for (const group of groups) {
    const place = `${group.account}/${group.region}`;
    const ofPlace = places.get(place);
    if (ofPlace === undefined) places.set(place, [group]);
    else ofPlace.push(group);
  }
  const inOrder = [...places].sort(([one], [other]) => (one < other ? -1 : 1));
  const files = inOrder.map(([, ofPlace]): RecordGroup => {
    const { account, region } = ofPlace[0]!;
    return {
      ...{ account, region, folder: 'CloudTrail-Aggregated' },
      records: ofPlace.map((group) => encodeAggregatedEvent(group, { ...by, isLate: group.windowMs + WINDOW_MS <= point.closedToMs })),
      firstSequence: ascending(ofPlace.map(({ firstSequence }) => firstSequence))[0]!,
      lastSequence: ascending(ofPlace.map(({ lastSequence }) => lastSequence)).at(-1)!,
      oldestEventMs: Math.min(...ofPlace.map(({ oldestMs }) => oldestMs)),
      newestEventMs: Math.max(...ofPlace.map(({ newestMs }) => newestMs)),
    };
  });
  return prepareFiles(deps, id, files, naming);
}

function ascending(sequences: readonly bigint[]): readonly bigint[] {
  return [...sequences].sort((one, other) => (one < other ? -1 : 1));
}
