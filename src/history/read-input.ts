/**
 * Reads members of the input of Snowtrail's own operations. The input is untrusted JSON, not checked by any shape.
 */
import { ApiError } from '../api/api-error.ts';
import { parseEventTime } from '../event/times.ts';
import type { EpochMs, JsonObject } from '../event/types.ts';

/** A text of 1 to `lengthMax` characters; `undefined` when the member is absent. */
export function readText(input: JsonObject, name: string, lengthMax = 2_048): string | undefined {
  const value = memberOf(input, name);
  if (value === undefined) return undefined;
  if (typeof value === 'string' && value.length >= 1 && value.length <= lengthMax) return value;
  throw invalid(name, `expected a text of 1 to ${lengthMax} characters`);
}

/** One of some words; `undefined` when the member is absent. */
export function readWord<Word extends string>(input: JsonObject, name: string, words: readonly Word[]): Word | undefined {
  const value = memberOf(input, name);
  if (value === undefined) return undefined;
  if (words.includes(value as Word)) return value as Word;
  throw invalid(name, `expected one of ${words.map((word) => `\`${word}\``).join(', ')}`);
}

/** Up to 1,000 texts; `undefined` when the member is absent. */
export function readTexts(input: JsonObject, name: string): readonly string[] | undefined {
  const value = memberOf(input, name);
  if (value === undefined) return undefined;
  if (Array.isArray(value) && value.length <= 1_000 && value.every((item) => typeof item === 'string')) return value as string[];
  throw invalid(name, 'expected a list of up to 1,000 texts');
}

export function readFlag(input: JsonObject, name: string): boolean | undefined {
  const value = memberOf(input, name);
  if (value === undefined || typeof value === 'boolean') return value;
  throw invalid(name, 'expected `true` or `false`');
}

/** A whole number in a range; `fallback` when the member is absent. */
export function readCount(input: JsonObject, name: string, range: { min: number; max: number; fallback: number }): number {
  const value = memberOf(input, name);
  if (value === undefined) return range.fallback;
  if (typeof value === 'number' && Number.isInteger(value) && value >= range.min && value <= range.max) return value;
  throw invalid(name, `expected a whole number from ${range.min} to ${range.max}`);
}

/** A sequence as decimal digits or a whole number; `undefined` when the member is absent. */
export function readSequence(input: JsonObject, name: string): bigint | undefined {
  const value = memberOf(input, name);
  if (value === undefined) return undefined;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return BigInt(value);
  if (typeof value === 'string' && /^[0-9]{1,15}$/.test(value)) return BigInt(value);
  throw invalid(name, 'expected a sequence as up to 15 digits');
}

/** A time as RFC 3339 text, or in seconds since 1970; `undefined` when the member is absent. */
export function readTime(input: JsonObject, name: string): EpochMs | undefined {
  const value = memberOf(input, name);
  if (value === undefined) return undefined;
  const timeMs = typeof value === 'string' ? parseEventTime(value) : typeof value === 'number' ? Math.floor(value * 1000) : undefined;
  if (timeMs !== undefined && Number.isSafeInteger(timeMs) && Math.abs(timeMs) < 2 ** 48) return timeMs;
  throw invalid(name, 'expected a time such as `2025-09-24T02:11:07Z`');
}

/** A member of its own that is not `null`. */
function memberOf(input: JsonObject, name: string) {
  return Object.hasOwn(input, name) ? (input[name] ?? undefined) : undefined;
}

function invalid(name: string, expected: string): ApiError {
  return new ApiError('ValidationException', `\`${name}\` cannot be used: ${expected}`);
}
