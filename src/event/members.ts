/**
 * Reading single members of untrusted JSON: the wanted type, or `undefined`.
 *
 * A record that lacks a member must not show one of `Object.prototype` (A47): what that holds are functions and
 * `__proto__`, so a text, an array or a boolean is never inherited, and nobody here asks for `__proto__`.
 */
import type { Json, JsonObject } from './types.ts';

/** True for an object that is not an array and not `null`. */
export function isJsonObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The member when it is a text with at least one character. */
export function textMember(object: JsonObject | undefined, name: string): string | undefined {
  const value = memberOf(object, name);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** The member when it is an object. */
export function objectMember(object: JsonObject | undefined, name: string): JsonObject | undefined {
  const value = memberOf(object, name);
  return isJsonObject(value) ? value : undefined;
}

/** The member when it is an array. */
export function arrayMember(object: JsonObject | undefined, name: string): readonly Json[] | undefined {
  const value = memberOf(object, name);
  return Array.isArray(value) ? value : undefined;
}

/** The member when it is a boolean, or one of the texts `"true"` and `"false"` that some published records carry. */
export function booleanMember(object: JsonObject | undefined, name: string): boolean | undefined {
  const value = memberOf(object, name);
  if (value === true || value === 'true') return true;
  return value === false || value === 'false' ? false : undefined;
}

/** The member as it is. `name` must be a literal that `Object.prototype` does not have: `Object.hasOwn` costs as much as all the rest. */
export function memberOf(object: JsonObject | undefined, name: string): Json | undefined {
  return object === undefined ? undefined : object[name];
}
