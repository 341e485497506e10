/**
 * The JSON of a KMS operation's output: dates as seconds since 1970, bytes as base64.
 */
import type { Json } from '../event/types.ts';

export function encodeKmsOutput(output: unknown): Json {
  if (output instanceof Date) return output.getTime() / 1000;
  if (output instanceof Uint8Array) return Buffer.from(output).toString('base64');
  if (Array.isArray(output)) return output.map(encodeKmsOutput);
  if (typeof output !== 'object' || output === null) return output as Json;
  return Object.fromEntries(
    Object.entries(output).flatMap(([name, value]): [string, Json][] => (value === undefined ? [] : [[name, encodeKmsOutput(value)]])),
  );
}
