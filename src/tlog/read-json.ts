/**
 * Reads members of untrusted JSON by the form that each must have.
 *
 * A reader throws `Malformed` with the member's path. There is one text for one value: `readVersioned` refuses a repeated
 * member, a second spelling of a number or a text, and white space, by comparing the text with what `JSON.stringify` makes
 * of it; `checkMembers`, which a reader calls for each object, refuses an unknown member and another order.
 */
import { Malformed, outcomeOf, type ParsedVersion, unknownVersion } from './parsed.ts';

/** One object of the JSON, and the path to it for messages. */
export interface JsonMembers {
  readonly path: string;
  readonly members: Readonly<Record<string, unknown>>;
}

/**
 * Reads one line of JSON, with its line end, as `JSON.stringify` writes it, of which the member `version` says how the rest
 * is to be read.
 */
export function readVersioned<T>(text: string, known: number, read: (root: JsonMembers) => T): ParsedVersion<T> {
  const begun = outcomeOf(() => {
    const root = asObject(parseJson(text), '');
    return { root, version: readCount(root, 'version', 1) };
  });
  if (begun.kind === 'malformed') return begun;
  const { root, version } = begun.value;
  return (
    unknownVersion(version, known) ??
    outcomeOf(() => {
      const value = read(root);
      if (`${JSON.stringify(root.members)}\n` !== text)
        throw new Malformed('the JSON is not written as it must be: a member is repeated, or something is spelled in another way');
      return value;
    })
  );
}

/** Refuses an object unless its members are these, in this order. */
export function checkMembers(from: JsonMembers, names: readonly string[]): void {
  let index = 0;
  for (const name in from.members) if (names[index++] !== name) throw unknownMember(from, name);
  if (index < names.length) memberOf(from, names[index]!);
}

/** A text that matches `form` as a whole. */
export function readText(from: JsonMembers, name: string, form: RegExp): string {
  const value = memberOf(from, name);
  if (typeof value !== 'string' || !form.test(value)) throw malformed(from, name, `a text like ${form.source}`);
  return value;
}

/** As `readText`, or `null`. */
export function readTextOrNull(from: JsonMembers, name: string, form: RegExp): string | null {
  return memberOf(from, name) === null ? null : readText(from, name, form);
}

/** A whole number from `least` to 2^53 − 1. */
export function readCount(from: JsonMembers, name: string, least: number): number {
  const value = memberOf(from, name);
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < least)
    throw malformed(from, name, `a whole number from ${least}`);
  return value;
}

/** A journal sequence: a decimal text from 1 to 2^63 − 1. */
export function readSequence(from: JsonMembers, name: string): bigint {
  const sequence = BigInt(readText(from, name, /^[1-9][0-9]{0,18}$/));
  if (sequence >= 2n ** 63n) throw malformed(from, name, 'a sequence below 2^63');
  return sequence;
}

export function readBoolean(from: JsonMembers, name: string): boolean {
  const value = memberOf(from, name);
  if (typeof value !== 'boolean') throw malformed(from, name, 'true or false');
  return value;
}

/** A member that is an object. */
export function readObject(from: JsonMembers, name: string): JsonMembers {
  return asObject(memberOf(from, name), pathOf(from, name));
}

/** A member that is an array of at most `most` elements. */
export function readArray(from: JsonMembers, name: string, most: number): readonly unknown[] {
  const value = memberOf(from, name);
  if (!Array.isArray(value) || value.length > most) throw malformed(from, name, `an array of at most ${most} elements`);
  return value;
}

/** A value that is an object, with the path that messages are to show. */
export function asObject(value: unknown, path: string): JsonMembers {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Malformed(`${path === '' ? 'the JSON' : `\`${path}\``} is not an object`);
  return { path, members: value as Record<string, unknown> };
}

/** True when the object has a member of this name. */
export function hasMember(from: JsonMembers, name: string): boolean {
  return Object.hasOwn(from.members, name);
}

function memberOf(from: JsonMembers, name: string): unknown {
  if (!hasMember(from, name)) throw new Malformed(`\`${pathOf(from, name)}\` is missing`);
  return from.members[name];
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Malformed(`not JSON: ${(error as SyntaxError).message}`);
  }
}

function unknownMember(from: JsonMembers, name: string): Malformed {
  return new Malformed(`\`${pathOf(from, name)}\` is unknown or in another place than it must be`);
}

function malformed(from: JsonMembers, name: string, expected: string): Malformed {
  return new Malformed(`\`${pathOf(from, name)}\` is not ${expected}`);
}

function pathOf(from: JsonMembers, name: string): string {
  return from.path === '' ? name : `${from.path}.${name}`;
}
