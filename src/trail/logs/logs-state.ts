/**
 * How far a trail's delivery to CloudWatch Logs is, as the catalog keeps it.
 *
 * Written by the follower alone, but for changes: those are queued with the change of the trail itself, in one commit, and
 * taken off when the follower has come to their sequence. So the events between two changes go where the first one says.
 */
import type { EpochMs } from '../../event/types.ts';
import type { CatalogChange, CatalogKey } from '../../store/catalog.ts';
import type { LogTarget } from '../../store/log-groups.ts';
import type { Trail, TrailId } from '../trail.ts';
import type { DeliverySettings } from '../trail-state.ts';

/** What becomes of the events that are read next. */
export type LogsPlan =
  | { readonly kind: 'deliver'; readonly target: LogTarget; readonly settings: DeliverySettings }
  /** The trail is not logging: they count as filtered. */
  | { readonly kind: 'rest' };

/** What a change of the trail makes of it, from its sequence on. */
export interface LogsChange {
  /** Of the change's `configuration` fact. Decimal text. */
  readonly sequence: string;
  /** `end`: the trail has no log group any more, or is deleted. */
  readonly becomes: LogsPlan | { readonly kind: 'end' };
}

/** Events that the trail selects and that are not in the log group, since delivery there began. */
export interface RefusedCounts {
  /** The service does not keep them: more than 14 days old, or than the group keeps. */
  readonly tooOld: number;
  /** More than two hours in the future. */
  readonly tooNew: number;
  /** The service refuses one by itself. */
  readonly invalid: number;
}

export interface LogsState {
  readonly plan: LogsPlan;
  /** Accounting begins after this sequence. Decimal texts. */
  readonly start: string;
  /** Everything up to here is delivered or counted as filtered. */
  readonly cursor: string;
  readonly refused: RefusedCounts;
  readonly succeededAtMs?: EpochMs;
  /** The code of the last try; absent when it succeeded. */
  readonly error?: string;
}

const id = ({ account, homeRegion, name }: TrailId) => [account, homeRegion, name] as const;

export const LOGS_STATE = 'logs-state';
export const LOGS_CHANGE = 'logs-change';

export const logsStateKey = (trail: TrailId): CatalogKey => [LOGS_STATE, ...id(trail)];
export const logsChangesKey = (trail: TrailId): CatalogKey => [LOGS_CHANGE, ...id(trail)];

function logsChangeKey(trail: TrailId, sequence: string): CatalogKey {
  return [...logsChangesKey(trail), sequence.padStart(20, '0')];
}

/** The follower, in metrics and accounting. */
export function logsFollowerName({ account, homeRegion, name }: TrailId): string {
  return `logs/${account}/${homeRegion}/${name}`;
}

/** What a change of a trail queues: nothing for one that has no log group before and after it. */
export function queueLogsChange(
  change: { readonly before: Trail | undefined; readonly after: Trail | undefined; readonly sequence: string },
  settings: DeliverySettings,
): readonly CatalogChange[] {
  const { before, after, sequence } = change;
  const target = after?.cloudWatchLogs;
  if (target === undefined && before?.cloudWatchLogs === undefined) return [];
  const value: LogsChange = { sequence, becomes: becomes(after?.isLogging ?? false, target, settings) };
  return [{ key: logsChangeKey((after ?? before)!, sequence), value, expected: 0 }];
}

function becomes(isLogging: boolean, target: LogTarget | undefined, settings: DeliverySettings): LogsChange['becomes'] {
  if (target === undefined) return { kind: 'end' };
  return isLogging ? { kind: 'deliver', target, settings } : { kind: 'rest' };
}
