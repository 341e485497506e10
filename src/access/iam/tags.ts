/**
 * Tags of users and roles. Keys have no case; the last writer's is kept.
 *
 * Source: IAM User Guide, "Tags for IAM resources".
 */
import type { Tag } from '../identity-documents.ts';
import { checkTags, entityAccess, type IamDeps, type IamOperation, requestTags } from './iam-deps.ts';
import { entityName, type NamedEntity } from './inline-policies.ts';
import { type PageInput, pageOf } from './page.ts';

type TaggedKind = 'User' | 'Role';

export function tagEntity(deps: IamDeps, kind: TaggedKind): IamOperation<NamedEntity & { readonly Tags: readonly Tag[] }> {
  const action = `Tag${kind}`;
  return {
    name: action,
    isReadOnly: false,
    access: (call, input) => entityAccess(deps, call, { action, kind, name: entityName(kind, input), context: requestTags(input.Tags) }),
    decide: async ({ account }, input) => {
      const found = await deps.identities.need(kind, account, entityName(kind, input));
      checkTags(input.Tags);
      const tags = checkTags([
        ...without(
          found.value.tags,
          input.Tags.map(({ Key }) => Key),
        ),
        ...input.Tags,
      ]);
      return {
        output: {},
        apply: () => deps.identities.commit([{ key: found.key, value: { ...found.value, tags }, expected: found.version }]),
      };
    },
  };
}

export function untagEntity(deps: IamDeps, kind: TaggedKind): IamOperation<NamedEntity & { readonly TagKeys: readonly string[] }> {
  const action = `Untag${kind}`;
  return {
    name: action,
    isReadOnly: false,
    access: (call, input) =>
      entityAccess(deps, call, { action, kind, name: entityName(kind, input), context: new Map([['aws:tagkeys', input.TagKeys]]) }),
    decide: async ({ account }, input) => {
      const found = await deps.identities.need(kind, account, entityName(kind, input));
      const tags = without(found.value.tags, input.TagKeys);
      return {
        output: {},
        apply: () => deps.identities.commit([{ key: found.key, value: { ...found.value, tags }, expected: found.version }]),
      };
    },
  };
}

function without(tags: readonly Tag[], keys: readonly string[]): readonly Tag[] {
  const gone = new Set(keys.map((key) => key.toLowerCase()));
  return tags.filter(({ Key }) => !gone.has(Key.toLowerCase()));
}

export function listEntityTags(deps: IamDeps, kind: TaggedKind): IamOperation<NamedEntity & PageInput> {
  const action = `List${kind}Tags`;
  return {
    name: action,
    isReadOnly: true,
    access: (call, input) => entityAccess(deps, call, { action, kind, name: entityName(kind, input) }),
    decide: async ({ account }, input) => {
      const { value } = await deps.identities.need(kind, account, entityName(kind, input));
      const { items, more } = pageOf(value.tags, input, ({ Key }) => Key);
      return { output: { Tags: items, ...more } };
    },
  };
}
