/**
 * Reads the members of a request to the Organizations API: untrusted JSON, within the model's limits.
 */
import type { AccountId } from '../event/types.ts';
import { invalidInput } from './refusals.ts';

export type Input = Readonly<Record<string, unknown>>;

interface TextRule {
  readonly pattern?: RegExp;
  readonly lengthMax: number;
  readonly lengthMin?: number;
}

/** Rules of the service's model, by member. */
const RULES = {
  AccountId: { pattern: /^[0-9]{12}$/, lengthMax: 12 },
  RootId: { pattern: /^r-[0-9a-z]{4,32}$/, lengthMax: 34 },
  OrganizationalUnitId: { pattern: /^ou-[0-9a-z]{4,32}-[0-9a-z]{8,32}$/, lengthMax: 68 },
  ParentId: { pattern: /^(?:r-[0-9a-z]{4,32}|ou-[0-9a-z]{4,32}-[0-9a-z]{8,32})$/, lengthMax: 100 },
  ChildId: { pattern: /^(?:[0-9]{12}|ou-[0-9a-z]{4,32}-[0-9a-z]{8,32})$/, lengthMax: 100 },
  TargetId: { pattern: /^(?:[0-9]{12}|r-[0-9a-z]{4,32}|ou-[0-9a-z]{4,32}-[0-9a-z]{8,32})$/, lengthMax: 100 },
  PolicyId: { pattern: /^p-[0-9a-zA-Z_]{8,128}$/, lengthMax: 130 },
  HandshakeId: { pattern: /^h-[0-9a-z]{8,32}$/, lengthMax: 34 },
  CreateAccountRequestId: { pattern: /^car-[a-z0-9]{8,32}$/, lengthMax: 36 },
  ServicePrincipal: { pattern: /^[\w+=,.@-]*$/, lengthMax: 128 },
  Email: { pattern: /^[^\s@]+@[^\s@]+\.[^\s@]+$/, lengthMax: 64, lengthMin: 6 },
  AccountName: { pattern: /^[ -~]+$/, lengthMax: 50 },
  ResourceId: {
    pattern: /^(?:[0-9]{12}|r-[0-9a-z]{4,32}|ou-[0-9a-z]{4,32}-[0-9a-z]{8,32}|p-[0-9a-zA-Z_]{8,128})$/,
    lengthMax: 130,
  },
  Key: { lengthMax: 128 },
  Value: { lengthMax: 256, lengthMin: 0 },
  Name: { lengthMax: 128 },
  Description: { lengthMax: 512, lengthMin: 0 },
  Content: { lengthMax: 1_000_000 },
  Notes: { lengthMax: 1_024, lengthMin: 0 },
} as const satisfies Readonly<Record<string, TextRule>>;

export type TextMember = keyof typeof RULES;

/** @throws ApiError InvalidInputException */
export function text(input: Input, member: TextMember, as: string = member): string {
  const value = optionalText(input, member, as);
  if (value === undefined) throw invalidInput('INPUT_REQUIRED', `You must specify a value for ${as}.`);
  return value;
}

/** @throws ApiError InvalidInputException */
export function optionalText(input: Input, member: TextMember, as: string = member): string | undefined {
  const value = input[as];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') throw invalidInput('INVALID_PATTERN', `${as} must be a text.`);
  const { lengthMax, lengthMin = 1, pattern }: TextRule = RULES[member];
  const length = [...value].length;
  if (length > lengthMax) throw invalidInput('MAX_LENGTH_EXCEEDED', `${as} has ${length} characters; at most ${lengthMax} are allowed.`);
  if (length < lengthMin) throw invalidInput('MIN_LENGTH_EXCEEDED', `${as} has ${length} characters; at least ${lengthMin} are needed.`);
  if (pattern !== undefined && !pattern.test(value))
    throw invalidInput('INVALID_PATTERN', `${as} \`${value.slice(0, 100)}\` is not of the form ${pattern.source}.`);
  return value;
}

/** @throws ApiError InvalidInputException */
export function accountId(input: Input): AccountId {
  return text(input, 'AccountId') as AccountId;
}

/** One of a list of words. @throws ApiError InvalidInputException */
export function word<Word extends string>(input: Input, member: string, words: readonly Word[]): Word {
  const value = input[member];
  if (value === undefined || value === null) throw invalidInput('INPUT_REQUIRED', `You must specify a value for ${member}.`);
  const found = words.find((each) => each === value);
  if (found === undefined) throw invalidInput('INVALID_ENUM', `${member} must be one of ${words.join(', ')}.`);
  return found;
}
