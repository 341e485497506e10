/**
 * Delivers digests: signs one with its receipt, and puts it once that is announced.
 *
 * A signature need not come out the same twice, and a signed place and time are never signed again. So the signed bytes are
 * saved with the receipt, and a repeat puts those.
 */
import assert from 'node:assert/strict';
import { toBase64 } from '../tlog/text.ts';
import { announce } from './announce-step.ts';
import { digestPut } from './delivery-status.ts';
import { isTooLate } from './digest-times.ts';
import type { DueDigest } from './due-digest.ts';
import { GZIP_JSON, putObject } from './put-object.ts';
import { signDigest } from './sign-digest.ts';
import { batchOfFileKey, type DeliveredFile, digestPartKey, digestPartsKey, filesKey, type PendingStep } from './trail-state.ts';
import { putDepsOf, type TrailStep } from './trail-step.ts';

/** Length of one catalog document of a pending digest, in characters. */
const PART_LENGTH = 600_000;

/** Signs and saves a digest and its receipt; the next step puts it. */
export async function makeDigest(step: TrailStep, due: DueDigest): Promise<void> {
  const { id, deps, state, target } = step;
  const { chain, endMs, isFinal } = due;
  const nowMs = deps.clock.nowMs();
  const fingerprint = state.statedKeys.digest;
  assert(fingerprint !== null, 'the digest key is stated before the first digest');
  const documents = await deps.catalog.list<DeliveredFile>([...filesKey(id), chain.account, chain.region]);
  const listed = documents.filter(({ value }) => isFinal || value.atMs < endMs);
  const signed = await signDigest(deps, id, {
    ...due,
    isBackfill: isTooLate(endMs, nowMs, deps.digestIntervalMs),
    files: listed.map(({ value }) => value),
    target,
    fingerprint,
    nowMs,
  });
  const parts = cut(toBase64(signed.body));
  await announce(
    step,
    { kind: 'digest', digest: signed.receipt },
    {
      kind: 'digest',
      key: signed.key,
      metadata: signed.metadata,
      parts: parts.length,
      listedTo: listed.length === 0 ? 0 : batchOfFileKey(listed.at(-1)!.key),
      chain: signed.chain,
    },
    { written: parts.map((part, index) => ({ key: digestPartKey(id, index), value: part })) },
  );
}

/** Puts a digest, whose receipt is put; what it lists waits no more. */
export async function finishDigest(
  step: TrailStep,
  pending: PendingStep,
  work: Extract<PendingStep['work'], { kind: 'digest' }>,
): Promise<void> {
  const { id, deps, saved, state } = step;
  const parts = await deps.catalog.list<string>(digestPartsKey(id));
  assert(parts.length === work.parts, `digest ${work.key} is saved in ${work.parts} parts, not ${parts.length}`);
  const body = new Uint8Array(Buffer.from(parts.map(({ value }) => value).join(''), 'base64'));
  const { bucket } = pending.target;
  await putObject(putDepsOf(step), { bucket, key: work.key, body, options: { ...GZIP_JSON, metadata: work.metadata }, isSealed: true });
  const files = await deps.catalog.list([...filesKey(id), work.chain.account, work.chain.region]);
  const listed = files.filter(({ key }) => batchOfFileKey(key) <= work.listedTo);
  await saved.save({
    state: { ...state, ...digestPut(state, deps.clock.nowMs()) },
    pending: null,
    chains: [work.chain],
    removed: [...parts, ...listed].map(({ key }) => key),
  });
}

function cut(text: string): readonly string[] {
  return Array.from({ length: Math.ceil(text.length / PART_LENGTH) }, (_, part) =>
    text.slice(part * PART_LENGTH, (part + 1) * PART_LENGTH),
  );
}
