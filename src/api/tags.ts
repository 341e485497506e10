/**
 * Tags of resources: their limits, and what adding and removing make of them.
 *
 * Source: CloudTrail API Reference, "AddTags"; cloudtrail.md §7.6; IAM User Guide, "Tags for AWS resources".
 */
import { ApiError } from './api-error.ts';

const TAGS_MAX = 50;

/** In the wire's words. */
export interface Tag {
  readonly Key: string;
  readonly Value?: string;
}

/**
 * Keys are 1 to 128 characters, values up to 256; both of the characters that IAM compares. `aws:` belongs to the service.
 * @throws ApiError InvalidTagParameterException
 */
export function requireTags(tags: readonly Tag[]): void {
  const problem = findTagProblem(tags);
  if (problem !== undefined) throw new ApiError('InvalidTagParameterException', `The tags are not valid: ${problem}.`);
}

/** What is wrong with keys and values, their lengths apart, which each service refuses in its own words. */
export function findTagProblem(tags: readonly Tag[]): string | undefined {
  const seen = new Set<string>();
  for (const { Key, Value = '' } of tags) {
    if (seen.has(Key)) return `the key \`${Key}\` is given twice`;
    seen.add(Key);
    if (/^aws:/i.test(Key)) return `the key \`${Key}\` begins with \`aws:\`, which is reserved`;
    for (const text of [Key, Value])
      if (!isTagText(text)) return `\`${text}\` has a character other than letters, digits, spaces and _.:/=+-@`;
  }
  return undefined;
}

/** Whether a key or a value has no other characters than IAM compares. */
export function isTagText(text: string): boolean {
  return /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u.test(text);
}

/** The tags with those of `added` in their places, new ones at the end; how many there may be each service says in its own words. */
export function mergeTags(tags: readonly Tag[], added: readonly Tag[]): readonly Tag[] {
  return [...new Map([...tags, ...added].map((tag) => [tag.Key, tag])).values()];
}

/**
 * As `mergeTags`.
 * @throws ApiError TagsLimitExceededException
 */
export function addTags(tags: readonly Tag[], added: readonly Tag[]): readonly Tag[] {
  const merged = mergeTags(tags, added);
  if (merged.length <= TAGS_MAX) return merged;
  throw new ApiError('TagsLimitExceededException', `A resource has at most ${TAGS_MAX} tags; with these it would have ${merged.length}.`);
}

/** The tags without those of these keys, whatever their values. */
export function removeTags(tags: readonly Tag[], removed: readonly Tag[]): readonly Tag[] {
  const keys = new Set(removed.map(({ Key }) => Key));
  return tags.filter(({ Key }) => !keys.has(Key));
}

/** Condition keys of a call that gives tags. */
export function requestTagContext(tags: readonly Tag[] = []): ReadonlyMap<string, readonly string[]> {
  return new Map([
    ...tags.map(({ Key, Value = '' }): [string, string[]] => [`aws:requesttag/${Key.toLowerCase()}`, [Value]]),
    ...(tags.length === 0 ? [] : [['aws:tagkeys', tags.map(({ Key }) => Key)] as [string, string[]]]),
  ]);
}

/**
 * Condition keys of a call on a resource that has tags.
 * @param ownName What the service calls them beside `aws:ResourceTag`, in lower case, where it has a name of its own.
 */
export function resourceTagContext(tags: readonly Tag[], ownName?: string): ReadonlyMap<string, readonly string[]> {
  const names = ['aws:resourcetag', ...(ownName === undefined ? [] : [ownName])];
  return new Map(names.flatMap((name) => tags.map(({ Key, Value = '' }) => [`${name}/${Key.toLowerCase()}`, [Value]])));
}
