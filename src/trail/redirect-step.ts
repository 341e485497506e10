/**
 * Takes a pending step to another bucket: the trail was moved away from one that refuses it.
 *
 * The receipt was made for the old bucket and stays in the journal. There it may be or not, and so may what it names. The
 * next receipt, for the new bucket, withdraws it and announces the same again.
 */
import assert from 'node:assert/strict';
import { parseNote } from '../tlog/note.ts';
import { parseReceipt } from '../tlog/receipt.ts';
import { aggregatedFilesOf } from './aggregate-events.ts';
import { announce } from './announce-step.ts';
import { filesOf, renamedFiles } from './deliver-batch.ts';
import { appendReceipt } from './finish-step.ts';
import type { ReceiptContent } from './make-receipt.ts';
import { withdrawReceipt } from './receipt-places.ts';
import { type DigestChain, digestPartsKey, type PendingStep, type TrailState } from './trail-state.ts';
import type { TrailStep } from './trail-step.ts';

export async function redirectStep(before: TrailStep, pending: PendingStep): Promise<void> {
  const { id, deps, saved, memory } = before;
  const { work } = pending;
  await appendReceipt(before, pending);
  const step: TrailStep = { ...before, state: { ...before.state, receipts: withoutPending(before.state.receipts, pending) } };
  switch (work.kind) {
    case 'mark': {
      await announce(step, contentOf(pending), work);
      return;
    }
    case 'batch':
    case 'aggregation': {
      const { files, counts, regions } = await step.inTurn(() =>
        work.kind === 'batch' ? filesOf(step, pending, work) : aggregatedFilesOf(step, pending, work),
      );
      const moved = renamedFiles(step, files, work);
      const content = { ...contentOf(pending), objects: moved.map(({ object }) => object) } as ReceiptContent;
      const { number } = await announce(step, content, work);
      memory.files = { number, files: moved, counts, regions };
      return;
    }
    case 'digest': {
      // Its place is signed, and no interval gets a second digest: the next one covers this interval and one more.
      const held: DigestChain = { ...saved.chain(work.chain)!, endsAfterMs: work.chain.startMs };
      const parts = await deps.catalog.list(digestPartsKey(id));
      return saved.save({ state: step.state, pending: null, chains: [held], removed: parts.map(({ key }) => key) });
    }
  }
}

/** The receipts once the pending one is given up: the next one says that it counts for nothing. */
export function withoutPending(receipts: TrailState['receipts'], { number }: PendingStep): TrailState['receipts'] {
  return { ...receipts, spans: withdrawReceipt(receipts.spans, number) };
}

/** What a pending receipt says, to be said again. */
function contentOf(pending: PendingStep): ReceiptContent {
  const note = parseNote(pending.note);
  const parsed = note.kind === 'ok' ? parseReceipt(note.value.text) : note;
  assert(parsed.kind === 'ok', 'our own receipt can be read');
  const receipt = parsed.value;
  switch (receipt.kind) {
    case 'start':
    case 'stop':
      return { kind: receipt.kind, reason: receipt.reason };
    case 'key':
      return { kind: receipt.kind, key: receipt.key };
    case 'digest':
      return { kind: receipt.kind, digest: receipt.digest };
    case 'delivery':
    case 'aggregation':
      return { kind: receipt.kind, fromSequence: receipt.fromSequence, toSequence: receipt.toSequence, objects: receipt.objects };
  }
}
