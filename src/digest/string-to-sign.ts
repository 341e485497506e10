/**
 * The text that a digest's signature is over.
 *
 * It holds the place where the digest lies, so a digest that was moved does not verify, and the signature of the digest
 * before, so the chain cannot be cut and joined.
 * Source: CloudTrail User Guide, "Custom implementations of CloudTrail log file integrity validation".
 */
import type { Digest } from './digest-file.ts';

/**
 * Four lines, no line end at the end. Sign its UTF-8 bytes with RSASSA-PKCS1-v1_5 and SHA-256.
 *
 * @param place Where the digest was put, or found. The digest's own members say so too; a verifier compares first.
 * @param contentSha256 Hexadecimal SHA-256 of the uncompressed digest.
 */
export function stringToSign(
  digest: Pick<Digest, 'digestEndTime' | 'previousDigestSignature'>,
  place: { readonly bucket: string; readonly key: string },
  contentSha256: string,
): string {
  return [digest.digestEndTime, `${place.bucket}/${place.key}`, contentSha256, digest.previousDigestSignature ?? 'null'].join('\n');
}
