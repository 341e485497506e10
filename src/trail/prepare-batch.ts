/**
 * Turns the records of a batch into log files: bytes, hashes, and keys that follow from journal positions.
 *
 * The same groups and the same time of naming give the same objects, down to the byte.
 */

import { formatEventTime } from '../event/times.ts';
import type { AccountId, EpochMs, ObjectKey, Region } from '../event/types.ts';
import { encodeLogFile } from '../logfile/encode-log-file.ts';
import { type LogFolder, logFileKey, uniqueText } from '../logfile/log-file-key.ts';
import type { Sha256 } from '../tlog/hash.ts';
import type { ReceiptObject } from '../tlog/receipt.ts';
import { toHex, utf8 } from '../tlog/text.ts';
import type { RecordGroup } from './collect-batch.ts';
import { hashInTurns } from './hash-in-turns.ts';
import { type TrailId, trailArn } from './trail.ts';
import type { TrailTarget } from './trail-state.ts';

/** A log file that is ready to be put. */
export interface PreparedFile {
  /** As its receipt names it. */
  readonly object: ReceiptObject;
  /** Compressed. */
  readonly body: Uint8Array;
}

/** One after the other, so that the uncompressed bytes of one file alone lie in memory. */
export async function prepareFiles(
  tools: { readonly sha256: Sha256; readonly gzip: (content: Uint8Array) => Promise<Uint8Array> },
  trail: TrailId,
  groups: readonly RecordGroup[],
  naming: { readonly target: TrailTarget; readonly nameMs: EpochMs },
): Promise<readonly PreparedFile[]> {
  const files: PreparedFile[] = [];
  for (const group of groups) {
    const content = encodeLogFile(group.records);
    const contentSha256 = await hashInTurns(content);
    const body = await tools.gzip(content);
    const { account, region, firstSequence, lastSequence } = group;
    files.push({
      body,
      object: {
        key: fileKeyOf(tools.sha256, trail, group, naming),
        account,
        region,
        sha256: toHex(tools.sha256(body)),
        contentSha256: toHex(contentSha256),
        sizeBytes: body.length,
        events: group.records.length,
        firstSequence,
        lastSequence,
        oldestEventTime: formatEventTime(group.oldestEventMs),
        newestEventTime: formatEventTime(group.newestEventMs),
      },
    });
  }
  return files;
}

/** What keys say of the place before the account. */
export function folderOf({ prefix, organizationId }: TrailTarget): { readonly prefix?: string; readonly organizationId?: string } {
  return { ...(prefix === null ? {} : { prefix }), ...(organizationId === undefined ? {} : { organizationId }) };
}

/** What a log file's key follows from. */
interface FileOrigin extends Pick<ReceiptObject, 'account' | 'region' | 'firstSequence' | 'lastSequence'> {
  readonly folder: LogFolder;
}

/** The key of a log file: it follows from journal positions, so the same records get the same one. */
export function fileKeyOf(
  sha256: Sha256,
  trail: TrailId,
  { account, region, folder, firstSequence, lastSequence }: FileOrigin,
  { target, nameMs }: { readonly target: TrailTarget; readonly nameMs: EpochMs },
): ObjectKey {
  const unique = uniqueText(sha256(utf8([trailArn(trail), account, region, firstSequence, lastSequence].join('\n'))));
  return logFileKey({ ...folderOf(target), account: account as AccountId, folder, region: region as Region, timeMs: nameMs, unique });
}
