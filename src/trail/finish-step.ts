/**
 * Does what a trail has announced (`announce-step.ts`). Everything in it may have been done before, and is then found done.
 */
import assert from 'node:assert/strict';
import { utf8 } from '../tlog/text.ts';
import { finishAggregation } from './aggregate-events.ts';
import { finishBatch } from './deliver-batch.ts';
import { finishDigest } from './deliver-digest.ts';
import { markPut } from './delivery-status.ts';
import { receiptKey } from './make-receipt.ts';
import { chainsToOpen } from './open-chains.ts';
import { putObject, RECEIPT_TEXT } from './put-object.ts';
import { receiptFactId } from './receipt-fact.ts';
import { changeKey, type PendingStep, type TrailChange, type TrailState } from './trail-state.ts';
import { newProgress, putDepsOf, requireOpenBucket, type TrailStep } from './trail-step.ts';

/** For so long a bucket that was open counts as open to the tries of one step. */
const ACCESS_MS = 60_000;

/** The receipt becomes a fact and is put, then what it names is put, then cursor, accounting and chains are saved. */
export async function finishStep(step: TrailStep, pending: PendingStep): Promise<void> {
  const { id, deps, memory } = step;
  if (memory.progress.number !== pending.number) memory.progress = newProgress(pending.number);
  await appendReceipt(step, pending);
  if (deps.clock.monotonicMs() - memory.progress.allowedAtMs >= ACCESS_MS) {
    memory.progress.bucket = await requireOpenBucket(step, pending.target);
    memory.progress.allowedAtMs = deps.clock.monotonicMs();
  }
  await putObject(putDepsOf(step), {
    bucket: pending.target.bucket,
    key: receiptKey(id, pending.target, pending.number),
    body: utf8(pending.note),
    options: RECEIPT_TEXT,
  });
  switch (pending.work.kind) {
    case 'batch':
      return finishBatch(step, pending, pending.work);
    case 'aggregation':
      return finishAggregation(step, pending, pending.work);
    case 'digest':
      return finishDigest(step, pending, pending.work);
    case 'mark':
      return finishMark(step, pending.work);
  }
}

/** The receipt as a fact of the journal; nothing is put before it is durable. */
export async function appendReceipt({ id, deps }: TrailStep, pending: PendingStep): Promise<void> {
  await deps.journal.append([
    {
      kind: 'fact',
      factKind: pending.factKind,
      factId: receiptFactId(id, pending.number),
      account: id.account,
      region: id.homeRegion,
      receivedAtMs: deps.clock.nowMs(),
      bytes: utf8(pending.note),
    },
  ]);
}

async function finishMark(step: TrailStep, work: Extract<PendingStep['work'], { kind: 'mark' }>): Promise<void> {
  const { id, deps, saved, state } = step;
  const next: TrailState = { ...state, ...work.becomes };
  const change = work.change === undefined ? undefined : await changeAt(step, work.change);
  const isStart = work.receiptKind === 'start';
  const chains = isStart && change !== undefined ? await chainsToOpen(step, next.settings, next.lastBatchAtMs) : [];
  await saved.save({
    state: { ...next, ...markPut(next, deps.clock.nowMs()) },
    pending: null,
    chains,
    removed: change === undefined ? [] : [changeKey(id, change.sequence)],
  });
}

async function changeAt({ id, deps }: TrailStep, sequence: string): Promise<TrailChange> {
  const document = await deps.catalog.get<TrailChange>(changeKey(id, sequence));
  assert(document !== undefined, `the change at ${sequence} waits until its receipt is put`);
  return document.value;
}
