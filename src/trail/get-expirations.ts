/**
 * Snowtrail's own `GetExpirations`: that a lifecycle rule let an object of a trail expire, with the proof for the verifier.
 *
 * A receipt is asked for by its number, and comes with the answer, as the journal has it: so the chain can be followed through what expired. Of
 * other objects the facts alone are told, and only of those that lie where the trail delivers to, whoever owns the bucket.
 */
import { ApiError } from '../api/api-error.ts';
import type { Call, Operation } from '../api/operation.ts';
import type { BucketName, JsonObject, ObjectKey } from '../event/types.ts';
import { findExpiries } from '../store/find-expiries.ts';
import { toBase64 } from '../tlog/text.ts';
import type { OperationDeps } from './change-trail.ts';
import { receiptKey } from './make-receipt.ts';
import { readDelivery } from './read-delivery.ts';
import { receiptFact } from './receipt-fact.ts';
import { placeOfReceipt, placesUpTo } from './receipt-places.ts';
import { accountFolder, organizationFolder, type TrailId } from './trail.ts';
import { trailAccess } from './trail-access.ts';
import { parseTrailReference } from './trail-name.ts';

export interface ExpirationsInput extends JsonObject {
  readonly TrailARN?: string;
  readonly ReceiptNumber?: number;
  readonly S3BucketName?: string;
  readonly Key?: string;
}

interface ExpirationsOutput {
  /** Each with `Bytes` (base64), the fact itself, and the members of `GetInclusionProof`; oldest first. */
  readonly Expirations: readonly object[];
  /** The receipt that was asked for by its number, base64. */
  readonly Receipt?: string;
}

type Deps = Pick<OperationDeps, 'catalog' | 'journal' | 'objects' | 'foreignBuckets' | 'sha256' | 'proveEntry'>;

const NONE: ExpirationsOutput = { Expirations: [] };

/** Input: `TrailARN`, which may be that of a trail that was deleted, and `ReceiptNumber`, or `S3BucketName` and `Key`. */
export function getExpirations(deps: Deps): Operation<ExpirationsInput, ExpirationsOutput> {
  return {
    name: 'GetExpirations',
    isReadOnly: true,
    access: (call, { TrailARN }) => trailAccess(deps.catalog, call, { action: 'snowtrail:GetTrailEvidence', nameOrArn: TrailARN }),
    decide: async (call, input) => ({ output: await answer(deps, trailOf(call, input.TrailARN ?? ''), input) }),
  };
}

/** @throws ApiError TrailNotFoundException for that of another account, whether it is there or not */
function trailOf(call: Call, arn: string): TrailId {
  const reference = parseTrailReference(arn);
  if (reference.kind !== 'arn') throw new ApiError('ValidationException', `\`TrailARN\` is \`${arn}\`; expected an ARN`);
  if (reference.account !== call.account && !call.principal.isAdministrator)
    throw new ApiError('TrailNotFoundException', `Unknown trail: ${arn} for the user: ${call.account}`);
  return { account: reference.account, homeRegion: reference.region, name: reference.name };
}

async function answer(deps: Deps, trail: TrailId, { ReceiptNumber, S3BucketName, Key }: ExpirationsInput): Promise<ExpirationsOutput> {
  const { state } = await readDelivery(deps.catalog, trail);
  if (state === undefined) return NONE;
  const { spans, number } = state.receipts;
  if (typeof ReceiptNumber === 'number') {
    const place = placeOfReceipt(spans, ReceiptNumber);
    if (place === undefined || typeof place === 'string') return NONE;
    const Expirations = await expirationsOf(deps, place.bucket, receiptKey(trail, place, ReceiptNumber));
    const receipt = Expirations.length === 0 ? undefined : await receiptFact(deps, trail, ReceiptNumber);
    return { Expirations, ...(receipt !== undefined && { Receipt: toBase64(receipt.bytes) }) };
  }
  if (typeof S3BucketName !== 'string' || typeof Key !== 'string')
    throw new ApiError('ValidationException', 'expected `ReceiptNumber`, or `S3BucketName` and `Key`');
  const isIts = placesUpTo(spans, number).some(
    ({ bucket, prefix, organizationId }) =>
      bucket === S3BucketName &&
      (Key.startsWith(accountFolder(prefix ?? undefined, trail.account)) ||
        (organizationId !== undefined && Key.startsWith(organizationFolder(prefix ?? undefined, organizationId)))),
  );
  return isIts ? { Expirations: await expirationsOf(deps, S3BucketName as BucketName, Key as ObjectKey) } : NONE;
}

async function expirationsOf(deps: Deps, bucket: BucketName, key: ObjectKey): Promise<readonly object[]> {
  const sequences = await findExpiries(deps, bucket, key);
  const entries = sequences.length === 0 ? [] : await deps.journal.fetch(sequences);
  return Promise.all(entries.map(async (entry) => ({ Bytes: toBase64(entry.bytes), ...(await deps.proveEntry(entry)) })));
}
