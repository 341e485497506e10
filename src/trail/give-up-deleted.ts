/**
 * Gives up a deleted trail whose bucket refuses it, or is away for too long: deleting a trail ends its deliveries
 * (cloudtrail.md §2.2). A fact says what was not delivered; the events themselves stay in the journal.
 */
import { appendGap } from './append-gap.ts';
import type { DeliveryFailed } from './put-object.ts';
import { withoutPending } from './redirect-step.ts';
import { changeKey, changesKey, type DigestChain, digestPartsKey, filesKey, type PendingStep, type TrailChange } from './trail-state.ts';
import type { TrailStep } from './trail-step.ts';

/**
 * @param failingMs For how long tries fail by now.
 * @returns false when the trail is not deleted, or there is hope.
 */
export async function giveUpDeleted(step: TrailStep, error: DeliveryFailed, failingMs: number): Promise<boolean> {
  const { id, deps, settings, saved, state } = step;
  const changes = (await deps.catalog.list<TrailChange>(changesKey(id))).map(({ value }) => value);
  const end = changes.findIndex(({ kind }) => kind === 'delete');
  if (end < 0) return false;
  const isRefused = error.reason === 'NoSuchBucket' || error.reason === 'AccessDenied';
  if (!isRefused && failingMs < settings.deletedTrailGraceMs) return false;

  const deletion = changes[end]!;
  await appendGap(step, 'deleted before delivery', deletion, {
    undeliveredFrom: `${BigInt(state.receiptedTo) + 1n}`,
    undeliveredTo: deletion.sequence,
    lastReceipt: state.receipts.number,
    error: error.reason ?? 'timeout',
  });
  const documents = [...(await deps.catalog.list(digestPartsKey(id))), ...(await deps.catalog.list(filesKey(id)))];
  const { pending } = saved;
  const receipts = pending === undefined ? state.receipts : withoutPending(state.receipts, pending);
  await saved.save({
    state: { ...state, receipts, phase: 'deleted', cursor: deletion.sequence },
    pending: null,
    chains: saved.openChains().map((chain) => closed(chain, pending)),
    removed: [...changes.slice(0, end + 1).map(({ sequence }) => changeKey(id, sequence)), ...documents.map(({ key }) => key)],
  });
  return true;
}

/** The chain at its end. A digest that is on its way may have come there: no later one may have its time. */
function closed(chain: DigestChain, pending: PendingStep | undefined): DigestChain {
  const promised = pending?.work.kind === 'digest' ? pending.work.chain : undefined;
  const isPromised = promised?.account === chain.account && promised.region === chain.region;
  return { ...(isPromised ? promised : chain), isOpen: false, standard: null, backfill: null };
}
