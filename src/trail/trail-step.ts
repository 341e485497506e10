/**
 * What the parts of a trail's delivery work with during one step. `follow-trail.ts` makes it.
 */

import type { Bucket } from '../store/objects.ts';
import type { AggregationRun } from './aggregation-run.ts';
import { sealOptions } from './check-key.ts';
import type { UsedRegion } from './collect-batch.ts';
import type { PreparedFile } from './prepare-batch.ts';
import type { PutDeps } from './put-object.ts';
import { requireAccess } from './require-access.ts';
import type { SavedTrail } from './saved-trail.ts';
import type { TrailId } from './trail.ts';
import type { TrailDeps, TrailSettings } from './trail-deps.ts';
import type { AggregationPoint, DeliverySettings, TrailChange, TrailCount, TrailState, TrailTarget } from './trail-state.ts';

export interface TrailStep {
  readonly id: TrailId;
  readonly deps: TrailDeps;
  readonly settings: TrailSettings;
  readonly saved: SavedTrail;
  /** The saved one, or what it becomes with the next save. */
  readonly state: TrailState;
  /** Where new objects go. */
  readonly target: TrailTarget;
  /** KMS key of what is put from now on; absent when nothing is encrypted. */
  readonly kmsKeyArn?: string | undefined;
  readonly memory: StepMemory;
  /** Ends waiting for puts: the process stops. */
  readonly stop: AbortSignal;
  /** Runs what takes much memory, one trail after the other. */
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>;
}

/** What this process knows of the pending step. It outlives a failure, so that a try goes on where the one before ended. */
export interface StepMemory {
  /** The files of the pending batch; absent after a restart. */
  files: BatchFiles | undefined;
  /** What the aggregation of data events has counted so far; absent before it looked at any. */
  aggregation: CountingSoFar | undefined;
  progress: StepProgress;
}

/** A run of an aggregation, and what it began from. */
export interface CountingSoFar {
  readonly run: AggregationRun;
  readonly point: AggregationPoint;
  readonly settings: DeliverySettings;
}

/** The files of a batch or an aggregation, and what else its entries told. */
export interface BatchFiles {
  /** Of their receipt. */
  readonly number: number;
  readonly files: readonly PreparedFile[];
  readonly counts: readonly TrailCount[];
  /** As in `CollectedBatch`. */
  readonly regions: readonly UsedRegion[];
}

/**
 * What is done of the pending step: a bucket that refuses now and then is got by with, a few requests at each try.
 */
export interface StepProgress {
  /** Of the step's receipt. */
  readonly number: number;
  readonly alreadyPut: Set<string>;
  /** When the bucket was found open last, by the monotonic clock. */
  allowedAtMs: number;
  /** The bucket as it was then; absent before. */
  bucket?: Bucket;
  /** Objects that were put when a try failed last. */
  putAtFailure: number;
}

export function newProgress(number: number): StepProgress {
  return { number, alreadyPut: new Set(), allowedAtMs: Number.NEGATIVE_INFINITY, putAtFailure: 0 };
}

/** What `putObject` needs. */
export function putDepsOf({ id, deps, kmsKeyArn, memory, settings, stop }: TrailStep): PutDeps {
  const { objects, clock, sha256 } = deps;
  const seal: PutDeps['seal'] = (object) => sealOptions(deps, id, { keyArn: kmsKeyArn, bucket: memory.progress.bucket }, object);
  return { objects, seal, clock, sha256, alreadyPut: memory.progress.alreadyPut, putTimeoutMs: settings.putTimeoutMs, stop };
}

/** A bucket's owner may take the permission back at any time. @throws DeliveryFailed */
export function requireOpenBucket(step: TrailStep, target: TrailTarget): Promise<Bucket> {
  return requireAccess({ ...putDepsOf(step), objects: step.deps.objects }, step.id, target);
}

/** Where new objects go: where the newest update says, even before delivery has come to it, since the old bucket may be gone. */
export function targetOf(state: TrailState, changes: readonly TrailChange[]): TrailTarget {
  const { bucket, prefix } = settingsAhead(state, changes).target;
  // Up to the change that makes it another one, the trail is one of the organization that it was.
  const { organizationId } = state.settings.target;
  return { bucket, prefix, ...(organizationId === undefined ? {} : { organizationId }) };
}

/** What new objects are encrypted with: as for their place, the newest update counts, since the old key may be gone. */
export function kmsKeyOf(state: TrailState, changes: readonly TrailChange[]): string | undefined {
  return settingsAhead(state, changes).kmsKeyArn;
}

function settingsAhead(state: TrailState, changes: readonly TrailChange[]): DeliverySettings {
  const end = changes.findIndex(({ kind }) => kind === 'delete' || kind === 'create');
  const ahead = end < 0 ? changes : changes.slice(0, end);
  return ahead.findLast(({ kind }) => kind === 'update')?.settings ?? state.settings;
}
