/**
 * Reads the journal for one batch of a trail: which events it takes, grouped by account, Region and folder, and the counts.
 *
 * Bounds follow from the journal and the limits alone, and the same bounds always give the same groups, so that a batch
 * can be made again after a crash.
 */
import type { AccountId, EpochMs, Region } from '../event/types.ts';
import type { LogFolder } from '../logfile/log-file-key.ts';
import { accountHourKey, hourOf } from '../store/account-hour.ts';
import type { Clock } from '../store/clock.ts';
import type { Journal, JournalEntry } from '../store/journal.ts';
import type { Sha256 } from '../tlog/hash.ts';
import { readInTurns } from './read-in-turns.ts';
import { eventSelector, folderOfCategory } from './select-event.ts';
import { type TrailScope, takesAccount } from './trail.ts';
import type { TrailSettings } from './trail-deps.ts';
import type { TrailCount } from './trail-state.ts';

/** Most entries of one batch: their counts and the time to read them stay small, whether any of them is taken or not. */
const ENTRIES_MAX = 50_000n;

/** The records of one log file, in the order of the journal. */
export interface RecordGroup {
  readonly account: AccountId;
  readonly region: Region;
  readonly folder: LogFolder;
  readonly records: readonly Uint8Array[];
  readonly firstSequence: bigint;
  readonly lastSequence: bigint;
  readonly oldestEventMs: EpochMs;
  readonly newestEventMs: EpochMs;
}

export interface CollectedBatch {
  /** Last sequence that was looked at; `after` when there was none. */
  readonly to: bigint;
  /** By account, Region and folder. Empty when the trail takes nothing. */
  readonly groups: readonly RecordGroup[];
  /**
   * When the trail's accounts were in a Region first, by the receipt of their events that were looked at, whether any of them is taken.
   * Empty unless the trail is one of all Regions.
   */
  readonly regions: readonly UsedRegion[];
  /** Of all events looked at, by account and hour of receipt. */
  readonly counts: readonly TrailCount[];
}

/** A Region in which an account has events. */
export interface UsedRegion {
  readonly account: AccountId;
  readonly region: Region;
  readonly usedAtMs: EpochMs;
}

interface OpenGroup {
  account: AccountId;
  region: Region;
  folder: LogFolder;
  records: Uint8Array[];
  firstSequence: bigint;
  lastSequence: bigint;
  oldestEventMs: EpochMs;
  newestEventMs: EpochMs;
}

/**
 * @param range.to Last sequence that may be taken; it is durable already.
 * @param scope Absent while the trail is not logging: then every event counts as filtered.
 */
export async function collectBatch(
  from: { readonly journal: Pick<Journal, 'read'>; readonly clock: Pick<Clock, 'monotonicMs'>; readonly sha256: Sha256 },
  range: { readonly after: bigint; readonly to: bigint },
  scope: TrailScope | undefined,
  limits: Pick<TrailSettings, 'batchBytesMax' | 'batchFilesMax'>,
): Promise<CollectedBatch> {
  const groups = new Map<string, OpenGroup>();
  const counts = new Map<string, { account: string; hour: number; delivered: number; filtered: number }>();
  const regions = new Map<string, UsedRegion>();
  let sizeBytes = 0;
  const select = scope && eventSelector(scope, from.sha256);

  /** False when the entry does not fit into this batch any more. */
  const take = (entry: JournalEntry): boolean => {
    if (entry.kind !== 'event') return true;
    const event = select?.(entry);
    if (event !== undefined) {
      const folder = folderOfCategory(event.category);
      const key = `${entry.account}/${entry.region}/${folder}`;
      const group = groups.get(key);
      const isFull = sizeBytes > 0 && sizeBytes + entry.bytes.length > limits.batchBytesMax;
      if (isFull || (group === undefined && groups.size >= limits.batchFilesMax)) return false;
      sizeBytes += entry.bytes.length + 1;
      // What was read at one go lies in one buffer: as a part of that, a small record would keep all of it in memory.
      const own = { ...entry, bytes: new Uint8Array(entry.bytes) };
      if (group === undefined) groups.set(key, openGroup(own, folder, event.eventTimeMs));
      else addTo(group, own, event.eventTimeMs);
    }
    const { account, region } = entry;
    if (scope?.isMultiRegionTrail && takesAccount(scope, account) && !regions.has(`${account}/${region}`))
      regions.set(`${account}/${region}`, { account, region, usedAtMs: entry.receivedAtMs });
    const hour = hourOf(entry.receivedAtMs);
    const hourKey = accountHourKey({ account: entry.account, hour });
    const count = counts.get(hourKey) ?? { account: entry.account, hour, delivered: 0, filtered: 0 };
    counts.set(hourKey, count);
    if (event === undefined) count.filtered++;
    else count.delivered++;
    return true;
  };

  const end = range.to < range.after + ENTRIES_MAX ? range.to : range.after + ENTRIES_MAX;
  const to = await readInTurns(from, { after: range.after, to: end }, take);
  const inOrder = [...groups.entries()].sort(([one], [other]) => (one < other ? -1 : 1));
  return { to, groups: inOrder.map(([, group]) => group), regions: [...regions.values()], counts: [...counts.values()] };
}

function openGroup(entry: JournalEntry, folder: LogFolder, eventTimeMs: EpochMs): OpenGroup {
  const { account, region, bytes, sequence } = entry;
  return {
    account,
    region,
    folder,
    records: [bytes],
    firstSequence: sequence,
    lastSequence: sequence,
    oldestEventMs: eventTimeMs,
    newestEventMs: eventTimeMs,
  };
}

function addTo(group: OpenGroup, entry: JournalEntry, eventTimeMs: EpochMs): void {
  group.records.push(entry.bytes);
  group.lastSequence = entry.sequence;
  group.oldestEventMs = Math.min(group.oldestEventMs, eventTimeMs);
  group.newestEventMs = Math.max(group.newestEventMs, eventTimeMs);
}
