/**
 * Which digest chains begin: with logging, with validation, and with the first event of an account in a Region.
 */
import type { EpochMs, Region } from '../event/types.ts';
import type { CollectedBatch } from './collect-batch.ts';
import { chainStart } from './digest-times.ts';
import type { DigestChain, TrailState } from './trail-state.ts';
import type { TrailStep } from './trail-step.ts';

type ChainName = Pick<DigestChain, 'account' | 'region'>;

/** With logging, validation, or new accounts: each account's chain of the home Region, and for all Regions those that it has used so far. */
export async function chainsToOpen(
  { id, deps, saved }: TrailStep,
  settings: TrailState['settings'],
  atMs: EpochMs,
): Promise<readonly DigestChain[]> {
  if (!settings.validates) return [];
  const opened: DigestChain[] = [];
  for (const account of settings.members ?? [id.account]) {
    const used = settings.isMultiRegionTrail ? await deps.catalog.list(['region', account]) : [];
    const regions = new Set<Region>([id.homeRegion, ...used.map(({ key }) => key[2] as Region)]);
    for (const region of [...regions].sort()) opened.push(...openChain(saved.chain({ account, region }), { account, region }, atMs));
  }
  return opened;
}

/**
 * Chains of Regions that exist since a batch of a trail that is logging, from that moment on: digests of them come before
 * there is anything to list.
 */
export async function chainsOfRegions(
  { deps, saved, state }: TrailStep,
  { regions, atMs }: { readonly regions: CollectedBatch['regions']; readonly atMs: EpochMs },
): Promise<readonly DigestChain[]> {
  if (!state.settings.validates) return [];
  const opened: DigestChain[] = [];
  for (const { account, region, usedAtMs } of regions) {
    const chain = saved.chain({ account, region });
    if (chain?.isOpen || (await deps.catalog.get(['region', account, region])) === undefined) continue;
    // Never before digests began, nor after the batch, whatever the clock said when the event came.
    opened.push(...openChain(chain, { account, region }, Math.min(Math.max(usedAtMs, state.lastBatchAtMs), atMs)));
  }
  return opened;
}

/**
 * The chain, open; nothing when it is open already.
 * @param chain As it was left; absent when there never was one.
 */
export function openChain(chain: DigestChain | undefined, { account, region }: ChainName, atMs: EpochMs): readonly DigestChain[] {
  if (chain?.isOpen) return [];
  return [{ account, region, isOpen: true, startMs: chainStart(atMs, chain?.startMs ?? 0), standard: null, backfill: null }];
}
