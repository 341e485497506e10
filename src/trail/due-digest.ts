/**
 * Which digest of which chain a trail is to make now, and how a change of the trail ends chains. Pure.
 *
 * Source: cloudtrail.md §3.4; reliability.md P11, F28, F29, F33–F35.
 */
import type { EpochMs } from '../event/types.ts';
import { chainStart, finalEnd, regularEnd } from './digest-times.ts';
import type { TrailId } from './trail.ts';
import type { DigestChain, TrailChange, TrailState } from './trail-state.ts';

export interface DueDigest {
  readonly chain: DigestChain;
  /** A whole second, after the chain's start. */
  readonly endMs: EpochMs;
  /** The chain ends with it. */
  readonly isFinal: boolean;
}

/** When the next regular digest of a chain ends. */
export function nextEnd({ startMs, endsAfterMs = 0 }: DigestChain, intervalMs: number): EpochMs {
  return regularEnd(Math.max(startMs, endsAfterMs), intervalMs);
}

/**
 * The regular digest that is due. Every log file of its interval is in the bucket by now.
 * @param chains Those that are open. The first that has one due is chosen.
 * @param at.change The change that waits, if any. A chain that it ends has no intervals after it.
 */
export function dueDigest(
  chains: readonly DigestChain[],
  at: {
    readonly state: Pick<TrailState, 'lastBatchAtMs'>;
    readonly change: TrailChange | undefined;
    readonly trail: Pick<TrailId, 'account' | 'homeRegion'>;
    readonly intervalMs: number;
    readonly nowMs: EpochMs;
  },
): DueDigest | undefined {
  const { state, change, trail, intervalMs, nowMs } = at;
  for (const chain of chains) {
    const endMs = nextEnd(chain, intervalMs);
    const isEnding = change !== undefined && endsChain(change, chain, trail);
    if (endMs <= (isEnding ? Math.min(nowMs, endingAtMs(state, change)) : nowMs)) return { chain, endMs, isFinal: false };
  }
  return undefined;
}

/** The next digest of a chain that a change ends; the last one covers everything up to the change. */
export function endingDigest(
  chain: DigestChain,
  change: TrailChange,
  state: Pick<TrailState, 'lastBatchAtMs'>,
  intervalMs: number,
): DueDigest {
  const atMs = endingAtMs(state, change);
  const endMs = nextEnd(chain, intervalMs);
  if (endMs <= atMs) return { chain, endMs, isFinal: false };
  return { chain, endMs: finalEnd(Math.max(chain.startMs, chain.endsAfterMs ?? 0), atMs), isFinal: true };
}

/** Whether the change ends the chain. */
export function endsChain(
  { kind, settings }: TrailChange,
  { account, region }: DigestChain,
  trail: Pick<TrailId, 'account' | 'homeRegion'>,
): boolean {
  switch (kind) {
    case 'stop':
    case 'delete':
      return true;
    case 'update':
      return (
        !settings.validates ||
        (!settings.isMultiRegionTrail && region !== trail.homeRegion) ||
        !(settings.members ?? [trail.account]).includes(account)
      );
    case 'start':
    case 'create':
      return false;
  }
}

/** A chain that a change ends covers all that was delivered for it, however late that was. */
function endingAtMs({ lastBatchAtMs }: Pick<TrailState, 'lastBatchAtMs'>, change: TrailChange): EpochMs {
  return Math.max(change.atMs, lastBatchAtMs);
}

/**
 * When digests begin with a change: not before it, and in a later second than the last batch before it, which no digest
 * may list. Batches after the change are bound no earlier than that.
 */
export function digestsBeginMs({ lastBatchAtMs }: Pick<TrailState, 'lastBatchAtMs'>, change: TrailChange): EpochMs {
  return Math.max(change.atMs, lastBatchAtMs === 0 ? 0 : chainStart(lastBatchAtMs, 0) + 1_000);
}
