/**
 * Reads the JSON body of a control call, within limits, strictly.
 *
 * Untrusted: depth and members are counted before anything recursive sees the text, repeated names are refused (two
 * readers would see two requests), and the bytes must be UTF-8 (reliability.md A45–A48).
 */
import { ApiError } from '../api/api-error.ts';
import { scanJson } from '../event/scan-json.ts';
import type { Json, JsonObject } from '../event/types.ts';

const LIMITS = { depthMax: 64, membersMax: 10_000 };

/**
 * @returns the object; an empty body is an empty one.
 * @throws ApiError SerializationException
 */
export function readJsonObject(bytes: Uint8Array): JsonObject {
  if (bytes.length === 0) return {};
  const shape = scanJson(bytes);
  if (shape.depth > LIMITS.depthMax) throw refused(`it is nested deeper than ${LIMITS.depthMax} levels`);
  if (shape.members > LIMITS.membersMax) throw refused(`it has more than ${LIMITS.membersMax} members`);
  let json: Json;
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw refused('it is not UTF-8', cause);
  }
  try {
    json = JSON.parse(text) as Json;
  } catch (cause) {
    throw refused('it is not JSON', cause);
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw refused('it is not an object');
  if (shape.names !== countNames(json)) throw refused('an object in it has a member twice');
  return json as JsonObject;
}

function countNames(json: Json): number {
  if (typeof json !== 'object' || json === null) return 0;
  if (Array.isArray(json)) return (json as readonly Json[]).reduce((sum: number, item) => sum + countNames(item), 0);
  const values = Object.values(json) as Json[];
  return values.reduce((sum: number, value) => sum + 1 + countNames(value), 0);
}

function refused(reason: string, cause?: unknown): ApiError {
  return new ApiError('SerializationException', `the request body cannot be read: ${reason}`, { status: 400, cause });
}
