/**
 * `Put…Policy`, `Get…Policy`, `List…Policies`, `Delete…Policy`: policies that lie in a user, a group or a role itself.
 *
 * Source: IAM API Reference; IAM User Guide, "IAM and AWS STS quotas": the sum of an entity's inline policies is bounded.
 */
import { ApiError } from '../../api/api-error.ts';
import { type Identities, noSuchEntity } from '../identities.ts';
import { changed } from '../identity-changes.ts';
import { type EntityDocuments, type EntityKind, KINDS } from '../identity-documents.ts';
import { checkPolicy, policySize } from './check-policy.ts';
import type { IamDeps, IamOperation } from './iam-deps.ts';
import { type NamedEntity, onEntity } from './on-entity.ts';
import { encodeDocument } from './outputs.ts';
import { listPage, type PageInput } from './page.ts';

type PolicyNamed = NamedEntity & { readonly PolicyName: string };

export function putInlinePolicy(deps: IamDeps, kind: EntityKind): IamOperation<PolicyNamed & { readonly PolicyDocument: string }> {
  return onEntity(deps, kind, {
    name: `Put${kind}Policy`,
    isReadOnly: false,
    decide: (found, input: PolicyNamed & { readonly PolicyDocument: string }) => {
      const inline = { ...found.value.inline, [input.PolicyName]: checkPolicy(input.PolicyDocument, 'identity') };
      const { noun, inlineSizeMax } = KINDS[kind];
      const size = Object.values(inline).reduce((sum, text) => sum + policySize(text), 0);
      if (size > inlineSizeMax)
        throw new ApiError('LimitExceeded', `Maximum policy size of ${inlineSizeMax} bytes exceeded for ${noun} ${found.value.name}`, {
          status: 409,
        });
      return { output: {}, ...commitInline(deps.identities, found, inline) };
    },
  });
}

function commitInline(
  identities: Identities,
  found: Parameters<typeof changed<EntityDocuments[EntityKind]>>[0],
  inline: Readonly<Record<string, string>>,
) {
  return identities.save([changed(found, { inline })]);
}

function noSuchPolicy(kind: EntityKind, policy: string): ApiError {
  return noSuchEntity(`The ${KINDS[kind].noun} policy with name ${policy} cannot be found.`);
}

export function getInlinePolicy(deps: IamDeps, kind: EntityKind): IamOperation<PolicyNamed> {
  return onEntity(deps, kind, {
    name: `Get${kind}Policy`,
    isReadOnly: true,
    decide: ({ value }, { PolicyName }: PolicyNamed) => {
      const text = Object.hasOwn(value.inline, PolicyName) ? value.inline[PolicyName] : undefined;
      if (text === undefined) throw noSuchPolicy(kind, PolicyName);
      return { output: { [KINDS[kind].nameMember]: value.name, PolicyName, PolicyDocument: encodeDocument(text) } };
    },
  });
}

export function listInlinePolicies(deps: IamDeps, kind: EntityKind): IamOperation<NamedEntity & PageInput> {
  return onEntity(deps, kind, {
    name: `List${kind}Policies`,
    isReadOnly: true,
    decide: async ({ value }, input: NamedEntity & PageInput, call) => {
      const list = { call, operation: `List${kind}Policies`, input };
      const { items, more } = await listPage(deps, list, Object.keys(value.inline), (name) => name);
      return { output: { PolicyNames: items, ...more } };
    },
  });
}

export function deleteInlinePolicy(deps: IamDeps, kind: EntityKind): IamOperation<PolicyNamed> {
  return onEntity(deps, kind, {
    name: `Delete${kind}Policy`,
    isReadOnly: false,
    decide: (found, input: PolicyNamed) => {
      if (!Object.hasOwn(found.value.inline, input.PolicyName)) throw noSuchPolicy(kind, input.PolicyName);
      const { [input.PolicyName]: _, ...inline } = found.value.inline;
      return { output: {}, ...commitInline(deps.identities, found, inline) };
    },
  });
}
