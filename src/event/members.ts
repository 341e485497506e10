/**
 * Reading single members of untrusted JSON: the wanted type, or `undefined`.
 *
 * Only own members count, so that a record which lacks a member never shows one of `Object.prototype` (A47).
 */
import type { Json, JsonObject } from './types.ts';

/** True for an object that is not an array and not `null`. */
export function isJsonObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The member when it is a text with at least one character. */
export function textMember(object: JsonObject | undefined, name: string): string | undefined {
  const value = ownMember(object, name);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** The member when it is an object. */
export function objectMember(object: JsonObject | undefined, name: string): JsonObject | undefined {
  const value = ownMember(object, name);
  return isJsonObject(value) ? value : undefined;
}

/** The member when it is an array. */
export function arrayMember(object: JsonObject | undefined, name: string): readonly Json[] | undefined {
  const value = ownMember(object, name);
  return Array.isArray(value) ? value : undefined;
}

/** The member when it is a boolean, or one of the texts `"true"` and `"false"` that some published records carry. */
export function booleanMember(object: JsonObject | undefined, name: string): boolean | undefined {
  const value = ownMember(object, name);
  if (value === true || value === 'true') return true;
  return value === false || value === 'false' ? false : undefined;
}

/** The member as it is; `undefined` when the object does not have it itself. */
export function ownMember(object: JsonObject | undefined, name: string): Json | undefined {
  return object !== undefined && Object.hasOwn(object, name) ? object[name] : undefined;
}
