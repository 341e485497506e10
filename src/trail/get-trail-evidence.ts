/**
 * Snowtrail's own `GetTrailEvidence`: where a trail's evidence lies and how far it goes, for the verifier.
 *
 * What a running server says here lets the verifier tell a deleted tail from one that was never written (T1, T2).
 */
import type { Operation } from '../api/operation.ts';
import { formatEventTime } from '../event/times.ts';
import type { OperationDeps } from './change-trail.ts';
import { type FindGoneDeps, findGone } from './find-gone.ts';
import { findOwnTrail, listAllTrails, listTrails } from './find-trail.ts';
import { newestPut, readDelivery } from './read-delivery.ts';
import { placesUpTo } from './receipt-places.ts';
import { type LostObjectOutput, lostObjectOutput, readLosses } from './record-loss.ts';
import { evidenceFolder, type Trail, trailArn } from './trail.ts';
import { trailAccess } from './trail-access.ts';

/** One trail's evidence. */
export interface TrailEvidenceOutput {
  readonly TrailARN: string;
  readonly Account: string;
  readonly Name: string;
  readonly HomeRegion: string;
  /** Where the newest receipt is put. A trail that was moved leads to its new place once a receipt is there. */
  readonly S3BucketName: string;
  readonly S3KeyPrefix?: string;
  /** Prefix of keys under which receipts and public keys lie, with a slash at its end. */
  readonly EvidencePrefix: string;
  /** Every organization that it was a trail of: log files and digests lie in the folder of each. Absent: none. */
  readonly OrganizationIds?: readonly string[];
  /** Every place where receipts went, up to and with the newest one that is put, oldest first; those of too many moves ago are not known. */
  readonly Places: readonly { readonly S3BucketName: string; readonly S3KeyPrefix?: string }[];
  readonly IsLogging: boolean;
  readonly IsMultiRegionTrail: boolean;
  readonly LogFileValidationEnabled: boolean;
  /** Of the newest receipt that is put with all that it names; 0 before the first. */
  readonly DeliveredReceiptNumber: number;
  /** Of the newest receipt that was made. One more than the delivered one while something is on its way. */
  readonly LastReceiptNumber: number;
  /** Hexadecimal, of that receipt's bytes; absent before the first. */
  readonly LastReceiptSha256?: string;
  /** What the last receipt announces and is not put yet: `batch`, `digest` or `mark`; absent when nothing is. */
  readonly Pending?: string;
  readonly DigestIntervalSeconds: number;
  /** Number of objects that were found not to be in the bucket as they should be; absent when there were none. */
  readonly LostObjectCount?: number;
  /** The newest hundred of them, oldest first. */
  readonly LostObjects?: readonly LostObjectOutput[];
  /** What this server's own store lacks at a glance: the bucket, or the newest receipt in it. Absent: neither, or the bucket lies elsewhere. */
  readonly Gone?: 'bucket' | 'newest-receipt';
  /** When it was there; ISO 8601, UTC, whole seconds. Only with `Gone`. */
  readonly ThereAt?: string;
}

type EvidenceDeps = Pick<OperationDeps, 'catalog' | 'digestIntervalMs'> & FindGoneDeps;

/** Input: `TrailARN` for one trail, or `AllAccounts` for those of all accounts; to who is no administrator, that is the own account. */
export function getTrailEvidence(
  deps: EvidenceDeps,
): Operation<{ readonly TrailARN?: string; readonly AllAccounts?: boolean }, { readonly Trails: readonly TrailEvidenceOutput[] }> {
  return {
    name: 'GetTrailEvidence',
    isReadOnly: true,
    access: (call, { TrailARN }) =>
      TrailARN === undefined
        ? [{ action: 'snowtrail:GetTrailEvidence', resource: '*' }]
        : trailAccess(deps.catalog, call, { action: 'snowtrail:GetTrailEvidence', nameOrArn: TrailARN }),
    decide: async (call, input) => {
      const list = () =>
        input.AllAccounts === true && call.principal.isAdministrator ? listAllTrails(deps.catalog) : listTrails(deps.catalog, call.account);
      const trails = input.TrailARN === undefined ? await list() : [await findOwnTrail(deps.catalog, call, input.TrailARN)];
      return { output: { Trails: await Promise.all(trails.map(({ value }) => evidenceOf(deps, value))) } };
    },
  };
}

async function evidenceOf(deps: EvidenceDeps, trail: Trail): Promise<TrailEvidenceOutput> {
  const delivery = await readDelivery(deps.catalog, trail);
  const { state, pending } = delivery;
  const receipts = state?.receipts ?? { number: 0, sha256: null, spans: [] };
  const losses = await readLosses(deps.catalog, trail);
  const gone = await findGone(deps, trail, delivery);
  const isPending = pending !== undefined && pending.number === receipts.number;
  const newest = newestPut(delivery);
  const [bucket, prefix] =
    newest === undefined ? [trail.s3BucketName, trail.s3KeyPrefix] : [newest.target.bucket, newest.target.prefix ?? undefined];
  return {
    TrailARN: trailArn(trail),
    Account: trail.account,
    Name: trail.name,
    HomeRegion: trail.homeRegion,
    S3BucketName: bucket,
    ...(prefix === undefined ? {} : { S3KeyPrefix: prefix }),
    EvidencePrefix: evidenceFolder(trail, prefix),
    Places: placesUpTo(receipts.spans, newest?.number ?? 0).map((place) => ({
      S3BucketName: place.bucket,
      ...(place.prefix === null ? {} : { S3KeyPrefix: place.prefix }),
    })),
    ...(trail.organizationIds === undefined ? {} : { OrganizationIds: trail.organizationIds }),
    IsLogging: trail.isLogging,
    IsMultiRegionTrail: trail.isMultiRegionTrail,
    LogFileValidationEnabled: trail.logFileValidationEnabled,
    DeliveredReceiptNumber: newest?.number ?? 0,
    LastReceiptNumber: receipts.number,
    ...(receipts.sha256 === null ? {} : { LastReceiptSha256: receipts.sha256 }),
    ...(isPending ? { Pending: pending.work.kind } : {}),
    DigestIntervalSeconds: deps.digestIntervalMs / 1000,
    ...(losses.total === 0 ? {} : { LostObjectCount: losses.total, LostObjects: losses.newest.map(lostObjectOutput) }),
    ...(gone === undefined
      ? {}
      : { Gone: gone.outcome === 'bucket-gone' ? 'bucket' : 'newest-receipt', ThereAt: formatEventTime(gone.thereAtMs) }),
  };
}
