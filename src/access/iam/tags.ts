/**
 * Tags of users and roles. Keys have no case; the last writer's is kept.
 *
 * Source: IAM User Guide, "Tags for IAM resources".
 */
import type { Decision } from '../../api/operation.ts';
import { requestTagContext } from '../../api/tags.ts';
import type { CatalogDocument } from '../../store/catalog.ts';
import { changed } from '../identity-changes.ts';
import type { EntityDocuments, Tag } from '../identity-documents.ts';
import { checkTags, type IamDeps, type IamOperation } from './iam-deps.ts';
import { type NamedEntity, onEntity } from './on-entity.ts';
import { listPage, type PageInput } from './page.ts';

type TaggedKind = 'User' | 'Role';

type TagInput = NamedEntity & { readonly Tags: readonly Tag[] };
type UntagInput = NamedEntity & { readonly TagKeys: readonly string[] };

export function tagEntity(deps: IamDeps, kind: TaggedKind): IamOperation<TagInput> {
  return onEntity(deps, kind, {
    name: `Tag${kind}`,
    isReadOnly: false,
    context: ({ Tags }: TagInput) => requestTagContext(Tags),
    decide: (found, { Tags }: TagInput) => {
      checkTags(Tags);
      const others = without(
        found.value.tags,
        Tags.map(({ Key }) => Key),
      );
      return saveTags(deps, found, checkTags([...others, ...Tags]));
    },
  });
}

export function untagEntity(deps: IamDeps, kind: TaggedKind): IamOperation<UntagInput> {
  return onEntity(deps, kind, {
    name: `Untag${kind}`,
    isReadOnly: false,
    context: ({ TagKeys }: UntagInput) => new Map([['aws:tagkeys', TagKeys]]),
    decide: (found, { TagKeys }: UntagInput) => saveTags(deps, found, without(found.value.tags, TagKeys)),
  });
}

function saveTags({ identities }: IamDeps, found: CatalogDocument<EntityDocuments[TaggedKind]>, tags: readonly Tag[]): Decision<object> {
  return { output: {}, ...identities.save([changed(found, { tags })]) };
}

function without(tags: readonly Tag[], keys: readonly string[]): readonly Tag[] {
  const gone = new Set(keys.map((key) => key.toLowerCase()));
  return tags.filter(({ Key }) => !gone.has(Key.toLowerCase()));
}

export function listEntityTags(deps: IamDeps, kind: TaggedKind): IamOperation<NamedEntity & PageInput> {
  return onEntity(deps, kind, {
    name: `List${kind}Tags`,
    isReadOnly: true,
    decide: async ({ value }, input: NamedEntity & PageInput, call) => {
      const { items, more } = await listPage(deps, { call, operation: `List${kind}Tags`, input }, value.tags, ({ Key }) => Key);
      return { output: { Tags: items, ...more } };
    },
  });
}
