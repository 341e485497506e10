/**
 * Announces what a trail is going to put: a signed receipt, saved with what is to be done for it (`finish-step.ts`).
 *
 * The receipt is made first and put first, so that no object of a trail is in its bucket without a receipt that names it.
 */
import type { FactKind } from '../store/journal.ts';
import type { Keys } from '../store/keys.ts';
import { makeReceipt, type ReceiptContent } from './make-receipt.ts';
import type { Written } from './saved-trail.ts';
import type { PendingStep } from './trail-state.ts';
import type { TrailStep } from './trail-step.ts';

/** The newest checkpoint keys, which can sign: the current one, and the one before for as long as it is not replaced twice. */
export const KEYS_ABLE = 2;

/** Under which kind of fact the journal has a receipt. */
const FACT_KIND: Readonly<Record<ReceiptContent['kind'], FactKind>> = {
  start: 'gap',
  stop: 'gap',
  delivery: 'delivery',
  aggregation: 'delivery',
  digest: 'digest',
  key: 'key',
};

type Mark = Extract<PendingStep['work'], { kind: 'mark' }>;

/**
 * Makes a receipt for the step's target and saves it. There must be no pending step, or one that `step.state` gives up.
 * @param more.written Further documents to save with it.
 * @param more.signers Fingerprints of checkpoint keys; the stated one by default.
 */
export async function announce(
  { id, deps, saved, state, target }: TrailStep,
  content: ReceiptContent,
  work: PendingStep['work'],
  more: {
    readonly written?: readonly Written[];
    readonly signers?: readonly string[] | undefined;
  } = {},
): Promise<PendingStep> {
  const { checkpoint } = state.statedKeys;
  const signers = more.signers ?? (checkpoint === null ? [] : await thoseWhoCanSign(deps.keys, [checkpoint]));
  const from = { receipts: state.receipts, target, nowMs: deps.clock.nowMs() };
  const { note, receipts } = await makeReceipt(deps, id, from, content, signers);
  const factKind = FACT_KIND[content.kind];
  const pending: PendingStep = { number: receipts.number, note, factKind, target, work };
  await saved.save({ state: { ...state, receipts }, pending, written: more.written ?? [] });
  return pending;
}

/** Announces that something begins, ends or is stated: there is nothing to put but the receipt. */
export async function announceMark(
  step: TrailStep,
  content: ReceiptContent,
  work: Pick<Mark, 'change' | 'becomes'>,
  signers?: readonly string[],
): Promise<void> {
  await announce(step, content, { kind: 'mark', receiptKind: content.kind, ...work }, { signers });
}

/** Those of some checkpoint keys that can still sign; else the oldest key that can. */
export async function thoseWhoCanSign(keys: Pick<Keys, 'list'>, wanted: readonly (string | undefined)[]): Promise<readonly string[]> {
  const able = (await keys.list('checkpoint')).slice(-KEYS_ABLE).map(({ fingerprint }) => fingerprint);
  const those = wanted.filter((fingerprint) => fingerprint !== undefined && able.includes(fingerprint)) as string[];
  return those.length === 0 ? able.slice(0, 1) : those;
}
