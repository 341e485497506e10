/**
 * The file of a public key beside a trail's receipts. Pure.
 *
 * Specified in ARCHITECTURE.md, "Evidence beside the digests".
 */
import { formatEventTime } from '../event/times.ts';
import type { ObjectKey } from '../event/types.ts';
import type { PublicKeyInfo } from '../store/keys.ts';
import { toBase64, utf8 } from '../tlog/text.ts';
import { evidenceFolder, type TrailId } from './trail.ts';
import type { TrailTarget } from './trail-state.ts';

export function keyFileKey(trail: TrailId, target: TrailTarget, { use, fingerprint }: PublicKeyInfo): ObjectKey {
  return `${evidenceFolder(trail, target.prefix ?? undefined)}keys/${use}-${fingerprint}.json` as ObjectKey;
}

/** The file's key with its bucket, as the trail's state keeps it. */
export function keyFilePlace(trail: TrailId, target: TrailTarget, key: PublicKeyInfo): string {
  return `${target.bucket}/${keyFileKey(trail, target, key)}`;
}

/**
 * A public key as readers of the bucket find it. The same for ever: it does not say how long the key is valid.
 * @param statements What leads from the first key to this one; see `state-keys.ts`.
 */
export function encodeKeyFile(key: PublicKeyInfo, statements: readonly string[], origin: string): Uint8Array {
  const { use, fingerprint, publicKey, validFromMs } = key;
  const file = {
    version: 1,
    origin,
    use,
    fingerprint,
    publicKey: toBase64(publicKey),
    validFrom: formatEventTime(validFromMs),
    ...(statements.length > 0 && { statements }),
  };
  return utf8(`${JSON.stringify(file)}\n`);
}
