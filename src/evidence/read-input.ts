/**
 * Reads members of the input of Snowtrail's own operations. The input is untrusted JSON, not checked by any shape.
 */
import { ApiError } from '../api/api-error.ts';
import type { JsonObject } from '../event/types.ts';

/** A tree size or a sequence: decimal digits, or a whole number; `undefined` when the member is absent. */
export function readWhole(input: JsonObject, name: string): bigint | undefined {
  const value = input[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return BigInt(value);
  if (typeof value === 'string' && /^[0-9]{1,19}$/.test(value)) return BigInt(value);
  throw new ApiError('ValidationException', `\`${name}\` is \`${JSON.stringify(value)}\`; expected a whole number as digits`);
}

/** A text of 1 to 256 characters; `undefined` when the member is absent. */
export function readShortText(input: JsonObject, name: string): string | undefined {
  const value = input[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string' && value.length >= 1 && value.length <= 256) return value;
  throw new ApiError('ValidationException', `\`${name}\` is not a text of 1 to 256 characters`);
}
