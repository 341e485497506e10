/**
 * `Attach…Policy`, `Detach…Policy`, `ListAttached…Policies`, `Put…PermissionsBoundary`, `Delete…PermissionsBoundary`.
 *
 * A policy that is attached or bounds somebody cannot be deleted: the change that attaches it holds the policy's own document fast.
 * Source: IAM API Reference.
 */

import type { AccountId } from '../../event/types.ts';
import { type Identities, noSuchEntity } from '../identities.ts';
import { changed, replaced } from '../identity-changes.ts';
import { type EntityDocuments, type EntityKind, KINDS, parseIamArn } from '../identity-documents.ts';
import { policyGuard } from './check-policy.ts';
import { boundaryContext, type IamDeps, type IamOperation, invalidInput, limitExceeded } from './iam-deps.ts';
import { type NamedEntity, onEntity } from './on-entity.ts';
import { listPage, type PageInput } from './page.ts';

const ATTACHED_MAX = 10;

type Found = Parameters<typeof changed<EntityDocuments[EntityKind]>>[0];

type AttachInput = NamedEntity & { readonly PolicyArn: string };

const policyContext = ({ PolicyArn }: AttachInput) => new Map([['iam:policyarn', [PolicyArn]]]);

export function attachPolicy(deps: IamDeps, kind: EntityKind): IamOperation<AttachInput> {
  const { identities } = deps;
  return onEntity(deps, kind, {
    name: `Attach${kind}Policy`,
    isReadOnly: false,
    context: policyContext,
    decide: async (found: Found, { PolicyArn }: AttachInput, { account }) => {
      requirePolicyArn(PolicyArn);
      const guards = await policyGuard(identities, account, PolicyArn);
      const { attached } = found.value;
      if (attached.includes(PolicyArn)) return { output: {}, apply: async () => {} };
      if (attached.length >= ATTACHED_MAX) throw limitExceeded(`PoliciesPer${kind}`, ATTACHED_MAX);
      return { output: {}, ...identities.save([changed(found, { attached: [...attached, PolicyArn] }), ...guards]) };
    },
  });
}

function requirePolicyArn(arn: string): void {
  if (parseIamArn(arn, 'policy') === undefined) throw invalidInput(`ARN ${arn} is not valid.`);
}

export function detachPolicy(deps: IamDeps, kind: EntityKind): IamOperation<AttachInput> {
  return onEntity(deps, kind, {
    name: `Detach${kind}Policy`,
    isReadOnly: false,
    context: policyContext,
    decide: (found: Found, { PolicyArn }: AttachInput) => {
      requirePolicyArn(PolicyArn);
      if (!found.value.attached.includes(PolicyArn)) throw noSuchEntity(`Policy ${PolicyArn} was not found.`);
      const attached = found.value.attached.filter((arn) => arn !== PolicyArn);
      return { output: {}, ...deps.identities.save([changed(found, { attached })]) };
    },
  });
}

type ListAttachedInput = NamedEntity & PageInput & { readonly PathPrefix?: string };

export function listAttachedPolicies(deps: IamDeps, kind: EntityKind): IamOperation<ListAttachedInput> {
  return onEntity(deps, kind, {
    name: `ListAttached${kind}Policies`,
    isReadOnly: true,
    decide: async ({ value }, input: ListAttachedInput, call) => {
      const policies = await underPath(deps.identities, call.account, { arns: value.attached, prefix: input.PathPrefix ?? '/' });
      const list = { call, operation: `ListAttached${kind}Policies`, input };
      const { items, more } = await listPage(deps, list, policies, ({ PolicyArn }) => PolicyArn);
      return { output: { AttachedPolicies: items, ...more } };
    },
  });
}

async function underPath(
  identities: Identities,
  account: AccountId,
  { arns, prefix }: { readonly arns: readonly string[]; readonly prefix: string },
) {
  const found = await Promise.all(arns.map((arn) => identities.findPolicy(account, arn)));
  return found.flatMap((policy, index) =>
    policy?.value.path.startsWith(prefix) ? [{ PolicyName: policy.value.name, PolicyArn: arns[index]! }] : [],
  );
}

type BoundaryInput = NamedEntity & { readonly PermissionsBoundary: string };

export function putBoundary(deps: IamDeps, kind: 'User' | 'Role'): IamOperation<BoundaryInput> {
  const { identities } = deps;
  return onEntity(deps, kind, {
    name: `Put${kind}PermissionsBoundary`,
    isReadOnly: false,
    context: ({ PermissionsBoundary }: BoundaryInput) => new Map(boundaryContext(PermissionsBoundary)),
    decide: async (found, { PermissionsBoundary: boundary }: BoundaryInput, { account }) => {
      requirePolicyArn(boundary);
      const guards = await policyGuard(identities, account, boundary);
      return {
        output: {},
        ...identities.save([changed(found, { boundary }), ...guards]),
      };
    },
  });
}

export function deleteBoundary(deps: IamDeps, kind: 'User' | 'Role'): IamOperation<NamedEntity> {
  return onEntity(deps, kind, {
    name: `Delete${kind}PermissionsBoundary`,
    isReadOnly: false,
    decide: (found) => {
      const { boundary, ...value } = found.value;
      if (boundary === undefined) throw noSuchEntity(`${KINDS[kind].noun} ${found.value.name} does not have permissions boundary.`);
      return { output: {}, ...deps.identities.save([replaced(found, value)]) };
    },
  });
}
