/**
 * The input and output of a KMS call as its event shows them: plaintexts, ciphertexts, messages, signatures and grant tokens are left
 * out (cloudtrail.md §1.10); names in an encryption context stay as the client wrote them.
 *
 * Source: KMS Developer Guide, "Examples of AWS KMS log entries".
 */
import { formatShortTime } from '../api/lower-camel.ts';
import type { Json, JsonObject } from '../event/types.ts';

/** What no event holds. */
const UNRECORDED = new Set(['Plaintext', 'CiphertextBlob', 'Message', 'Signature', 'GrantTokens', 'Recipient', 'PublicKey']);
/** Objects whose member names are the client's. */
const CLIENT_NAMED = new Set(['EncryptionContext', 'SourceEncryptionContext', 'DestinationEncryptionContext']);

/** `null` when nothing is left. */
export function recordMembers(members: object): JsonObject | null {
  const kept = lowered(members);
  return Object.keys(kept).length === 0 ? null : kept;
}

function lowered(members: object): JsonObject {
  return Object.fromEntries(
    Object.entries(members).flatMap(([name, value]): [string, Json][] => {
      if (value === undefined || UNRECORDED.has(name) || value instanceof Uint8Array) return [];
      return [[recordName(name), CLIENT_NAMED.has(name) ? value : recordValue(value)]];
    }),
  );
}

function recordValue(value: unknown): Json {
  if (value instanceof Date) return formatShortTime(value.getTime());
  if (Array.isArray(value)) return value.map(recordValue);
  return typeof value === 'object' && value !== null ? lowered(value) : (value as Json);
}

/** The service leaves one name as it is. */
function recordName(name: string): string {
  return name === 'AWSAccountId' ? name : name.slice(0, 1).toLowerCase() + name.slice(1);
}
